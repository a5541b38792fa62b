//! Requests to a server of NBD and its answers (NBD's `doc/proto.md`, "Transmission"), one after the other. A server may say
//! anything: what it says is counted against what was asked for, and after the first nonsense it is asked no more.

use super::handshake::{Export, nonsense};
use super::stream::Stream;
use std::io;

const REQUEST: u32 = 0x2560_9513;
const SIMPLE: u32 = 0x6744_6698;
const CHUNK: u32 = 0x668e_33ef;

const READ: u16 = 0;
const STATUS: u16 = 7;
const DISCONNECT: u16 = 2;

const IS_LAST: u16 = 1;
const NOTHING: u16 = 0;
const DATA: u16 = 1;
const HOLE: u16 = 2;
const EXTENTS: u16 = 5;
const IS_ERROR: u16 = 1 << 15;

/// Reads as zeroes.
const ZEROES: u32 = 2;
/// How many chunks one answer may have: one for each of the smallest blocks, and its end.
const CHUNKS_CAP: u64 = 4096;
/// How long the words of an error may be.
const WORDS_CAP_BYTES: u32 = 8192;
/// How long a list of extents may be.
const EXTENTS_CAP_BYTES: u32 = 8 << 20;
/// How much a server is asked about at once.
const STATUS_CAP_BYTES: u64 = 1 << 31;

/// A range of an export: so many bytes, and whether they are zeroes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) length: u64,
    pub(super) is_zeroes: bool,
}

/// What is sent, and what comes back.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    export: Export,
    cookie: u64,
    /// Why it can be asked no more.
    broken: Option<String>,
}

/// How a request went.
enum Answer {
    Done,
    /// The server could not do it, and can be asked again.
    Refused(io::Error),
}

impl Connection {
    pub(super) fn new(stream: Stream, export: Export) -> Self {
        Self { stream, export, cookie: 0, broken: None }
    }

    /// Reads into the buffer, whose length may be asked for at once.
    pub(super) fn read(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.asked(|own| {
            let length = u32::try_from(buffer.len()).map_err(io::Error::other)?;
            own.send(READ, offset, length)?;
            if own.export.has_chunks { own.read_chunks(buffer, offset) } else { own.read_simple(buffer) }
        })
    }

    /// Returns what is at `offset`, for at most `length` bytes; all of it is data if the server tells no map.
    pub(super) fn extent(&mut self, offset: u64, length: u64) -> io::Result<Range> {
        let Some(map) = self.export.map else { return Ok(Range { length, is_zeroes: false }) };
        let asked = length.min(STATUS_CAP_BYTES);
        let mut range = None;
        self.asked(|own| {
            own.send(STATUS, offset, u32::try_from(asked).map_err(io::Error::other)?)?;
            own.extents(map, &mut range)
        })?;
        let range = range.ok_or_else(|| nonsense("it tells no extents"))?;
        Ok(Range { length: range.length.min(length), ..range })
    }

    fn asked(&mut self, ask: impl FnOnce(&mut Self) -> io::Result<Answer>) -> io::Result<()> {
        if let Some(why) = &self.broken {
            return Err(io::Error::other(why.clone()));
        }
        self.stream.begin();
        match ask(self) {
            Ok(Answer::Done) => Ok(()),
            Ok(Answer::Refused(error)) => Err(error),
            Err(error) => {
                self.broken = Some(error.to_string());
                Err(error)
            }
        }
    }

    fn send(&mut self, command: u16, offset: u64, length: u32) -> io::Result<()> {
        self.cookie += 1;
        let mut request = Vec::with_capacity(28);
        request.extend(REQUEST.to_be_bytes());
        request.extend(0u16.to_be_bytes());
        request.extend(command.to_be_bytes());
        request.extend(self.cookie.to_be_bytes());
        request.extend(offset.to_be_bytes());
        request.extend(length.to_be_bytes());
        self.stream.send(&request)
    }

    fn read_simple(&mut self, buffer: &mut [u8]) -> io::Result<Answer> {
        if self.stream.u32()? != SIMPLE {
            return Err(nonsense("it answers something else"));
        }
        let error = self.stream.u32()?;
        self.require_cookie()?;
        if error != 0 {
            return Ok(Answer::Refused(refused(error, "")));
        }
        self.stream.fill(buffer)?;
        Ok(Answer::Done)
    }

    /// Data and holes may come in any order, but must be the whole.
    fn read_chunks(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<Answer> {
        let mut left = u64::try_from(buffer.len()).map_err(io::Error::other)?;
        self.chunks(|stream, kind, length| {
            let (at, count) = match kind {
                DATA if length < 8 => return Err(nonsense("its answer is too short")),
                DATA => (stream.u64()?, length - 8),
                HOLE if length == 12 => (stream.u64()?, stream.u32()?),
                _ => return Err(nonsense("it answers something else")),
            };
            let start = at.checked_sub(offset).and_then(|start| usize::try_from(start).ok());
            let part = start
                .zip(usize::try_from(count).ok())
                .and_then(|(start, count)| buffer.get_mut(start..start.checked_add(count)?));
            let part = part.ok_or_else(|| nonsense("it answers what was not asked for"))?;
            left = left.checked_sub(count.into()).ok_or_else(|| nonsense("it answers twice"))?;
            if kind == DATA {
                return stream.fill(part);
            }
            part.fill(0);
            Ok(())
        })
        .and_then(|answer| match answer {
            Answer::Done if left > 0 => Err(nonsense("its answer is not whole")),
            answer => Ok(answer),
        })
    }

    fn extents(&mut self, map: u32, range: &mut Option<Range>) -> io::Result<Answer> {
        self.chunks(|stream, kind, length| {
            if kind != EXTENTS || length < 12 || length % 8 != 4 || length > EXTENTS_CAP_BYTES {
                return Err(nonsense("it answers something else"));
            }
            let is_map = stream.u32()? == map;
            for _ in 0..length / 8 {
                let (length, flags) = (u64::from(stream.u32()?), stream.u32()?);
                let is_zeroes = flags & ZEROES != 0;
                match range {
                    _ if !is_map => {}
                    None if length == 0 => return Err(nonsense("one of its extents is empty")),
                    None => *range = Some(Range { length, is_zeroes }),
                    Some(_) => {}
                }
            }
            Ok(())
        })
    }

    /// Reads the chunks of one answer; `on` is given each that is no error, and reads what it holds.
    fn chunks(&mut self, mut on: impl FnMut(&mut Stream, u16, u32) -> io::Result<()>) -> io::Result<Answer> {
        let mut answer = Answer::Done;
        for _ in 0..CHUNKS_CAP {
            if self.stream.u32()? != CHUNK {
                return Err(nonsense("it answers something else"));
            }
            let (flags, kind) = (self.stream.u16()?, self.stream.u16()?);
            self.require_cookie()?;
            let length = self.stream.u32()?;
            match kind {
                NOTHING if length == 0 => {}
                kind if kind & IS_ERROR != 0 => answer = Answer::Refused(self.error(length)?),
                kind => on(&mut self.stream, kind, length)?,
            }
            if flags & IS_LAST != 0 {
                return Ok(answer);
            }
        }
        Err(nonsense("its answer has no end"))
    }

    fn error(&mut self, length: u32) -> io::Result<io::Error> {
        let rest = length.checked_sub(6).filter(|rest| *rest <= WORDS_CAP_BYTES);
        let rest = rest.ok_or_else(|| nonsense("its error makes no sense"))?;
        let (number, words) = (self.stream.u32()?, self.stream.u16()?);
        let mut text = vec![0; usize::try_from(rest).map_err(io::Error::other)?];
        self.stream.fill(&mut text)?;
        text.truncate(words.into());
        Ok(refused(number, &String::from_utf8_lossy(&text)))
    }

    fn require_cookie(&mut self) -> io::Result<()> {
        if self.stream.u64()? == self.cookie { Ok(()) } else { Err(nonsense("it answers another request")) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Courtesy: a server that is gone misses nothing.
        if self.broken.is_none() {
            drop(self.send(DISCONNECT, 0, 0));
        }
    }
}

/// The protocol's numbers of errors are Linux's.
fn refused(number: u32, words: &str) -> io::Error {
    let words = words.trim();
    match i32::try_from(number) {
        Ok(number) if words.is_empty() => io::Error::from_raw_os_error(number),
        _ => io::Error::other(words.to_owned()),
    }
}
