//! GRUB 2 of the host: found, asked what it can read, and made into the images for BIOS and UEFI.
//!
//! Nothing of it is installed by its own installer, which wants a mounted root and block devices: `grub-mkimage` makes the
//! images from GRUB's modules, and we put them where they belong.

mod features;
mod find;
mod mkimage;
mod modules;
mod reads;
mod tar;
#[cfg(test)]
mod tests;

use crate::error::{Error, ErrorKind, Result};
use crate::observe::Cancel;
use guestconv_core::lay_out::LayOut;
use std::fs;
use std::path::PathBuf;

/// A GRUB 2 for BIOS and UEFI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grub {
    /// The program that makes images.
    mkimage: PathBuf,
    bios: Part,
    uefi: Part,
}

/// What GRUB has for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    platform: Platform,
    /// Where its modules are.
    dir: PathBuf,
}

/// What GRUB runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Platform {
    Bios,
    Uefi,
}

impl Platform {
    /// Returns GRUB's name of it, which is that of the directory, too.
    fn name(self) -> &'static str {
        match self {
            Self::Bios => "i386-pc",
            Self::Uefi => "x86_64-efi",
        }
    }
}

impl Grub {
    /// Returns `boot.img`, the code of sector 0, as it is in GRUB's directory.
    ///
    /// # Errors
    /// `grub-missing` if it cannot be read.
    pub(super) fn boot(&self) -> Result<Vec<u8>> {
        let path = self.bios.dir.join("boot.img");
        fs::read(&path)
            .map_err(|error| Error::io("grub-missing", format_args!("read {}", path.display()), error))
    }

    /// Makes `core.img`, GRUB for BIOS, which begins as the layout says. It is packed, which takes a quarter of a second.
    ///
    /// # Errors
    /// `grub-missing` if GRUB lacks a module that is needed, `grub-failed` with what `grub-mkimage` says, `cancelled`.
    pub(super) fn core(&self, lay_out: &LayOut, cancel: &Cancel) -> Result<Vec<u8>> {
        self.image(&self.bios, lay_out, cancel)
    }

    /// Makes GRUB for UEFI, which begins as the layout says.
    ///
    /// # Errors
    /// As [`Self::core`].
    pub(super) fn efi(&self, lay_out: &LayOut, cancel: &Cancel) -> Result<Vec<u8>> {
        self.image(&self.uefi, lay_out, cancel)
    }

    fn image(&self, part: &Part, lay_out: &LayOut, cancel: &Cancel) -> Result<Vec<u8>> {
        let config = &lay_out.grub.config;
        let names = modules::wanted(part, &lay_out.before.filesystem, config)?;
        let menu = tar::with_file(modules::MENU, config.as_bytes());
        mkimage::image(&self.mkimage, part, &names, &menu, cancel)
    }
}

/// Returns the error of a GRUB that is not there, or not all of it, and the packages that bring it.
fn missing(what: &str) -> Error {
    let message = format!(
        "the disk needs a boot loader, and {what}; install GRUB 2: grub-common, grub-pc-bin and grub-efi-amd64-bin (Debian, \
         Ubuntu), grub2-tools, grub2-pc-modules and grub2-efi-x64-modules (Fedora, RHEL), grub2, grub2-i386-pc and \
         grub2-x86_64-efi (SUSE), or name a directory with its i386-pc and x86_64-efi by --grub-dir"
    );
    Error::new(ErrorKind::Io, "grub-missing", message)
}
