//! Tries faults on conversions of real guests: `faults kill|io|power [--points N] [--guest NAME] [--seed N]`.
//!
//! Called as `faults run COMMAND…`, it is guestconv itself, as soon as it got a byte on its standard input: its tracer
//! is there then.

use std::env;
use std::ffi::OsString;
use std::io::{Read, stdin};
use std::process::ExitCode;

use guestconv::{DiskSpec, Format, Guest, Options};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "run") {
        // Without a byte nobody is there, and it is guestconv all the same.
        drop(stdin().read(&mut [0]));
        if arguments.get(1).is_some_and(|command| command == "recover") {
            return opened(&arguments);
        }
        return guestconv_cli::run(arguments);
    }
    let program = env::current_exe().expect("a process knows its program");
    match guestconv_system_tests::faults::faults(&program, &arguments) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Opens the disks and does no more: `run recover --format FORMAT --progress none DISK…`.
fn opened(arguments: &[OsString]) -> ExitCode {
    let is_qcow2 = arguments.get(3).is_some_and(|format| format == "qcow2");
    let format = if is_qcow2 { Format::Qcow2 } else { Format::Raw };
    let disks = arguments.iter().skip(6).map(|disk| DiskSpec { format, ..DiskSpec::new(disk) }).collect();
    ExitCode::from(u8::from(Guest::open(disks, Options::default()).is_err()))
}
