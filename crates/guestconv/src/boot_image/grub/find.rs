//! Where GRUB 2 is. Its program has another name on Fedora and SUSE, where GRUB legacy once had the plain one, and its modules
//! are where each distribution puts them.

use super::{Grub, Part, Platform, missing};
use crate::error::Result;
use std::path::{Path, PathBuf};

const PROGRAMS: [&str; 2] = ["grub-mkimage", "grub2-mkimage"];
/// Where programs are, whatever the caller's path says: it may be empty.
const PROGRAM_DIRS: [&str; 5] = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin", "/sbin"];
/// Where the directories of the platforms are: Debian, Fedora, Arch; SUSE; old SUSE; a GRUB that was built.
const MODULE_DIRS: [&str; 4] = ["/usr/lib/grub", "/usr/share/grub2", "/usr/lib/grub2", "/usr/local/lib/grub"];

impl Grub {
    /// Finds GRUB; its modules in `dir` alone if that is given, else where distributions have them.
    ///
    /// # Errors
    /// `grub-missing` if there is none for both platforms, with the packages that bring it.
    pub(crate) fn find(dir: Option<&Path>) -> Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let programs: Vec<PathBuf> =
            std::env::split_paths(&path).chain(PROGRAM_DIRS.iter().map(PathBuf::from)).collect();
        let modules = dir.map_or_else(|| MODULE_DIRS.map(PathBuf::from).to_vec(), |dir| vec![dir.to_owned()]);
        Self::find_in(&programs, &modules)
    }

    pub(super) fn find_in(programs: &[PathBuf], modules: &[PathBuf]) -> Result<Self> {
        let part = |platform: Platform| -> Result<Part> {
            let mut dirs = modules.iter().map(|dir| dir.join(platform.name()));
            let dir = dirs.find(|dir| dir.join("kernel.img").is_file()).ok_or_else(|| {
                let places: Vec<_> = modules.iter().map(|dir| dir.display().to_string()).collect();
                missing(&format!("GRUB's {} is in none of: {}", platform.name(), places.join(", ")))
            })?;
            // The program that makes images runs in a directory of its own.
            Ok(Part { platform, dir: std::path::absolute(&dir).unwrap_or(dir) })
        };
        let (bios, uefi) = (part(Platform::Bios)?, part(Platform::Uefi)?);
        let mut files = programs
            .iter()
            .flat_map(|dir| PROGRAMS.map(|name| dir.join(name)))
            .filter(|file| file.is_absolute());
        let mkimage = files.find(|file| file.is_file());
        Ok(Self { mkimage: mkimage.ok_or_else(|| missing("there is no grub-mkimage"))?, bios, uefi })
    }
}
