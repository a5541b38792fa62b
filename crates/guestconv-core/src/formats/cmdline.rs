//! The kernel's command line: arguments between blanks, double quotes keep blanks together (kernel-parameters). It is kept
//! in many places in many dialects of quoting; [`edits`] works on the words of any of them, [`edited`] on the kernel's own.

use super::fields::replaced;
use std::ops::Range;

/// One argument and where it is in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Without quotes.
    pub text: String,
    /// Place with its quotes.
    pub range: Range<usize>,
}

/// What is to become of a command line. The same edit twice changes nothing more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CmdlineEdit {
    /// Carried out on every argument in this order.
    pub operations: Vec<Operation>,
}

/// One act on a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Every argument that is exactly `before` becomes `after`.
    Replace {
        /// The whole argument: `root=/dev/sda1`.
        before: String,
        /// What it becomes.
        after: String,
    },
    /// The argument is added after all others, unless it is there.
    Add(String),
    /// The argument is added before the first `NAME=…`, else after all others, unless it is there. The kernel's last
    /// `console=` is the one that init talks to, so order matters.
    AddBefore {
        /// The whole argument: `console=tty0`.
        argument: String,
        /// The name that it must precede: `console`.
        name: String,
    },
    /// Every argument that is exactly this goes.
    Remove(String),
}

impl CmdlineEdit {
    /// Returns the edit that adds one argument.
    pub fn add(argument: &str) -> Self {
        Self { operations: vec![Operation::Add(argument.to_owned())] }
    }

    /// Returns the part of the edit that adds nothing: for a line that is only a part of a command line.
    #[must_use]
    pub fn without_additions(&self) -> Self {
        let keeps = |one: &&Operation| matches!(one, Operation::Replace { .. } | Operation::Remove(_));
        Self { operations: self.operations.iter().filter(keeps).cloned().collect() }
    }
}

/// Returns the arguments of a command line.
pub fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut word: Option<Word> = None;
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        if c.is_ascii_whitespace() && !quoted {
            found.extend(word.take());
            continue;
        }
        let current = word.get_or_insert(Word { text: String::new(), range: at..at });
        current.range.end = at + c.len_utf8();
        match c {
            '"' => quoted = !quoted,
            c => current.text.push(c),
        }
    }
    found.extend(word);
    found
}

/// Returns the value of the last `NAME=VALUE`; `None` if there is none.
pub fn value<'a>(words: &'a [Word], name: &str) -> Option<&'a str> {
    words.iter().rev().find_map(|word| word.value_of(name))
}

/// Returns whether an argument is there, by its whole text.
pub fn has(words: &[Word], argument: &str) -> bool {
    words.iter().any(|word| word.text == argument)
}

/// Returns a command line after an edit.
pub fn edited(text: &str, edit: &CmdlineEdit) -> String {
    let end = text.trim_end().len();
    replaced(text, &edits(text, &words(text), end, edit, quoted))
}

/// Returns the replacements in `text` that an edit of the command line of these words makes. New arguments go to `end` if
/// there is no better place; `quote` writes an argument in the text's dialect.
pub fn edits(
    text: &str,
    words: &[Word],
    end: usize,
    edit: &CmdlineEdit,
    quote: fn(&str) -> String,
) -> Vec<(Range<usize>, String)> {
    // What becomes of each word, and what is inserted before it; the last slot is the end.
    let mut fates: Vec<Option<String>> = words.iter().map(|word| Some(word.text.clone())).collect();
    let mut before: Vec<Vec<String>> = vec![Vec::new(); words.len() + 1];
    for operation in &edit.operations {
        let (argument, name) = match operation {
            Operation::Replace { before, after } => {
                for fate in fates.iter_mut().filter(|fate| fate.as_ref() == Some(before)) {
                    *fate = Some(after.clone());
                }
                continue;
            }
            Operation::Remove(argument) => {
                for fate in fates.iter_mut().filter(|fate| fate.as_ref() == Some(argument)) {
                    *fate = None;
                }
                continue;
            }
            Operation::Add(argument) => (argument, None),
            Operation::AddBefore { argument, name } => (argument, Some(format!("{name}="))),
        };
        let added = before.iter().flatten().any(|other| other == argument);
        if added || fates.iter().flatten().any(|fate| fate == argument) {
            continue;
        }
        let is_name = |fate: &Option<String>| {
            fate.as_ref().zip(name.as_ref()).is_some_and(|(fate, name)| fate.starts_with(name))
        };
        // What follows `--` belongs to init.
        let is_end = |fate: &Option<String>| fate.as_deref() == Some("--");
        let place = fates.iter().position(is_name).or_else(|| fates.iter().position(is_end));
        if let Some(slot) = before.get_mut(place.unwrap_or(words.len())) {
            slot.push(argument.clone());
        }
    }
    let mut result = Vec::new();
    let slots = words.iter().zip(fates).zip(&before);
    for ((word, fate), inserted) in slots {
        let new = inserted.iter().map(|argument| quote(argument) + " ").collect::<String>();
        match fate {
            Some(fate) if fate == word.text && new.is_empty() => {}
            Some(fate) if fate == word.text => result.push((word.range.start..word.range.start, new)),
            Some(fate) => result.push((word.range.clone(), new + &quote(&fate))),
            None if new.is_empty() => result.push((with_blank(text, &word.range), new)),
            None => result.push((word.range.clone(), new.trim_end().to_owned())),
        }
    }
    let mut last =
        before.last().into_iter().flatten().map(|argument| quote(argument)).collect::<Vec<_>>().join(" ");
    if !last.is_empty() {
        let joined =
            text.get(..end).is_none_or(|text| !text.is_empty() && !text.ends_with(char::is_whitespace));
        last.insert_str(0, if joined { " " } else { "" });
        result.push((end..end, last));
    }
    result
}

/// A word that goes takes the blank before it along, or the one after it if it is the first.
fn with_blank(text: &str, range: &Range<usize>) -> Range<usize> {
    let blank = |c: char| c == ' ' || c == '\t';
    let kept = text.get(..range.start).unwrap_or("").trim_end_matches(blank).len();
    let line_start = text.get(..kept).is_none_or(|text| text.is_empty() || text.ends_with('\n'));
    if kept < range.start && !line_start {
        return kept..range.end;
    }
    let rest = text.get(range.end..).unwrap_or("");
    range.start..range.end + rest.len() - rest.trim_start_matches(blank).len()
}

fn quoted(argument: &str) -> String {
    match argument.split_once('=') {
        Some((name, value)) if argument.contains(' ') => format!("{name}=\"{value}\""),
        None if argument.contains(' ') => format!("\"{argument}\""),
        _ => argument.to_owned(),
    }
}

impl Word {
    /// Returns the value if this is `name=VALUE`.
    pub fn value_of(&self, name: &str) -> Option<&str> {
        self.text.strip_prefix(name)?.strip_prefix('=')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_blanks_together() {
        let text = " ro  dyndbg=\"file x +p\" root=UUID=1 root=UUID=2 ";
        let all = words(text);
        let texts: Vec<_> = all.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(texts, ["ro", "dyndbg=file x +p", "root=UUID=1", "root=UUID=2"]);
        assert_eq!((value(&all, "root"), value(&all, "ro")), (Some("UUID=2"), None));
        assert!(has(&all, "ro") && !has(&all, "root"));
    }

    #[test]
    fn an_edit_changes_only_its_arguments_and_only_once() {
        let replace =
            |before: &str, after: &str| Operation::Replace { before: before.into(), after: after.into() };
        let add = |argument: &str| Operation::Add(argument.into());
        let remove = |argument: &str| Operation::Remove(argument.into());
        let before = |argument: &str, name: &str| Operation::AddBefore {
            argument: argument.into(),
            name: name.into(),
        };
        for (text, operations, after) in [
            (
                "ro  root=/dev/sda1 quiet",
                vec![replace("root=/dev/sda1", "root=UUID=1")],
                "ro  root=UUID=1 quiet",
            ),
            ("ro quiet ", vec![add("console=ttyS0")], "ro quiet console=ttyS0 "),
            ("", vec![add("a"), add("b")], "a b"),
            ("ro -- x", vec![add("a")], "ro a -- x"),
            ("ro console=ttyS0", vec![before("console=tty0", "console")], "ro console=tty0 console=ttyS0"),
            ("ro", vec![before("console=tty0", "console")], "ro console=tty0"),
            ("a  b c", vec![remove("b")], "a c"),
            ("a b", vec![remove("a")], "b"),
            ("a", vec![remove("a")], ""),
            (
                "console=hvc0",
                vec![replace("console=hvc0", "console=ttyS0"), add("console=ttyS0")],
                "console=ttyS0",
            ),
            ("x=\"a b\" y", vec![replace("x=a b", "x=c d")], "x=\"c d\" y"),
            ("x=\"a b\" y", vec![replace("z", "w"), remove("q")], "x=\"a b\" y"),
        ] {
            let edit = CmdlineEdit { operations };
            let once = edited(text, &edit);
            assert_eq!(once, after, "{text:?}");
            assert_eq!(edited(&once, &edit), after, "twice {text:?}");
        }
    }
}
