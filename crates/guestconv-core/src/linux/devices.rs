//! The guest's own names for its devices (`/dev/sda1`, `/dev/xvda1`, `UUID=…`) and what they mean in the layout.

use crate::layout::{DeviceName, Layout};

/// Returns the device of the layout that a name in the guest's files means; `None` if it means none or cannot be told.
pub fn resolve(_layout: &Layout, _spec: &str) -> Option<DeviceName> {
    None
}
