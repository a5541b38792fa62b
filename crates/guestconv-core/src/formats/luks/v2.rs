//! The header of version 2: a binary part of 4 KiB, JSON behind it, and a copy of both.

use super::{
    CAP_DIGEST_ITERATIONS, CAP_STRIPES, Content, Digest, Hash, Header, Kdf, Slot, Unusable, cipher,
    key_length, uuid, within,
};
use crate::formats::block::{ReadAt, be64, has};
use base64ct::{Base64, Encoding as _};
use serde_json::Value;
use sha2::{Sha256, Sha512};
use std::io;

/// The most slots; LUKS2 has 32.
const CAP_SLOTS: usize = 32;
/// The sizes that a header may have, in bytes; its copy is behind it.
const SIZES: [u64; 9] =
    [16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20];
const BINARY_BYTES: usize = 4096;
const CHECKSUM_AT: usize = 448;
/// A slot that is only used if it is asked for has the priority 0, one that goes first 2.
const IGNORED: u64 = 0;

/// Reads the newer of the two copies that is intact.
pub(super) fn header(device: &dyn ReadAt) -> io::Result<Result<Header, Unusable>> {
    let mut found: Option<(u64, Vec<u8>)> = None;
    for (at, magic) in std::iter::once((0, b"LUKS\xba\xbe")).chain(SIZES.map(|size| (size, b"SKUL\xba\xbe")))
    {
        let start = device.bytes_at(at, 512)?;
        let size = be64(&start, 8).unwrap_or(0);
        if !has(&start, 0, magic) || !SIZES.contains(&size) || be64(&start, 256) != Some(at) {
            continue;
        }
        let whole = device.bytes_at(at, usize::try_from(size).unwrap_or(0))?;
        let sequence = be64(&start, 16).unwrap_or(0);
        if is_intact(&whole) && found.as_ref().is_none_or(|(other, _)| *other < sequence) {
            found = Some((sequence, whole));
        }
    }
    let Some((_, whole)) = found else {
        return Ok(Err(Unusable::Damaged("neither it nor its copy has the checksum that it says")));
    };
    Ok(parsed(&whole))
}

fn is_intact(whole: &[u8]) -> bool {
    let Some((before, rest)) = whole.split_at_checked(CHECKSUM_AT) else { return false };
    let Some((sum, behind)) = rest.split_at_checked(64) else { return false };
    let bytes = [before, &[0; 64], behind];
    match whole.get(72..104).map(|name| name.split(|byte| *byte == 0).next().unwrap_or_default()) {
        Some(b"sha256") => sum.starts_with(&hashed::<Sha256>(&bytes)),
        Some(b"sha512") => sum.starts_with(&hashed::<Sha512>(&bytes)),
        _ => false,
    }
}

fn hashed<D: sha2::Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut hash = D::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().to_vec()
}

fn parsed(whole: &[u8]) -> Result<Header, Unusable> {
    let uuid = uuid(whole.get(168..208).unwrap_or_default())?;
    let json =
        whole.get(BINARY_BYTES..).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
    let json: Value = serde_json::from_slice(json).map_err(|_| Unusable::Damaged("its JSON"))?;
    if let Some(Value::Array(needed)) = json.pointer("/config/requirements/mandatory")
        && let Some(first) = needed.first()
    {
        return Err(Unusable::Unknown(format!("that one must know {first}")));
    }
    let mut slots = Vec::new();
    for (name, slot) in members(&json, "keyslots").take(CAP_SLOTS) {
        let priority = slot.get("priority").and_then(Value::as_u64);
        let number = name.parse().map_err(|_| Unusable::Damaged("the number of a slot"))?;
        // A slot that we cannot read may have others beside it.
        if let Some(digest) = digest(&json, name)?
            && let Ok(slot) = self::slot(number, slot, digest)
        {
            slots.push((priority, slot));
        }
    }
    slots.retain(|(priority, _)| *priority != Some(IGNORED));
    slots.sort_by_key(|(priority, slot)| (std::cmp::Reverse(*priority), slot.number));
    let tokens = members(&json, "tokens").filter_map(|(_, token)| text(token, "type").map(str::to_owned));
    Ok(Header {
        version: 2,
        uuid,
        slots: slots.into_iter().map(|(_, slot)| slot).collect(),
        content: content(&json)?,
        tokens: tokens.take(CAP_SLOTS).collect(),
    })
}

fn content(json: &Value) -> Result<Content, Unusable> {
    let segments: Vec<&Value> = members(json, "segments").map(|(_, segment)| segment).collect();
    let [segment] = segments.as_slice() else {
        return Err(Unusable::Unknown(format!("that the content is in {} parts", segments.len())));
    };
    if segment.get("integrity").is_some() {
        return Err(Unusable::Unknown("that the content is also guarded by dm-integrity".into()));
    }
    let wrong = Unusable::Damaged("its segment");
    let sectors = match text(segment, "size") {
        Some("dynamic") => None,
        Some(size) => Some(size.parse::<u64>().map_err(|_| wrong.clone())? / 512),
        None => return Err(wrong),
    };
    Ok(Content {
        cipher: cipher(text(segment, "encryption").unwrap_or_default())?,
        start_sectors: decimal(segment, "offset").ok_or_else(|| wrong.clone())? / 512,
        sectors,
        first_iv: decimal(segment, "iv_tweak").ok_or(wrong)?,
        sector_bytes: within("its sectors", number(segment, "sector_size"), 4096)?,
    })
}

fn slot(number_of: u32, slot: &Value, digest: Digest) -> Result<Slot, Unusable> {
    let wrong = || Unusable::Damaged("a slot");
    let (area, af, kdf) = match (slot.get("area"), slot.get("af"), slot.get("kdf")) {
        (Some(area), Some(af), Some(kdf)) => (area, af, kdf),
        _ => return Err(wrong()),
    };
    let key_bytes = key_length("the length of a slot's key", number(area, "key_size"))?;
    let salt = bytes(kdf, "salt").ok_or_else(wrong)?;
    let kdf = match text(kdf, "type") {
        Some("pbkdf2") => Kdf::Pbkdf2 {
            hash: Hash::named(text(kdf, "hash").unwrap_or_default())?,
            iterations: within("a slot", number(kdf, "iterations"), u64::from(u32::MAX))?,
            salt,
            key_bytes,
        },
        Some(kind @ ("argon2i" | "argon2id")) => Kdf::Argon2 {
            is_id: kind == "argon2id",
            passes: within("a slot", number(kdf, "time"), u64::from(u32::MAX))?,
            memory_kib: within("a slot", number(kdf, "memory"), u64::from(u32::MAX))?,
            lanes: within("a slot", number(kdf, "cpus"), 1024)?,
            salt,
            key_bytes,
        },
        other => return Err(Unusable::Unknown(format!("the key derivation {other:?}"))),
    };
    Ok(Slot {
        number: number_of,
        kdf,
        area: Content {
            cipher: cipher(text(area, "encryption").unwrap_or_default())?,
            start_sectors: decimal(area, "offset").ok_or_else(wrong)? / 512,
            sectors: Some(decimal(area, "size").ok_or_else(wrong)? / 512),
            first_iv: 0,
            sector_bytes: 512,
        },
        stripes: within("the pieces of a slot", number(af, "stripes"), CAP_STRIPES)?,
        spread_by: Hash::named(text(af, "hash").unwrap_or_default())?,
        key_bytes: key_length("the length of its key", number(slot, "key_size"))?,
        digest,
    })
}

/// Returns the digest of the key that a slot holds; `None` if it holds no key of the content.
fn digest(json: &Value, slot: &str) -> Result<Option<Digest>, Unusable> {
    let wrong = || Unusable::Damaged("a digest");
    let is_of = |digest: &Value| {
        let slots = digest.get("keyslots").and_then(Value::as_array);
        let has_content = digest.get("segments").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
        has_content && slots.is_some_and(|slots| slots.iter().any(|name| name.as_str() == Some(slot)))
    };
    let Some((_, digest)) = members(json, "digests").find(|(_, digest)| is_of(digest)) else {
        return Ok(None);
    };
    let value = bytes(digest, "digest").filter(|value| (16..=64).contains(&value.len())).ok_or_else(wrong)?;
    Ok(Some(Digest {
        hash: Hash::named(text(digest, "hash").unwrap_or_default())?,
        iterations: within("a digest", number(digest, "iterations"), CAP_DIGEST_ITERATIONS)?,
        salt: bytes(digest, "salt").ok_or_else(wrong)?,
        value,
    }))
}

fn members<'a>(json: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    json.get(name).and_then(Value::as_object).into_iter().flatten()
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// Returns a number of JSON; 0 if there is none.
fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

/// Returns a number that is written as text, as LUKS2 writes all that may have 64 bits.
fn decimal(value: &Value, name: &str) -> Option<u64> {
    text(value, name)?.parse().ok()
}

fn bytes(value: &Value, name: &str) -> Option<Vec<u8>> {
    Base64::decode_vec(text(value, name)?).ok()
}
