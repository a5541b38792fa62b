//! Everything that a conversion may ever do to a guest, as data. The list is closed: a reviewer can audit it.
//!
//! A change says what it expects (`before`); a guest that moved on is an error of apply, not a lost edit.

use crate::path::GuestPath;
use serde::{Deserialize, Serialize};

/// One act on the files of one root, or on a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "change", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Change {
    /// Gives a text file its new content; secrets stand in both texts as tokens ([`crate::secret`]). Owner, mode and label of a file that is there are kept; a new file gets its
    /// label from the guest's own `file_contexts`, owner root, and missing parent directories.
    Write {
        /// The file; links are followed inside the root.
        path: GuestPath,
        /// What it must hold before; `None`: nothing may be there.
        before: Option<String>,
        /// What it holds afterwards.
        after: String,
        /// Permission bits of a new file; `None`: 0644, or what an existing file has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<u32>,
    },
    /// Removes a file or a link (never a directory).
    Remove {
        /// What is removed; a link itself, not where it leads.
        path: GuestPath,
        /// What must be there before.
        before: Before,
    },
    /// Makes a symbolic link.
    Link {
        /// The name of the link.
        path: GuestPath,
        /// What must be there before; `None`: nothing may be there.
        before: Option<Before>,
        /// What the link says.
        to: String,
    },
    /// Copies a file of the guest to a new name in the guest; missing directories are made.
    Copy {
        /// The file to copy.
        from: GuestPath,
        /// What the file to copy must hold.
        source: FileHash,
        /// The new name; nothing may be there.
        to: GuestPath,
    },
    /// Appends a segment with kernel modules and settings to an initramfs.
    AppendInitramfs(InitramfsAppend),
    /// Gives a disk a partition table and a boot loader. The block layer carries it out; apply finds it done.
    LayOut(crate::lay_out::LayOut),
    /// Runs a program of the guest inside the appliance. Only if the caller asked for it.
    Run {
        /// Program and arguments, no shell.
        argv: Vec<String>,
    },
}

/// What must be there before a file or link is removed or replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Before {
    /// A symbolic link that says this.
    Link(String),
    /// A file that holds this text.
    Text(String),
    /// A file with this hash.
    File(FileHash),
}

/// Size and hash of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FileHash {
    /// Size in bytes.
    pub size_bytes: u64,
    /// BLAKE3 in lower-case hex, as `b3sum` prints it.
    pub blake3: String,
}

/// What is appended to an initramfs; the agent builds the segment from the guest's own modules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct InitramfsAppend {
    /// The initramfs.
    pub path: GuestPath,
    /// What it must be before.
    pub before: FileHash,
    /// Version of the kernel that it belongs to.
    pub kernel: String,
    /// How the added modules are loaded at boot.
    pub loader: ModuleLoader,
    /// Modules that are added, in the order in which they can be loaded.
    pub modules: Vec<AddedModule>,
    /// Paths of the modules that the initramfs holds already, as in its `modules.dep`: the generated index names them too.
    pub present: Vec<String>,
    /// Directory in the initramfs, links resolved, where `modules.dep` is or goes: `/usr/lib/modules/6.1.0-41-amd64`.
    pub module_dir: String,
    /// Text files that replace or join those in the initramfs: path and content.
    pub files: Vec<AddedText>,
    /// Directories that the segment must make first, parents before children.
    pub directories: Vec<String>,
    /// How the last segment of the initramfs is compressed: decides how a segment can follow it (`boot.md` A.3).
    pub tail: crate::linux::initramfs::Compression,
}

/// How modules that were added to an initramfs are loaded at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ModuleLoader {
    /// udev and libkmod load them by the generated index.
    Index,
    /// A small program in place of `/init` loads them and then runs the initramfs's own `/init`.
    Preload,
}

/// A module that is added to an initramfs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AddedModule {
    /// Its name as the kernel says it: `virtio_blk`.
    pub name: String,
    /// Where it is in the root.
    pub from: GuestPath,
    /// Its path relative to `module_dir`: `kernel/drivers/block/virtio_blk.ko`.
    pub to: String,
    /// Size and hash of the file in the root.
    pub file: FileHash,
}

/// A text file that is added to an initramfs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AddedText {
    /// Its path in the initramfs, links of parents resolved, without the leading `/`.
    pub path: String,
    /// Its content.
    pub text: String,
    /// Whether the name that it replaces has several hard links: then it must be unlinked first (`boot.md` A.4.2).
    pub unlink_first: bool,
}

impl Change {
    /// Returns the file that the change makes, changes or removes; `None` for a command and a disk.
    pub fn path(&self) -> Option<&GuestPath> {
        match self {
            Self::Write { path, .. } | Self::Remove { path, .. } | Self::Link { path, .. } => Some(path),
            Self::Copy { to, .. } => Some(to),
            Self::AppendInitramfs(append) => Some(&append.path),
            Self::LayOut(_) | Self::Run { .. } => None,
        }
    }
}
