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
        let mut stream = BufWriter::new(&mut self.stream);
        let whole = serde_json::to_writer_pretty(&mut stream, document).map_err(io::Error::from);
        written(whole.and_then(|()| stream.write_all(b"\n")).and_then(|()| stream.flush()))
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
