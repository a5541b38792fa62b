//! What goes into the appliance and what comes out: one request, one reply. The library and the agent share this module.
//!
//! The request travels as JSON in the initramfs (`/request.json`). The reply leaves by the serial line:
//! [`REPLY_MAGIC`], the length of the JSON as eight hex digits and a line feed, the JSON. The library treats it as hostile.
//! Before it, and only there, come [`SIGN_OF_LIFE`]s while the agent works, and on the kernel's log what it looks at.

pub mod room;

use crate::facts::Facts;
use crate::formats::luks::Kdf;
use crate::formats::modules::normalised_alias;
use crate::layout::DeviceName;
use crate::linux::initramfs::Image;
use crate::plan::Plan;
use crate::report::{Failure, Outcome};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// First bytes of a reply.
pub const REPLY_MAGIC: &[u8] = b"\nguestconv-reply ";

/// A byte that the agent sends every now and then while its work gets on.
pub const SIGN_OF_LIFE: u8 = b'.';

/// The most that a reply may hold, in bytes: that of a guest with twenty kernels has two million.
pub const REPLY_CAP_BYTES: u64 = 32 << 20;

/// Name of the request in the initramfs.
pub const REQUEST_FILE: &str = "request.json";

/// Name of [`Modules`] in the initramfs; it is there if the kernel is a distribution's.
pub const MODULES_FILE: &str = "modules.json";

/// The version that library and appliance must share: that of the release, and the hash of this crate's sources, by which
/// builds of one release from other sources know each other. `0.1.0+6f8a2c5e90d1b374`
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "+", env!("GUESTCONV_CORE_SOURCES"));

/// What the library asks of the agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// [`VERSION`] of the library.
    pub version: String,
    /// Short names of the disks, in the order of the block devices `vda`, `vdb` …
    pub disks: Vec<String>,
    /// What opens encrypted devices.
    pub keys: Vec<SlotKey>,
    /// What to do.
    pub task: Task,
}

/// The kernel modules in the initramfs, each as `NAME.ko`: what a kernel that has them not built in may need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Modules {
    /// Those that are loaded at the start, in order.
    pub first: Vec<String>,
    /// What is loaded before each, in order.
    pub needs: BTreeMap<String, Vec<String>>,
    /// By what else the kernel asks for them, `_` for `-`: a module may have many such names, and many may have one.
    pub aliases: Vec<(String, String)>,
}

impl Modules {
    /// Returns the modules that the kernel means by a name or an alias, each after what it needs.
    pub fn asked(&self, name: &str) -> Vec<&str> {
        let name = normalised_alias(name);
        let by_alias = self.aliases.iter().filter(|(alias, _)| *alias == name).map(|(_, module)| module);
        let by_name = self.needs.get_key_value(&name).map(|(module, _)| module);
        let mut load: Vec<&str> = Vec::new();
        for module in by_name.into_iter().chain(by_alias) {
            let needs = self.needs.get(module).into_iter().flatten();
            for one in needs.chain([module]) {
                if !load.contains(&one.as_str()) {
                    load.push(one);
                }
            }
        }
        load
    }
}

/// What was made of a passphrase for a slot of an encrypted device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotKey {
    /// The UUID of the device.
    pub uuid: String,
    /// The number of the slot.
    pub slot: u32,
    /// What [`Kdf`] made.
    pub key: Vec<u8>,
    /// Whether it has opened the device before, so that it need not be told by the digest again.
    pub is_known: bool,
}

impl fmt::Debug for SlotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlotKey").field("uuid", &self.uuid).field("slot", &self.slot).finish_non_exhaustive()
    }
}

/// An encrypted device: what opens it, or has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The device.
    pub device: DeviceName,
    /// Its UUID.
    pub uuid: String,
    /// The number of the slot whose key has opened it; `None` if it is closed.
    pub opened_by: Option<u32>,
    /// Its slots with what makes their keys, those to be tried first in front.
    pub slots: Vec<(u32, Kdf)>,
}

/// What the agent is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Task {
    /// Look at everything; write nothing but what a journal's replay writes.
    Inspect {
        /// Initramfs images that were read before. One that has only grown since, by its hash, is not unpacked again.
        /// `None`: no image is looked at, which is what takes most of the time.
        known: Option<Vec<Image>>,
    },
    /// Say which devices are encrypted, and which of them the keys open.
    Locks,
    /// Carry out a plan.
    Apply(Box<Plan>),
    /// Hash every file of every root, for tests: nothing that the plan did not name may change.
    Manifest,
}

/// What the agent answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// [`VERSION`] of the agent.
    pub version: String,
    /// The answer.
    pub answer: Answer,
    /// How long each part took, in microseconds since `/init` started: name and end.
    pub timings: Vec<(String, u64)>,
}

/// The answer to a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Answer {
    /// To [`Task::Inspect`].
    Facts(Box<Facts>),
    /// To [`Task::Locks`].
    Locks(Vec<Lock>),
    /// To [`Task::Apply`]; a failed step is in the outcome.
    Outcome(Outcome),
    /// To [`Task::Manifest`]: a line per file.
    Manifest(Vec<String>),
    /// The task could not be done at all.
    Failure(Failure),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_asked_for_by_name_or_alias() {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let modules = Modules {
            first: owned(&["virtio", "virtio_blk"]),
            needs: [
                ("ext4", &["mbcache", "jbd2"] as &[&str]),
                ("aes_generic", &[]),
                ("aesni_intel", &["cryptd"]),
            ]
            .map(|(name, needs)| (name.to_owned(), owned(needs)))
            .into(),
            aliases: [
                ("fs_ext4", "ext4"),
                ("fs_ext2", "ext4"),
                ("crypto_aes", "aes_generic"),
                ("crypto_aes", "aesni_intel"),
            ]
            .map(|(alias, module)| (alias.to_owned(), module.to_owned()))
            .into(),
        };
        for (name, expected) in [
            ("ext4", &["mbcache", "jbd2", "ext4"] as &[&str]),
            ("fs-ext2", &["mbcache", "jbd2", "ext4"]),
            ("aesni-intel", &["cryptd", "aesni_intel"]),
            ("crypto-aes", &["aes_generic", "cryptd", "aesni_intel"]),
            ("fs-zfs", &[]),
        ] {
            assert_eq!(modules.asked(name), expected, "{name}");
        }
    }
}
