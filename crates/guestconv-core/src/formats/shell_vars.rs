//! Files of shell variables: `/etc/default/grub`, `/etc/sysconfig/*`, `os-release`. They are shell, but programs of all
//! kinds read them, so only plain assignments count. An edit keeps the quotes and every other byte.

use super::fields::replaced;
use std::ops::Range;

/// One assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// Its value without quotes; what a shell would expand (`$x`) is left as it is.
    pub value: String,
    /// Whether this appends to the variable: `NAME+=VALUE`.
    pub appends: bool,
    /// Place of the value with its quotes in the text.
    pub range: Range<usize>,
}

/// Returns every assignment, in order, indented ones and exported ones too.
pub fn assignments(text: &str) -> Vec<Assignment> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', ';']).len();
        if blank > 0 {
            at += blank;
            continue;
        }
        if let Some(tail) = rest.strip_prefix("export ") {
            at += rest.len() - tail.len();
            continue;
        }
        match assignment(rest, at) {
            Some(assignment) => {
                at = assignment.range.end;
                found.push(assignment);
            }
            None => at += rest.find('\n').unwrap_or(rest.len()),
        }
    }
    found
}

/// Returns the value that a variable has in the end; `None` if it is never set.
pub fn value(text: &str, name: &str) -> Option<String> {
    assignments(text).into_iter().filter(|one| one.name == name).fold(None, |before: Option<String>, one| {
        Some(if one.appends { before.unwrap_or_default() + &one.value } else { one.value })
    })
}

/// Returns the text with every value of `name` as `edit` wants it.
///
/// Where quotes hide more than a blank (`\$`, quotes in the middle), `edit` sees the value as it is written.
pub fn edited(text: &str, name: &str, mut edit: impl FnMut(&str) -> String) -> String {
    let mut edits = Vec::new();
    for one in assignments(text).into_iter().filter(|one| one.name == name) {
        let raw = text.get(one.range.clone()).unwrap_or("");
        let new = if encoded(&one.value, raw) == raw {
            encoded(&edit(&one.value), raw)
        } else {
            match inner(raw) {
                Some((quote, inner)) => format!("{quote}{}{quote}", edit(inner)),
                None => edit(raw),
            }
        };
        if new != raw {
            edits.push((one.range, new));
        }
    }
    replaced(text, &edits)
}

/// Returns the text in which `name` has that value: its last assignment changed, or a line added at the end.
pub fn with_value(text: &str, name: &str, new: &str) -> String {
    if value(text, name).as_deref() == Some(new) {
        return text.to_owned();
    }
    match assignments(text).into_iter().rfind(|one| one.name == name) {
        Some(one) => {
            let raw = text.get(one.range.clone()).unwrap_or("");
            replaced(text, &[(one.range, encoded(new, raw))])
        }
        None => {
            let line_end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            format!("{text}{line_end}{name}={}\n", encoded(new, ""))
        }
    }
}

/// Returns what is between the quotes around a whole word, and the quote.
fn inner(raw: &str) -> Option<(char, &str)> {
    ['"', '\''].into_iter().find_map(|quote| {
        let inner = raw.strip_prefix(quote)?.strip_suffix(quote)?;
        Some((quote, inner))
    })
}

/// Reads `NAME=VALUE` at the start of `rest`, which is at `at` in the text.
fn assignment(rest: &str, at: usize) -> Option<Assignment> {
    let name_len = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let (name, tail) = rest.split_at(name_len);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (appends, word) = match (tail.strip_prefix('='), tail.strip_prefix("+=")) {
        (Some(word), _) => (false, word),
        (_, Some(word)) => (true, word),
        _ => return None,
    };
    let start = at + rest.len() - word.len();
    let (value, len) = decoded(word);
    Some(Assignment { name: name.to_owned(), value, appends, range: start..start + len })
}

/// Returns the value of the shell word at the start of `text`, and how many bytes the word has.
fn decoded(text: &str) -> (String, usize) {
    let mut value = String::new();
    let mut quote: Option<char> = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (Some('\''), c) => value.push(c),
            (Some(_), '\\') => match chars.next() {
                Some((_, '\n')) => {}
                Some((_, c @ ('"' | '\\' | '`' | '$'))) => value.push(c),
                Some((_, c)) => value.extend(['\\', c]),
                None => value.push('\\'),
            },
            (None, '\\') => match chars.next() {
                Some((_, '\n')) | None => {}
                Some((_, c)) => value.push(c),
            },
            (None, c) if c.is_ascii_whitespace() || c == ';' => return (value, at),
            (_, c) => value.push(c),
        }
    }
    (value, text.len())
}

/// Returns `value` as a shell word with quotes like those of `like`.
fn encoded(value: &str, like: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,=@%+$".contains(c);
    if like.starts_with('\'') && !value.contains('\'') {
        return format!("'{value}'");
    }
    if !like.starts_with(['"', '\'']) && value.chars().all(plain) {
        return value.to_owned();
    }
    let mut word = String::from("\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '`') {
            word.push('\\');
        }
        word.push(c);
    }
    word + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# x=1\nA=1; B='two words'\n  export C=\"a \\\"b\\\" $D\"\nif [ x = y ]; then\n\tE=\nfi\nA+=\"2\"\nF=\"one \\\n two\"";

    #[test]
    fn plain_assignments_count() {
        let all: Vec<_> = assignments(TEXT).into_iter().map(|one| (one.name, one.value)).collect();
        let row = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            all,
            [
                row("A", "1"),
                row("B", "two words"),
                row("C", "a \"b\" $D"),
                row("E", ""),
                row("A", "2"),
                row("F", "one  two"),
            ]
        );
        assert_eq!(value(TEXT, "A").as_deref(), Some("12"));
        assert_eq!(value(TEXT, "x"), None);
    }

    #[test]
    fn an_edit_keeps_quotes_and_all_else() {
        for (name, before, after, was, now) in [
            ("B", "two", "three", "'two words'", "'three words'"),
            ("C", "a ", "c ", "\"a \\\"b\\\" $D\"", "\"c \\\"b\\\" $D\""),
            ("F", "one", "1", "\"one \\\n two\"", "\"1 \\\n two\""),
        ] {
            let text = edited(TEXT, name, |value| value.replace(before, after));
            assert_eq!(text, TEXT.replace(was, now), "{name}");
        }
        assert_eq!(edited(TEXT, "A", str::to_owned), TEXT);
    }

    #[test]
    fn a_value_is_set_where_it_is_or_at_the_end() {
        for (before, name, value, after) in [
            ("A=1\nB=2\n", "A", "3", "A=3\nB=2\n"),
            ("A=\"1\"\n", "A", "x y", "A=\"x y\"\n"),
            ("A=1", "B", "x y", "A=1\nB=\"x y\"\n"),
            ("", "B", "x", "B=x\n"),
            ("B='x'\n", "B", "x", "B='x'\n"),
        ] {
            assert_eq!(with_value(before, name, value), after, "{before:?}");
        }
    }
}
