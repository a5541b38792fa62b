//! Keys of encrypted devices: what the caller gives, and how it opens them.
//!
//! The appliance says which devices are encrypted and what makes the keys of their slots; that is made here, since it takes
//! more memory than the appliance has; the appliance opens what it fits. The passphrase itself never goes into it.

mod derive;
mod given;
mod open;

pub use given::{Key, KeySecret, KeySelector};
pub(crate) use open::Opening;
