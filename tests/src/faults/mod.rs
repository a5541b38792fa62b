//! Faults: guestconv is killed, refused by the host, and robbed of what was not synced, at each point of a conversion and of
//! its way back. Whatever happens, the next open makes the disks what they were or what they were to become.
//!
//! `faults kill|io|power [--points N] [--guest NAME] [--seed N]` tries them, `faults order` shows what a commit does; `cargo xtask faults` makes what they need. The
//! real program is run under ptrace(2) (`tracee`). A point of a run is a system call that changes a file of the guest,
//! numbered within its stage (`stage`). What the disks are is read without guestconv (`content`).

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

/// What is tried.
struct Wish {
    points: Option<usize>,
    guest: Option<String>,
    seed: u64,
}

/// Tries faults, prints what came of them, and returns whether nothing was lost. `program` is the one to run: it is called
/// with `run`, a command and its arguments, and waits for a byte on its standard input.
///
/// # Panics
/// If the arguments are not as above, or a guest cannot be converted at all.
#[allow(clippy::print_stdout, reason = "it is what the program has to say")]
pub fn faults(program: &Path, arguments: &[OsString]) -> bool {
    let mut words = arguments.iter().map(|word| word.to_str().unwrap());
    let fault = words.next().unwrap_or("");
    let mut wish = Wish { points: None, guest: None, seed: 1 };
    while let Some(option) = words.next() {
        let value = words.next().unwrap_or_else(|| panic!("{option} needs a value"));
        match option {
            "--points" => wish.points = Some(value.parse().unwrap()),
            "--guest" => wish.guest = Some(value.to_owned()),
            "--seed" => wish.seed = value.parse().unwrap(),
            _ => panic!("no option is called {option}"),
        }
    }
    let (mut table, mut random) = (Table::new(wish.seed), Random::new(wish.seed));
    let is_wished = |kind: &&case::Kind| wish.guest.as_ref().is_none_or(|name| kind.name().starts_with(name));
    let kinds: Vec<_> = KINDS.iter().filter(is_wished).collect();
    assert!(!kinds.is_empty(), "no such guest; there are {:?}", KINDS.map(|kind| kind.name()));
    for kind in &kinds {
        let Some(mut case) = Case::new(**kind, program) else { continue };
        table.guest(kind.name());
        let points = |usual: usize| wish.points.unwrap_or(usual).div_ceil(kinds.len());
        match fault {
            "order" => order::order(&mut case),
            "kill" => kill::kill(&mut case, points(600), &mut table),
            "io" => refuse::refuse(&mut case, points(360), &mut random, &mut table),
            "power" => power::power(&mut case, points(360), &mut random, &mut table),
            _ => panic!("usage: faults kill|io|power [--points N] [--guest NAME] [--seed N]"),
        }
        eprintln!("{table}");
        if let Some(difference) = case.differs_anywhere() {
            table.add("all", "none", "the end", Verdict::Loss(difference));
        }
    }
    if fault != "order" {
        print!("{table}");
    }
    table.losses() == 0
}
