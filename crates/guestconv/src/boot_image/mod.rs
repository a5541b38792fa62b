//! The bytes around a disk's old content when it is laid out: a head with protective MBR, GPT, GRUB for BIOS and an EFI system
//! partition with GRUB for UEFI, and a tail with GPT's second copy.
//!
//! Only bytes of the host's GRUB and our own go in; of the guest's words only ids, and the path of its menu in GRUB's first
//! configuration. The same input gives the same bytes. The file is sparse: it has less than 4 MiB for a head of 512.

mod bios;
mod esp;
mod frame;
mod gpt;
mod grub;
#[cfg(test)]
mod tests;

pub(crate) use grub::Grub;

use crate::error::{Error, Result};
use frame::{Frame, wrong};
use guestconv_core::lay_out::LayOut;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Bytes, and where they go; all that lies between is zero.
struct Piece {
    at: u64,
    bytes: Vec<u8>,
}

/// Writes head and tail of a disk that is laid out into `file`: the head from its start, the tail right behind it. What was
/// in the file is gone.
///
/// # Errors
/// `lay-out-wrong` if the layout is none that we make, `grub-failed` if GRUB's image cannot be made or does not fit,
/// `boot-image-write-failed`.
pub(crate) fn write(lay_out: &LayOut, grub: &Grub, file: &File) -> Result<()> {
    let frame = Frame::of(lay_out)?;
    let images = grub.images(lay_out)?;
    let bios = bios::pieces(&images.boot, images.core, &frame.bios_boot)?;
    let tables = gpt::pieces(&frame).ok_or_else(|| wrong("its partition table cannot be written"))?;
    let esp = esp::pieces(&frame.esp, frame.esp_id, &images.efi)?;
    let failed = |error| Error::io("boot-image-write-failed", "write the boot image", error);
    file.set_len(0).map_err(failed)?;
    file.set_len(frame.head_bytes + frame.tail_bytes).map_err(failed)?;
    for piece in bios.into_iter().chain(tables).chain(esp) {
        let at = frame.in_file(piece.at).ok_or_else(|| wrong("something lies in the old content"))?;
        file.write_all_at(&piece.bytes, at).map_err(failed)?;
    }
    Ok(())
}
