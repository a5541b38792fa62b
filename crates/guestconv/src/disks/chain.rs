//! The files that a qcow2 image is based on, where the caller allows them: followed so far and no further. An image that is
//! its own backing file would have no end.

use imago::file::File;
use imago::format::gate::ImplicitOpenGate;
use imago::{FormatAccess, FormatDriverBuilder, Storage, StorageOpenOptions};
use std::io;

/// The most images below each other: who takes a snapshot every day flattens them before.
const CAP_BELOW: u32 = 64;

/// Opens what an image names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    left: u32,
}

impl Default for Chain {
    fn default() -> Self {
        Self { left: CAP_BELOW }
    }
}

impl ImplicitOpenGate<File> for Chain {
    fn open_format<F: FormatDriverBuilder<File>>(&mut self, builder: F) -> io::Result<FormatAccess<File>> {
        let left = self.left.checked_sub(1).ok_or_else(|| {
            io::Error::other(format!(
                "more than {CAP_BELOW} images are based on each other, or one on itself"
            ))
        })?;
        Ok(FormatAccess::new(builder.open(Self { left })?))
    }

    fn open_storage(&mut self, builder: StorageOpenOptions) -> io::Result<File> {
        File::open(builder)
    }
}
