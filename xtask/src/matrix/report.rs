//! The table of the matrix, and the page that has it.

use super::row::{Expect, Row};
use super::trial::Outcome;
use crate::run;
use anyhow::Result;
use std::fmt::Write as _;
use std::process::Command;

/// Returns the line of a row.
pub(super) fn line(row: &Row, outcome: &Outcome) -> String {
    let what = match row.expect {
        Expect::Converted(_) => "converted, equal, undone, clean".to_owned(),
        Expect::Copied => "converted into a new image, equal, clean".to_owned(),
        Expect::Refused(code, _) => format!("refused: `{code}`"),
    };
    let findings: Vec<String> = outcome.findings.iter().map(|code| format!("`{code}`")).collect();
    let time = |seconds: f64| if seconds > 0.0 { format!("{seconds:.2}") } else { String::new() };
    format!(
        "| {} | {what} | {} | {} | {} | {} | {} | {} |",
        row.name,
        if outcome.names > 0 { outcome.names.to_string() } else { String::new() },
        if outcome.planned > 0 { outcome.planned.to_string() } else { String::new() },
        time(outcome.inspect_seconds),
        time(outcome.convert_seconds),
        outcome.memory_bytes >> 20,
        findings.join(" ")
    )
}

/// Returns the page of a whole run.
///
/// # Errors
/// If this machine does not tell the versions of what made the images.
pub(super) fn page(lines: &[String]) -> Result<String> {
    let mut page = String::from(
        "# File systems, volumes, encryption, tables and formats\n\n\
         Written by `cargo xtask fs-matrix`: each row is a small system on such disks, with names, owners, modes, times, extended attributes,\n\
         access control lists, capabilities, labels of SELinux, flags, project quotas, holes and shared extents, as far as the file system has\n\
         them. It is inspected, converted, planned again (nothing is left to do), undone (the disks hold bit for bit what they held), converted again,\n\
         and then read by another kernel: all that the plan does not name is as it was, and the file system's own checker (NILFS2 has none) finds nothing.\n\
         What is refused is refused before anything is written. No system is started here; real guests are (`tests/tests/line.rs`).\n\n\
         `names` is how many files were compared, `changed` how many of them the conversion changed, as planned; seconds and MiB (all processes\n\
         together) are of a run with other work beside it, and of no benchmark.\n\nThe disks were made by ",
    );
    let mut made_by = Vec::new();
    for package in [
        "e2fsprogs",
        "xfsprogs",
        "btrfs-progs",
        "f2fs-tools",
        "jfsutils",
        "nilfs-tools",
        "reiserfsprogs",
        "lvm2",
        "mdadm",
        "cryptsetup-bin",
        "qemu-utils",
        "user-mode-linux",
    ] {
        let version = run::output(Command::new("dpkg-query").args(["-W", "-f", "${Version}", package]))?;
        made_by.push(format!("{package} {version}"));
    }
    writeln!(page, "{}.\n", made_by.join(", "))?;
    page.push_str("| row | what became of it | names | changed | inspect, s | convert, s | MiB | findings |\n|---|---|---:|---:|---:|---:|---:|---|\n");
    for line in lines {
        writeln!(page, "{line}")?;
    }
    Ok(page)
}
