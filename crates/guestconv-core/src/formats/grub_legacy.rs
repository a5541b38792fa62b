//! GRUB legacy's menu, `grub.conf` or `menu.lst`: a command on each line, entries begin with `title` (GRUB 0.97 manual).
//! Debian's update-grub keeps its settings in comments there: `# kopt=`, from which later entries are made.

use super::cmdline::{self, CmdlineEdit};
use super::fields::{lines, replaced};
use std::ops::Range;

/// A menu.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Menu {
    /// What `default` says: a number, or `saved`.
    pub default: Option<String>,
    /// The entries in order.
    pub entries: Vec<MenuEntry>,
}

/// An entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MenuEntry {
    /// What the menu shows.
    pub title: String,
    /// The device of `root`: `(hd0,0)`.
    pub root: Option<String>,
    /// `kernel` and what `module` loads, in order: the file and its arguments.
    pub files: Vec<(String, String)>,
    /// The file of `initrd`.
    pub initrd: Option<String>,
    /// What `chainloader` starts, another boot loader: `+1`.
    pub chainloads: Option<String>,
}

/// Where a command line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An entry's kernel; the number counts the entries from 0.
    Entry(usize),
    /// Debian's comment that later entries are made from.
    Template,
}

/// Reads a menu.
pub fn parse(text: &str) -> Menu {
    let mut menu = Menu::default();
    for line in lines(text).filter_map(|(at, line)| Line::of(at, line)) {
        let value = line.value.to_owned();
        match (line.command, menu.entries.last_mut()) {
            ("title", _) => menu.entries.push(MenuEntry { title: value, ..MenuEntry::default() }),
            ("default", None) => menu.default = Some(value),
            ("root" | "rootnoverify" | "uuid", Some(entry)) => entry.root = Some(value),
            ("kernel" | "module", Some(entry)) => {
                let (file, arguments) = line.file_and_arguments();
                entry.files.push((file.to_owned(), arguments.to_owned()));
            }
            ("initrd", Some(entry)) => entry.initrd = Some(value),
            ("chainloader", Some(entry)) => {
                entry.chainloads = Some(line.file_and_arguments().0.to_owned());
            }
            _ => {}
        }
    }
    menu
}

/// Returns the text with every command line after an edit that `edit` makes from it.
pub fn with_cmdlines(text: &str, mut edit: impl FnMut(Place, &str) -> CmdlineEdit) -> String {
    let mut entry = None;
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for (at, raw) in lines(text) {
        if let Some(range) = template(at, raw) {
            let value = text.get(range.clone()).unwrap_or("");
            edits.push((range, cmdline::edited(value, &edit(Place::Template, value))));
            continue;
        }
        let Some(line) = Line::of(at, raw) else { continue };
        match (line.command, entry) {
            ("title", _) => entry = Some(entry.map_or(0, |number: usize| number + 1)),
            // Xen's own command line is none of the kernel's; an initramfs has none.
            ("kernel" | "module", Some(number)) => {
                let (file, arguments) = line.file_and_arguments();
                let kernel = line.command == "kernel" && !is_hypervisor(file);
                if kernel || cmdline::value(&cmdline::words(arguments), "root").is_some() {
                    let end = line.start + line.value.len();
                    let start = end - arguments.len();
                    let new = cmdline::edited(arguments, &edit(Place::Entry(number), arguments));
                    let joined = if arguments.is_empty() && !new.is_empty() { " " } else { "" };
                    edits.push((start..end, format!("{joined}{new}")));
                }
            }
            _ => {}
        }
    }
    replaced(text, &edits)
}

/// Returns the text with other numbers for whole disks: `partition` says for `(hdN)` which partition is meant, counted
/// from 0, or that it stays. Where files are read from, and Debian's `# groot=`; what is chainloaded stays.
pub fn with_partitions(text: &str, partition: impl Fn(usize) -> Option<u32>) -> String {
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for (at, raw) in lines(text) {
        let is_comment = raw.starts_with("# groot=");
        let reads = |line: Line<'_>| ["root", "kernel", "module", "initrd"].contains(&line.command);
        if !is_comment && !Line::of(at, raw).is_some_and(reads) {
            continue;
        }
        for (start, _) in raw.match_indices("(hd") {
            let digits = raw.get(start + 3..).unwrap_or_default();
            let Some((number, _)) = digits.split_once(')') else { continue };
            if let Some(partition) = number.parse().ok().and_then(&partition) {
                let end = at + start + 3 + number.len();
                edits.push((end..end, format!(",{partition}")));
            }
        }
    }
    replaced(text, &edits)
}

/// Returns whether the file that `kernel` names is Xen.
pub fn is_hypervisor(file: &str) -> bool {
    let name = file.rsplit(['/', ')']).next().unwrap_or(file);
    name.starts_with("xen") && !name.contains("vmlinuz")
}

/// Debian's `# kopt=root=… ro` and `# kopt_2_6=…`: the place of the value.
fn template(at: usize, line: &str) -> Option<Range<usize>> {
    let rest = line.strip_prefix("# kopt")?;
    let (name, value) = rest.split_once('=')?;
    let plain = name.chars().all(|c| c.is_ascii_digit() || c == '_');
    let start = at + line.len() - value.len();
    plain.then(|| start..start + value.trim_end().len())
}

/// A command and its value, with the place of the value.
struct Line<'a> {
    command: &'a str,
    value: &'a str,
    start: usize,
}

impl<'a> Line<'a> {
    fn of(at: usize, line: &'a str) -> Option<Self> {
        let trimmed = line.trim();
        let split = trimmed.find(|c: char| c.is_ascii_whitespace() || c == '=').unwrap_or(trimmed.len());
        let (command, rest) = trimmed.split_at(split);
        if command.is_empty() || command.starts_with('#') {
            return None;
        }
        let value = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '=');
        let start = at + line.trim_end().len() - value.len();
        Some(Self { command, value, start })
    }

    /// Options such as `--type=multiboot` may stand before the file.
    fn file_and_arguments(&self) -> (&'a str, &'a str) {
        let mut rest = self.value;
        loop {
            let (word, tail) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
            if !word.starts_with("--") || tail.is_empty() {
                return (word, tail.trim_start());
            }
            rest = tail.trim_start();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::cmdline::Operation;

    const TEXT: &str = "default=1\n#boot=/dev/sda\ntimeout 5\n## begin\n# kopt=root=/dev/hda1 ro\n# defoptions=quiet\n\
                        title A (1)\n\troot (hd0,0)\n\tkernel --no-mem-option /vmlinuz-1 ro root=/dev/hda1\n\tinitrd /initrd-1\n\
                        title Xen\n root (hd0,0)\n kernel /xen.gz dom0_mem=1\n module /vmlinuz-2 root=/dev/hda1\n module /initrd-2\n\
                        title Other\n rootnoverify (hd0,1)\n chainloader +1\n";

    #[test]
    fn a_menu_is_read() {
        let some = |text: &str| Some(text.to_owned());
        let files = |rows: &[(&str, &str)]| rows.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
        let entry = |title: &str, root, all: &[(&str, &str)], initrd| MenuEntry {
            title: title.into(),
            root: some(root),
            files: files(all),
            initrd,
            chainloads: None,
        };
        assert_eq!(
            parse(TEXT),
            Menu {
                default: some("1"),
                entries: vec![
                    entry("A (1)", "(hd0,0)", &[("/vmlinuz-1", "ro root=/dev/hda1")], some("/initrd-1")),
                    entry(
                        "Xen",
                        "(hd0,0)",
                        &[("/xen.gz", "dom0_mem=1"), ("/vmlinuz-2", "root=/dev/hda1"), ("/initrd-2", "")],
                        None
                    ),
                    MenuEntry { chainloads: some("+1"), ..entry("Other", "(hd0,1)", &[], None) },
                ],
            }
        );
    }

    #[test]
    fn a_whole_disk_becomes_the_partition_that_is_said() {
        let text = "# groot=(hd0)\n# (hd0)\ntitle a\n root (hd0)\n kernel (hd0)/k root=(hd0)\n initrd (hd1)/i\n\
                    title b\nroot (hd0,1)\ntitle c\nrootnoverify (hd0)\nchainloader (hd0)+1\n";
        let expected = text
            .replace("groot=(hd0)", "groot=(hd0,2)")
            .replace(" root (hd0)", " root (hd0,2)")
            .replace("(hd0)/k root=(hd0)", "(hd0,2)/k root=(hd0,2)");
        assert_eq!(with_partitions(text, |disk| (disk == 0).then_some(2)), expected);
        assert_eq!(with_partitions(text, |_| None), text);
    }

    #[test]
    fn only_command_lines_of_kernels_change() {
        let mut places = Vec::new();
        let text = with_cmdlines(TEXT, |place, _| {
            places.push(place);
            let (before, after) = ("root=/dev/hda1".into(), "root=UUID=1".into());
            CmdlineEdit { operations: vec![Operation::Replace { before, after }] }
        });
        assert_eq!(text, TEXT.replace("root=/dev/hda1", "root=UUID=1"));
        assert_eq!(places, [Place::Template, Place::Entry(0), Place::Entry(1)]);
        assert_eq!(with_cmdlines(TEXT, |_, _| CmdlineEdit::default()), TEXT);
        assert_eq!(
            with_cmdlines("title a\nkernel /k\n", |_, _| CmdlineEdit::add("x")),
            "title a\nkernel /k x\n"
        );
    }
}
