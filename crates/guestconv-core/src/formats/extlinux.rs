//! The menu of SYSLINUX and EXTLINUX, `extlinux.conf`: a keyword and its value on each line, entries begin with `LABEL`
//! (wiki.syslinux.org, "SYSLINUX", "Config"). Keywords are read without regard to case.

use super::cmdline::{self, CmdlineEdit};
use super::fields::{lines, replaced};
use std::ops::Range;

/// A menu.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Menu {
    /// The label that is started by itself: that of `MENU DEFAULT` or `DEFAULT`.
    pub default: Option<String>,
    /// The entries in order.
    pub entries: Vec<MenuEntry>,
}

/// An entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MenuEntry {
    /// Its label.
    pub label: String,
    /// What the menu shows, without the marks of hot keys; empty: the label.
    pub title: String,
    /// The file of `LINUX` or `KERNEL`.
    pub kernel: String,
    /// The files of `INITRD`, or of `initrd=` among the arguments.
    pub initrds: Vec<String>,
    /// The arguments of `APPEND`, its own or else the menu's.
    pub append: String,
}

/// Reads a menu.
pub fn parse(text: &str) -> Menu {
    let mut menu = Menu::default();
    let (mut common, mut own): (String, Vec<bool>) = (String::new(), Vec::new());
    for (keyword, value, _) in lines(text).filter_map(|(at, line)| keyword_and_value(at, line)) {
        let entry = menu.entries.last_mut();
        match (keyword.as_str(), entry) {
            ("LABEL", _) => {
                menu.entries.push(MenuEntry { label: value.to_owned(), ..MenuEntry::default() });
                own.push(false);
            }
            ("DEFAULT", _) => menu.default = menu.default.or_else(|| Some(value.to_owned())),
            ("MENU", Some(entry)) => match keyword_and_value(0, value) {
                Some((keyword, title, _)) if keyword == "LABEL" => entry.title = title.replace('^', ""),
                Some((keyword, _, _)) if keyword == "DEFAULT" => menu.default = Some(entry.label.clone()),
                _ => {}
            },
            ("LINUX" | "KERNEL", Some(entry)) => entry.kernel = value.to_owned(),
            ("INITRD", Some(entry)) => entry.initrds = value.split(',').map(str::to_owned).collect(),
            ("APPEND", Some(entry)) => {
                entry.append = if value == "-" { String::new() } else { value.to_owned() };
                own.last_mut().into_iter().for_each(|own| *own = true);
            }
            ("APPEND", None) => common = value.to_owned(),
            _ => {}
        }
    }
    for (entry, has_own) in menu.entries.iter_mut().zip(own) {
        if !has_own {
            entry.append.clone_from(&common);
        }
        let words = cmdline::words(&entry.append);
        if let Some(initrd) = cmdline::value(&words, "initrd") {
            entry.initrds.extend(initrd.split(',').map(str::to_owned));
        }
    }
    menu
}

/// Returns the text with the arguments of every kernel after an edit, which is made from the arguments and whether the
/// kernel gets an initramfs. What starts no Linux is left alone.
pub fn with_cmdlines(text: &str, mut edit: impl FnMut(&str, bool) -> CmdlineEdit) -> String {
    let menu = parse(text);
    let (mut entry, mut edits): (Option<usize>, Vec<(Range<usize>, String)>) = (None, Vec::new());
    for (keyword, value, range) in lines(text).filter_map(|(at, line)| keyword_and_value(at, line)) {
        match keyword.as_str() {
            "LABEL" => entry = Some(entry.map_or(0, |number| number + 1)),
            "APPEND" if value != "-" => {
                let own = entry.and_then(|number| menu.entries.get(number));
                // The menu's own line is for all entries.
                let with_initramfs = own.map_or_else(
                    || menu.entries.iter().any(|entry| !entry.initrds.is_empty()),
                    |entry| !entry.initrds.is_empty(),
                );
                if own.is_none_or(|entry| starts_linux(&entry.kernel)) {
                    edits.push((range, cmdline::edited(value, &edit(value, with_initramfs))));
                }
            }
            _ => {}
        }
    }
    replaced(text, &edits)
}

/// Returns whether the file of an entry can be a kernel: modules of SYSLINUX and boot sectors are none.
pub fn starts_linux(file: &str) -> bool {
    let lower = file.to_ascii_lowercase();
    ![".c32", ".cbt", ".com", ".bin", ".bs", ".bss", ".0"].iter().any(|end| lower.ends_with(end))
}

/// Returns keyword (in capitals) and value of a line, with the place of the value.
fn keyword_and_value(at: usize, line: &str) -> Option<(String, &str, Range<usize>)> {
    let trimmed = line.trim();
    let (keyword, value) = trimmed.split_once(char::is_whitespace).unwrap_or((trimmed, ""));
    if keyword.is_empty() || keyword.starts_with('#') {
        return None;
    }
    let value = value.trim_start();
    let end = at + line.trim_end().len();
    Some((keyword.to_ascii_uppercase(), value, end - value.len()..end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::cmdline::Operation;

    /// As Alpine's update-extlinux makes it, with an entry of each other kind.
    const TEXT: &str = "# Generated by update-extlinux 6.04_pre1\nDEFAULT menu.c32\nPROMPT 0\nAPPEND root=/dev/sda3 quiet\n\
                        LABEL lts\n  MENU DEFAULT\n  MENU LABEL ^Linux lts\n  LINUX vmlinuz-lts\n  INITRD ucode.img,initramfs-lts\n  \
                        APPEND root=/dev/sda3 modules=sd-mod\n\n\
                        label old\nkernel /vmlinuz-old\nappend initrd=/initrd-old root=/dev/sda3\n\
                        LABEL plain\n KERNEL vmlinuz\nLABEL tool\n KERNEL memtest.c32\n APPEND root=/dev/sda3\n";

    #[test]
    fn a_menu_is_read() {
        let entry = |label: &str, title: &str, kernel: &str, initrds: &[&str], append: &str| MenuEntry {
            label: label.into(),
            title: title.into(),
            kernel: kernel.into(),
            initrds: initrds.iter().map(|file| (*file).to_owned()).collect(),
            append: append.into(),
        };
        let expected = Menu {
            default: Some("lts".into()),
            entries: vec![
                entry(
                    "lts",
                    "Linux lts",
                    "vmlinuz-lts",
                    &["ucode.img", "initramfs-lts"],
                    "root=/dev/sda3 modules=sd-mod",
                ),
                entry("old", "", "/vmlinuz-old", &["/initrd-old"], "initrd=/initrd-old root=/dev/sda3"),
                entry("plain", "", "vmlinuz", &[], "root=/dev/sda3 quiet"),
                entry("tool", "", "memtest.c32", &[], "root=/dev/sda3"),
            ],
        };
        assert_eq!(parse(TEXT), expected);
    }

    #[test]
    fn only_arguments_of_kernels_change() {
        let mut seen = Vec::new();
        let text = with_cmdlines(TEXT, |arguments, with_initramfs| {
            seen.push((arguments.to_owned(), with_initramfs));
            let (before, after) = ("root=/dev/sda3".into(), "root=UUID=1".into());
            CmdlineEdit { operations: vec![Operation::Replace { before, after }] }
        });
        let expected = TEXT
            .replace("/dev/sda3", "UUID=1")
            .replace("c32\n APPEND root=UUID=1", "c32\n APPEND root=/dev/sda3");
        assert_eq!(text, expected);
        let row = |text: &str, with| (text.to_owned(), with);
        let expected = [
            row("root=/dev/sda3 quiet", true),
            row("root=/dev/sda3 modules=sd-mod", true),
            row("initrd=/initrd-old root=/dev/sda3", true),
        ];
        assert_eq!(seen, expected);
        assert_eq!(with_cmdlines(TEXT, |_, _| CmdlineEdit::default()), TEXT);
    }
}
