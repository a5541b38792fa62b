//! SELinux's `file_contexts`: which label a path gets (selabel_file(5)). `PATTERN [TYPE] CONTEXT` per line. A pattern
//! matches the whole path, a dot any byte. Patterns without metacharacters outrank the others; in each class the last wins.

use crate::tree::FileKind;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The pattern as it is written.
    pub pattern: String,
    /// The one kind of file that it is for; `None`: any.
    pub kind: Option<SpecKind>,
    /// The label; `None` for `<<none>>`: the file gets none.
    pub context: Option<String>,
    /// The text of the path, or what it begins with if the pattern has metacharacters.
    literal: String,
    /// Whether the pattern has metacharacters.
    is_regex: bool,
}

/// The kinds of files that lines tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecKind {
    /// `--`
    File,
    /// `-d`
    Directory,
    /// `-l`
    Link,
    /// Sockets, pipes, devices: conversion makes none.
    Other,
}

/// A pattern that is no regular expression as we read them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern {0:?} of file_contexts cannot be read")]
pub struct BadPattern(pub String);

/// Returns every line that is one, in order.
pub fn parse(text: &str) -> Vec<Spec> {
    text.lines().filter_map(spec).collect()
}

fn spec(line: &str) -> Option<Spec> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (pattern, kind, context) = match fields.as_slice() {
        [pattern, ..] if pattern.starts_with('#') => return None,
        [pattern, context] => (*pattern, None, *context),
        [pattern, kind, context, ..] => (*pattern, Some(spec_kind(kind)?), *context),
        _ => return None,
    };
    let (literal, is_regex) = literal(pattern);
    let context = (context != "<<none>>").then(|| context.to_owned());
    Some(Spec { pattern: pattern.to_owned(), kind, context, literal, is_regex })
}

fn spec_kind(field: &str) -> Option<SpecKind> {
    match field {
        "--" => Some(SpecKind::File),
        "-d" => Some(SpecKind::Directory),
        "-l" => Some(SpecKind::Link),
        "-s" | "-p" | "-b" | "-c" => Some(SpecKind::Other),
        _ => None,
    }
}

/// Returns what every path of a pattern begins with, and whether there are metacharacters.
fn literal(pattern: &str) -> (String, bool) {
    let mut literal = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                // What is no punctuation is a class: \d.
                Some(escaped) if !escaped.is_ascii_alphanumeric() => literal.push(escaped),
                _ => return (literal, true),
            },
            '?' | '*' | '{' => {
                literal.pop();
                return (if has_choice(pattern) { String::new() } else { literal }, true);
            }
            '.' | '^' | '$' | '+' | '|' | '[' | '(' => {
                return (if has_choice(pattern) { String::new() } else { literal }, true);
            }
            c => literal.push(c),
        }
    }
    (literal, false)
}

/// Returns whether a pattern has alternatives outside of parentheses, so that its beginning is not that of all.
fn has_choice(pattern: &str) -> bool {
    let (mut depth, mut is_escaped, mut in_class) = (0_i32, false, false);
    for c in pattern.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            _ if in_class => {}
            '(' => depth += 1,
            ')' => depth -= 1,
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

impl Spec {
    fn matches(&self, path: &str, kind: FileKind) -> Result<bool, BadPattern> {
        let is_kind = match self.kind {
            None => true,
            Some(SpecKind::File) => kind == FileKind::File,
            Some(SpecKind::Directory) => kind == FileKind::Directory,
            Some(SpecKind::Link) => kind == FileKind::Link,
            Some(SpecKind::Other) => false,
        };
        if !is_kind || !self.is_regex {
            return Ok(is_kind && self.literal == path);
        }
        if !path.starts_with(&self.literal) {
            return Ok(false);
        }
        let pattern = format!("(?s)^(?:{})$", self.pattern);
        let regex = regex_lite::Regex::new(&pattern).map_err(|_| BadPattern(self.pattern.clone()))?;
        Ok(regex.is_match(path))
    }
}

/// Returns the line that a path gets its label from; `None` if there is none.
///
/// # Errors
/// [`BadPattern`] if a pattern that may be the one cannot be read.
pub fn lookup<'a>(specs: &'a [Spec], path: &str, kind: FileKind) -> Result<Option<&'a Spec>, BadPattern> {
    for is_regex in [false, true] {
        for spec in specs.iter().rev().filter(|spec| spec.is_regex == is_regex) {
            if spec.matches(path, kind)? {
                return Ok(Some(spec));
            }
        }
    }
    Ok(None)
}

/// Returns the pairs of `file_contexts.subs`: paths below the first get the labels of those below the second.
pub fn substitutions(text: &str) -> Vec<(String, String)> {
    let pair = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (from, to) = (fields.next()?, fields.next()?);
        (!from.starts_with('#')).then(|| (from.to_owned(), to.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

/// Returns a path after the last substitution that fits; `None` if none does.
pub fn substituted(pairs: &[(String, String)], path: &str) -> Option<String> {
    pairs.iter().rev().find_map(|(from, to)| {
        let rest = path.strip_prefix(from.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then(|| match to.as_str() {
            "/" if !rest.is_empty() => rest.to_owned(),
            to => format!("{to}{rest}"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
# Comment
/.*\tsystem_u:object_r:default_t:s0
/etc/.*\tsystem_u:object_r:etc_t:s0
/etc/systemd/system(/.*)?\tsystem_u:object_r:systemd_unit_file_t:s0
/etc/\\.pwd\\.lock\t--\tsystem_u:object_r:shadow_t:s0
/etc/resolv\\.conf.*\t--\tsystem_u:object_r:net_conf_t:s0
/etc/exact\tsystem_u:object_r:exact_t:s0
/etc/ex.*\tsystem_u:object_r:later_t:s0
/boot(/.*)?\tsystem_u:object_r:boot_t:s0
/boot/efi(/.*)?/System\\.map(-.*)?\t--\tsystem_u:object_r:map_t:s0
/lib64?\t-d\tsystem_u:object_r:lib_t:s0
/a/x|/b/y\tsystem_u:object_r:choice_t:s0
/proc/.*\t<<none>>
";

    #[test]
    fn the_last_line_wins_and_exact_ones_first() {
        let specs = parse(TEXT);
        assert_eq!(specs.len(), 12);
        for (path, kind, label) in [
            ("/x", FileKind::File, Some("default_t")),
            ("/etc/fstab", FileKind::File, Some("etc_t")),
            ("/etc/systemd/system", FileKind::Directory, Some("systemd_unit_file_t")),
            ("/etc/systemd/system/a.service", FileKind::Link, Some("systemd_unit_file_t")),
            ("/etc/systemd/systemx", FileKind::File, Some("etc_t")),
            ("/etc/.pwd.lock", FileKind::File, Some("shadow_t")),
            ("/etc/.pwd.lock", FileKind::Link, Some("etc_t")),
            ("/etc/resolv.conf.save", FileKind::File, Some("net_conf_t")),
            ("/etc/exact", FileKind::File, Some("exact_t")),
            ("/etc/exactly", FileKind::File, Some("later_t")),
            ("/etc/e\nx", FileKind::File, Some("etc_t")),
            ("/boot", FileKind::Directory, Some("boot_t")),
            ("/boot/efi/a/System.map-6", FileKind::File, Some("map_t")),
            ("/lib64", FileKind::Directory, Some("lib_t")),
            ("/lib6", FileKind::Directory, Some("lib_t")),
            ("/b/y", FileKind::File, Some("choice_t")),
            ("/proc/1", FileKind::File, None),
        ] {
            let found = lookup(&specs, path, kind).unwrap();
            let expected = label.map(|label| format!("system_u:object_r:{label}:s0"));
            assert_eq!(found.unwrap().context, expected, "{path} {kind:?}");
        }
        assert_eq!(lookup(&specs[1..], "/x", FileKind::File), Ok(None));
        let bad = parse("/x(.* a:b:c:s0\n");
        assert_eq!(lookup(&bad, "/x1", FileKind::File), Err(BadPattern("/x(.*".into())));
    }

    #[test]
    fn paths_are_substituted_at_whole_names() {
        let pairs = substitutions("# a\n/run /var/run\n/usr/lib64 /usr/lib\n/sysroot/ostree /\n");
        for (path, after) in [
            ("/run", Some("/var/run")),
            ("/run/x", Some("/var/run/x")),
            ("/runner", None),
            ("/sysroot/ostree/etc", Some("/etc")),
            ("/etc", None),
        ] {
            assert_eq!(substituted(&pairs, path).as_deref(), after, "{path}");
        }
    }
}
