//! `/etc/fstab`, fstab(5): device, place, kind, options, two numbers; blanks in names are `\040`. Only the device field
//! is ever changed; columns, comments and order stay byte for byte.

use super::fields::{fields, lines, replaced};
use std::ops::Range;

/// One line that mounts something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What: `/dev/sda1`, `UUID=…`, `tmpfs`, `host:/path`; escapes decoded.
    pub spec: String,
    /// Where: `/boot`; `none` for swap; escapes decoded.
    pub file: String,
    /// Which kind: `ext4`, `swap`, `auto`; `auto` if the field is missing.
    pub kind: String,
    /// Options as written; `defaults` if the field is missing.
    pub options: String,
    /// Place of the device field in the text.
    pub spec_range: Range<usize>,
}

impl Entry {
    /// Returns whether the option is set, by its whole name.
    pub fn has_option(&self, name: &str) -> bool {
        self.options.split(',').any(|option| option == name)
    }

    /// Returns the value of `name=VALUE`; the last one counts, as in mount(8). `None` if it is not set.
    pub fn option(&self, name: &str) -> Option<&str> {
        let value = |option: &'_ str| {
            let (key, _) = option.split_once('=')?;
            (key == name).then_some(())
        };
        let option = self.options.split(',').rfind(|option| value(option).is_some())?;
        option.split_once('=').map(|(_, value)| value)
    }

    /// Returns whether this is swap space.
    pub fn is_swap(&self) -> bool {
        self.kind == "swap"
    }
}

/// Returns the lines that mount something, in order.
pub fn entries(text: &str) -> Vec<Entry> {
    lines(text)
        .filter_map(|(at, line)| {
            let mut fields = fields(at, line).into_iter();
            let (spec, file) = (fields.next()?, fields.next()?);
            Some(Entry {
                spec: decoded(spec.text),
                file: decoded(file.text),
                kind: fields.next().map_or("auto", |field| field.text).to_owned(),
                options: fields.next().map_or("defaults", |field| field.text).to_owned(),
                spec_range: spec.range,
            })
        })
        .collect()
}

/// Returns the text with the device fields that `edit` wants otherwise.
pub fn with_specs(text: &str, mut edit: impl FnMut(&Entry) -> Option<String>) -> String {
    let edits: Vec<_> = entries(text)
        .iter()
        .filter_map(|entry| edit(entry).map(|spec| (entry.spec_range.clone(), encoded(&spec))))
        .collect();
    replaced(text, &edits)
}

/// Decodes `\040` and its like.
fn decoded(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|digits| first == b'\\' && digits.iter().all(u8::is_ascii_digit));
        let byte = octal
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match byte {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(3..).unwrap_or(&[]);
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encoded(name: &str) -> String {
    name.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011").replace('\n', "\\012")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# /etc/fstab\n/dev/sda1\t/               ext4 errors=remount-ro 0 1\n\n  /dev/sda2 none swap sw,pri=1,pri=5\n/dev/sdb1 /my\\040data\n";

    #[test]
    fn lines_are_read_with_their_defaults() {
        let all: Vec<_> = entries(TEXT).into_iter().map(|e| (e.spec, e.file, e.kind, e.options)).collect();
        let row = |a: &str, b: &str, c: &str, d: &str| (a.into(), b.into(), c.into(), d.into());
        assert_eq!(
            all,
            [
                row("/dev/sda1", "/", "ext4", "errors=remount-ro"),
                row("/dev/sda2", "none", "swap", "sw,pri=1,pri=5"),
                row("/dev/sdb1", "/my data", "auto", "defaults"),
            ]
        );
        assert_eq!(entries(TEXT)[1].option("pri"), Some("5"));
        assert!(entries(TEXT)[1].has_option("sw") && entries(TEXT)[1].is_swap());
    }

    #[test]
    fn only_the_device_field_changes() {
        let edit = |entry: &Entry| (entry.spec == "/dev/sda2").then(|| "LABEL=my swap".to_owned());
        assert_eq!(with_specs(TEXT, edit), TEXT.replace("/dev/sda2", "LABEL=my\\040swap"));
        assert_eq!(with_specs(TEXT, |_| None), TEXT);
    }
}
