//! The standard output: coloured if wanted. When nobody reads it any more, the rest is dropped: what was asked for is done
//! all the same, and the exit status tells how it went.

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use guestconv::{Error, ErrorKind, Result};
use serde::Serialize;
use std::io::{self, BufWriter, StdoutLock, Write};

/// What stands out.
pub(crate) const BOLD: Style = Style::new().bold();
/// What steps back.
pub(crate) const DIM: Style = Style::new().dimmed();
/// What is well, or added.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What is to be looked at.
pub(crate) const CAUTION: Style = AnsiColor::Yellow.on_default();
/// What is wrong, or removed.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// What is chosen, and places in a diff.
pub(crate) const MARK: Style = AnsiColor::Cyan.on_default();

/// The standard output.
pub(crate) struct Output {
    stream: AutoStream<StdoutLock<'static>>,
}

impl Output {
    /// Returns the standard output, coloured or not.
    pub(crate) fn new(color: ColorChoice) -> Self {
        Self { stream: AutoStream::new(io::stdout().lock(), color) }
    }

    /// Writes a text with its styles.
    pub(crate) fn text(&mut self, text: &str) -> Result<()> {
        written(self.stream.write_all(text.as_bytes()).and_then(|()| self.stream.flush()))
    }

    /// Writes a document as JSON, indented, with a line feed at its end.
    pub(crate) fn json(&mut self, document: &impl Serialize) -> Result<()> {
        let mut stream = BufWriter::new(Plain { inner: &mut self.stream, is_cut: false });
        let whole = serde_json::to_writer_pretty(&mut stream, document).map_err(io::Error::from);
        written(whole.and_then(|()| stream.write_all(b"\n")).and_then(|()| stream.flush()))
    }
}

/// Writes JSON so that nothing in it rules a terminal: JSON need not escape DEL and the control characters above it
/// (U+007F to U+009F), and what a guest says may hold them. Outside of texts there are none.
struct Plain<W> {
    inner: W,
    /// Whether the first byte of a character has come and waits for the second.
    is_cut: bool,
}

impl<W: Write> Write for Plain<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut part = if self.is_cut { vec![0xc2] } else { Vec::new() };
        part.extend_from_slice(bytes);
        self.is_cut = part.pop_if(|last| *last == 0xc2).is_some();
        self.inner.write_all(&plain(&part))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Returns JSON with DEL and the upper control characters escaped.
pub(crate) fn plain(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let mut rest = json;
    loop {
        rest = match rest {
            [] => return out,
            [0x7f, tail @ ..] => {
                out.extend_from_slice(b"\\u007f");
                tail
            }
            [0xc2, low @ 0x80..=0x9f, tail @ ..] => {
                out.extend_from_slice(format!("\\u00{low:02x}").as_bytes());
                tail
            }
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
        };
    }
}

/// Returns whether it was written; nobody there to read it is no error.
fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let message = format!("what was asked for is done, and its result cannot be written: {error}");
            Err(Error::new(ErrorKind::Io, "output-failed", message).caused_by(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_rules_no_terminal_wherever_it_is_cut() {
        let json = "\"a\u{9b}2J\u{7f}\u{80}\u{9f}\u{a0}\u{e9}\u{20ac}\"";
        let expected = "\"a\\u009b2J\\u007f\\u0080\\u009f\u{a0}\u{e9}\u{20ac}\"";
        for size in 1..json.len() {
            let mut out = Vec::new();
            let mut stream = Plain { inner: &mut out, is_cut: false };
            json.as_bytes().chunks(size).for_each(|part| stream.write_all(part).unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{size} bytes at a time");
        }
        assert_eq!(String::from_utf8(plain(json.as_bytes())).unwrap(), expected);
        let read: String = serde_json::from_str(expected).unwrap();
        assert_eq!(read, serde_json::from_str::<String>(json).unwrap());
    }
}
