//! One bad input, and how it is tried with every command.

use guestconv_system_tests::json_schema;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The commands that look at disks.
pub(crate) const ALL: &[&str] = &["inspect", "plan", "convert", "verify", "prove"];
/// Those of them that take a description.
pub(crate) const WITH_DESCRIPTION: &[&str] = &["plan", "convert", "verify", "prove"];

/// One bad input, and all that the program says to it.
pub(crate) struct Case {
    /// What it is run with, after the command: `DISK … OPTIONS`.
    arguments: &'static str,
    status: i32,
    kind: &'static str,
    code: &'static str,
    message: &'static str,
    /// What is told to people beside the message.
    because: Option<&'static str>,
}

pub(crate) const fn case(
    arguments: &'static str,
    status: i32,
    kind: &'static str,
    code: &'static str,
    message: &'static str,
) -> Case {
    Case { arguments, status, kind, code, message, because: None }
}

impl Case {
    /// Adds what is told to people beside the message.
    pub(crate) const fn because(self, cause: &'static str) -> Self {
        Self { because: Some(cause), ..self }
    }

    /// Runs the commands in the directory of the disks and asserts what they say and that nothing has changed.
    pub(crate) fn check(&self, commands: &[&str], directory: &Path, appliance: &Path) {
        let before = files(directory);
        for command in commands {
            let target = if self.arguments.contains("--target") { "" } else { " --target rhev-3.1" };
            let named = format!("{command} {}{target}", self.arguments);
            let plain = run(directory, appliance, &named, &["--color", "never"]);
            let because = self.because.map(|cause| format!("  because: {cause}\n")).unwrap_or_default();
            let expected = format!("guestconv: {} [{}]\n{because}", self.message, self.code);
            assert_eq!(said(&plain), (Some(self.status), String::new(), expected), "{named}");

            let json = run(directory, appliance, &named, &["--json"]);
            let (status, stdout, stderr) = said(&json);
            let expected =
                serde_json::json!({ "code": self.code, "kind": self.kind, "message": self.message });
            let error: serde_json::Value = serde_json::from_str(&stderr).unwrap();
            json_schema::assert_valid("error", &error);
            assert_eq!(
                (status, stdout, error),
                (Some(self.status), String::new(), expected),
                "{named} --json"
            );
            assert_eq!(stderr.lines().count(), 1, "{named} --json: an error is one line");
        }
        assert!(files(directory) == before, "{}: a file changed, came or went", self.arguments);
    }
}

/// Runs the program in a directory.
pub(crate) fn run(directory: &Path, appliance: &Path, arguments: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_guestconv"))
        .args(arguments.split(' '))
        .args(more)
        .current_dir(directory)
        .env("GUESTCONV_APPLIANCE", appliance)
        .output()
        .unwrap()
}

/// Returns the exit status, the standard output and the standard error.
pub(crate) fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Returns every file below a directory with its content.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            files.extend(
                self::files(&path).into_iter().map(|(below, text)| (format!("{name}/{below}"), text)),
            );
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}
