//! The rules of the house that a program can check: size and head of files, codes and their documents, paths of a machine.
//!
//! They read the sources as text. What they cannot see, such as a code that is put together at run time, they let pass.

use crate::checkout;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file is one idea; one that is longer has two.
const LINES_AT_MOST: usize = 500;

/// Directories that every machine has, so that their names say nothing about one.
const OF_EVERY_MACHINE: [&str; 12] =
    ["/", "/builds", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/usr", "/var"];

/// A file of the checkout and its text.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    fn is_rust(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "rs")
    }

    /// Is it in a crate that ships, and no test?
    fn ships(&self) -> bool {
        let is_test = |part: &Path| part.ends_with("tests") || part.ends_with("tests.rs");
        self.is_rust() && self.path.starts_with("crates") && !self.path.ancestors().any(is_test)
    }

    /// Returns the text up to the tests, which stand at the end.
    fn without_tests(&self) -> &str {
        let begins = ["\n#[cfg(test)]\nmod tests {", "\n#[cfg(test)]\npub(crate) mod tests {"];
        begins.iter().fold(self.text.as_str(), |text, begin| text.split(begin).next().unwrap_or_default())
    }
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.is_rust()) {
        let lines = source.text.lines().count();
        if lines > LINES_AT_MOST {
            wrong.push(format!("{}: {lines} lines, at most {LINES_AT_MOST}", source.path.display()));
        }
        // A part's tests in a file of their own are the part's, which says what it is.
        if !source.path.ends_with("tests.rs") && !source.text.starts_with("//! ") {
            wrong.push(format!("{}: the first line is no //! comment", source.path.display()));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn codes_of_findings_are_those_in_the_document() {
    let made = ["Finding::info(", "Finding::warning(", "Finding::error("];
    assert_eq!(compared("docs/findings.md", &made), Vec::<String>::new());
}

#[test]
fn codes_of_errors_are_those_in_the_document() {
    let made = ["Error::new(", "PlanError::new(", "Error::io("];
    assert_eq!(compared("docs/errors.md", &made), Vec::<String>::new());
}

#[test]
fn limits_are_those_in_the_document() {
    let document = fs::read_to_string(checkout().join("docs/limits.md")).unwrap();
    let (mut wrong, mut rows) = (Vec::new(), 0);
    for row in document.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |")) {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let (constant, file) = cell.trim_matches('`').split_once("` in `").unwrap();
        let source = fs::read_to_string(checkout().join("crates").join(file)).unwrap();
        if !source.contains(&format!("const {constant};")) {
            wrong.push(format!("{constant} is not in {file}"));
        }
        rows += 1;
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(rows > 50, "{rows} rows");
}

#[test]
fn no_file_names_a_path_of_this_machine() {
    let root = fs::canonicalize(checkout()).unwrap();
    let own: Vec<String> = (root.ancestors())
        .map(|directory| directory.to_str().unwrap())
        .filter(|directory| !OF_EVERY_MACHINE.contains(directory))
        .map(|directory| format!("{directory}/"))
        .collect();
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            if own.iter().any(|directory| names(line, directory)) {
                wrong.push(format!("{}:{}: {line}", source.path.display(), number + 1));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Does the line have the directory as the start of a path, not within a longer one?
fn names(line: &str, directory: &str) -> bool {
    line.match_indices(directory).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || "-_./}".contains(letter))
    })
}

/// Returns what is made in code and not in the document's tables, and what is in them and nowhere in code.
fn compared(document: &str, made: &[&str]) -> Vec<String> {
    let listed = listed(&fs::read_to_string(checkout().join(document)).unwrap());
    assert!(!listed.is_empty(), "{document} lists nothing");
    let mut wrong = BTreeSet::new();
    let sources = sources();
    for source in sources.iter().filter(|source| source.ships()) {
        for code in codes_made(source.without_tests(), made) {
            if !listed.contains(code) {
                wrong.insert(format!("{}: {code} is not in {document}", source.path.display()));
            }
        }
    }
    for code in listed {
        let literal = format!("\"{code}\"");
        if !sources.iter().any(|source| source.ships() && source.without_tests().contains(&literal)) {
            wrong.insert(format!("{document}: {code} is not in the code"));
        }
    }
    wrong.into_iter().collect()
}

/// Returns the codes in the first column of the document's tables.
fn listed(document: &str) -> BTreeSet<String> {
    let first_columns = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    let words = first_columns.flat_map(|column| column.split([',', '`', ' ']));
    words.filter(|word| is_code(word)).map(str::to_owned).collect()
}

/// Returns the codes that the calls have as first or second argument.
fn codes_made<'a>(text: &'a str, calls: &[&str]) -> Vec<&'a str> {
    let mut codes = Vec::new();
    for call in calls {
        for (at, _) in text.match_indices(call) {
            let arguments = &text[at + call.len()..];
            let arguments = arguments.trim_start();
            // An error's kind comes before its code.
            let code = match arguments.strip_prefix("ErrorKind::") {
                Some(rest) => rest.split_once(',').map_or("", |(_, rest)| rest.trim_start()),
                None => arguments,
            };
            let code = code.strip_prefix('"').and_then(|code| code.split('"').next());
            codes.extend(code.filter(|code| is_code(code)));
        }
    }
    codes
}

fn is_code(word: &str) -> bool {
    !word.is_empty()
        && word.split('-').all(|part| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

/// Returns all files with text in the checkout.
fn sources() -> Vec<Source> {
    let root = checkout();
    let mut found = Vec::new();
    let mut waiting = vec![root.clone()];
    while let Some(directory) = waiting.pop() {
        for file in fs::read_dir(&directory).unwrap() {
            let file = file.unwrap();
            let name = file.file_name();
            if matches!(name.to_str(), Some("target" | ".git")) {
                continue;
            }
            let kind = file.file_type().unwrap();
            if kind.is_dir() {
                waiting.push(file.path());
            } else if kind.is_file()
                && let Ok(text) = fs::read_to_string(file.path())
            {
                let path = file.path().strip_prefix(&root).unwrap().to_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(found.iter().any(|source| source.ships()), "no sources in {}", root.display());
    found
}

#[test]
fn codes_are_found_in_calls_and_tables() {
    let text = "Error::new(ErrorKind::Io, \"a-b\", x) Error::new(\n    ErrorKind::Io,\n    \"c\",\n) Error::new(kind, code)";
    assert_eq!(codes_made(text, &["Error::new("]), ["a-b", "c"]);
    let table = "| code | meaning |\n|---|---|\n| `a-b`, `c` | `d` |\n| `E` | |\n";
    assert_eq!(listed(table).into_iter().collect::<Vec<_>>(), ["a-b", "c"]);
}

#[test]
fn a_path_is_named_at_its_start_only() {
    for (line, expected) in
        [("see /a/b", true), ("\"/a/b\"", true), ("/x/a/b", false), ("x/a/b", false), ("{x}/a/b", false)]
    {
        assert_eq!(names(line, "/a/"), expected, "{line}");
    }
}
