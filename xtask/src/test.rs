//! `test`: every test, on real guests in the real appliance. What a reader of the README runs, and what CI runs.
//!
//! The runner is cargo-nextest where it is installed, else `cargo test`. Its closing lines are the last that is printed.

use crate::{appliance, cache, checkout, dist, guest, run, second_kernel, setup, wheel};
use anyhow::{Context, Result, anyhow};
use std::env;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// The task: further arguments go to the runner, such as the name of a test.
pub(crate) fn task(arguments: &[String]) -> Result<()> {
    let started = Instant::now();
    setup::task(&[])?;
    // A kernel keeps all processors busy for minutes; guests wait for packages and write, and the end of a release build
    // is one thread. All at once take less time.
    let (appliance, kernel) = thread::scope(|scope| {
        let guests = scope.spawn(make_guests);
        let built = scope.spawn(dist::build);
        let kernel = scope.spawn(second_kernel::image);
        let appliance = appliance::directory()?;
        guests.join().map_err(|_| anyhow!("making guests panicked"))??;
        built.join().map_err(|_| anyhow!("building panicked"))??;
        let kernel = kernel.join().map_err(|_| anyhow!("fetching a kernel panicked"))??;
        anyhow::Ok((appliance, kernel))
    })?;
    let tree = dist::tree()?;
    wheel::wheel(&tree)?;
    eprintln!("appliance, guests and tree are there after {} s; now the tests", started.elapsed().as_secs());

    let guests = cache::root()?.join("guests");
    let cargo = || {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(checkout()).env("GUESTCONV_APPLIANCE", &appliance).env("GUESTCONV_GUESTS", &guests);
        cargo.env("GUESTCONV_DIST", &tree).env("GUESTCONV_KERNEL", &kernel);
        // What is missing now is a failure, not a skip.
        cargo.env("GUESTCONV_REQUIRE_GUESTS", "1");
        cargo
    };
    if !nextest_is_installed() {
        return run::visibly(
            cargo().args(["test", "--locked", "--workspace", "--no-fail-fast"]).args(arguments),
        );
    }
    // Examples in documentation are not for nextest; they come first, so that its summary is last.
    if arguments.is_empty() {
        run::visibly(cargo().args(["test", "--locked", "--quiet", "--workspace", "--doc"]))?;
    }
    run::visibly(
        cargo().args(["nextest", "run", "--locked", "--workspace", "--no-fail-fast"]).args(arguments),
    )
}

/// Two at a time: while one waits for packages or writes, the other computes.
fn make_guests() -> Result<()> {
    let names = Mutex::new(guest::all()?.into_iter());
    let next = || names.lock().unwrap_or_else(PoisonError::into_inner).next();
    let make = || {
        while let Some(name) = next() {
            eprintln!("guest {name}");
            guest::make(&name).with_context(|| format!("guest {name}"))?;
        }
        anyhow::Ok(())
    };
    thread::scope(|scope| {
        let other = scope.spawn(make);
        make()?;
        other.join().map_err(|_| anyhow!("making guests panicked"))?
    })
}

fn nextest_is_installed() -> bool {
    Command::new("cargo-nextest")
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
}
