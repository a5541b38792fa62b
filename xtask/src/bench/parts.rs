//! What `guestconv --timings --json` says of its own work, and the few parts that the tables show.

use anyhow::{Context, Result};
use serde::Deserialize;

/// The object that the program writes.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Timings {
    parts: Vec<Timing>,
    disks: Vec<Disk>,
}

#[derive(Debug, Deserialize)]
struct Timing {
    stage: String,
    part: String,
    seconds: f64,
}

/// What went to and from one disk.
#[derive(Debug, Deserialize)]
struct Disk {
    read_bytes: u64,
    written_bytes: u64,
    requests: u64,
    committed_bytes: u64,
}

/// What went to and from all disks of a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DiskTraffic {
    /// Bytes that the appliance read.
    pub(super) read_bytes: u64,
    /// Bytes that it wrote into overlays.
    pub(super) written_bytes: u64,
    /// Its requests.
    pub(super) requests: u64,
    /// Bytes that were committed to the disks.
    pub(super) committed_bytes: u64,
}

/// A part of the work, over all stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The appliance's process starts, takes the request, gives the reply and ends.
    Appliance,
    /// Block devices, volumes and file systems are found, mounted and unmounted.
    Mount,
    /// What is inside each initramfs is read.
    Initramfs,
    /// All else that a guest is known by is read.
    Parse,
    /// The changes of the plan are made.
    Write,
    /// Overlays are folded into the disks, and the disks are synced.
    Commit,
}

impl Part {
    /// All parts, in the order of the tables.
    pub(super) const ALL: [Part; 6] =
        [Part::Appliance, Part::Mount, Part::Initramfs, Part::Parse, Part::Write, Part::Commit];

    /// Returns its name in the tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Part::Appliance => "appliance",
            Part::Mount => "mount",
            Part::Initramfs => "initramfs",
            Part::Parse => "parsing",
            Part::Write => "writing",
            Part::Commit => "commit",
        }
    }

    /// Returns the part that the program's own name for it belongs to; `None` if we do not know it.
    fn of(stage: &str, part: &str) -> Option<Part> {
        if matches!(stage, "commit" | "recover") {
            return Some(Part::Commit);
        }
        match part.split(' ').next().unwrap_or_default() {
            "appliance" | "request" | "answer" => Some(Part::Appliance),
            "scan" | "mount" | "unmount" => Some(Part::Mount),
            "initramfs" => Some(Part::Initramfs),
            "kernels" | "settings" => Some(Part::Parse),
            "step" => Some(Part::Write),
            _ => None,
        }
    }
}

impl Timings {
    /// Reads what the program wrote to its standard error.
    ///
    /// # Errors
    /// If there is no object with the times, or it has another shape.
    pub(super) fn read(stderr: &str) -> Result<Timings> {
        let line = stderr.lines().find(|line| line.starts_with(r#"{"#) && line.contains(r#""timings""#));
        let line = line.with_context(|| format!("guestconv --timings wrote no times, but: {stderr}"))?;
        serde_json::from_str(line).with_context(|| format!("guestconv --timings wrote: {line}"))
    }

    /// Returns the seconds of a part, over all stages.
    pub(super) fn seconds(&self, part: Part) -> f64 {
        let of_it = |timing: &&Timing| Part::of(&timing.stage, &timing.part) == Some(part);
        // The sum of no numbers is -0.0.
        self.parts.iter().filter(of_it).map(|timing| timing.seconds).fold(0.0, |sum, seconds| sum + seconds)
    }

    /// Returns what went to and from all disks.
    pub(super) fn disks(&self) -> DiskTraffic {
        self.disks.iter().fold(DiskTraffic::default(), |sum, disk| DiskTraffic {
            read_bytes: sum.read_bytes + disk.read_bytes,
            written_bytes: sum.written_bytes + disk.written_bytes,
            requests: sum.requests + disk.requests,
            committed_bytes: sum.committed_bytes + disk.committed_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_added_up_by_part() {
        let stderr = concat!(
            "a line\n",
            r#"{"disks":[{"committed_bytes":4,"disk":"sda","read_bytes":1,"requests":3,"written_bytes":2},"#,
            r#"{"committed_bytes":40,"disk":"sdb","read_bytes":10,"requests":30,"written_bytes":20}],"#,
            r#""event":"timings","parts":["#,
            r#"{"part":"appliance","seconds":0.5,"stage":"inspect"},"#,
            r#"{"part":"initramfs /dev/sda1","seconds":0.25,"stage":"inspect"},"#,
            r#"{"part":"initramfs /dev/sda2","seconds":0.5,"stage":"verify"},"#,
            r#"{"part":"settings /dev/sda1","seconds":2.0,"stage":"inspect"},"#,
            r#"{"part":"step initramfs","seconds":4.0,"stage":"apply"},"#,
            r#"{"part":"unmount","seconds":8.0,"stage":"apply"},"#,
            r#"{"part":"of tomorrow","seconds":16.0,"stage":"apply"},"#,
            r#"{"part":"mount","seconds":32.0,"stage":"commit"}]}"#,
            "\nanother\n"
        );
        let timings = Timings::read(stderr).unwrap();
        assert_eq!(Part::ALL.map(|part| timings.seconds(part)), [0.5, 8.0, 0.75, 2.0, 4.0, 32.0]);
        assert_eq!(
            timings.disks(),
            DiskTraffic { read_bytes: 11, written_bytes: 22, requests: 33, committed_bytes: 44 }
        );
    }

    #[test]
    fn no_times_are_an_error() {
        for (stderr, expected) in [
            ("nothing", "guestconv --timings wrote no times, but: nothing"),
            (r#"{"event":"timings"}"#, r#"guestconv --timings wrote: {"event":"timings"}"#),
        ] {
            assert_eq!(Timings::read(stderr).unwrap_err().to_string(), expected, "{stderr}");
        }
    }
}
