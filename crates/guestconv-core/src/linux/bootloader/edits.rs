//! Every command line in a loader's files, whatever language the file is in, and what an edit makes of the file.

use super::grub2;
use super::names::Initramfs;
use super::{Config, LoaderKind, Role};
use crate::formats::cmdline::{self, CmdlineEdit, Operation, Word};
use crate::formats::fields::replaced;
use crate::formats::grub_cfg::{self, Item};
use crate::formats::{bls, extlinux, grub_legacy, grubenv, shell_vars};
use std::ops::Range;

/// Shell variables that hold command lines. The first is for all entries; `*_APPEND` are SUSE's of the time before GRUB 2.
const VARIABLES: [&str; 6] = [
    "GRUB_CMDLINE_LINUX",
    "GRUB_CMDLINE_LINUX_DEFAULT",
    "GRUB_CMDLINE_LINUX_RECOVERY",
    "GRUB_CMDLINE_LINUX_XEN_REPLACE",
    "DEFAULT_APPEND",
    "FAILSAFE_APPEND",
];

/// Variables of GRUB's own that hold the command line of Fedora's and RHEL 8's entries.
const KERNEL_OPTIONS: [&str; 2] = ["kernelopts", "default_kernelopts"];

/// Makes the edit of one command line from its words.
pub(super) type Decide<'a> = dyn FnMut(&[Word], Initramfs) -> CmdlineEdit + 'a;

/// Why a file cannot be edited: the environment block has a fixed size, and the new text is larger.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

/// Returns the text of a file with every command line as `decide` wants it. `usual` tells of lines that belong to no entry
/// whether their kernels get an initramfs.
pub(super) fn edited(
    kind: LoaderKind,
    config: &Config,
    text: &str,
    usual: Initramfs,
    decide: &mut Decide<'_>,
) -> Result<String, NoRoom> {
    Ok(match config.role {
        Role::Menu if kind == LoaderKind::GrubLegacy => legacy_menu(text, usual, decide),
        Role::Menu if kind == LoaderKind::Extlinux => extlinux::with_cmdlines(text, |arguments, used| {
            let initramfs = if used { Initramfs::Used } else { Initramfs::Absent };
            decide(&cmdline::words(arguments), initramfs)
        }),
        Role::Menu | Role::MenuTemplate => grub_menu(text, usual, decide),
        Role::Environment => return environment(text, usual, decide),
        Role::BlsEntry => bls_entry(text, decide),
        Role::Defaults if kind == LoaderKind::Extlinux => extlinux_defaults(text, usual, decide),
        Role::Defaults => defaults(text, config.file.path.file_name() == "grub", usual, decide),
        Role::KernelCmdline => {
            let words = cmdline::words(text);
            cmdline::edited(text, &decide(&words, usual))
        }
        Role::DeviceMap | Role::Settings => text.to_owned(),
    })
}

/// What to do with one command, found on the way through a menu.
enum Found {
    /// `linux` or Xen's `module`: its words from the file on, and the number of its entry.
    Kernel(Vec<grub_cfg::Word>, Option<usize>),
    /// `set kernelopts="…"`.
    Variable(grub_cfg::Word),
}

fn grub_menu(text: &str, usual: Initramfs, decide: &mut Decide<'_>) -> String {
    let (found, with_initramfs) = commands(text);
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for one in found {
        match one {
            Found::Kernel(all, entry) => {
                let initramfs = match entry {
                    Some(entry) if !with_initramfs.contains(&entry) => Initramfs::Absent,
                    Some(_) => Initramfs::Used,
                    None => usual,
                };
                let end = all.last().map_or(0, |word| word.range.end);
                let words: Vec<Word> = all
                    .iter()
                    .skip(1)
                    .map(|word| Word { text: word.text(), range: word.range.clone() })
                    .collect();
                let edit = decide(&words, initramfs);
                let edit = if names_options(&words) { edit.without_additions() } else { edit };
                edits.extend(cmdline::edits(text, &words, end, &edit, grub_cfg::quoted));
            }
            Found::Variable(word) => {
                let whole = word.text();
                let Some((name, value)) = whole.split_once('=') else { continue };
                let new = cmdline::edited(value, &decide(&cmdline::words(value), usual));
                if new != value {
                    let escaped = new.replace('\\', "\\\\").replace('"', "\\\"");
                    edits.push((word.range, format!("{name}=\"{escaped}\"")));
                }
            }
        }
    }
    replaced(text, &edits)
}

/// Returns the commands that hold command lines, and the numbers of the entries that load an initramfs.
fn commands(text: &str) -> (Vec<Found>, Vec<usize>) {
    let (mut found, mut with_initramfs) = (Vec::new(), Vec::new());
    let (mut blocks, mut entries): (Vec<Option<usize>>, usize) = (Vec::new(), 0);
    for item in grub_cfg::items(text) {
        let words = match item {
            Item::Open(words) => {
                let is_entry = words.first().is_some_and(|word| word.text() == "menuentry");
                blocks.push(is_entry.then_some(entries));
                entries += usize::from(is_entry);
                continue;
            }
            Item::Close => {
                blocks.pop();
                continue;
            }
            Item::Command(words) => words,
        };
        let entry = blocks.last().copied().flatten();
        let Some((first, rest)) = words.split_first() else { continue };
        let name = first.text();
        let from_file = rest.iter().position(|word| !word.text().starts_with("--"));
        let arguments = from_file.and_then(|at| rest.get(at..)).unwrap_or(&[]);
        let file = arguments.first().map(grub_cfg::Word::text).unwrap_or_default();
        let is_module = ["module", "module2", "xen_module"].contains(&name.as_str());
        let has_root = arguments.iter().any(|word| word.text().starts_with("root="));
        if (grub2::starts_kernel(&name) && !file.is_empty() && !super::is_no_kernel(&file))
            || (is_module && has_root)
        {
            found.push(Found::Kernel(arguments.to_vec(), entry));
        } else if grub2::loads_initramfs(&name) || is_module {
            with_initramfs.extend(entry);
        } else {
            let holds = |word: &&grub_cfg::Word| {
                let text = word.text();
                text.split_once('=')
                    .is_some_and(|(name, value)| KERNEL_OPTIONS.contains(&name) && !value.is_empty())
            };
            found.extend(words.iter().filter(holds).cloned().map(Found::Variable));
        }
    }
    (found, with_initramfs)
}

/// Returns whether a command line takes its arguments from a variable that is edited where it is set.
fn names_options(words: &[Word]) -> bool {
    words.iter().any(|word| {
        let name = word.text.strip_prefix('$').map(|name| name.trim_matches(['{', '}']));
        name.is_some_and(|name| KERNEL_OPTIONS.contains(&name))
    })
}

fn legacy_menu(text: &str, usual: Initramfs, decide: &mut Decide<'_>) -> String {
    let menu = grub_legacy::parse(text);
    grub_legacy::with_cmdlines(text, |place, arguments| {
        let initramfs = match place {
            grub_legacy::Place::Template => usual,
            grub_legacy::Place::Entry(number) => {
                let entry = menu.entries.get(number);
                // Xen's kernel is a module itself; a second module is its initramfs.
                let used = entry.is_some_and(|entry| {
                    let xen = entry.files.first().is_some_and(|(file, _)| grub_legacy::is_hypervisor(file));
                    entry.initrd.is_some() || entry.files.len() > 1 + usize::from(xen)
                });
                if used { Initramfs::Used } else { Initramfs::Absent }
            }
        };
        decide(&cmdline::words(arguments), initramfs)
    })
}

fn environment(text: &str, usual: Initramfs, decide: &mut Decide<'_>) -> Result<String, NoRoom> {
    let mut result = text.to_owned();
    for (name, value) in grubenv::variables(text) {
        if !KERNEL_OPTIONS.contains(&name.as_str()) {
            continue;
        }
        let new = cmdline::edited(&value, &decide(&cmdline::words(&value), usual));
        if new != value {
            result = grubenv::with_value(&result, &name, &new).ok_or(NoRoom)?;
        }
    }
    Ok(result)
}

fn bls_entry(text: &str, decide: &mut Decide<'_>) -> String {
    let entry = bls::parse(text);
    let initramfs = if entry.initrds.is_empty() { Initramfs::Absent } else { Initramfs::Used };
    if entry.linux.as_deref().is_none_or(super::is_no_kernel) {
        return text.to_owned();
    }
    // What is to be added may stand on another options line.
    let all = cmdline::words(&entry.options);
    bls::with_options(text, |value, last| {
        let words = cmdline::words(value);
        let mut edit = decide(&words, initramfs);
        edit.operations.retain(|one| !addition(one).is_some_and(|argument| cmdline::has(&all, argument)));
        let part = !last || names_options(&all);
        cmdline::edited(value, &if part { edit.without_additions() } else { edit })
    })
}

/// An argument for all entries goes to `GRUB_CMDLINE_LINUX`, unless arguments of its name stand in the other variable.
fn defaults(text: &str, is_main: bool, usual: Initramfs, decide: &mut Decide<'_>) -> String {
    let value = |name: &str| shell_vars::value(text, name);
    let words = |name: &str| cmdline::words(&value(name).unwrap_or_default());
    let (for_all, for_normal) = (words("GRUB_CMDLINE_LINUX"), words("GRUB_CMDLINE_LINUX_DEFAULT"));
    let mut result = text.to_owned();
    for name in VARIABLES {
        let own = words(name);
        let edit = decide(&own, usual);
        let names: Vec<_> = edit.operations.iter().filter_map(addition).map(name_of).collect();
        let in_normal = for_normal.iter().any(|word| names.contains(&name_of(&word.text)));
        let in_all = for_all.iter().any(|word| names.contains(&name_of(&word.text)));
        let takes = match name {
            "GRUB_CMDLINE_LINUX" => in_all || !in_normal,
            "GRUB_CMDLINE_LINUX_DEFAULT" => in_normal && !in_all,
            name => name.ends_with("_APPEND"),
        };
        let edit = if takes { edit } else { edit.without_additions() };
        result = shell_vars::edited(&result, name, |value| cmdline::edited(value, &edit));
        let missing = name == "GRUB_CMDLINE_LINUX" && is_main && takes && value(name).is_none();
        if missing && edit.operations.iter().any(|one| addition(one).is_some()) {
            result = shell_vars::with_value(&result, name, &cmdline::edited("", &edit));
        }
    }
    result
}

/// Alpine keeps the root apart from the other arguments.
fn extlinux_defaults(text: &str, usual: Initramfs, decide: &mut Decide<'_>) -> String {
    let text = shell_vars::edited(text, "default_kernel_opts", |value| {
        cmdline::edited(value, &decide(&cmdline::words(value), usual))
    });
    shell_vars::edited(&text, "root", |value| {
        let argument = format!("root={value}");
        let edit = decide(&cmdline::words(&argument), usual).without_additions();
        let new = cmdline::edited(&argument, &edit);
        new.strip_prefix("root=").unwrap_or(value).to_owned()
    })
}

fn addition(operation: &Operation) -> Option<&str> {
    match operation {
        Operation::Add(argument) | Operation::AddBefore { argument, .. } => Some(argument),
        Operation::Replace { .. } | Operation::Remove(_) => None,
    }
}

fn name_of(argument: &str) -> &str {
    argument.split_once('=').map_or(argument, |(name, _)| name)
}
