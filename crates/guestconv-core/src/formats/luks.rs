//! LUKS: the header of an encrypted device, its key slots, and how a slot gives the key of the volume.
//!
//! On disk: version 1 has one binary header ("LUKS On-Disk Format Specification" 1.2.3), version 2 two copies of a binary
//! header with JSON behind it ("LUKS2 On-Disk Format Specification" 1.1.3). A slot holds the volume's key, spread over many
//! sectors and encrypted by what a key derivation function makes of a passphrase. That function takes a gigabyte or a second
//! on purpose, so that it runs on the host: we name it ([`Kdf`]), and are given what it made.

mod af;
mod v1;
mod v2;

use crate::formats::block::ReadAt;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;

/// The header of an encrypted device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// 1 or 2.
    pub version: u32,
    /// As blkid prints it.
    pub uuid: String,
    /// The slots that hold a key, those to be tried first in front.
    pub slots: Vec<Slot>,
    /// Where the encrypted content is.
    pub content: Content,
    /// What opens it beside passphrases, by the names of its tokens: `clevis`, `systemd-tpm2`.
    pub tokens: Vec<String>,
}

/// A slot with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its number.
    pub number: u32,
    /// What makes the slot's key of a passphrase.
    pub kdf: Kdf,
    /// Where the spread key is.
    pub area: Content,
    /// Over how many pieces it is spread.
    stripes: u32,
    /// How it is spread.
    spread_by: Hash,
    /// How long the volume's key is, in bytes.
    key_bytes: usize,
    /// What the volume's key is told by.
    digest: Digest,
}

/// A range of the device that is encrypted in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The cipher as the kernel's dm-crypt takes it: `aes-xts-plain64`.
    pub cipher: String,
    /// Where it begins, in sectors of 512 bytes.
    pub start_sectors: u64,
    /// How long it is, in sectors; `None` if it goes to the end of the device.
    pub sectors: Option<u64>,
    /// The number of the first sector for the cipher.
    pub first_iv: u64,
    /// Size of what is encrypted at once.
    pub sector_bytes: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Digest {
    hash: Hash,
    iterations: u32,
    salt: Vec<u8>,
    value: Vec<u8>,
}

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Hash {
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// RIPEMD-160.
    Ripemd160,
    /// Whirlpool.
    Whirlpool,
}

/// What makes a key of a passphrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Kdf {
    /// PBKDF2 with HMAC (RFC 8018).
    Pbkdf2 {
        /// The hash.
        hash: Hash,
        /// How many times.
        iterations: u32,
        /// The salt.
        salt: Vec<u8>,
        /// How many bytes it makes.
        key_bytes: usize,
    },
    /// Argon2 (RFC 9106), version 1.3.
    Argon2 {
        /// Whether it is Argon2id; else Argon2i.
        is_id: bool,
        /// How many passes.
        passes: u32,
        /// How much memory, in KiB.
        memory_kib: u32,
        /// How many lanes.
        lanes: u32,
        /// The salt.
        salt: Vec<u8>,
        /// How many bytes it makes.
        key_bytes: usize,
    },
}

/// Why a header cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Neither it nor its copy is intact.
    Damaged(&'static str),
    /// It says something that is not read here.
    Unknown(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(what) => write!(f, "its header is damaged: {what}"),
            Self::Unknown(what) => write!(f, "its header says {what}, which is not read"),
        }
    }
}

/// The longest key of a volume or slot, in bytes: two of 256 bits, and one for integrity.
const CAP_KEY_BYTES: u64 = 512;
/// The most pieces of a spread key; all tools make 4000.
const CAP_STRIPES: u64 = 16_000;
/// The most times that a digest is made of a key; tools make what takes an eighth of a second.
const CAP_DIGEST_ITERATIONS: u64 = 16_000_000;

/// Reads the header of a device that begins with LUKS's magic.
///
/// # Errors
/// The device's error; within, why the header cannot be used.
pub fn read(device: &dyn ReadAt) -> io::Result<Result<Header, Unusable>> {
    let start = device.bytes_at(0, 4096)?;
    match start.get(6..8) {
        Some([0, 1]) => Ok(v1::header(&start)),
        Some([0, 2]) => v2::header(device),
        _ => Ok(Err(Unusable::Damaged("its version is neither 1 nor 2"))),
    }
}

impl Slot {
    /// Returns the volume's key out of the decrypted bytes of the slot's area; `None` if the key that they were decrypted
    /// with is none of this volume. A key `is_known` if it was told by the digest before, which takes an eighth of a second.
    pub fn volume_key(&self, area: &[u8], is_known: bool) -> Option<Vec<u8>> {
        let stripes = usize::try_from(self.stripes).ok()?;
        let key = af::merged(area, self.key_bytes, stripes, self.spread_by)?;
        (is_known || self.digest.is_of(&key)).then_some(key)
    }

    /// Returns how many bytes of the slot's area hold the key.
    pub fn area_bytes(&self) -> usize {
        usize::try_from(self.stripes).unwrap_or(0).saturating_mul(self.key_bytes)
    }
}

impl Digest {
    fn is_of(&self, key: &[u8]) -> bool {
        let mut made = vec![0; self.value.len()];
        self.hash.pbkdf2(key, &self.salt, self.iterations, &mut made);
        made == self.value
    }
}

impl Hash {
    /// Returns the hash of that name as cryptsetup writes it.
    fn named(name: &str) -> Result<Self, Unusable> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "sha1" => Self::Sha1,
            "sha224" => Self::Sha224,
            "sha256" => Self::Sha256,
            "sha384" => Self::Sha384,
            "sha512" => Self::Sha512,
            "ripemd160" => Self::Ripemd160,
            "whirlpool" => Self::Whirlpool,
            other => return Err(Unusable::Unknown(format!("the hash {other:?}"))),
        })
    }

    /// Fills `made` with PBKDF2 of a password.
    pub fn pbkdf2(self, password: &[u8], salt: &[u8], iterations: u32, made: &mut [u8]) {
        use pbkdf2::pbkdf2_hmac;
        match self {
            Self::Sha1 => pbkdf2_hmac::<sha1::Sha1>(password, salt, iterations, made),
            Self::Sha224 => pbkdf2_hmac::<sha2::Sha224>(password, salt, iterations, made),
            Self::Sha256 => pbkdf2_hmac::<sha2::Sha256>(password, salt, iterations, made),
            Self::Sha384 => pbkdf2_hmac::<sha2::Sha384>(password, salt, iterations, made),
            Self::Sha512 => pbkdf2_hmac::<sha2::Sha512>(password, salt, iterations, made),
            Self::Ripemd160 => pbkdf2_hmac::<ripemd::Ripemd160>(password, salt, iterations, made),
            Self::Whirlpool => pbkdf2_hmac::<whirlpool::Whirlpool>(password, salt, iterations, made),
        }
    }

    fn of(self, parts: &[&[u8]]) -> Vec<u8> {
        use sha2::Digest as _;
        let bytes = parts.concat();
        match self {
            Self::Sha1 => sha1::Sha1::digest(bytes).to_vec(),
            Self::Sha224 => sha2::Sha224::digest(bytes).to_vec(),
            Self::Sha256 => sha2::Sha256::digest(bytes).to_vec(),
            Self::Sha384 => sha2::Sha384::digest(bytes).to_vec(),
            Self::Sha512 => sha2::Sha512::digest(bytes).to_vec(),
            Self::Ripemd160 => ripemd::Ripemd160::digest(bytes).to_vec(),
            Self::Whirlpool => whirlpool::Whirlpool::digest(bytes).to_vec(),
        }
    }
}

/// Returns a number that is at least 1 and at most `cap`.
fn within(what: &'static str, number: u64, cap: u64) -> Result<u32, Unusable> {
    let number = Some(number).filter(|number| (1..=cap).contains(number));
    number.and_then(|number| u32::try_from(number).ok()).ok_or(Unusable::Damaged(what))
}

fn key_length(what: &'static str, bytes: u64) -> Result<usize, Unusable> {
    within(what, bytes, CAP_KEY_BYTES).map(|bytes| usize::try_from(bytes).unwrap_or(0))
}

/// Returns the UUID in a field of the header: it becomes part of names.
fn uuid(field: &[u8]) -> Result<String, Unusable> {
    let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
    let is_uuid = !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    is_uuid.then(|| String::from_utf8_lossy(text).into_owned()).ok_or(Unusable::Damaged("its UUID"))
}

/// Fails unless the name of a cipher is one word: it becomes part of a table of the device mapper.
fn cipher(name: &str) -> Result<String, Unusable> {
    let is_part =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'_' | b'(' | b')' | b',');
    let is_name = !name.is_empty() && name.len() <= 64 && name.bytes().all(is_part);
    is_name.then(|| name.to_owned()).ok_or(Unusable::Damaged("the name of its cipher"))
}

#[cfg(test)]
mod tests;
