//! Does what the core decides.

pub mod prove;
