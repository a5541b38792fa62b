//! Entries of the Boot Loader Specification, type 1: `/loader/entries/*.conf`, a key and its value on each line. GRUB's
//! `blscfg` reads them too, and there values may name GRUB's variables (`$kernelopts`), which are carried.

use super::fields::{lines, replaced};
use std::ops::Range;

/// One entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlsEntry {
    /// What the menu shows.
    pub title: Option<String>,
    /// Version of the kernel.
    pub version: Option<String>,
    /// What entries are sorted by first.
    pub sort_key: Option<String>,
    /// The kernel; `None` for a unified image or another program.
    pub linux: Option<String>,
    /// A program or unified kernel image that is started instead: `efi` or `uki`.
    pub efi: Option<String>,
    /// The initramfs images in order.
    pub initrds: Vec<String>,
    /// All options, joined by blanks.
    pub options: String,
}

/// Reads an entry.
pub fn parse(text: &str) -> BlsEntry {
    let mut entry = BlsEntry::default();
    let mut options: Vec<&str> = Vec::new();
    for (key, value, _) in pairs(text) {
        let one = Some(value.to_owned());
        match key {
            "title" => entry.title = one,
            "version" => entry.version = one,
            "sort-key" => entry.sort_key = one,
            "linux" => entry.linux = one,
            "efi" | "uki" => entry.efi = one,
            "initrd" => entry.initrds.extend(value.split_ascii_whitespace().map(str::to_owned)),
            "options" => options.push(value),
            _ => {}
        }
    }
    entry.options = options.join(" ");
    entry
}

/// Returns the text with every `options` value as `edit` wants it; it sees whether the value is the last one.
pub fn with_options(text: &str, mut edit: impl FnMut(&str, bool) -> String) -> String {
    let places: Vec<_> = pairs(text).filter(|(key, ..)| *key == "options").collect();
    let last = places.len().saturating_sub(1);
    let edits: Vec<_> = places
        .into_iter()
        .enumerate()
        .map(|(at, (_, value, range))| (range, edit(value, at == last)))
        .filter(|(range, new)| text.get(range.clone()) != Some(new))
        .collect();
    replaced(text, &edits)
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str, Range<usize>)> {
    lines(text).filter_map(|(at, line)| {
        let trimmed = line.trim_end();
        let key_start = line.len() - line.trim_start().len();
        let rest = trimmed.get(key_start..).filter(|rest| !rest.starts_with('#'))?;
        let (key, value) = rest.split_once([' ', '\t'])?;
        let value = value.trim_start();
        let start = at + trimmed.len() - value.len();
        Some((key, value, start..start + value.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "title Red Hat Enterprise Linux (4.18.0) 8.10\nversion 4.18.0\nlinux /vmlinuz-4.18.0\n# c\n\
                        initrd\t/initramfs.img $tuned_initrd\noptions $kernelopts  $tuned_params \noptions  quiet\n";

    #[test]
    fn keys_are_read_and_variables_carried() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            parse(TEXT),
            BlsEntry {
                title: some("Red Hat Enterprise Linux (4.18.0) 8.10"),
                version: some("4.18.0"),
                sort_key: None,
                linux: some("/vmlinuz-4.18.0"),
                efi: None,
                initrds: vec!["/initramfs.img".into(), "$tuned_initrd".into()],
                options: "$kernelopts  $tuned_params quiet".into(),
            }
        );
    }

    #[test]
    fn only_options_change() {
        let edit = |value: &str, last: bool| if last { format!("{value} x") } else { value.to_owned() };
        assert_eq!(with_options(TEXT, edit), TEXT.replace("  quiet", "  quiet x"));
        assert_eq!(with_options(TEXT, |value, _| value.to_owned()), TEXT);
    }
}
