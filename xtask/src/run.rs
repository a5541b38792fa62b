//! Other programs: run to their end, and an error that shows the command and the last that it said.

use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};

/// How many of a failed program's last lines its error shows.
const LAST_LINES: usize = 25;

/// Runs the command and keeps quiet about what it says, unless it fails. Its standard input is what the caller set.
///
/// # Errors
/// If it cannot be started or does not succeed: then with the command and its last lines.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let (mut reader, writer) = io::pipe().context("cannot make a pipe")?;
    command.stdout(writer.try_clone().context("cannot make a pipe")?).stderr(writer);
    let child = command.spawn();
    // The command holds the pipe's writing end: without this, reading would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child.with_context(|| not_started(command))?;
    let mut said = Vec::new();
    reader.read_to_end(&mut said).with_context(|| format!("cannot read what {} says", shown_as(command)))?;
    let status = child.wait().with_context(|| format!("cannot wait for {}", shown_as(command)))?;
    succeeded(command, status, &said)
}

/// Runs the command and lets the person see all that it says as it says it.
///
/// # Errors
/// If it cannot be started or does not succeed.
pub(crate) fn visibly(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| not_started(command))?;
    succeeded(command, status, b"")
}

/// Runs the command and returns what it wrote to its standard output, without the last line's end.
///
/// # Errors
/// If it cannot be started, does not succeed (then with the last of its standard error) or writes no UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| not_started(command))?;
    succeeded(command, output.status, &output.stderr)?;
    let text =
        String::from_utf8(output.stdout).with_context(|| format!("no UTF-8 from {}", shown_as(command)))?;
    Ok(text.trim_end_matches('\n').to_owned())
}

/// Returns the command as a person would type it.
pub(crate) fn shown_as(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_=+./:,@%^~".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn not_started(command: &Command) -> String {
    format!("cannot start {}", shown_as(command))
}

fn succeeded(command: &Command, status: ExitStatus, said: &[u8]) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let mut message = format!("{} ended with {status}", shown_as(command));
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    for line in lines.iter().skip(lines.len().saturating_sub(LAST_LINES)) {
        write!(message, "\n  | {line}")?;
    }
    bail!(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_shows_the_command_and_its_last_lines() {
        let error = run(&mut shell("echo one; echo two >&2; exit 3")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "sh -c 'echo one; echo two >&2; exit 3' ended with exit status: 3\n  | one\n  | two"
        );
        let error = output(&mut shell("echo one; echo two >&2; false")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "sh -c 'echo one; echo two >&2; false' ended with exit status: 1\n  | two"
        );
        let error = run(&mut shell("seq 30; exit 1")).unwrap_err();
        let shown: Vec<String> = error.to_string().lines().skip(1).map(str::to_owned).collect();
        assert_eq!(shown, (6..=30).map(|number| format!("  | {number}")).collect::<Vec<_>>());
    }

    #[test]
    fn what_the_caller_feeds_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let fed = directory.path().join("fed");
        std::fs::write(&fed, "text").unwrap();
        run(shell("test \"$(cat)\" = text").stdin(std::fs::File::open(&fed).unwrap())).unwrap();
    }

    #[test]
    fn a_success_is_its_output() {
        assert_eq!(output(&mut shell("printf 'a\\nb\\n'")).unwrap(), "a\nb");
        run(&mut shell("seq 100000; true")).unwrap();
        visibly(&mut shell("true")).unwrap();
    }

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        for (words, expected) in [
            (&["a", "--b=c/d"][..], "a --b=c/d"),
            (&["a", "b c", ""][..], "a 'b c' ''"),
            (&["a", "it's"][..], r"a 'it'\''s'"),
        ] {
            let mut command = Command::new(words[0]);
            command.args(&words[1..]);
            assert_eq!(shown_as(&command), expected, "{words:?}");
        }
    }
}
