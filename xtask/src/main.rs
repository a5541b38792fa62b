//! Tasks of the house: `cargo xtask TASK`.
//!
//! A task is a name, a line of help and a function of its arguments; [`TASKS`] has them all. What takes long is made
//! once and kept outside the checkout, by the hash of what went in ([`cache`]).

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tasks tell a person at a terminal what they do"
)]

mod appliance;
mod bench;
mod boot;
mod cache;
mod debian;
mod demo;
mod dist;
mod faults;
mod guest;
mod hostile;
mod man;
mod matrix;
mod mutate;
mod published;
mod run;
mod schemas;
mod second_kernel;
mod setup;
mod test;
#[cfg(test)]
mod tidy;
mod undo_file;
mod wheel;

use anyhow::Result;
use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Something that the house can be asked to do.
struct Task {
    name: &'static str,
    /// One line, in the imperative.
    help: &'static str,
    call: fn(&[String]) -> Result<()>,
}

/// All tasks, in the order in which help shows them.
const TASKS: &[Task] = &[
    Task { name: "setup", help: "install the Debian packages that tasks need, as root", call: setup::task },
    Task { name: "appliance", help: "build kernel and agent, print their directory", call: appliance::task },
    Task {
        name: "bench",
        help: "measure guestconv beside virt-inspector and virt-v2v-in-place on the guests",
        call: bench::task,
    },
    Task {
        name: "boot",
        help: "boot a guest or an image on hardware of your choice and print what it showed",
        call: boot::task,
    },
    Task { name: "demo", help: "convert a real guest and boot it before and after", call: demo::task },
    Task {
        name: "hostile",
        help: "make hostile guests and run every command on them: --list, --make DIR, --run, NAME…",
        call: hostile::task,
    },
    Task {
        name: "fs-matrix",
        help: "convert a small system on every file system, volume and format, and compare",
        call: matrix::task,
    },
    Task {
        name: "mutate",
        help: "change thousands of images somewhere and inspect each: it ends, with a code, and nothing is written",
        call: mutate::task,
    },
    Task { name: "dist", help: "make the tree and the tarball that a user installs", call: dist::task },
    Task {
        name: "faults",
        help: "kill conversions, refuse them disk space and cut their power; nothing is lost",
        call: faults::task,
    },
    Task { name: "cache", help: "print the directory of the cache", call: print_cache },
    Task {
        name: "kernel",
        help: "fetch a distribution's kernel for the appliance under QEMU, print its image",
        call: second_kernel::task,
    },
    Task {
        name: "make-guest",
        help: "build real guests (NAME…, or all) and print their images",
        call: guest::task,
    },
    Task {
        name: "schemas",
        help: "write the JSON schemas of the documents, docs/schemas",
        call: schemas::task,
    },
    Task {
        name: "man",
        help: "write manual pages and completions, docs/man and docs/completions",
        call: man::task,
    },
    Task { name: "wheel", help: "make the tree and the Python package with all in it", call: wheel::task },
    Task { name: "test", help: "make what tests need and run them all", call: test::task },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        eprint!("{}", usage());
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "help" | "-h" | "--help") {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprint!("no task is called {name:?}\n\n{}", usage());
        return ExitCode::from(2);
    };
    match (task.call)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the checkout's directory.
fn checkout() -> PathBuf {
    // `cargo run` sets the variable anew, so a checkout that was moved after the build is found.
    let package =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    package.parent().map_or_else(|| package.clone(), Path::to_owned)
}

fn usage() -> String {
    let width = TASKS.iter().map(|task| task.name.len()).max().unwrap_or(0);
    let lines = TASKS.iter().map(|task| format!("  {:width$}  {}\n", task.name, task.help));
    format!("usage: cargo xtask TASK [ARGUMENT…]\n\n{}", lines.collect::<String>())
}

fn print_cache(_: &[String]) -> Result<()> {
    println!("{}", cache::root()?.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_named_once_and_has_a_line_of_help() {
        let mut names: Vec<&str> = TASKS.iter().map(|task| task.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TASKS.len(), "two tasks have one name");
        for task in TASKS {
            let one_line = !task.help.is_empty() && !task.help.contains('\n') && !task.help.ends_with('.');
            assert!(one_line, "{}: {:?}", task.name, task.help);
        }
    }

    #[test]
    fn the_checkout_is_where_the_workspace_is() {
        assert!(checkout().join("ARCHITECTURE.md").is_file(), "{}", checkout().display());
    }
}
