//! netplan's YAML, netplan(5): below `ethernets:` one key an interface, with `match:`, `macaddress:` and `set-name:`.
//!
//! Only the block style that netplan's own tools and installers write is read, by its indentation; a file in flow style
//! (`{…}`) yields no interface, and is left alone.

use super::{Interface, mac};

/// Returns the interfaces below `ethernets:`.
pub(super) fn interfaces(text: &str) -> Vec<Interface> {
    let mut found: Vec<Interface> = Vec::new();
    let (mut section, mut entry): (Option<usize>, Option<usize>) = (None, None);
    // `macaddress:` below `match:` is the card's; elsewhere it is one that the card is given.
    let mut criteria: Option<usize> = None;
    for line in text.lines() {
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let indent = line.len() - trimmed.len();
        let Some((key, value)) = trimmed.split_once(':') else { continue };
        let (key, value) = (key.trim().trim_matches(['"', '\'']), value.trim());
        if section.is_some_and(|section| indent <= section) {
            (section, entry) = (None, None);
        }
        criteria = criteria.filter(|criteria| indent > *criteria);
        match section {
            None if key == "ethernets" => section = Some(indent),
            None => {}
            Some(_) if entry.is_none_or(|entry| indent <= entry) => {
                entry = Some(indent);
                found.push(Interface { name: key.to_owned(), mac: None });
            }
            Some(_) => {
                let Some(last) = found.last_mut() else { continue };
                match key {
                    "match" => criteria = Some(indent),
                    "macaddress" if criteria.is_some() => last.mac = last.mac.take().or_else(|| mac(value)),
                    "set-name" => value.trim_matches(['"', '\'']).clone_into(&mut last.name),
                    _ => {}
                }
            }
        }
    }
    found
}
