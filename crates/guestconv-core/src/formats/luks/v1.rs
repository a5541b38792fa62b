//! The header of version 1: 592 bytes, numbers big-endian.

use super::{
    CAP_DIGEST_ITERATIONS, CAP_STRIPES, Content, Digest, Hash, Header, Kdf, Slot, Unusable, cipher,
    key_length, uuid, within,
};
use crate::formats::block::{array, be32};

const SLOTS: usize = 8;
const SLOT_BYTES: usize = 48;
const SLOTS_AT: usize = 208;
const IN_USE: u32 = 0x00ac_71f3;

pub(super) fn header(bytes: &[u8]) -> Result<Header, Unusable> {
    let number = |at: usize| be32(bytes, at).ok_or(Unusable::Damaged("it is cut off"));
    let text = |at: usize, length: usize| {
        let field = bytes.get(at..at + length).ok_or(Unusable::Damaged("it is cut off"))?;
        let field = field.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(String::from_utf8_lossy(field).into_owned())
    };
    let cipher = cipher(&format!("{}-{}", text(8, 32)?, text(40, 32)?))?;
    let hash = Hash::named(&text(72, 32)?)?;
    let key_bytes = key_length("the length of its key", u64::from(number(108)?))?;
    let content = Content {
        cipher: cipher.clone(),
        start_sectors: u64::from(number(104)?),
        sectors: None,
        first_iv: 0,
        sector_bytes: 512,
    };
    let digest = Digest {
        hash,
        iterations: within("its digest", u64::from(number(164)?), CAP_DIGEST_ITERATIONS)?,
        salt: bytes.get(132..164).unwrap_or_default().to_vec(),
        value: array::<20>(bytes, 112).unwrap_or_default().to_vec(),
    };
    let mut slots = Vec::new();
    for slot in 0..SLOTS {
        let at = SLOTS_AT + slot * SLOT_BYTES;
        if number(at)? != IN_USE {
            continue;
        }
        let stripes = within("the pieces of a slot", u64::from(number(at + 44)?), CAP_STRIPES)?;
        let area_bytes = u64::from(stripes).saturating_mul(u64::try_from(key_bytes).unwrap_or(u64::MAX));
        let salt = bytes.get(at + 8..at + 40).unwrap_or_default().to_vec();
        slots.push(Slot {
            number: u32::try_from(slot).unwrap_or(0),
            kdf: Kdf::Pbkdf2 { hash, iterations: number(at + 4)?, salt, key_bytes },
            area: Content {
                cipher: cipher.clone(),
                start_sectors: u64::from(number(at + 40)?),
                sectors: Some(area_bytes.div_ceil(512)),
                first_iv: 0,
                sector_bytes: 512,
            },
            stripes,
            spread_by: hash,
            key_bytes,
            digest: digest.clone(),
        });
    }
    let uuid = uuid(bytes.get(168..208).unwrap_or_default())?;
    Ok(Header { version: 1, uuid, slots, content, tokens: Vec::new() })
}
