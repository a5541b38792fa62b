//! The bytes around a disk's old content when it is laid out: a head with protective MBR, GPT, GRUB for BIOS and an EFI system
//! partition with GRUB for UEFI, and a tail with GPT's second copy.
//!
//! Only bytes of the host's GRUB and our own go in; of the guest's words only ids, and the path of its menu in GRUB's first
//! configuration. The same input gives the same bytes. The file is sparse: it has less than 4 MiB for a head of 512.
//!
//! The tables are written at once, and GRUB is made meanwhile ([`Making`]): it takes a quarter of a second, nobody needs it who
//! only changes files, and most of it nobody but a BIOS.

mod bios;
mod esp;
mod frame;
mod gpt;
mod grub;
mod making;
#[cfg(test)]
mod tests;

pub(crate) use grub::Grub;
pub(crate) use making::Making;

use crate::error::{Error, Result};
use crate::observe::Cancel;
use frame::{Frame, wrong};
use guestconv_core::lay_out::LayOut;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes, and where they go; all that lies between is zero.
struct Piece {
    at: u64,
    bytes: Vec<u8>,
}

/// Lays out a disk in `file`: the head from its start, the tail right behind it, with nothing but the tables in them. What was
/// in the file is gone. Returns GRUB in the making.
///
/// # Errors
/// `lay-out-wrong` if the layout is none that we make, `boot-image-write-failed`.
pub(crate) fn begin(lay_out: &LayOut, grub: &Grub, file: &File) -> Result<Making> {
    let frame = Frame::of(lay_out)?;
    let tables = gpt::pieces(&frame).ok_or_else(|| wrong("its partition table cannot be written"))?;
    file.set_len(0).map_err(failed)?;
    file.set_len(frame.head_bytes + frame.tail_bytes).map_err(failed)?;
    put(tables, &frame, file)?;
    Making::start(frame, grub.clone(), lay_out.clone())
}

/// Returns what a look sees of GRUB: the code of sector 0, and the EFI system partition with GRUB for UEFI.
///
/// # Errors
/// As [`Grub::boot`] and [`Grub::efi`]; `grub-failed` if an image does not fit.
fn seen_pieces(frame: &Frame, grub: &Grub, lay_out: &LayOut, cancel: &Cancel) -> Result<Vec<Piece>> {
    let mut pieces = vec![bios::code(grub.boot()?, &frame.bios_boot)?];
    pieces.extend(esp::pieces(&frame.esp, frame.esp_id, &grub.efi(lay_out, cancel)?)?);
    Ok(pieces)
}

/// Returns GRUB for BIOS, whose partition no look reads.
///
/// # Errors
/// As [`Grub::core`]; `grub-failed` if it does not fit.
fn core_pieces(frame: &Frame, grub: &Grub, lay_out: &LayOut, cancel: &Cancel) -> Result<Vec<Piece>> {
    Ok(vec![bios::core(grub.core(lay_out, cancel)?, &frame.bios_boot)?])
}

/// Writes pieces to their places.
fn put(pieces: Vec<Piece>, frame: &Frame, file: &File) -> Result<()> {
    for piece in pieces {
        let at = frame.in_file(piece.at).ok_or_else(|| wrong("something lies in the old content"))?;
        file.write_all_at(&piece.bytes, at).map_err(failed)?;
    }
    Ok(())
}

fn failed(error: io::Error) -> Error {
    Error::io("boot-image-write-failed", "write the boot image", error)
}
