//! `console=TERMINAL[,OPTIONS]` on command lines (kernel's `Documentation/admin-guide/serial-console.rst`).

use super::is_serial;
use crate::formats::cmdline::{CmdlineEdit, Operation, Word};

/// Returns what becomes of a command line whose console shall be `terminal`.
pub(super) fn edit(words: &[Word], terminal: Option<&str>) -> CmdlineEdit {
    let consoles: Vec<(&Word, &str, &str)> = words.iter().filter_map(console).collect();
    let has = |name: &str| consoles.iter().any(|(_, terminal, _)| *terminal == name);
    let mut foreign = consoles.iter().filter(|(_, name, _)| is_serial(name) && Some(*name) != terminal);
    let mut operations = Vec::new();
    if let Some(terminal) = terminal.filter(|terminal| !has(terminal)) {
        let argument = format!("console={terminal}");
        match foreign.next() {
            // The speed of a serial line is kept for a serial line.
            Some((word, name, options)) => {
                let is_line = name.starts_with("ttyS") && terminal.starts_with("ttyS");
                let options = if is_line { *options } else { "" };
                let after = argument + options;
                operations.push(Operation::Replace { before: word.text.clone(), after });
            }
            None => {
                if consoles.is_empty() {
                    operations.push(Operation::Add("console=tty0".to_owned()));
                }
                operations.push(Operation::Add(argument));
            }
        }
    }
    operations.extend(foreign.map(|(word, _, _)| Operation::Remove(word.text.clone())));
    CmdlineEdit { operations }
}

/// Returns terminal and options, with their comma, of `console=`.
fn console(word: &Word) -> Option<(&Word, &str, &str)> {
    let value = word.value_of("console")?;
    let end = value.find(',').unwrap_or(value.len());
    Some((word, value.get(..end)?, value.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::cmdline::{edited, words};

    #[test]
    fn the_console_of_the_target_replaces_the_sources() {
        for (before, terminal, after) in [
            ("ro quiet", Some("ttyS0"), "ro quiet console=tty0 console=ttyS0"),
            ("ro console=tty0", Some("ttyS0"), "ro console=tty0 console=ttyS0"),
            ("console=hvc0 ro", Some("ttyS0"), "console=ttyS0 ro"),
            (
                "console=tty0 console=ttyS1,115200n8 ro",
                Some("ttyS0"),
                "console=tty0 console=ttyS0,115200n8 ro",
            ),
            ("console=tty0 console=ttyS0,9600", Some("ttyS0"), "console=tty0 console=ttyS0,9600"),
            ("console=ttyS0,9600 console=xvc0 ro", Some("ttyS0"), "console=ttyS0,9600 ro"),
            ("console=hvc0 console=xvc0", Some("ttyS0"), "console=ttyS0"),
            ("console=tty0 console=ttyS0,9600", Some("hvc0"), "console=tty0 console=hvc0"),
            ("console=tty0 console=ttyS0,9600 ro", None, "console=tty0 ro"),
            ("ro", None, "ro"),
            (
                "console=ttyUSB0 console=netcon0",
                Some("ttyS0"),
                "console=ttyUSB0 console=netcon0 console=ttyS0",
            ),
        ] {
            let once = edited(before, &edit(&words(before), terminal));
            assert_eq!(once, after, "{before:?} {terminal:?}");
            assert_eq!(edited(&once, &edit(&words(&once), terminal)), after, "twice {before:?}");
        }
    }
}
