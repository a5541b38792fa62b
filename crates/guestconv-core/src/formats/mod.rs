//! Parsers and editors: text or bytes in, values out. They know nothing of conversion and open nothing.
//! Unedited text comes back byte for byte.

pub mod block;
pub mod bls;
pub mod bzimage;
pub mod cmdline;
pub mod compressed;
pub mod cpio;
pub mod crypttab;
pub mod extlinux;
pub mod fields;
pub mod file_contexts;
pub mod fstab;
pub mod grub_cfg;
pub mod grub_legacy;
pub mod grubenv;
pub mod kconfig;
pub mod libvirt_domain;
pub mod luks;
pub mod lvm2;
pub mod lz4_legacy;
pub mod md;
pub mod module_index;
pub mod modules;
pub mod os_release;
pub mod partition_table;
pub mod shell_vars;
pub mod superblock;
pub mod version;
pub mod xorg_conf;
