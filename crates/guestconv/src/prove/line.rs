//! The serial line to the guest's console: what it says is kept, what we type goes there.

use super::ProveError;
use super::console::Console;
use super::process::is_early;
use crate::observe::Cancel;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long one look at the line waits for something to come.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// How much of what it said is kept byte for byte: a guest may say things for as long as it is let.
const LOG_CAP_BYTES: usize = 16 << 20;

/// The line to a guest's console.
pub(super) struct Line {
    /// `None`: the guest has no console, or it was closed.
    stream: Option<UnixStream>,
    cancel: Cancel,
    /// What the console said.
    pub(super) console: Console,
    /// The same, byte for byte; of much, the end.
    pub(super) log: Vec<u8>,
}

impl Line {
    /// Returns a line on which nothing was said yet.
    pub(super) fn new(stream: Option<UnixStream>, cancel: Cancel) -> Self {
        Self { stream, cancel, console: Console::default(), log: Vec::new() }
    }

    /// Takes in what the console says, for a tick at most; returns whether something came.
    ///
    /// # Errors
    /// [`ProveError::Cancelled`].
    pub(super) fn listen(&mut self) -> Result<bool, ProveError> {
        if self.cancel.is_cancelled() {
            return Err(ProveError::Cancelled);
        }
        let Some(stream) = &mut self.stream else {
            std::thread::sleep(TICK);
            return Ok(false);
        };
        let mut buffer = [0; 16 << 10];
        let set = stream.set_read_timeout(Some(TICK));
        let count = match set.and_then(|()| stream.read(&mut buffer)) {
            Err(error) if is_early(&error) => return Ok(false),
            Ok(count) => count,
            Err(_) => 0,
        };
        if count == 0 {
            self.stream = None;
        }
        let came = buffer.get(..count).unwrap_or_default();
        self.note(came);
        Ok(count > 0)
    }

    fn note(&mut self, came: &[u8]) {
        keep(&mut self.log, came);
        self.console.push(came);
    }

    /// Types a line of text; what cannot be typed is not answered.
    pub(super) fn type_line(&mut self, text: &str) {
        if let Some(stream) = &mut self.stream {
            let sent = stream.write_all(text.as_bytes()).and_then(|()| stream.write_all(b"\n"));
            if sent.is_err() {
                self.stream = None;
            }
        }
    }

    /// Listens until `found` finds something in what came since `from`, or the time is over.
    ///
    /// # Errors
    /// [`ProveError::Cancelled`].
    pub(super) fn until<T>(
        &mut self,
        from: usize,
        limit: Duration,
        found: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ProveError> {
        let since = Instant::now();
        loop {
            let answer = found(self.console.since(from));
            if answer.is_some() || since.elapsed() > limit || self.stream.is_none() {
                return Ok(answer);
            }
            self.listen()?;
        }
    }
}

/// Adds to a log, of which the end is kept.
fn keep(log: &mut Vec<u8>, came: &[u8]) {
    log.extend_from_slice(came);
    if log.len() > LOG_CAP_BYTES {
        log.drain(..log.len() - LOG_CAP_BYTES / 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_talks_without_end_fills_no_memory() {
        let mut log = Vec::new();
        for piece in 0..20u8 {
            keep(&mut log, &vec![b'a' + piece; 1 << 20]);
        }
        assert!(log.len() <= LOG_CAP_BYTES && log.capacity() <= 2 * LOG_CAP_BYTES);
        assert_eq!(log.last(), Some(&b't'), "the end is kept");
    }
}
