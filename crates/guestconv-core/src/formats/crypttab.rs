//! `/etc/crypttab`, crypttab(5): name, device, key, options. Only device fields are ever changed.

use super::fields::{fields, lines, replaced};
use std::ops::Range;

/// One line that opens an encrypted volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name below `/dev/mapper`.
    pub name: String,
    /// The device that holds it: `UUID=…`, `/dev/sda5`.
    pub device: String,
    /// The key: a file, a device, `none` or `-`; `none` if the field is missing.
    pub key: String,
    /// Options as written; empty if the field is missing.
    pub options: String,
    /// Place of the device field in the text.
    pub device_range: Range<usize>,
}

/// Returns the lines that open something, in order.
pub fn entries(text: &str) -> Vec<Entry> {
    lines(text)
        .filter_map(|(at, line)| {
            let mut fields = fields(at, line).into_iter();
            let (name, device) = (fields.next()?, fields.next()?);
            Some(Entry {
                name: name.text.to_owned(),
                device: device.text.to_owned(),
                key: fields.next().map_or("none", |field| field.text).to_owned(),
                options: fields.next().map_or("", |field| field.text).to_owned(),
                device_range: device.range,
            })
        })
        .collect()
}

/// Returns the text with the device fields that `edit` wants otherwise.
pub fn with_devices(text: &str, mut edit: impl FnMut(&Entry) -> Option<String>) -> String {
    let edits: Vec<_> = entries(text)
        .iter()
        .filter_map(|entry| edit(entry).map(|device| (entry.device_range.clone(), device)))
        .collect();
    replaced(text, &edits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_device_field_changes() {
        let text = "# <target> <source>\nsda5_crypt  /dev/sda5 none luks,discard\nswap /dev/sda6\n";
        let all: Vec<_> = entries(text).into_iter().map(|e| (e.name, e.device, e.key, e.options)).collect();
        let row = |a: &str, b: &str, c: &str, d: &str| (a.into(), b.into(), c.into(), d.into());
        assert_eq!(
            all,
            [row("sda5_crypt", "/dev/sda5", "none", "luks,discard"), row("swap", "/dev/sda6", "none", "")]
        );
        let edit = |entry: &Entry| (entry.name == "sda5_crypt").then(|| "UUID=1".to_owned());
        assert_eq!(with_devices(text, edit), text.replace("/dev/sda5", "UUID=1"));
    }
}
