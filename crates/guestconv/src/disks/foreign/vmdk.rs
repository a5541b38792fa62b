//! VMDK (VMware's "Virtual Disk Format", 1.1 and 5.0): a text that describes the disk, alone in a file or at the beginning of a
//! sparse one, and extents, which are further files. A disk of a snapshot names its parent.
//!
//! We read the text to know which files belong to the disk: those that a caller does not allow are not opened, and QEMU
//! can reach no others.

use crate::disks::bytes::up_to_end;
use guestconv_core::formats::block::le64;
use std::fs::File;
use std::io;

const SPARSE: &[u8] = b"KDMV";
/// The magics of extents of ESX that have no text in them.
const EXTENTS: &[&[u8]] = &[b"COWD", b"\xbe\xba\xfe\xca"];
const SECTOR_BYTES: u64 = 512;
/// The longest text that QEMU reads.
const TEXT_CAP_BYTES: u64 = 1 << 20;
/// The parent of a disk that has none.
const NO_PARENT: &str = "ffffffff";

/// What is said in the text of a VMDK.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Description {
    /// The extents in other files.
    pub(super) extents: Vec<Extent>,
    /// Whether it holds only what differs from a parent.
    pub(super) has_parent: bool,
    /// The parent's file, as it is named there.
    pub(super) parent: Option<String>,
}

/// An extent in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) name: String,
    /// How long the file is at the least, if it holds the bytes of the disk.
    pub(super) least_bytes: u64,
}

/// Returns the description of a disk; `None` if the file is an extent without one.
pub(super) fn description(file: &File) -> io::Result<Option<Description>> {
    let head = up_to_end(file, 0, SECTOR_BYTES)?;
    if EXTENTS.iter().any(|magic| head.starts_with(magic)) {
        return Ok(None);
    }
    if !head.starts_with(SPARSE) {
        return Ok(Some(parse(&text(up_to_end(file, 0, TEXT_CAP_BYTES)?))));
    }
    let [at, length] = [28, 36].map(|place| le64(&head, place).unwrap_or(0).saturating_mul(SECTOR_BYTES));
    if at == 0 || length == 0 {
        return Ok(None);
    }
    let parsed = parse(&text(up_to_end(file, at, length.min(TEXT_CAP_BYTES))?));
    // Its one extent is itself, whatever it calls it.
    Ok(Some(Description { extents: Vec::new(), ..parsed }))
}

fn text(bytes: Vec<u8>) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn parse(text: &str) -> Description {
    let mut description = Description::default();
    for line in text.lines().map(str::trim) {
        match line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            Some(("parentCID", value)) => description.has_parent = !value.eq_ignore_ascii_case(NO_PARENT),
            Some(("parentFileNameHint", value)) => {
                description.parent = Some(value.trim_matches('"').to_owned())
            }
            _ => description.extents.extend(extent(line)),
        }
    }
    description
}

/// A line like `RW 4192256 FLAT "disk-flat.vmdk" 0`.
fn extent(line: &str) -> Option<Extent> {
    let (start, rest) = line.split_once('"')?;
    let (name, offset) = rest.split_once('"')?;
    let mut words = start.split_whitespace();
    let is_extent = matches!(words.next()?, "RW" | "RDONLY" | "NOACCESS");
    let (sectors, kind) = (words.next()?.parse::<u64>().ok()?, words.next()?);
    let offset = offset.trim().parse::<u64>().unwrap_or(0);
    let least_bytes = match kind {
        "FLAT" | "VMFS" => sectors.saturating_add(offset).saturating_mul(SECTOR_BYTES),
        _ => 0,
    };
    is_extent.then(|| Extent { name: name.to_owned(), least_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_extents_and_a_parent() {
        let whole = "# Disk DescriptorFile\nversion=1\nCID=7b\nparentCID=ffffffff\ncreateType=\"vmfs\"\n\n\
            # Extent description\nRW 8 FLAT \"a b.vmdk\" 8\r\nRW 8 VMFS \"c.vmdk\"\nRW 9 ZERO\n\
            RDONLY 9 SPARSE \"/d.vmdk\"\nddb.x = \"RW 1\"\n";
        let extent = |name: &str, least_bytes| Extent { name: name.to_owned(), least_bytes };
        let extents = vec![extent("a b.vmdk", 8192), extent("c.vmdk", 4096), extent("/d.vmdk", 0)];
        let delta = "parentCID = 12ab\nparentFileNameHint=\"../p.vmdk\"\nRW 8 VMFSSPARSE \"s.vmdk\"";
        for (text, expected) in [
            (whole, Description { extents, ..Description::default() }),
            (
                delta,
                Description {
                    extents: vec![extent("s.vmdk", 0)],
                    has_parent: true,
                    parent: Some("../p.vmdk".to_owned()),
                },
            ),
            ("", Description::default()),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
