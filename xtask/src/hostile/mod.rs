//! `hostile`: guests, images and documents that try to break out, to break in or to never end, and every command on each.
//!
//! A case is data: its name, what it tries, how it is built without root and without mounting anything, and what must come
//! of it ([`case`]). It is built anew for each run and always the same. [`run`] gives it to every command, looks from
//! outside (time, memory of all processes, files, what was said), and [`judge`] says what is not as it must be.

mod bombs;
mod case;
mod cycles;
pub(crate) mod debian;
mod documents;
mod duplicates;
mod filesystems;
mod full;
mod images;
pub(crate) mod judge;
mod links;
mod names;
mod nodes;
mod report;
mod run;
pub(crate) mod shop;
mod texts;
mod volumes;

use crate::dist;
use anyhow::{Result, bail};
use case::Case;
use judge::Time;
use report::Report;
use run::Runner;
use std::path::PathBuf;

const USAGE: &str =
    "usage: cargo xtask hostile --list | --make DIR [NAME…] | --run [--any-time] [--program FILE] [NAME…]";

/// All cases, kind after kind.
fn cases() -> impl Iterator<Item = &'static Case> {
    [
        links::CASES,
        nodes::CASES,
        bombs::CASES,
        cycles::CASES,
        duplicates::CASES,
        volumes::CASES,
        images::CASES,
        names::CASES,
        texts::CASES,
        documents::CASES,
        filesystems::CASES,
        full::CASES,
    ]
    .into_iter()
    .flatten()
}

/// What was asked for.
enum Wish {
    List,
    Make { directory: PathBuf, names: Vec<String> },
    Run { time: Time, program: Option<PathBuf>, names: Vec<String> },
}

/// The task.
pub(crate) fn task(arguments: &[String]) -> Result<()> {
    match wish(arguments)? {
        Wish::List => {
            for case in cases() {
                println!("{:32} {}", case.name, case.tries);
            }
            Ok(())
        }
        Wish::Make { directory, names } => {
            for case in chosen(&names)? {
                let made = run::made(case, &directory.join(case.name))?;
                made.disks.iter().for_each(|disk| println!("{}", disk.display()));
            }
            Ok(())
        }
        Wish::Run { time, program, names } => {
            let chosen = chosen(&names)?;
            let (program, appliance) = dist::tried(program)?;
            let runner = Runner::new(program, appliance, time)?;
            let mut report = Report::default();
            for case in chosen {
                report.add(case, runner.run(case)?);
            }
            report.close()
        }
    }
}

fn wish(arguments: &[String]) -> Result<Wish> {
    let Some((first, rest)) = arguments.split_first() else { bail!(USAGE) };
    Ok(match (first.as_str(), rest) {
        ("--list", []) => Wish::List,
        ("--make", [directory, names @ ..]) => {
            Wish::Make { directory: directory.into(), names: names.to_vec() }
        }
        ("--run", rest) => {
            let (time, rest) = match rest {
                [option, rest @ ..] if option == "--any-time" => (Time::Any, rest),
                rest => (Time::Capped, rest),
            };
            match rest {
                [option, program, names @ ..] if option == "--program" => {
                    Wish::Run { time, program: Some(program.into()), names: names.to_vec() }
                }
                names if names.iter().any(|name| name.starts_with("--")) => bail!(USAGE),
                names => Wish::Run { time, program: None, names: names.to_vec() },
            }
        }
        _ => bail!(USAGE),
    })
}

/// Returns the cases of these names, or of these kinds; all if there is none.
fn chosen(names: &[String]) -> Result<Vec<&'static Case>> {
    let is_meant = |case: &Case, name: &str| {
        case.name == name || case.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
    };
    if let Some(unknown) = names.iter().find(|name| !cases().any(|case| is_meant(case, name))) {
        bail!("no case is called {unknown}; see cargo xtask hostile --list");
    }
    Ok(cases().filter(|case| names.is_empty() || names.iter().any(|name| is_meant(case, name))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_case_has_a_name_of_its_own_and_says_what_it_tries() {
        let names: BTreeSet<&str> = cases().map(|case| case.name).collect();
        assert_eq!(names.len(), cases().count(), "two cases have one name");
        assert!(names.len() >= 80, "{} cases", names.len());
        for case in cases() {
            assert!(!case.tries.is_empty() && !case.tries.ends_with('.'), "{}: {:?}", case.name, case.tries);
        }
    }

    #[test]
    fn nothing_that_was_asked_for_is_ignored() {
        for (arguments, is_good) in [
            ("--list", true),
            ("--list x", false),
            ("--make", false),
            ("--make dir", true),
            ("--run", true),
            ("--run --program p links", true),
            ("--run --any-time --program p links", true),
            ("--run links --any-time", false),
            ("--run --program", false),
            ("", false),
            ("links", false),
        ] {
            let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
            assert_eq!(wish(&arguments).is_ok(), is_good, "{arguments:?}");
        }
        assert!(chosen(&["no-such-case".to_owned()]).is_err());
    }
}
