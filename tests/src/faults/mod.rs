//! Faults: guestconv is killed, refused by the host, and robbed of what was not synced, at each point of a conversion and of
//! its way back. Whatever happens, the next open makes the disks what they were or what they were to become.
//!
//! `faults kill|io|power [--points N] [--guest NAME] [--seed N]` tries them, `faults order` shows what a commit does;
//! `cargo xtask faults` makes what they need. The real program is run under ptrace(2) (`tracee`). A point of a run is a
//! system call that changes a file of the guest, numbered within its stage (`stage`). What the disks are is read without
//! guestconv (`content`).

mod call;
mod case;
mod content;
mod crash;
mod file;
mod judge;
mod kill;
mod order;
mod power;
mod random;
mod refuse;
mod stage;
mod table;
mod touched;
mod tracee;
mod trial;

use case::{Case, KINDS};
use judge::Verdict;
use random::Random;
use std::ffi::OsString;
use std::path::Path;
use table::Table;

const USAGE: &str = "usage: faults kill|io|power|order [--points N] [--guest NAME] [--seed N]";

/// What is tried.
struct Wish {
    fault: String,
    points: Option<usize>,
    guest: Option<String>,
    seed: u64,
}

impl Wish {
    /// Reads what the caller wants.
    ///
    /// # Errors
    /// What to say instead.
    fn of(arguments: &[OsString]) -> Result<Self, String> {
        let mut words = arguments.iter().map(|word| word.to_string_lossy());
        let fault = words.next().unwrap_or_default().into_owned();
        if !["kill", "io", "power", "order"].contains(&fault.as_str()) {
            return Err(USAGE.to_owned());
        }
        let mut wish = Self { fault, points: None, guest: None, seed: 1 };
        while let Some(option) = words.next() {
            let value = words.next().ok_or_else(|| format!("{option} needs a value; {USAGE}"))?;
            let no_number = || format!("{option} {value} is no number; {USAGE}");
            match &*option {
                "--points" => wish.points = Some(value.parse().map_err(|_| no_number())?),
                "--guest" => wish.guest = Some(value.into_owned()),
                "--seed" => wish.seed = value.parse().map_err(|_| no_number())?,
                _ => return Err(format!("no option is called {option}; {USAGE}")),
            }
        }
        Ok(wish)
    }

    /// Returns the guests that are wished for, each as one kind of disk.
    fn kinds(&self) -> Result<Vec<case::Kind>, String> {
        let is_wished =
            |kind: &case::Kind| self.guest.as_ref().is_none_or(|name| kind.name().starts_with(name));
        let kinds: Vec<_> = KINDS.into_iter().filter(is_wished).collect();
        if kinds.is_empty() {
            return Err(format!("no such guest; there are {}", KINDS.map(|kind| kind.name()).join(", ")));
        }
        Ok(kinds)
    }
}

/// Tries faults, prints what came of them, and returns whether nothing was lost. `program` is the one to run: it is called
/// with `run`, a command and its arguments, and waits for a byte on its standard input.
///
/// # Errors
/// What to call it with, if it was called with something else.
///
/// # Panics
/// If a guest cannot be converted at all.
#[allow(clippy::print_stdout, reason = "it is what the program has to say")]
pub fn faults(program: &Path, arguments: &[OsString]) -> Result<bool, String> {
    let wish = Wish::of(arguments)?;
    let kinds = wish.kinds()?;
    let (mut table, mut random) = (Table::new(wish.seed), Random::new(wish.seed));
    for kind in &kinds {
        let Some(mut case) = Case::new(*kind, program) else { continue };
        table.guest(kind.name());
        let points = |usual: usize| wish.points.unwrap_or(usual).div_ceil(kinds.len());
        match wish.fault.as_str() {
            "kill" => kill::kill(&mut case, points(600), &mut table),
            "io" => refuse::refuse(&mut case, points(360), &mut random, &mut table),
            "power" => power::power(&mut case, points(360), &mut random, &mut table),
            _ => order::order(&mut case),
        }
        eprintln!("{table}");
        if let Some(difference) = case.differs_anywhere() {
            table.add("all", "none", "the end", Verdict::Loss(difference));
        }
    }
    if wish.fault != "order" {
        print!("{table}");
    }
    Ok(table.losses() == 0)
}
