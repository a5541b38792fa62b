//! The proof: what a guest did when it was booted, with the evidence. A document of its own (JSON, `schema` 1).

use super::Machine;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a guest did when it was booted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Proof {
    /// Version of this document's shape: [`PROOF_SCHEMA`].
    #[cfg_attr(feature = "schema", schemars(extend("const" = PROOF_SCHEMA)))]
    pub schema: u32,
    /// Whether the guest came up, with all that was expected of its network.
    pub passed: bool,
    /// How far the guest came.
    pub state: State,
    /// Why that is the verdict: one sentence each, without a full stop.
    pub reasons: Vec<String>,
    /// The device of the root file system as the guest names it; `None` if neither the kernel's log nor a login told.
    pub root_device: Option<String>,
    /// The version of the kernel that ran; `None` if the console did not tell.
    pub kernel: Option<String>,
    /// One per network card of the machine, in its order.
    pub nics: Vec<ProofNic>,
    /// What the command that was to run printed; `None` if none was to run or nobody could log in.
    pub command: Option<CommandOutput>,
    /// How long the guest took from the start of QEMU to the verdict, in milliseconds.
    pub time_ms: u64,
    /// Times from the start of QEMU at which the console showed `loader`, `kernel`, `init`, `login`, in milliseconds.
    pub milestones_ms: Vec<(String, u64)>,
    /// What ran the guest: `kvm` or `tcg`.
    pub accelerator: String,
    /// The machine that it ran on.
    pub machine: Machine,
    /// How often the guest was started: 2 if QEMU's emulated timer failed the first time.
    pub attempts: u32,
    /// The last lines of the serial console, without control sequences.
    pub serial_tail: Vec<String>,
    /// What the screen showed as text, line by line; empty if it was not in a text mode.
    pub screen_text: Vec<String>,
    /// The whole log of the serial console; `None` if no directory for evidence was given or there is no console.
    pub serial_log: Option<PathBuf>,
    /// The screen at the end, a PNG; `None` if no directory for evidence was given or there are no graphics.
    pub screenshot: Option<PathBuf>,
}

/// The version of the proof's shape.
pub const PROOF_SCHEMA: u32 = 1;

/// How far a guest came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum State {
    /// A login prompt, on the serial console or on the screen.
    Login,
    /// No login prompt was to be seen, but the guest answers on the network by an address of its own.
    Network,
    /// A shell inside the initramfs: the root file system was not found.
    InitramfsShell,
    /// dracut's emergency shell: the root file system was not found.
    DracutEmergency,
    /// systemd's emergency or rescue mode: a file system or service that must be there was not.
    Emergency,
    /// The kernel stopped itself.
    Panic,
    /// The firmware found nothing to boot.
    NoBootDevice,
    /// GRUB found neither its files nor its menu.
    GrubRescue,
    /// The time was over and none of the others was seen.
    Timeout,
    /// QEMU ended: the guest reset or powered itself off, or QEMU failed.
    QemuExit,
}

impl State {
    /// Returns the name that the document has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Network => "network",
            Self::InitramfsShell => "initramfs-shell",
            Self::DracutEmergency => "dracut-emergency",
            Self::Emergency => "emergency",
            Self::Panic => "panic",
            Self::NoBootDevice => "no-boot-device",
            Self::GrubRescue => "grub-rescue",
            Self::Timeout => "timeout",
            Self::QemuExit => "qemu-exit",
        }
    }

    /// Returns whether the guest came up.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Login | Self::Network)
    }
}

/// What became of a network card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProofNic {
    /// The interface's id in the description.
    pub id: String,
    /// The MAC address of the card.
    pub mac: String,
    /// The interface's name in the running guest; `None` if nobody logged in and the kernel's log did not tell.
    pub name: Option<String>,
    /// `up`, `down` or what else the guest or the network says; `silent` if nothing was heard and nobody logged in.
    pub state: String,
    /// The addresses that the guest has there: from its own mouth, or heard and answered on the wire.
    pub addresses: Vec<ProofAddress>,
}

/// An address of a guest, and how it is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProofAddress {
    /// The address, without a prefix length.
    pub address: String,
    /// How it is known, the strongest last.
    pub evidence: Vec<Evidence>,
}

/// How an address is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Evidence {
    /// Packets from it were seen.
    Seen,
    /// The guest asked for an address and took the one that it was offered.
    Lease,
    /// The guest answered when asked who has it (ARP, neighbour discovery).
    Neighbour,
    /// The guest answered a ping.
    Ping,
    /// The guest said so, logged in.
    Login,
}

/// What a command in the guest printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CommandOutput {
    /// Its exit status.
    pub status: i32,
    /// What it printed, both streams.
    pub output: String,
}
