//! Growth: the same small guest with much more of what must not cost, beside the guest without, in the same run.

use super::disks::Disks;
use super::figures::{Spread, spread};
use super::ours::{Guestconv, Job, Purpose};
use super::table::Table;
use crate::{cache, guest, run};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The guest: one disk, one partition, one kernel.
const GUEST: &str = "debian-12-extlinux";
const SCRIPT: &str = include_str!("growth.sh");
/// What is measured on both.
const JOBS: [Job; 2] = [Job::Inspect, Job::Convert];

/// Something that may grow.
struct Line {
    name: &'static str,
    from: Case,
    to: Case,
    /// Why it costs what it costs, if it must.
    nature: &'static str,
}

/// A guest that is made of [`GUEST`].
struct Case {
    /// The words of the script; none: the guest itself.
    words: &'static [&'static str],
    format: &'static str,
}

const fn raw(words: &'static [&'static str]) -> Case {
    Case { words, format: "raw" }
}

const LINES: [Line; 6] = [
    Line { name: "disk of 2.5 GiB, of 2 TiB", from: raw(&[]), to: raw(&["disk_grown"]), nature: "" },
    Line {
        name: "disk and file system of 2.5 GiB, of 2 TiB",
        from: raw(&[]),
        to: raw(&["filesystem_grown"]),
        nature: "at each mount the kernel checks the descriptors of all groups of blocks, 16,384 of them (ext4_check_descriptors)",
    },
    Line {
        name: "1 data disk, 30",
        from: raw(&["data_disks", "1"]),
        to: raw(&["data_disks", "30"]),
        nature: "each disk is served, and its file system mounted to see whether a system is on it",
    },
    Line {
        name: "1 kernel, 20",
        from: raw(&[]),
        to: raw(&["kernels"]),
        nature: "the modules of each are looked for; to convert, each initramfs is unpacked, too, and gets its drivers",
    },
    Line {
        name: "no file in /home, 1,000,000",
        from: raw(&["home", "0"]),
        to: raw(&["home", "1000000"]),
        nature: "",
    },
    Line {
        name: "qcow2 with 40,000 clusters, with 1,050,000",
        from: Case { words: &["qcow2"], format: "qcow2" },
        to: Case { words: &["qcow2_grown"], format: "qcow2" },
        nature: "before a commit all that the map refers to is counted",
    },
];

/// What was measured of a line: for each of [`JOBS`] the guest without and with.
pub(super) struct Growth {
    name: &'static str,
    figures: Vec<(Spread, Spread)>,
    nature: &'static str,
}

/// Measures all lines.
///
/// # Errors
/// If a guest cannot be made, or a run fails.
pub(super) fn measured(guestconv: &Guestconv, runs: usize) -> Result<Vec<Growth>> {
    let base = guest::make(GUEST)?.into_iter().next().context("the guest has no disk")?;
    let base = fs::canonicalize(&base).with_context(|| format!("cannot resolve {}", base.display()))?;
    LINES.iter().map(|line| one(guestconv, runs, &base, line)).collect()
}

fn one(guestconv: &Guestconv, runs: usize, base: &Path, line: &Line) -> Result<Growth> {
    eprintln!("growth: {}", line.name);
    let cases = [made(base, &line.from)?, made(base, &line.to)?];
    let mut figures = Vec::new();
    for job in JOBS {
        let mut seconds = [Vec::new(), Vec::new()];
        // One after the other, so that both see the same machine; the first run of each warms the caches.
        for number in 0..=runs {
            for (disks, seconds) in cases.iter().zip(&mut seconds) {
                let copy = disks.fresh_copy(&guestconv.scratch)?;
                let run = guestconv.run(job, &copy, Purpose::Time)?.run;
                copy.remove()?;
                seconds.extend((number > 0).then_some(run.wall_seconds));
            }
        }
        let [from, to] = seconds.map(Spread::of);
        figures.push((from.context("there are no runs")?, to.context("there are no runs")?));
    }
    Ok(Growth { name: line.name, figures, nature: line.nature })
}

/// Returns the disks of a case, made if the cache has none.
fn made(base: &Path, case: &Case) -> Result<Disks> {
    let Case { words, format } = *case;
    let images = if words.is_empty() {
        vec![base.to_owned()]
    } else {
        let inputs = [SCRIPT.as_bytes(), base.as_os_str().as_encoded_bytes()];
        let inputs: Vec<&[u8]> = inputs.into_iter().chain(words.iter().map(|word| word.as_bytes())).collect();
        let entry = cache::entry("growth", &inputs, |directory| {
            eprintln!("making {}", words.join(" "));
            let mut shell = Command::new("sh");
            shell.current_dir(directory).args(["-c", SCRIPT, "growth"]).args(words).env("base", base);
            run::run(&mut shell)
        })?;
        let names =
            std::iter::once(format!("disk.{format}")).chain((2..).map(|n| format!("disk-{n}.{format}")));
        names.map(|name| entry.join(name)).take_while(|image: &PathBuf| image.is_file()).collect()
    };
    Ok(Disks { images, format, options: &[] })
}

/// Returns the table.
pub(super) fn table(lines: &[Growth]) -> Table {
    let jobs = JOBS.map(Job::name).into_iter().flat_map(|job| [job, "grown", "ratio"]);
    let head: Vec<&str> = std::iter::once("what grows").chain(jobs).chain(["by nature"]).collect();
    let mut table = Table::with_head(&head);
    for line in lines {
        let cells = line
            .figures
            .iter()
            .flat_map(|(from, to)| [spread(from), spread(to), format!("×{:.2}", to.median / from.median)]);
        let ends = [line.nature.to_owned()];
        table.add(std::iter::once(line.name.to_owned()).chain(cells).chain(ends).collect());
    }
    table
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn growth() -> Vec<Growth> {
        let same = |figure| Spread { min: figure, median: figure, max: figure };
        let figures = vec![(same(0.1), same(0.11)), (same(0.2), same(0.5))];
        vec![Growth { name: "one, many", figures, nature: "it must" }]
    }

    #[test]
    fn what_grows_is_told_by_its_ratio() {
        let row = table(&growth()).text().lines().next_back().unwrap_or_default().to_owned();
        let expected = "| one, many | 0.100 s | 0.110 s | ×1.10 | 0.200 s | 0.500 s | ×2.50 | it must |";
        assert_eq!(row, expected.replace("one, many", "one, many ").replace("it must", "  it must"));
    }
}
