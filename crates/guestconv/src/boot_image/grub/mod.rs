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

/// What goes on the disk.
pub(super) struct Images {
    /// `boot.img`, the code of sector 0, as it is in GRUB's directory.
    pub(super) boot: Vec<u8>,
    /// `core.img`, GRUB for BIOS.
    pub(super) core: Vec<u8>,
    /// GRUB for UEFI.
    pub(super) efi: Vec<u8>,
}

impl Grub {
    /// Makes the images that begin as the layout says. Both at once: making the one for BIOS is nearly all of the time.
    ///
    /// # Errors
    /// `grub-missing` if GRUB lacks a module that is needed, `grub-failed` with what `grub-mkimage` says, `cancelled`.
    pub(super) fn images(&self, lay_out: &LayOut, cancel: &Cancel) -> Result<Images> {
        let config = &lay_out.grub.config;
        let menu = tar::with_file(modules::MENU, config.as_bytes());
        let image = |part: &Part| {
            let names = modules::wanted(part, &lay_out.before.filesystem, config)?;
            mkimage::image(&self.mkimage, part, &names, &menu, cancel)
        };
        let (core, efi) = std::thread::scope(|scope| {
            let efi = scope.spawn(|| image(&self.uefi));
            (image(&self.bios), efi.join().unwrap_or_else(|_| Err(mkimage::failed("its thread panicked"))))
        });
        let boot = self.bios.dir.join("boot.img");
        let boot = fs::read(&boot)
            .map_err(|error| Error::io("grub-missing", format_args!("read {}", boot.display()), error))?;
        Ok(Images { boot, core: core?, efi: efi? })
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
