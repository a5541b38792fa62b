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
    let _ = line().and_then(|line| write(line, &frame(reply)));
}

fn frame(reply: Reply) -> Vec<u8> {
    let json = serde_json::to_vec(&reply).unwrap_or_default();
    let is_too_long = u64::try_from(json.len()).is_ok_and(|length| length > REPLY_CAP_BYTES);
    if json.is_empty() || is_too_long {
        let message = format!("what was found in the guest is more than {REPLY_CAP_BYTES} bytes");
        let answer = Answer::Failure(failure("answer-too-large", message));
        return frame(Reply { answer, timings: Vec::new(), ..reply });
    }
    [REPLY_MAGIC, format!("{:08x}\n", json.len()).as_bytes(), &json].concat()
}

fn line() -> io::Result<File> {
    let line = OpenOptions::new().read(true).write(true).open(LINE)?;
    let mut mode = tcgetattr(&line)?;
    mode.make_raw();
    tcsetattr(&line, OptionalActions::Now, &mode)?;
    Ok(line)
}

fn write(mut line: File, bytes: &[u8]) -> io::Result<()> {
    line.write_all(bytes)?;
    Ok(tcdrain(&line)?)
}
