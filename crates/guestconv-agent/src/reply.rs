//! The reply on the serial line, as `guestconv_core::protocol` says. A line of our own kernel must be raw, or it would change
//! the bytes; under QEMU it is a port of virtio, which takes them as they are, and which only one may have open.

use crate::clock::Clock;
use crate::modules;
use crate::start::failure;
use guestconv_core::protocol::{Answer, REPLY_CAP_BYTES, REPLY_MAGIC, Reply, VERSION};
use rustix::termios::{OptionalActions, isatty, tcdrain, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

const LINE: &str = "/dev/ttyS0";
/// The first port of the first device.
const PORT: &str = "/dev/vport0p1";
/// How long the port may take to be there: the host says that there is one when it is asked.
const PORT_LIMIT: Duration = Duration::from_secs(20);

/// Sends the reply and waits until it is out.
pub(crate) fn send(answer: Answer, mut clock: Clock) {
    clock.ended("answer");
    let reply = Reply { version: VERSION.to_owned(), answer, timings: clock.timings() };
    // Nobody hears an error of the line itself; the library sees a reply that is cut off.
    let (head, document) = frame(reply);
    let _ = awaited().and_then(|line| write(line, &head, &document));
}

/// Returns what goes before the document, and the document.
fn frame(reply: Reply) -> (Vec<u8>, Vec<u8>) {
    let mut capped = Capped { bytes: Vec::new() };
    let is_written = serde_json::to_writer(&mut capped, &reply).is_ok();
    let json = capped.bytes;
    if !is_written {
        let message = format!("what was found in the guest is more than {REPLY_CAP_BYTES} bytes");
        let answer = Answer::Failure(failure("answer-too-large", message));
        return frame(Reply { answer, timings: Vec::new(), ..reply });
    }
    let head = [REPLY_MAGIC, format!("{:08x}\n", json.len()).as_bytes()].concat();
    (head, json)
}

/// Takes what a reply may hold and no more: what a guest makes ours say does not fit into memory twice.
struct Capped {
    bytes: Vec<u8>,
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = u64::try_from(self.bytes.len() + bytes.len()).unwrap_or(u64::MAX);
        if length > REPLY_CAP_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the line, which is opened once.
pub(crate) fn line() -> io::Result<&'static File> {
    static OPEN: OnceLock<File> = OnceLock::new();
    if let Some(line) = OPEN.get() {
        return Ok(line);
    }
    let line = OpenOptions::new().read(true).write(true).open(place())?;
    if isatty(&line) {
        let mut mode = tcgetattr(&line)?;
        mode.make_raw();
        tcsetattr(&line, OptionalActions::Now, &mode)?;
    }
    Ok(OPEN.get_or_init(|| line))
}

/// Returns the line when it is there.
fn awaited() -> io::Result<&'static File> {
    let begun = Instant::now();
    while !Path::new(place()).exists() && begun.elapsed() < PORT_LIMIT {
        thread::sleep(Duration::from_millis(1));
    }
    line()
}

fn place() -> &'static str {
    if modules::are_given() { PORT } else { LINE }
}

fn write(mut line: &File, head: &[u8], document: &[u8]) -> io::Result<()> {
    line.write_all(head)?;
    line.write_all(document)?;
    // What a port was given is out.
    if isatty(line) { Ok(tcdrain(line)?) } else { Ok(()) }
}
