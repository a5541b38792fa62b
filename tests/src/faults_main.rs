//! Tries faults on conversions of real guests: `faults kill|io|power [--points N] [--guest NAME] [--seed N]`.
//!
//! Called as `faults run COMMAND…`, it is guestconv itself, as soon as it got a byte on its standard input: its tracer
//! is there then.

use std::env;
use std::ffi::OsString;
use std::io::{Read, stdin};
use std::process::ExitCode;

#[allow(clippy::print_stderr, reason = "it is what the program has to say")]
fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "run") {
        // Without a byte nobody is there, and it is guestconv all the same.
        drop(stdin().read(&mut [0]));
        return guestconv_cli::run(arguments);
    }
    let program = env::current_exe().expect("a process knows its program");
    match guestconv_system_tests::faults::faults(&program, &arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(usage) => {
            eprintln!("faults: {usage}");
            ExitCode::from(2)
        }
    }
}
