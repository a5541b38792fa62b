//! The reply on the serial line, as `guestconv_core::protocol` says. The line must be raw, or it would change the bytes.

use crate::clock::Clock;
use crate::start::failure;
use guestconv_core::protocol::{Answer, REPLY_CAP_BYTES, REPLY_MAGIC, Reply, VERSION};
use rustix::termios::{OptionalActions, tcdrain, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};

const LINE: &str = "/dev/ttyS0";

/// Sends the reply and waits until it is out.
pub(crate) fn send(answer: Answer, mut clock: Clock) {
    clock.ended("answer");
    let reply = Reply { version: VERSION.to_owned(), answer, timings: clock.timings() };
    // Nobody hears an error of the line itself; the library sees a reply that is cut off.
    let (head, document) = frame(reply);
    let _ = line().and_then(|line| write(line, &head, &document));
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

/// Opens the line and makes it raw.
pub(crate) fn line() -> io::Result<File> {
    let line = OpenOptions::new().read(true).write(true).open(LINE)?;
    let mut mode = tcgetattr(&line)?;
    mode.make_raw();
    tcsetattr(&line, OptionalActions::Now, &mode)?;
    Ok(line)
}

fn write(mut line: File, head: &[u8], document: &[u8]) -> io::Result<()> {
    line.write_all(head)?;
    line.write_all(document)?;
    Ok(tcdrain(&line)?)
}
