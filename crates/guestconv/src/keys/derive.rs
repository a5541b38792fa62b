//! Makes the key of a slot of a passphrase. What the header asks for is the guest's word: it has limits.

use argon2::{Algorithm, Argon2, Params, Version};
use guestconv_core::formats::luks::Kdf;

/// The most times that PBKDF2 is repeated: a machine of today makes some ten million in the two seconds that cryptsetup takes.
const ITERATIONS_CAP: u32 = 200_000_000;
/// The most memory that Argon2 may take, in KiB: LUKS2's own limit.
const MEMORY_CAP_KIB: u32 = 4 << 20;
/// The most KiB that Argon2 fills in all its passes.
const FILLED_CAP_KIB: u64 = 64 << 20;
/// The most bytes of a key.
const KEY_CAP_BYTES: usize = 512;

/// Returns the key; `None` if what the header asks for is beyond the limits, or makes no sense.
pub(super) fn derived(kdf: &Kdf, passphrase: &[u8]) -> Option<Vec<u8>> {
    match kdf {
        Kdf::Pbkdf2 { hash, iterations, salt, key_bytes } => {
            (*iterations <= ITERATIONS_CAP && (1..=KEY_CAP_BYTES).contains(key_bytes)).then_some(())?;
            let mut key = vec![0; *key_bytes];
            hash.pbkdf2(passphrase, salt, *iterations, &mut key);
            Some(key)
        }
        Kdf::Argon2 { is_id, passes, memory_kib, lanes, salt, key_bytes } => {
            let filled_kib = u64::from(*memory_kib) * u64::from(*passes);
            let is_within = *memory_kib <= MEMORY_CAP_KIB
                && filled_kib <= FILLED_CAP_KIB
                && (1..=KEY_CAP_BYTES).contains(key_bytes);
            is_within.then_some(())?;
            let params = Params::new(*memory_kib, *passes, *lanes, Some(*key_bytes)).ok()?;
            let algorithm = if *is_id { Algorithm::Argon2id } else { Algorithm::Argon2i };
            let mut key = vec![0; *key_bytes];
            Argon2::new(algorithm, Version::V0x13, params)
                .hash_password_into(passphrase, salt, &mut key)
                .ok()?;
            Some(key)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guestconv_core::formats::block::hex;
    use guestconv_core::formats::luks::Hash;

    fn pbkdf2(iterations: u32, key_bytes: usize) -> Kdf {
        Kdf::Pbkdf2 { hash: Hash::Sha1, iterations, salt: b"salt".to_vec(), key_bytes }
    }

    fn argon2(is_id: bool, passes: u32, memory_kib: u32) -> Kdf {
        let salt = b"somesalt".to_vec();
        Kdf::Argon2 { is_id, passes, memory_kib, lanes: 1, salt, key_bytes: 32 }
    }

    #[test]
    fn keys_are_those_of_the_standards() {
        let made = |kdf: &Kdf| derived(kdf, b"password").map(|key| hex(&key));
        // RFC 6070, and the test vectors of Argon2's reference implementation.
        assert_eq!(made(&pbkdf2(2, 20)).unwrap(), "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");
        let id = made(&argon2(true, 2, 65536)).unwrap();
        assert_eq!(id, "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7");
        let i = made(&argon2(false, 2, 65536)).unwrap();
        assert_eq!(i, "c1628832147d9720c5bd1cfd61367078729f6dfb6f8fea9ff98158e0d7816ed0");
    }

    #[test]
    fn what_would_never_end_is_not_begun() {
        for kdf in [
            pbkdf2(u32::MAX, 20),
            pbkdf2(1, 1 << 20),
            pbkdf2(1, 0),
            argon2(true, 1, u32::MAX),
            argon2(true, u32::MAX, 65536),
            argon2(true, 0, 65536),
            argon2(true, 4, 0),
        ] {
            assert_eq!(derived(&kdf, b"password"), None, "{kdf:?}");
        }
    }
}
