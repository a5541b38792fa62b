//! Whether GRUB can read what is on a disk: known before anything is written, since it would only say so when the guest boots.

use super::features::{Checked, known};
use super::{Grub, Part, modules};
use crate::error::{Error, ErrorKind, Result};
use guestconv_core::lay_out::Content;
use guestconv_core::text::visible;
use std::fs;

/// Bits of ext4's incompatible features as `dumpe2fs` names them (e2fsprogs, lib/e2p/feature.c).
const EXT: &[(u32, &str)] = &[
    (0x1, "compression"),
    (0x2, "filetype"),
    (0x4, "needs_recovery"),
    (0x8, "journal_dev"),
    (0x10, "meta_bg"),
    (0x40, "extent"),
    (0x80, "64bit"),
    (0x100, "mmp"),
    (0x200, "flex_bg"),
    (0x400, "ea_inode"),
    (0x1000, "dirdata"),
    (0x2000, "metadata_csum_seed"),
    (0x4000, "large_dir"),
    (0x8000, "inline_data"),
    (0x10000, "encrypt"),
    (0x20000, "casefold"),
];
/// Bits of XFS's as `mkfs.xfs` and `xfs_admin` name them (xfsprogs, libxfs/xfs_format.h).
const XFS: &[(u32, &str)] = &[
    (0x1, "ftype"),
    (0x2, "sparse"),
    (0x4, "meta_uuid"),
    (0x8, "bigtime"),
    (0x10, "needsrepair"),
    (0x20, "nrext64"),
    (0x40, "exchange"),
    (0x80, "parent"),
    (0x100, "metadir"),
    (0x200, "zoned"),
    (0x400, "zone_gaps"),
];

impl Grub {
    /// Fails if this GRUB cannot read a file system, on BIOS or on UEFI.
    ///
    /// # Errors
    /// `grub-cannot-read`, with the features that it does not know; `grub-missing` if it has no driver for it.
    pub(crate) fn require_reads(&self, content: &Content) -> Result<()> {
        let kind = content.filesystem.as_str();
        let Some(module) = modules::of_filesystem(kind) else {
            let kind = visible(kind);
            return Err(cannot_read(format!("GRUB cannot start a guest from a file system of type {kind}")));
        };
        let checked = match module {
            "ext2" => Some((Checked::Ext, EXT)),
            "xfs" => Some((Checked::Xfs, XFS)),
            _ => None,
        };
        for part in [&self.bios, &self.uefi] {
            let file = part.dir.join(format!("{module}.mod"));
            let bytes = fs::read(&file).map_err(|error| {
                super::missing(&format!("its driver for {kind}, {}, cannot be read: {error}", file.display()))
            })?;
            let Some((checked, names)) = checked else { continue };
            let found = known(&bytes, checked);
            let unknown = content.features & !found.unwrap_or_else(|| checked.oldest());
            if unknown != 0 {
                return Err(unknown_features(part, kind, &features(unknown, names), found.is_some()));
            }
        }
        Ok(())
    }
}

fn unknown_features(part: &Part, kind: &str, features: &str, is_told: bool) -> Error {
    let source = match is_told {
        true => "",
        false => " (its driver does not tell which features it knows, so those of GRUB 2.02 are taken)",
    };
    cannot_read(format!(
        "GRUB {} in {} cannot read the {kind} of this guest, which has {features}{source}; name a newer GRUB by --grub-dir: a \
         directory with i386-pc and x86_64-efi, such as /usr/lib/grub of a newer release's packages",
        part.version(),
        part.dir.display()
    ))
}

fn cannot_read(message: String) -> Error {
    Error::new(ErrorKind::Guest, "grub-cannot-read", message)
}

/// Returns the names of features, of those without one the number of the bit.
fn features(bits: u32, names: &[(u32, &str)]) -> String {
    let name = |bit: u32| match names.iter().find(|(known, _)| *known == 1 << bit) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("bit {bit}"),
    };
    (0..32).filter(|bit| bits & 1 << bit != 0).map(name).collect::<Vec<_>>().join(", ")
}

impl Part {
    /// Returns the version that its package says, for people.
    pub(super) fn version(&self) -> String {
        let text = fs::read_to_string(self.dir.join("modinfo.sh")).unwrap_or_default();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim_matches(['"', '\'']).to_owned())
        };
        let version = value("grub_package_version=").or_else(|| value("grub_version="));
        version.unwrap_or_else(|| "of an unknown version".to_owned())
    }
}
