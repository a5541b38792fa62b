//! The spreading of a key over many pieces, so that no few sectors that were kept give it away (LUKS 1.2.3, section 2.4).

use super::Hash;

/// Returns the key out of its pieces; `None` if there are too few.
pub(super) fn merged(pieces: &[u8], key_bytes: usize, stripes: usize, hash: Hash) -> Option<Vec<u8>> {
    let pieces = pieces.get(..key_bytes.checked_mul(stripes)?)?;
    let mut pieces = pieces.chunks_exact(key_bytes);
    let last = pieces.next_back()?;
    let mut key = vec![0; key_bytes];
    for piece in pieces {
        xor(&mut key, piece);
        key = diffused(&key, hash);
    }
    xor(&mut key, last);
    Some(key)
}

fn xor(key: &mut [u8], piece: &[u8]) {
    key.iter_mut().zip(piece).for_each(|(byte, other)| *byte ^= other);
}

/// Hashes each part of the length of a hash with its number before it.
fn diffused(key: &[u8], hash: Hash) -> Vec<u8> {
    let length = hash.of(&[]).len();
    let mut next = Vec::with_capacity(key.len());
    for (number, part) in (0_u32..).zip(key.chunks(length)) {
        let hashed = hash.of(&[&number.to_be_bytes(), part]);
        next.extend(hashed.into_iter().take(part.len()));
    }
    next
}
