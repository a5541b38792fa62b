//! The kernel's image as QEMU starts it soonest, in memory.
//!
//! An image for x86 unpacks itself, which takes seconds when each instruction is translated; so we unpack it, and QEMU enters the
//! ELF file in it by its PVH entry (QEMU: `hw/i386/x86-common.c`; Linux: `Documentation/arch/x86/boot.rst`, the fields at 0x1f1 and
//! 0x248). One without that entry, and of other architectures, goes as it is.

use guestconv_core::formats::block::{le16, le32, le64};
use guestconv_core::formats::compressed;
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io::{self, Write};

/// The largest kernel, unpacked.
const CAP_BYTES: u64 = 512 << 20;
/// The note that says where PVH enters (Xen: `xen/include/public/elfnote.h`, `XEN_ELFNOTE_PHYS32_ENTRY`).
const PVH_NOTE: u32 = 18;
const NOTES: u32 = 4;

/// Returns a file in memory that QEMU takes for `-kernel`.
pub(super) fn in_memory(image: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("guestconv-kernel", MemfdFlags::CLOEXEC)?);
    let unpacked = packed(image).and_then(|packed| compressed::unpacked(packed.to_vec(), CAP_BYTES).ok());
    let whole = unpacked.filter(|kernel| enters_by_pvh(kernel).unwrap_or(false));
    file.write_all(whole.as_deref().unwrap_or(image))?;
    Ok(file)
}

/// Returns what an image for x86 unpacks; `None` if it is none.
fn packed(image: &[u8]) -> Option<&[u8]> {
    if image.get(0x202..0x206)? != b"HdrS" || le16(image, 0x206)? < 0x208 {
        return None;
    }
    let sectors = usize::from(*image.get(0x1f1)?);
    let setup = if sectors == 0 { 5 } else { sectors + 1 } * 512;
    let offset = usize::try_from(le32(image, 0x248)?).ok()?.checked_add(setup)?;
    let length = usize::try_from(le32(image, 0x24c)?).ok()?;
    image.get(offset..offset.checked_add(length)?)
}

/// Returns whether an ELF file for x86-64 has the note of PVH.
fn enters_by_pvh(kernel: &[u8]) -> Option<bool> {
    if kernel.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let number = |at| le64(kernel, at).and_then(|number| usize::try_from(number).ok());
    let (table, size, count) =
        (number(0x20)?, usize::from(le16(kernel, 0x36)?), usize::from(le16(kernel, 0x38)?));
    let heads = (0..count).filter_map(|index| table.checked_add(index * size));
    let notes = heads.filter(|head| le32(kernel, *head) == Some(NOTES));
    Some(
        notes.filter_map(|head| kernel.get(number(head + 8)?..)?.get(..number(head + 32)?)).any(has_pvh_note),
    )
}

fn has_pvh_note(mut notes: &[u8]) -> bool {
    let next = |notes: &[u8]| {
        let [name, content] = [le32(notes, 0)?, le32(notes, 4)?].map(|length| length.next_multiple_of(4));
        let is_pvh = le32(notes, 8)? == PVH_NOTE && notes.get(12..16)? == b"Xen\0";
        Some((is_pvh, usize::try_from(name.checked_add(content)?.checked_add(12)?).ok()?))
    };
    while let Some((is_pvh, length)) = next(notes) {
        if is_pvh {
            return true;
        }
        notes = notes.get(length..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    /// Returns an ELF file with a segment of notes, one of which is of this number.
    fn kernel(note: u32) -> Vec<u8> {
        let other = [4u32.to_le_bytes(), 5u32.to_le_bytes(), 3u32.to_le_bytes(), *b"GNU\0"].concat();
        let ours = [4u32.to_le_bytes(), 4u32.to_le_bytes(), note.to_le_bytes(), *b"Xen\0", [0; 4]].concat();
        let notes = [other, vec![0; 8], ours].concat();
        let mut file = vec![0; 64 + 56];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[0x20] = 64; // where the table of segments is, how long an entry, how many
        file[0x36] = 56;
        file[0x38] = 1;
        file[64] = 4;
        file[64 + 8] = 120;
        file[64 + 32] = notes.len() as u8;
        [file, notes].concat()
    }

    /// Returns an image for x86 that unpacks this.
    fn image(packed: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 1024];
        image[0x1f1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x206..0x208].copy_from_slice(&0x20fu16.to_le_bytes());
        image[0x248] = 16;
        image[0x24c..0x250].copy_from_slice(&(packed.len() as u32).to_le_bytes());
        [image, vec![7; 16], packed.to_vec(), vec![7; 16]].concat()
    }

    #[test]
    fn a_kernel_that_pvh_can_enter_is_unpacked() {
        let old = {
            let mut image = image(&kernel(PVH_NOTE));
            image[0x206] = 7;
            image
        };
        let cut = image(&kernel(PVH_NOTE))[..1100].to_vec();
        for (what, given, expected) in [
            ("with the entry", image(&kernel(PVH_NOTE)), kernel(PVH_NOTE)),
            ("without", image(&kernel(17)), image(&kernel(17))),
            ("no ELF", image(b"Image"), image(b"Image")),
            ("an old image", old.clone(), old),
            ("cut off", cut.clone(), cut),
            ("another architecture's", b"MZ\0\0 and more".to_vec(), b"MZ\0\0 and more".to_vec()),
        ] {
            let mut file = in_memory(&given).unwrap();
            let mut found = Vec::new();
            file.rewind().unwrap();
            file.read_to_end(&mut found).unwrap();
            assert!(found == expected, "{what}");
        }
    }
}
