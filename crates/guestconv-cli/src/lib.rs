//! The command line: documents and errors of the library, written for people or as they are. It decides nothing.
//!
//! What was asked for goes to the standard output; progress, times and errors go to the standard error.
//! Exit statuses and codes: `docs/errors.md`.

mod arguments;
mod convert;
mod event;
mod failure;
mod findings;
mod hardware;
mod inspect;
mod job;
mod keys;
pub mod manual;
mod output;
mod plan;
mod progress;
mod prove;
mod record;
mod recover;
mod schema;
mod table;
mod targets;
mod timings;
mod undo;
mod verify;

use arguments::{Arguments, Command};
use clap::{CommandFactory, FromArgMatches};
use output::Output;
use std::ffi::OsString;
use std::process::ExitCode;

#[cfg(feature = "schema")]
pub use schema::schemas;

/// Returns the definition of the command line, which manual pages and completions are made from.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Does what `arguments` say (the program's name first) and returns the exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = command().try_get_matches_from(arguments).and_then(|m| Arguments::from_arg_matches(&m));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed pipe is all that can be wrong here, and there is nobody to tell.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::USAGE));
        }
    };
    let mut output = Output::new(arguments.color.into());
    let done = match &arguments.command {
        Command::Inspect(command) => inspect::run(command, &mut output),
        Command::Plan(command) => plan::run(command, &mut output),
        Command::Convert(command) => convert::run(command, &mut output),
        Command::Undo(command) => undo::run(command, &mut output),
        Command::DiscardUndo(command) => undo::discard(command, &mut output),
        Command::Recover(command) => recover::run(command, &mut output),
        Command::Verify(command) => verify::run(command, &mut output),
        Command::Prove(command) => prove::run(command, &mut output),
        Command::Targets(command) => targets::run(command, &mut output),
        Command::Schema(command) => schema::run(command, &mut output),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            failure::show(&error, arguments.command.is_json(), arguments.color.into());
            ExitCode::from(failure::status(&error))
        }
    }
}
