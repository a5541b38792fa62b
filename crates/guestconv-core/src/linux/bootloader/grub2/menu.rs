//! What GRUB 2 would show: `grub.cfg` followed as GRUB follows it, as far as the entries, their kernels and the default
//! depend on it. Conditions that need hardware or files count as true; loops run once; functions are not called.

use crate::formats::grub_cfg::{Item, Word, items};
use std::collections::BTreeMap;

/// The most entries and variables that are followed, and the longest value in bytes: a menu has some dozens.
const ENTRIES_CAP: usize = 1000;
const VARIABLES_CAP: usize = 200;
const VALUE_CAP_BYTES: usize = 4 << 10;
/// How many blocks, and conditions, are followed in each other; what is deeper is passed over.
const DEPTH_CAP: usize = 64;
/// The longest command line that is followed, in bytes; what is behind it is cut off. Linux takes 4 KiB.
const ARGUMENTS_CAP_BYTES: usize = 64 << 10;

/// An entry of the menu that starts a kernel, or another boot loader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MenuEntry {
    pub(super) title: String,
    pub(super) id: String,
    /// Where GRUB looks for files: `hd0,msdos1`, or `UUID=…` after a search.
    pub(super) root: Option<String>,
    pub(super) kernel: String,
    pub(super) arguments: Vec<String>,
    pub(super) initrds: Vec<String>,
    /// What it hands over to, if that is another boot loader: `+1`, a file.
    pub(super) chainloads: Option<String>,
    /// Set by `blscfg`: which of the Boot Loader Specification's entries this is.
    pub(super) bls: Option<usize>,
    pub(super) default: bool,
    /// Number, title and id of each level, outermost first.
    place: Vec<(usize, String, String)>,
}

/// An entry of the Boot Loader Specification as the menu needs it: id and title, in the menu's order.
pub(super) struct Bls<'a> {
    pub(super) id: &'a str,
    pub(super) title: &'a str,
}

/// What GRUB would show, and the variables that it had in the end.
pub(super) struct Menu {
    pub(super) entries: Vec<MenuEntry>,
    /// Those that start another boot loader.
    pub(super) others: Vec<MenuEntry>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) uses_bls: bool,
}

/// Follows a menu. `environment` is what `load_env` would load.
pub(super) fn follow(text: &str, environment: &[(String, String)], bls: &[Bls<'_>]) -> Menu {
    let mut state = State { environment, bls, ..State::default() };
    for name in ["feature_menuentry_id", "feature_platform_search_hint", "feature_timeout_style"] {
        state.set(name, "y");
    }
    for item in items(text) {
        match item {
            Item::Command(words) => state.command(&words),
            Item::Open(words) => state.open(&words),
            Item::Close => state.close(),
        }
    }
    let default = state.value("default");
    let mut entries = state.entries;
    let fits = |entry: &MenuEntry| entry.is_at(&default);
    // Without a default that is there GRUB takes the first.
    let chosen = entries.iter().position(fits).or(if entries.is_empty() { None } else { Some(0) });
    if let Some(entry) = chosen.and_then(|chosen| entries.get_mut(chosen)) {
        entry.default = true;
    }
    let others = entries.extract_if(.., |entry| entry.chainloads.is_some()).collect();
    entries.retain(|entry| entry.bls.is_some() || !entry.kernel.is_empty());
    Menu { entries, others, variables: state.variables, uses_bls: state.uses_bls }
}

impl MenuEntry {
    /// Returns whether GRUB's `default` means this: numbers, titles or ids of each level, with `>` between them.
    fn is_at(&self, default: &str) -> bool {
        let mut rest = default;
        for (at, (number, title, id)) in self.place.iter().enumerate() {
            let last = at + 1 == self.place.len();
            let names = [number.to_string(), title.clone(), id.clone()];
            let fits = names.iter().filter(|name| !name.is_empty()).find_map(|name| {
                let rest = rest.strip_prefix(name.as_str())?;
                if last { rest.is_empty().then_some("") } else { rest.strip_prefix('>') }
            });
            match fits {
                Some(tail) => rest = tail,
                None => return false,
            }
        }
        !self.place.is_empty()
    }
}

/// What a brace has opened.
enum Block {
    Entry {
        saved: BTreeMap<String, String>,
    },
    Submenu,
    /// A function's body and anything that is not known: not followed.
    Skipped,
}

#[derive(Default)]
struct State<'a> {
    environment: &'a [(String, String)],
    bls: &'a [Bls<'a>],
    variables: BTreeMap<String, String>,
    blocks: Vec<Block>,
    /// For each `if` that is open: whether a branch was taken, whether this branch runs.
    branches: Vec<(bool, bool)>,
    /// How many blocks and conditions are open beyond those that are followed.
    blocks_beyond: usize,
    branches_beyond: usize,
    /// Number, title and id of the submenus around; and how many items the menu of each level has so far.
    place: Vec<(usize, String, String)>,
    counts: Vec<usize>,
    entries: Vec<MenuEntry>,
    uses_bls: bool,
}

impl State<'_> {
    fn value(&self, name: &str) -> String {
        self.variables.get(name).cloned().unwrap_or_default()
    }

    fn set(&mut self, name: &str, value: &str) {
        let fits = self.variables.len() < VARIABLES_CAP || self.variables.contains_key(name);
        if fits && value.len() <= VALUE_CAP_BYTES {
            self.variables.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Returns the words, carried, as far as a command line goes.
    fn within_cap(&self, words: &[Word]) -> impl Iterator<Item = String> {
        let mut left = ARGUMENTS_CAP_BYTES;
        words.iter().map(|word| self.carried(word)).map_while(move |word| {
            left = left.checked_sub(word.len())?;
            Some(word)
        })
    }

    /// Variables that are not set are empty, as in GRUB.
    fn expanded(&self, word: &Word) -> String {
        word.expanded(|name| Some(self.value(name)))
    }

    /// Variables that are not set stay as they are written, so that they can be carried.
    fn carried(&self, word: &Word) -> String {
        word.expanded(|name| self.variables.get(name).cloned())
    }

    fn runs(&self) -> bool {
        if self.blocks_beyond + self.branches_beyond > 0 {
            return false;
        }
        let skipped = self.blocks.iter().any(|block| matches!(block, Block::Skipped));
        !skipped && self.branches.iter().all(|(_, runs)| *runs)
    }

    fn open(&mut self, words: &[Word]) {
        if self.blocks.len() >= DEPTH_CAP {
            self.blocks_beyond += 1;
            return;
        }
        let kind = words.first().map(Word::text).unwrap_or_default();
        if !self.runs() || self.entries.len() >= ENTRIES_CAP {
            self.blocks.push(Block::Skipped);
            return;
        }
        let all: Vec<String> = words.iter().map(|word| self.expanded(word)).collect();
        let title: String = all.get(1).map(|title| short(title)).unwrap_or_default();
        let id = all.iter().enumerate().find_map(|(at, word)| match word.strip_prefix("--id") {
            Some("") => all.get(at + 1).cloned(),
            Some(rest) => rest.strip_prefix('=').map(str::to_owned),
            None => None,
        });
        let id = id.map(|id| short(&id)).unwrap_or_default();
        match kind.as_str() {
            "menuentry" => {
                self.add(MenuEntry { title, id, ..MenuEntry::default() });
                self.blocks.push(Block::Entry { saved: self.variables.clone() });
            }
            "submenu" => {
                let number = self.next_number();
                self.place.push((number, title, id));
                self.counts.push(0);
                self.blocks.push(Block::Submenu);
            }
            _ => self.blocks.push(Block::Skipped),
        }
    }

    fn close(&mut self) {
        if let Some(left) = self.blocks_beyond.checked_sub(1) {
            self.blocks_beyond = left;
            return;
        }
        match self.blocks.pop() {
            Some(Block::Entry { saved }) => self.variables = saved,
            Some(Block::Submenu) => {
                self.place.pop();
                self.counts.pop();
            }
            Some(Block::Skipped) | None => {}
        }
    }

    fn next_number(&mut self) -> usize {
        if self.counts.is_empty() {
            self.counts.push(0);
        }
        let Some(count) = self.counts.last_mut() else { return 0 };
        let number = *count;
        *count += 1;
        number
    }

    fn add(&mut self, mut entry: MenuEntry) {
        let number = self.next_number();
        entry.place = self.place.clone();
        entry.place.push((number, entry.title.clone(), entry.id.clone()));
        self.entries.push(entry);
    }

    fn command(&mut self, words: &[Word]) {
        let Some((first, arguments)) = words.split_first() else { return };
        let name = first.text();
        match name.as_str() {
            "if" if self.branches.len() >= DEPTH_CAP => self.branches_beyond += 1,
            "fi" if self.branches_beyond > 0 => self.branches_beyond -= 1,
            "elif" | "else" if self.branches_beyond > 0 => {}
            "if" => {
                let runs = self.condition(arguments);
                self.branches.push((runs, runs));
            }
            "elif" => {
                let runs = self.condition(arguments);
                if let Some((taken, branch)) = self.branches.last_mut() {
                    *branch = runs && !*taken;
                    *taken |= runs;
                }
            }
            "else" => {
                if let Some((taken, branch)) = self.branches.last_mut() {
                    *branch = !*taken;
                }
            }
            "fi" => drop(self.branches.pop()),
            _ if !self.runs() => {}
            "set" => arguments.iter().for_each(|word| self.assign(word)),
            "unset" => {
                for word in arguments {
                    self.variables.remove(&word.text());
                }
            }
            "load_env" => {
                for (name, value) in self.environment {
                    self.set(name, value);
                }
            }
            "search" | "search.fs_uuid" | "search.fs_label" | "search.file" => self.search(&name, arguments),
            "blscfg" => self.add_bls(),
            name if super::starts_kernel(name) => self.kernel(arguments),
            name if super::loads_initramfs(name) => self.initrds(arguments),
            "chainloader" => self.chainloader(arguments),
            "module" | "module2" | "xen_module" => {
                let waits = self.current().is_some_and(|entry| entry.kernel.is_empty());
                let file = arguments.iter().position(|word| !word.text().starts_with("--"));
                let file = file.and_then(|at| arguments.get(at..=at)).unwrap_or(&[]);
                if waits { self.kernel(arguments) } else { self.initrds(file) }
            }
            _ if arguments.is_empty() => self.assign(first),
            _ => {}
        }
    }

    fn assign(&mut self, word: &Word) {
        let text = self.carried(word);
        if let Some((name, value)) = text.split_once('=') {
            self.set(name, value);
        }
    }

    /// The entry whose body is read.
    fn current(&mut self) -> Option<&mut MenuEntry> {
        let inside = matches!(self.blocks.last(), Some(Block::Entry { .. }));
        self.entries.last_mut().filter(|_| inside)
    }

    fn kernel(&mut self, words: &[Word]) {
        let mut all = self.within_cap(words).skip_while(|word| word.starts_with("--"));
        let kernel = all.next().unwrap_or_default();
        // A variable may hold several arguments.
        let arguments: Vec<String> =
            all.flat_map(|word| word.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
        let root = Some(self.value("root")).filter(|root| !root.is_empty());
        if let Some(entry) = self.current() {
            (entry.kernel, entry.arguments, entry.root) = (kernel, arguments, root);
        }
    }

    fn chainloader(&mut self, words: &[Word]) {
        let mut all = words.iter().map(|word| self.carried(word)).skip_while(|word| word.starts_with("--"));
        let what = all.next().unwrap_or_default();
        let root = Some(self.value("root")).filter(|root| !root.is_empty());
        if let Some(entry) = self.current() {
            (entry.chainloads, entry.root) = (Some(what), root);
        }
    }

    fn initrds(&mut self, words: &[Word]) {
        let all: Vec<String> = self.within_cap(words).filter(|word| !word.starts_with("--")).collect();
        if let Some(entry) = self.current() {
            entry.initrds.extend(all);
        }
    }

    /// A search leaves the device's content as its name, since that is what it looks for.
    fn search(&mut self, name: &str, words: &[Word]) {
        let all: Vec<String> = words.iter().map(|word| self.expanded(word)).collect();
        let mut tag = match name {
            "search.fs_uuid" => Some("UUID"),
            "search.fs_label" => Some("LABEL"),
            _ => None,
        };
        let (mut variable, mut values, mut takes_name) = ("root".to_owned(), Vec::new(), false);
        for word in &all {
            match word.as_str() {
                "--fs-uuid" | "-u" => tag = Some("UUID"),
                "--label" | "-l" => tag = Some("LABEL"),
                "--file" | "-f" => tag = None,
                "--set" | "-s" => takes_name = true,
                word if word.starts_with("--set=") => variable = word.trim_start_matches("--set=").to_owned(),
                word if word.starts_with('-') => {}
                word => values.push(word.to_owned()),
            }
        }
        // `--set root UUID` and `search.fs_uuid UUID root` name the variable by a word of its own.
        if takes_name && values.len() > 1 {
            variable = values.remove(0);
        } else if name != "search" && values.len() > 1 {
            variable = values.remove(1);
        }
        match (tag, values.first()) {
            (Some(tag), Some(value)) => self.set(&variable, &format!("{tag}={value}")),
            _ => drop(self.variables.remove(&variable)),
        }
    }

    fn add_bls(&mut self) {
        self.uses_bls = true;
        let root = Some(self.value("root")).filter(|root| !root.is_empty());
        for (at, entry) in self.bls.iter().enumerate() {
            let (title, id) = (entry.title.to_owned(), entry.id.to_owned());
            self.add(MenuEntry { title, id, root: root.clone(), bls: Some(at), ..MenuEntry::default() });
        }
    }

    fn condition(&self, words: &[Word]) -> bool {
        let all: Vec<String> = words.iter().map(|word| self.expanded(word)).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        match all.as_slice() {
            ["[", inner @ .., "]"] | ["test", inner @ ..] => {
                inner.split(|word| *word == "-o").any(|all| all.split(|word| *word == "-a").all(holds))
            }
            // Commands: they succeed, as far as is known here.
            _ => true,
        }
    }
}

/// Returns a title or id, cut off where no menu's is as long.
fn short(name: &str) -> String {
    name.chars().take(VALUE_CAP_BYTES).collect()
}

fn holds(test: &[&str]) -> bool {
    let negations = test.iter().take_while(|word| **word == "!").count();
    let is_true = match test.get(negations..).unwrap_or(&[]) {
        [left, "=" | "==", right] => left == right,
        [left, "!=", right] => left != right,
        ["-n", text] => !text.is_empty(),
        ["-z", text] => text.is_empty(),
        ["-e" | "-f" | "-s" | "-d", _] => true,
        [text] => !text.is_empty(),
        [] => false,
        _ => true,
    };
    is_true == (negations % 2 == 0)
}

#[cfg(test)]
mod tests;
