//! GRUB for BIOS: `boot.img` in sector 0 loads the first sector of `core.img`, which loads the rest from the sectors that its
//! block list names.
//!
//! Both images have fields for whoever installs them; they are those that `grub-bios-setup` fills in
//! (`include/grub/i386/pc/boot.h` and `include/grub/offsets.h` of GRUB 2, unchanged since 1.99).

use super::Piece;
use super::frame::SECTOR;
use crate::error::{Error, ErrorKind, Result};
use std::ops::Range;

/// In `boot.img`: the sector of `core.img`, 64 bits.
const CORE_SECTOR: usize = 0x5c;
/// In `boot.img`: a jump over the code that distrusts the drive that a BIOS names. On a hard disk it must not be taken, so
/// that a BIOS that names a wrong one is corrected.
const DRIVE_CHECK: usize = 0x66;
/// How much of sector 0 is code; the disk signature and the partition table follow.
const CODE_BYTES: usize = 440;
/// In the first sector of `core.img`: where the rest begins, 64 bits; its length and address follow and are right.
const REST_SECTOR: usize = 0x1f4;

/// Returns the code of sector 0, which loads what is in `place`, in sectors.
///
/// # Errors
/// `grub-failed` if `boot` is not as we know it.
pub(super) fn code(mut boot: Vec<u8>, place: &Range<u64>) -> Result<Piece> {
    let is_known = boot.len() == 512
        && boot.get(510..) == Some(&[0x55, 0xaa])
        && boot.get(CORE_SECTOR..CORE_SECTOR + 8) == Some(&1_u64.to_le_bytes())
        && boot.get(DRIVE_CHECK) == Some(&0xeb);
    if !is_known {
        return Err(unfit("boot.img is not as that of GRUB 2 is known to be"));
    }
    put(&mut boot, CORE_SECTOR, &place.start.to_le_bytes());
    put(&mut boot, DRIVE_CHECK, &[0x90, 0x90]);
    boot.truncate(CODE_BYTES);
    Ok(Piece { at: 0, bytes: boot })
}

/// Returns `core` where it goes, into `place`, in sectors.
///
/// # Errors
/// `grub-failed` if it is not as we know it, or too large.
pub(super) fn core(mut core: Vec<u8>, place: &Range<u64>) -> Result<Piece> {
    let sectors = u64::try_from(core.len()).unwrap_or(u64::MAX).div_ceil(SECTOR);
    let room = place.end - place.start;
    if sectors > room {
        return Err(unfit(&format!("core.img has {sectors} sectors, and its partition {room}")));
    }
    if core.get(REST_SECTOR..REST_SECTOR + 8) != Some(&2_u64.to_le_bytes()) {
        return Err(unfit("core.img is not as that of GRUB 2 is known to be"));
    }
    put(&mut core, REST_SECTOR, &(place.start + 1).to_le_bytes());
    Ok(Piece { at: place.start * SECTOR, bytes: core })
}

fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(field) = image.get_mut(at..at + bytes.len()) {
        field.copy_from_slice(bytes);
    }
}

fn unfit(why: &str) -> Error {
    let message = format!("GRUB for BIOS cannot be put on a disk: {why}; name another GRUB by --grub-dir");
    Error::new(ErrorKind::Io, "grub-failed", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_are_not_known_or_do_not_fit_are_refused() {
        let mut boot = vec![0; 512];
        put(&mut boot, CORE_SECTOR, &[1]);
        put(&mut boot, DRIVE_CHECK, &[0xeb, 5]);
        put(&mut boot, 510, &[0x55, 0xaa]);
        let mut core = vec![7; 1000];
        put(&mut core, REST_SECTOR, &2_u64.to_le_bytes());
        let size = |piece: Result<Piece>| {
            piece.map(|piece| (piece.at, piece.bytes.len())).map_err(|error| error.code().to_owned())
        };
        let refused = Err("grub-failed".to_owned());
        assert_eq!(size(super::core(core.clone(), &(34..36))), Ok((34 * 512, 1000)));
        assert_eq!(size(super::core(core.clone(), &(34..35))), refused);
        assert_eq!(size(super::core(core[..300].to_vec(), &(34..36))), refused);
        assert_eq!(size(code(boot.clone(), &(34..36))), Ok((0, 440)));
        assert_eq!(size(code(boot[..400].to_vec(), &(34..36))), refused);
        assert_eq!(size(code(vec![0; 512], &(34..36))), refused);
    }
}
