//! What a system calls the content of its encrypted devices: the names of its crypttab, which its fstab and its boot loader
//! use.

use crate::formats::crypttab;
use crate::layout::Layout;
use crate::linux::{devices, distribution};
use crate::path::guest_path;
use crate::tree::{GuestTree, ReadError};

/// The most names of one device: one per installed system.
const CAP_NAMES: usize = 64;

/// See [`crate::inspect::names`].
pub(super) fn names(tree: &dyn GuestTree, layout: &mut Layout) -> Result<(), ReadError> {
    if layout.encrypted.is_empty() || !distribution::is_system(tree)? {
        return Ok(());
    }
    let Some(file) = tree.text(&guest_path("/etc/crypttab"))? else { return Ok(()) };
    for entry in crypttab::entries(&file.text) {
        let Some(device) = devices::resolve(layout, &entry.device) else { continue };
        let found = layout.encrypted.iter_mut().find(|encrypted| encrypted.device == device);
        if let Some(encrypted) = found
            && encrypted.names.len() < CAP_NAMES
            && !encrypted.names.contains(&entry.name)
        {
            encrypted.names.push(entry.name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::MemTree;
    use crate::layout::{DeviceName, Encrypted, Filesystem};

    #[test]
    fn the_names_of_crypttab_mean_what_is_open() {
        let device = |name: &str| DeviceName(format!("/dev/{name}"));
        let encrypted = |on: &str, uuid: &str, is_open: bool| Encrypted {
            device: device(on),
            version: 2,
            uuid: uuid.into(),
            tokens: Vec::new(),
            opened: is_open.then(|| device(&format!("mapper/luks-{uuid}"))),
            names: Vec::new(),
        };
        let content = |on: &str, uuid: &str| Filesystem {
            uuid: Some(uuid.into()),
            ..Filesystem::new(device(on), "crypto_LUKS")
        };
        let mut layout = Layout {
            encrypted: vec![encrypted("sda5", "u5", true), encrypted("vg/data", "u6", false)],
            filesystems: vec![content("sda5", "u5"), content("vg/data", "u6")],
            ..Layout::default()
        };
        let crypttab =
            "sda5_crypt UUID=u5 none luks,discard\ndata /dev/disk/by-uuid/u6 none\nother UUID=u7 none\n";
        let tree = MemTree::of(&[
            ("/etc/os-release", "ID=debian\n"),
            ("/etc/crypttab", crypttab),
            ("/sbin/init", ""),
        ]);
        names(&tree, &mut layout).unwrap();
        names(&tree, &mut layout).unwrap();
        let found: Vec<_> = layout.encrypted.iter().map(|encrypted| encrypted.names.clone()).collect();
        assert_eq!(found, [["sda5_crypt".to_owned()], ["data".to_owned()]]);
        for (name, expected) in [
            ("/dev/mapper/sda5_crypt", Some("mapper/luks-u5")),
            ("/dev/mapper/luks-u5", Some("mapper/luks-u5")),
            ("/dev/mapper/data", None),
            ("/dev/mapper/other", None),
        ] {
            assert_eq!(devices::resolve(&layout, name), expected.map(device), "{name}");
        }
    }
}
