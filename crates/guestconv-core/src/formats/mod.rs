//! Parsers and editors: text or bytes in, values out. They know nothing of conversion and open nothing.
//! Unedited text comes back byte for byte.

pub mod crypttab;
pub mod fields;
pub mod fstab;
pub mod os_release;
pub mod shell_vars;
