//! What is not as it must be, whatever the case: a panic, a signal, a broken document, a terminal that is ruled, a secret
//! of the host, too long, too much memory.

use super::run::CANARY;
use crate::bench::measure::Run;
use anyhow::{Context, Result};
use rustix::fs::{SeekFrom, seek};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

/// A command that did what it was asked.
pub(crate) const DONE: &str = "done";
/// How long one command may take on a quiet machine.
pub(crate) const WALL_CAP_SECONDS: f64 = 10.0;
/// How much memory all processes of one command may have together.
pub(crate) const MEMORY_CAP_BYTES: u64 = 400 << 20;

/// Whether a command may take as long as it likes: on a busy machine its time says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    Any,
    Capped,
}

/// What a command said.
pub(crate) struct Said {
    /// `done`, or the code of the error that it ended with.
    pub(crate) end: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// What its standard output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
    Xml,
}

impl Form {
    pub(crate) fn of(is_json: bool, is_xml: bool) -> Self {
        match (is_json, is_xml) {
            (true, _) => Self::Json,
            (_, true) => Self::Xml,
            _ => Self::Text,
        }
    }
}

impl Said {
    pub(crate) fn of(run: &Run) -> Self {
        let end = match run.status.code() {
            Some(0) => DONE.to_owned(),
            // What a verify finds missing is a result, not an error.
            Some(6) if run.stderr.is_empty() => "missing".to_owned(),
            Some(_) => code(&run.stderr),
            None => format!("signal {}", run.status.signal().unwrap_or_default()),
        };
        Self { end, stdout: run.stdout.clone(), stderr: run.stderr.clone() }
    }
}

/// Returns the code of the error that a command told: `guestconv: message [code]`, or a JSON object.
fn code(stderr: &str) -> String {
    for line in stderr.lines().rev() {
        let value = serde_json::from_str::<serde_json::Value>(line).ok();
        if let Some(code) = value.as_ref().and_then(|value| value.get("code")?.as_str()) {
            return code.to_owned();
        }
        if line.starts_with("guestconv: ")
            && let Some((_, code)) = line.strip_suffix(']').and_then(|line| line.rsplit_once('['))
        {
            return code.to_owned();
        }
    }
    "no code".to_owned()
}

/// Returns the codes of the findings in a document.
pub(crate) fn findings(said: &Said) -> Vec<String> {
    let document: serde_json::Value = serde_json::from_str(&said.stdout).unwrap_or_default();
    let findings =
        document.get("findings").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    let code = |finding: serde_json::Value| Some(finding.get("code")?.as_str()?.to_owned());
    let mut codes: Vec<String> = findings.into_iter().filter_map(code).collect();
    codes.dedup();
    codes
}

/// Returns what must not be, whatever the case.
pub(crate) fn violations(run: &Run, said: &Said, form: Form, time: Time) -> Vec<String> {
    let mut found = Vec::new();
    let all = [said.stdout.as_str(), said.stderr.as_str()];
    if run.timed_out {
        found.push("it did not end".to_owned());
    }
    if let Some(signal) = run.status.signal() {
        found.push(format!("it ended by signal {signal}"));
    }
    let has_panicked = all.iter().any(|text| text.contains("panicked at") || text.contains("agent-panicked"));
    if has_panicked || run.status.code() == Some(101) {
        found.push(format!("it panicked: {:.600}", said.stderr));
    }
    if said.end == "no code" {
        found.push(format!("it failed without a code: {:.600}", said.stderr));
    }
    if all.iter().any(|text| text.contains(CANARY)) {
        found.push("it told what is in a file of the host".to_owned());
    }
    let rules = |text: &str| text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    if let Some(control) = all.iter().find_map(|text| rules(text)) {
        // Documents are read by programs, but none needs a raw control character: JSON and XML can write them out.
        found.push(format!("it wrote {control:?} to the terminal"));
    }
    if said.end == DONE || said.end == "missing" {
        found.extend(broken(&said.stdout, form));
    }
    if time == Time::Capped && run.wall_seconds > WALL_CAP_SECONDS {
        found.push(format!("it took {:.1} s", run.wall_seconds));
    }
    let memory_bytes = run.peak.unwrap_or_default().memory_bytes;
    if memory_bytes > MEMORY_CAP_BYTES {
        found.push(format!("it had {} MiB", memory_bytes >> 20));
    }
    found
}

fn broken(document: &str, form: Form) -> Option<String> {
    match form {
        Form::Text => None,
        Form::Json => serde_json::from_str::<serde_json::Value>(document)
            .err()
            .map(|error| format!("its JSON is broken: {error}")),
        Form::Xml => {
            let options = roxmltree::ParsingOptions { nodes_limit: 1_000_000, ..Default::default() };
            roxmltree::Document::parse_with_options(document, options)
                .err()
                .map(|error| format!("its XML is broken: {error}"))
        }
    }
}

/// Returns whether two files hold the same; holes are skipped where both have them.
pub(crate) fn are_identical(one: &Path, other: &Path) -> Result<bool> {
    let open = |path: &Path| File::open(path).with_context(|| format!("cannot open {}", path.display()));
    let files = [open(one)?, open(other)?];
    let [one, other] = &files;
    let size_bytes = one.metadata()?.len();
    if size_bytes != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut at, mut left, mut right) = (0, vec![0; 1 << 20], vec![0; 1 << 20]);
    while at < size_bytes {
        let next = files.iter().filter_map(|file| seek(file, SeekFrom::Data(at)).ok()).min();
        let Some(start) = next.filter(|start| *start < size_bytes) else { return Ok(true) };
        let length = usize::try_from(size_bytes - start)?.min(1 << 20);
        let (left, right) =
            (left.get_mut(..length).unwrap_or_default(), right.get_mut(..length).unwrap_or_default());
        one.read_exact_at(left, start)?;
        other.read_exact_at(right, start)?;
        if left != right {
            return Ok(false);
        }
        at = start + u64::try_from(length)?;
    }
    Ok(true)
}
