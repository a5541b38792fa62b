//! What the kernel says in its log. A record costs a system call, so each is read once in a run.

use guestconv_core::text::visible;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, open};
use std::cell::RefCell;

/// The most that is read of the log, in bytes.
const CAP_BYTES: usize = 256 << 10;
/// The most bytes of a record (kernel: `PRINTK_MESSAGE_MAX`).
const CAP_RECORD_BYTES: usize = 8192;
/// The most of a line that is told, in characters.
const CAP_LINE: usize = 200;

/// What has been read of the log.
struct Log {
    file: Option<OwnedFd>,
    lines: Vec<String>,
    read_bytes: usize,
    buffer: Vec<u8>,
}

thread_local! {
    static LOG: RefCell<Log> = RefCell::new(Log::open());
}

/// Returns the lines of the log without the fields of their records: priority, number, time, flags.
pub(crate) fn lines() -> Vec<String> {
    LOG.with_borrow_mut(|log| {
        log.go_on();
        log.lines.clone()
    })
}

/// Returns how many lines the log has.
pub(crate) fn count() -> usize {
    LOG.with_borrow_mut(|log| {
        log.go_on();
        log.lines.len()
    })
}

/// Returns a line for a person.
pub(crate) fn told(line: &str) -> String {
    visible(&line.chars().take(CAP_LINE).collect::<String>())
}

/// Words of a line that says why.
const REASONS: [&str; 9] =
    ["rror", "ailed", "annot", "issing", "orrupt", "oo few", "ot enough", "nsupported", "nknown"];

/// Returns what the kernel said of these since there were `before` lines, in brackets: the first line that says why, else the
/// last; empty if none.
pub(crate) fn last_words(before: usize, of: &[&str]) -> String {
    let lines = lines();
    let of_it = |line: &&String| of.iter().any(|text| line.contains(text));
    let says_why = |line: &&String| REASONS.iter().any(|reason| line.contains(reason));
    let new = || lines.iter().skip(before).filter(of_it);
    let line = new().find(says_why).or_else(|| new().next_back());
    line.map(|line| format!(" ({})", told(line))).unwrap_or_default()
}

impl Log {
    fn open() -> Self {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = open("/dev/kmsg", flags, Mode::empty()).ok();
        Self { file, lines: Vec::new(), read_bytes: 0, buffer: vec![0; CAP_RECORD_BYTES] }
    }

    /// Reads what came since the last time.
    fn go_on(&mut self) {
        let Some(file) = &self.file else { return };
        while self.read_bytes < CAP_BYTES {
            match rustix::io::read(file, &mut self.buffer) {
                Ok(count) if count > 0 => {
                    self.read_bytes += count;
                    let text = String::from_utf8_lossy(self.buffer.get(..count).unwrap_or_default());
                    let said = text.lines().map(|line| line.split_once(';').map_or(line, |(_, line)| line));
                    self.lines.extend(said.map(str::to_owned));
                }
                // Records that were lost are passed over.
                Err(rustix::io::Errno::PIPE) => {}
                _ => break,
            }
        }
    }
}
