//! Elements of XML, from which documents are written. Attributes are in single quotes and stand in the order in which they
//! were given.
//!
//! Texts may hold characters that XML 1.0 forbids: they become U+FFFD. Line breaks and tabs in attributes are written as
//! references, or a reader would turn them into spaces.

use std::fmt::Write;

/// An element of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// Its name.
    pub(crate) name: String,
    /// Its attributes in the order of writing.
    pub(crate) attributes: Vec<(String, String)>,
    /// Elements in it.
    pub(crate) children: Vec<Element>,
    /// Its text, trimmed; empty where there are children.
    pub(crate) text: String,
}

impl Element {
    /// Returns an element without anything in it.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), attributes: Vec::new(), children: Vec::new(), text: String::new() }
    }

    /// Returns an element with a text.
    pub(crate) fn leaf(name: &str, text: &str) -> Self {
        Self { text: readable(text).trim().to_owned(), ..Self::new(name) }
    }

    /// Returns the element with one more attribute.
    pub(crate) fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), readable(value)));
        self
    }

    /// Returns the element with these children and no others.
    pub(crate) fn with(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children = children.into_iter().collect();
        self
    }

    /// Returns the document whose root it is, with a line feed at its end.
    pub(crate) fn to_document(&self) -> String {
        let mut out = String::from("<?xml version='1.0' encoding='utf-8'?>\n");
        self.write(&mut out, 0);
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        let indent = "  ".repeat(depth);
        let _ = write!(out, "{indent}<{}", self.name);
        for (name, value) in &self.attributes {
            let _ = write!(out, " {name}='{}'", escaped(value));
        }
        if self.children.is_empty() && self.text.is_empty() {
            out.push_str("/>\n");
        } else if self.children.is_empty() {
            let _ = writeln!(out, ">{}</{}>", escaped(&self.text), self.name);
        } else {
            out.push_str(">\n");
            for child in &self.children {
                child.write(out, depth + 1);
            }
            let _ = writeln!(out, "{indent}</{}>", self.name);
        }
    }
}

/// Returns the text with every character that XML 1.0 forbids replaced.
fn readable(text: &str) -> String {
    text.chars().map(|c| if is_forbidden(c) { '\u{fffd}' } else { c }).collect()
}

/// Returns whether XML 1.0 has no way to write the character.
pub(crate) fn is_forbidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}')
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}
