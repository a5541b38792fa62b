//! The beginning of a connection (NBD's `doc/proto.md`, "Newstyle negotiation"): what the export is, and what we agree on.

use super::stream::Stream;
use std::io::{self, ErrorKind};

const MAGIC: u64 = u64::from_be_bytes(*b"NBDMAGIC");
const OPTIONS: u64 = u64::from_be_bytes(*b"IHAVEOPT");
const OLD: u64 = 0x0000_4202_8186_1253;
const REPLY: u64 = 0x0003_e889_0455_65a9;

const FIXED: u16 = 1;
const NO_ZEROES: u16 = 2;

const GO: u32 = 7;
const STRUCTURED: u32 = 8;
const SET_CONTEXT: u32 = 10;

const ACK: u32 = 1;
const INFO: u32 = 3;
const CONTEXT: u32 = 4;
const IS_ERROR: u32 = 1 << 31;
const TLS_NEEDED: u32 = IS_ERROR | 5;
const NO_EXPORT: u32 = IS_ERROR | 6;

const INFO_EXPORT: u16 = 0;
const INFO_BLOCKS: u16 = 3;

const MAP: &str = "base:allocation";

/// The longest reply to an option, in bytes: a name and a description have 4096 each.
const REPLY_CAP_BYTES: u32 = 16 << 10;
/// How many replies one option may have: there are four kinds of information.
const REPLIES_CAP: usize = 64;
/// What a server that does not say it can be asked for at least, and at most.
const BLOCK_BYTES: u32 = 512;
const REQUEST_BYTES: u32 = 1 << 20;
/// The largest block that is read of a server that knows no smaller one.
const BLOCK_CAP_BYTES: u32 = 64 << 10;

/// What a server has, and what was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Export {
    pub(super) size_bytes: u64,
    /// All that is asked for begins and ends at a multiple of it.
    pub(super) block_bytes: u32,
    /// How much may be asked for at once.
    pub(super) request_bytes: u32,
    /// Whether answers come in chunks.
    pub(super) has_chunks: bool,
    /// The number of the map of holes, if the server tells it.
    pub(super) map: Option<u32>,
}

/// Why there is no export.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It has none of that name.
    Unknown,
    /// It speaks TLS only.
    Tls,
    /// It could not be understood.
    Failed(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Agrees with a server on an export.
pub(super) fn greet(stream: &mut Stream, export: &str) -> Result<Export, Refusal> {
    if stream.u64()? != MAGIC {
        return Err(nonsense("it speaks no NBD").into());
    }
    let flags = match stream.u64()? {
        OPTIONS => stream.u16()?,
        OLD => return Err(nonsense("it speaks NBD of before 2011").into()),
        _ => return Err(nonsense("it speaks no NBD").into()),
    };
    if flags & FIXED == 0 {
        return Err(nonsense("it speaks NBD of before 2013").into());
    }
    stream.send(&u32::from(flags & (FIXED | NO_ZEROES)).to_be_bytes())?;
    let has_chunks = option(stream, STRUCTURED, &[], |_, _| Ok(()))? == ACK;
    let map = if has_chunks { map(stream, export)? } else { None };
    go(stream, export, has_chunks, map)
}

/// Asks for the map of holes; a server need not have one.
fn map(stream: &mut Stream, export: &str) -> Result<Option<u32>, Refusal> {
    let mut number = None;
    let query = [named(export)?, 1u32.to_be_bytes().to_vec(), named(MAP)?].concat();
    option(stream, SET_CONTEXT, &query, |kind, data| {
        if let (CONTEXT, Some((id, name))) = (kind, data.split_first_chunk::<4>())
            && name == MAP.as_bytes()
        {
            number = Some(u32::from_be_bytes(*id));
        }
        Ok(())
    })?;
    Ok(number)
}

fn go(stream: &mut Stream, export: &str, has_chunks: bool, map: Option<u32>) -> Result<Export, Refusal> {
    let (mut size_bytes, mut blocks) = (None, (BLOCK_BYTES, REQUEST_BYTES));
    let wish = [named(export)?, [1, INFO_BLOCKS].map(u16::to_be_bytes).concat()].concat();
    let end = option(stream, GO, &wish, |kind, data| {
        if kind != INFO {
            return Ok(());
        }
        let (about, data) = data.split_first_chunk::<2>().ok_or_else(short)?;
        match u16::from_be_bytes(*about) {
            INFO_EXPORT => {
                let (size, _) = data.split_first_chunk::<8>().ok_or_else(short)?;
                size_bytes = Some(u64::from_be_bytes(*size));
            }
            INFO_BLOCKS => {
                let (least, data) = data.split_first_chunk::<4>().ok_or_else(short)?;
                let most = data.last_chunk::<4>().ok_or_else(short)?;
                blocks = (u32::from_be_bytes(*least), u32::from_be_bytes(*most));
            }
            _ => {}
        }
        Ok(())
    })?;
    match end {
        ACK => {}
        NO_EXPORT => return Err(Refusal::Unknown),
        TLS_NEEDED => return Err(Refusal::Tls),
        error => return Err(nonsense(&format!("it refused ({:#x})", error & !IS_ERROR)).into()),
    }
    let (block_bytes, most_bytes) = blocks;
    if !block_bytes.is_power_of_two() || block_bytes > BLOCK_CAP_BYTES || most_bytes < block_bytes {
        return Err(nonsense("the sizes of its blocks make no sense").into());
    }
    let size_bytes = size_bytes.filter(|size| *size <= i64::MAX.unsigned_abs());
    Ok(Export {
        size_bytes: size_bytes.ok_or_else(|| nonsense("it tells no size"))?,
        block_bytes,
        request_bytes: most_bytes.min(REQUEST_BYTES) / block_bytes * block_bytes,
        has_chunks,
        map,
    })
}

/// Asks for an option; returns how the replies ended. `on` is given what comes before.
fn option(
    stream: &mut Stream,
    option: u32,
    data: &[u8],
    mut on: impl FnMut(u32, &[u8]) -> io::Result<()>,
) -> io::Result<u32> {
    stream.begin();
    let length = u32::try_from(data.len()).map_err(io::Error::other)?;
    let numbers = [option.to_be_bytes(), length.to_be_bytes()].concat();
    stream.send(&[&OPTIONS.to_be_bytes(), numbers.as_slice(), data].concat())?;
    for _ in 0..REPLIES_CAP {
        if stream.u64()? != REPLY || stream.u32()? != option {
            return Err(nonsense("it answers something else"));
        }
        let (kind, length) = (stream.u32()?, stream.u32()?);
        if length > REPLY_CAP_BYTES {
            return Err(nonsense("its answer is too long"));
        }
        let mut data = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        stream.fill(&mut data)?;
        if kind == ACK || kind & IS_ERROR != 0 {
            return Ok(kind);
        }
        on(kind, &data)?;
    }
    Err(nonsense("its answer has no end"))
}

fn named(name: &str) -> io::Result<Vec<u8>> {
    let length = u32::try_from(name.len()).map_err(io::Error::other)?;
    Ok([&length.to_be_bytes(), name.as_bytes()].concat())
}

fn short() -> io::Error {
    nonsense("its answer is too short")
}

pub(super) fn nonsense(text: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text.to_owned())
}
