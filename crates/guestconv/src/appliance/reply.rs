//! The reply of the agent. It comes from where a hostile guest was parsed, so it is hostile: capped, typed, and an error
//! if it is anything but what [`guestconv_core::protocol`] says.

use crate::error::{Error, ErrorKind, Result};
use guestconv_core::protocol::{REPLY_CAP_BYTES, REPLY_MAGIC, Reply, SIGN_OF_LIFE, VERSION};

/// Eight hex digits and a line feed.
const LENGTH_BYTES: usize = 9;
/// What may come before the magic beside signs of life: a stray line of a kernel.
const NOISE_CAP_BYTES: usize = 4096;
/// How many signs of life may come, one byte each: for days.
const SIGNS_CAP: usize = 1 << 20;
/// The most values that a reply may hold: each becomes some dozens of bytes of memory, however short its text is. A guest
/// of a million files has that many lines in its manifest.
const VALUES_CAP: usize = 2_000_000;
/// How deep they may lie; ours lie a dozen deep.
const DEPTH_CAP: usize = 64;

/// A reply as it comes in.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    body: Option<Body>,
}

#[derive(Clone, Copy, Debug)]
struct Body {
    start: usize,
    end: usize,
}

impl Incoming {
    /// Takes more bytes.
    ///
    /// # Errors
    /// `appliance-reply` as soon as it can be no reply.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        if self.body.is_none() {
            self.body = self.header()?;
        }
        if self.body.is_some_and(|body| self.bytes.len() > body.end) {
            return Err(nonsense("there is more than the reply"));
        }
        Ok(())
    }

    /// Returns whether all of the reply is here.
    pub(crate) fn is_complete(&self) -> bool {
        self.body.is_some_and(|body| self.bytes.len() == body.end)
    }

    /// Returns how many bytes came.
    pub(crate) fn received(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }

    /// Returns whether nothing at all came.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn header(&self) -> Result<Option<Body>> {
        let Some(magic) = self.bytes.windows(REPLY_MAGIC.len()).position(|window| window == REPLY_MAGIC)
        else {
            let signs = self.bytes.iter().filter(|byte| **byte == SIGN_OF_LIFE).count();
            let is_noise = self.bytes.len() - signs > NOISE_CAP_BYTES || signs > SIGNS_CAP;
            return if is_noise { Err(nonsense("it does not begin as a reply")) } else { Ok(None) };
        };
        let start = magic + REPLY_MAGIC.len() + LENGTH_BYTES;
        let Some(length) = self.bytes.get(magic + REPLY_MAGIC.len()..start) else { return Ok(None) };
        let digits = length.strip_suffix(b"\n").filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let length = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let length = length.ok_or_else(|| nonsense("its length is no number"))?;
        if length > REPLY_CAP_BYTES {
            return Err(nonsense("it is too long"));
        }
        let length = usize::try_from(length).map_err(|_| nonsense("it is too long"))?;
        Ok(Some(Body { start, end: start + length }))
    }

    /// Returns the reply.
    ///
    /// # Errors
    /// `appliance-reply` if it is not whole or not what an agent of our version says.
    pub(crate) fn parse(&self) -> Result<Reply> {
        let body = self.body.filter(|_| self.is_complete()).ok_or_else(|| nonsense("it is cut off"))?;
        let json = self.bytes.get(body.start..body.end).unwrap_or_default();
        require_shape(json)?;
        let reply: Reply =
            serde_json::from_slice(json).map_err(|error| nonsense("it cannot be read").caused_by(error))?;
        if reply.version != VERSION {
            let message = format!(
                "the agent is of version {:?}, this library of {VERSION}; install both from one release",
                reply.version
            );
            return Err(Error::new(ErrorKind::Appliance, "appliance-version", message));
        }
        Ok(reply)
    }
}

/// Fails if a text of JSON has too many values, or they lie too deep. Nothing is made of it yet.
fn require_shape(json: &[u8]) -> Result<()> {
    let (mut values, mut depth, mut is_text, mut is_escaped) = (0, 0usize, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b',' | b':' => values += 1,
            b'[' | b'{' => {
                values += 1;
                depth += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if values > VALUES_CAP || depth > DEPTH_CAP {
            return Err(nonsense("it has too many values, or they lie too deep"));
        }
    }
    Ok(())
}

fn nonsense(why: &str) -> Error {
    Error::new(ErrorKind::Appliance, "appliance-reply", format!("the appliance answered nonsense: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use guestconv_core::protocol::Answer;

    fn framed(json: &str) -> Vec<u8> {
        [REPLY_MAGIC, format!("{:08x}\n{json}", json.len()).as_bytes()].concat()
    }

    fn code(pieces: &[&[u8]]) -> Option<String> {
        let mut incoming = Incoming::default();
        let pushed = pieces.iter().try_for_each(|piece| incoming.push(piece));
        pushed.and_then(|()| incoming.parse().map(drop)).err().map(|error| error.code().to_owned())
    }

    #[test]
    fn only_a_whole_reply_of_our_version_is_one() {
        let reply = Reply {
            version: VERSION.to_owned(),
            answer: Answer::Manifest(vec!["a".into()]),
            timings: vec![],
        };
        let json = serde_json::to_string(&reply).unwrap();
        let good = framed(&json);
        let (nonsense, version) = (Some("appliance-reply"), Some("appliance-version"));
        let too_long = [REPLY_MAGIC, b"ffffffff\n"].concat();
        for (pieces, expected) in [
            (vec![good.as_slice()], None),
            (good.chunks(1).collect(), None),
            (vec![b"noise of a kernel".as_slice(), &good], None),
            (vec![b"...".as_slice(), b".", &good], None),
            (vec![&[b'.'; 100_000], &good], None),
            (vec![&[b'.'; SIGNS_CAP + 1]], nonsense),
            (vec![&good[..good.len() - 1]], nonsense),
            (vec![&good, b"x"], nonsense),
            (vec![b"".as_slice()], nonsense),
            (vec![&[b'x'; 5000]], nonsense),
            (vec![&too_long], nonsense),
            (vec![&[REPLY_MAGIC, b"0000+001\n1"].concat()], nonsense),
            (vec![&framed("{}")], nonsense),
            (vec![&framed(&json.replace("\"a\"", &["\"\""; 2_000_000].join(",")))], nonsense),
            (vec![&framed(&json.replace("\"a\"", &["\"[,\\\",\""; 200_000].join(",")))], None),
            (vec![&framed(&json.replace("\"a\"", &"[".repeat(100)))], nonsense),
            (vec![&framed(&json.replace('{', "{\"more\":1,"))], nonsense),
            (vec![&framed(&json.replace(VERSION, "0.0.9"))], version),
        ] {
            let shown = String::from_utf8_lossy(&pieces.concat()).into_owned();
            assert_eq!(code(&pieces).as_deref(), expected, "{shown:.200}");
        }
    }
}
