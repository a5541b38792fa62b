//! The files that a qcow2 image is based on, where the caller allows them: followed so far and no further. An image that is
//! its own backing file would have no end.

use super::store::Store;
use imago::format::gate::ImplicitOpenGate;
use imago::{FormatAccess, FormatDriverBuilder, Storage, StorageOpenOptions};
use std::io;

/// The most images below each other: who takes a snapshot every day flattens them before.
pub(super) const CAP_BELOW: u32 = 64;
/// What is said of more.
pub(super) const TOO_MANY: &str = "more than 64 images are based on each other, or one on itself";

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

impl ImplicitOpenGate<Store> for Chain {
    fn open_format<F: FormatDriverBuilder<Store>>(&mut self, builder: F) -> io::Result<FormatAccess<Store>> {
        let left = self.left.checked_sub(1).ok_or_else(|| io::Error::other(TOO_MANY))?;
        Ok(FormatAccess::new(builder.open(Self { left })?))
    }

    fn open_storage(&mut self, builder: StorageOpenOptions) -> io::Result<Store> {
        Store::open(builder)
    }
}
