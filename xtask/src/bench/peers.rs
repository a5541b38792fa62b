//! The programs that do the same with libguestfs: `virt-inspector` and `virt-v2v-in-place`.
//!
//! libguestfs starts a virtual machine. Where KVM does not run it must be told so, since it does not fall back by itself.

use super::measure::{How, Run, Sampling, measure};
use crate::{run, setup};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The packages whose versions matter.
pub(super) const PACKAGES: [&str; 5] =
    ["virt-v2v", "guestfs-tools", "libguestfs0", "qemu-system-x86", "linux-image-amd64"];
/// After that a peer has failed.
const LIMIT: Duration = Duration::from_secs(30 * 60);
/// Rare enough to disturb nothing in what takes many seconds.
const SAMPLING: Sampling = Sampling::Every(Duration::from_millis(100));
/// How much of a peer's last words a table shows.
const WORDS_AT_MOST: usize = 160;

/// A program to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// What a guest is.
    Inspector,
    /// A conversion where the disk is.
    InPlace,
}

impl Peer {
    /// Returns the program's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Peer::Inspector => "virt-inspector",
            Peer::InPlace => "virt-v2v-in-place",
        }
    }

    /// Returns the arguments for a raw disk.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            // Neither lists packages nor finds an icon: we do neither.
            Peer::Inspector => &["--format=raw", "--no-applications", "--no-icon", "-a"],
            // Of several systems it converts one and would ask which.
            Peer::InPlace => &["--root", "first", "-i", "disk", "-if", "raw"],
        }
    }
}

/// What libguestfs runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accelerator {
    /// The processor.
    Kvm,
    /// QEMU's emulation, which takes many times longer.
    Tcg,
}

/// The peers on this machine.
pub(super) struct Peers {
    /// What they run on.
    pub(super) accelerator: Accelerator,
    /// A directory for what they say.
    scratch: PathBuf,
}

/// What a peer made of a guest.
pub(super) enum Outcome {
    /// It did it.
    Done(Run),
    /// It did not; what it said last.
    Failed(String),
}

impl Peers {
    /// Sees to it that they are installed, and that libguestfs has made its appliance, which it keeps.
    ///
    /// # Errors
    /// If they cannot be installed, or libguestfs cannot start its appliance.
    pub(super) fn ready(scratch: &Path) -> Result<Peers> {
        setup::ensure(&[setup::PEERS])?;
        let accelerator = if guestconv::prove::kvm_runs() { Accelerator::Kvm } else { Accelerator::Tcg };
        let peers = Peers { accelerator, scratch: scratch.to_owned() };
        run::run(peers.command("guestfish").args(["-a", "/dev/null", "run"]))?;
        Ok(peers)
    }

    /// Runs the peer on the disk, once.
    ///
    /// # Errors
    /// If it cannot be started or measured.
    pub(super) fn run(&self, peer: Peer, disk: &Path) -> Result<Outcome> {
        let mut command = self.command(peer.name());
        command.args(peer.arguments()).arg(disk);
        let how = How { sampling: SAMPLING, limit: LIMIT, scratch: &self.scratch };
        let run = measure(&mut command, &how)?;
        Ok(match run.status.success() {
            true => Outcome::Done(run),
            false if run.timed_out => {
                Outcome::Failed(format!("not done after {} minutes", LIMIT.as_secs() / 60))
            }
            false => Outcome::Failed(last_words(&run.stderr)),
        })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("LIBGUESTFS_BACKEND", "direct").env("LC_ALL", "C.UTF-8");
        match self.accelerator {
            Accelerator::Kvm => command.env_remove("LIBGUESTFS_BACKEND_SETTINGS"),
            Accelerator::Tcg => command.env("LIBGUESTFS_BACKEND_SETTINGS", "force_tcg"),
        };
        command
    }
}

/// Returns the last error of what a peer said, on one line and not too long; its last line if it called nothing an error.
fn last_words(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    let text = match lines.iter().rposition(|line| line.contains("error:")) {
        // A message is wrapped, and ends where a line is empty.
        Some(at) => {
            let message = lines.iter().skip(at).take_while(|line| !line.trim().is_empty());
            message.map(|line| line.trim()).collect::<Vec<_>>().join(" ")
        }
        None => lines.iter().rfind(|line| !line.trim().is_empty()).unwrap_or(&"it said nothing").to_string(),
    };
    match text.char_indices().nth(WORDS_AT_MOST) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_is_what_counts() {
        let long = format!("error: {}", "x".repeat(200));
        for (said, expected) in [
            ("", "it said nothing".to_owned()),
            ("one\ntwo\n\n", "two".to_owned()),
            (
                "a: error: first\n\nb: error: no kernels were\n  found\n\nIf reporting bugs, run with -v\n",
                "b: error: no kernels were found".to_owned(),
            ),
            (&long, format!("error: {} …", "x".repeat(153))),
        ] {
            assert_eq!(last_words(said), expected, "{said}");
        }
    }
}
