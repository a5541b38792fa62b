//! Parsers and editors: text or bytes in, values out. They know nothing of conversion and open nothing.
//! Unedited text comes back byte for byte.

pub mod compressed;
pub mod cpio;
pub mod crypttab;
pub mod fields;
pub mod fstab;
pub mod kconfig;
pub mod lz4_legacy;
pub mod module_index;
pub mod modules;
pub mod os_release;
pub mod shell_vars;
