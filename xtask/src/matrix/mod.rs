//! `fs-matrix`: a small system on every file system, volume, lock, table and format; each is converted and compared.
//!
//! A row is data ([`row`]). It is made once, inside User Mode Linux, and cached ([`build`]); a copy of it is inspected,
//! converted, undone, and looked at by another kernel and the file system's own checker ([`trial`]).

mod btrfs;
mod build;
mod ext;
mod images;
mod locked;
mod others;
mod report;
mod row;
mod tables;
mod trial;
mod volumes;
mod xfs;

use crate::{checkout, dist, setup};
use anyhow::{Result, bail};
pub(crate) use build::tree_archive;

use row::Row;
use std::fs;
use std::path::PathBuf;
use trial::Bench;

const USAGE: &str = "usage: cargo xtask fs-matrix [--list | [--program FILE] [NAME…]]";

/// All rows, kind after kind.
fn rows() -> impl Iterator<Item = &'static Row> {
    [ext::ROWS, xfs::ROWS, btrfs::ROWS, others::ROWS, tables::ROWS, volumes::ROWS, locked::ROWS, images::ROWS]
        .into_iter()
        .flatten()
}

/// The task. The page is written by a run of all rows that went well.
pub(crate) fn task(arguments: &[String]) -> Result<()> {
    let (program, names) = match arguments {
        [word] if word == "--list" => {
            rows().for_each(|row| println!("{}", row.name));
            return Ok(());
        }
        [word, program, names @ ..] if word == "--program" => (Some(PathBuf::from(program)), names),
        names if names.iter().any(|name| name.starts_with("--")) => bail!(USAGE),
        names => (None, names),
    };
    if let Some(unknown) = names.iter().find(|name| !rows().any(|row| row.name == **name)) {
        bail!("no row is called {unknown}; see cargo xtask fs-matrix --list");
    }
    setup::ensure(&[setup::GUESTS, setup::MATRIX])?;
    let (program, appliance) = dist::tried(program)?;
    let bench = Bench { program: &program, appliance: &appliance };
    let (mut lines, mut failed) = (Vec::new(), Vec::new());
    for row in rows().filter(|row| names.is_empty() || names.iter().any(|name| name == row.name)) {
        let scratch = tempfile::Builder::new().prefix("guestconv-matrix-").tempdir_in("/var/tmp")?;
        match trial::tried(row, &bench, scratch.path()) {
            Ok(outcome) => {
                let line = report::line(row, &outcome);
                println!("{line}");
                lines.push(line);
            }
            Err(error) => {
                println!("| {} | FAILED: {error:#}", row.name);
                failed.push(row.name);
            }
        }
    }
    println!("{} rows as expected, {} not: {}", lines.len(), failed.len(), failed.join(" "));
    if !failed.is_empty() {
        bail!("{} rows are not as they must be", failed.len());
    }
    if names.is_empty() {
        fs::write(checkout().join("docs/file-systems.md"), report::page(&lines)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = rows().map(|row| row.name).collect();
        assert_eq!(names.len(), rows().count(), "two rows have one name");
        assert!(names.len() >= 60 && !names.contains(""), "{names:?}");
    }
}
