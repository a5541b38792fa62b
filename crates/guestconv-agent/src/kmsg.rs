//! What the kernel says in its log.

use guestconv_core::text::visible;

/// The most that is read of the log, in bytes.
const CAP_BYTES: usize = 256 << 10;
/// The most of a line that is told, in characters.
const CAP_LINE: usize = 200;

/// Returns the lines of the log without the fields of their records: priority, number, time, flags.
pub(crate) fn lines() -> Vec<String> {
    let mut said = vec![0; CAP_BYTES];
    let length = read(&mut said);
    let text = String::from_utf8_lossy(said.get(..length).unwrap_or_default()).into_owned();
    text.lines().map(|line| line.split_once(';').map_or(line, |(_, line)| line).to_owned()).collect()
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

fn read(buffer: &mut [u8]) -> usize {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(log) = open("/dev/kmsg", flags, Mode::empty()) else { return 0 };
    let mut length = 0;
    while let Some(room) = buffer.get_mut(length..).filter(|room| room.len() >= 8192) {
        match rustix::io::read(&log, room) {
            Ok(count) if count > 0 => length += count,
            Err(rustix::io::Errno::PIPE) => {}
            _ => break,
        }
    }
    length
}
