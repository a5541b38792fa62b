//! systemd-networkd's `.network` files, systemd.network(5): `[Match]` with `Name=`, `MACAddress=`.

use super::{Interface, keyfile, mac};

/// Returns the interface that a file matches by one plain name.
pub(super) fn interfaces(text: &str) -> Vec<Interface> {
    let value = |key: &str| keyfile::value(text, "Match", key);
    let is_virtual = value("Kind").is_some() || value("Type").is_some_and(|kind| kind != "ether");
    let names = value("Name").unwrap_or_default();
    let mac = value("PermanentMACAddress").or_else(|| value("MACAddress")).and_then(mac);
    let is_plain = |name: &&str| !name.contains(['*', '?', '[', '!']) && *name != "lo";
    let names: Vec<&str> = names.split_whitespace().filter(is_plain).collect();
    let one = names.len() == 1;
    names
        .into_iter()
        .filter(|_| !is_virtual)
        .map(|name| Interface { name: name.to_owned(), mac: mac.clone().filter(|_| one) })
        .collect()
}
