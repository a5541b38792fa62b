use super::*;

fn put(bytes: &mut [u8], at: usize, part: &[u8]) {
    bytes[at..at + part.len()].copy_from_slice(part);
}

fn header_1() -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    put(&mut bytes, 0, b"LUKS\xba\xbe\x00\x01aes");
    put(&mut bytes, 40, b"cbc-essiv:sha256");
    put(&mut bytes, 72, b"sha1");
    put(&mut bytes, 104, &4096u32.to_be_bytes());
    put(&mut bytes, 108, &32u32.to_be_bytes());
    put(&mut bytes, 112, &[3; 20]);
    put(&mut bytes, 132, &[4; 32]);
    put(&mut bytes, 164, &1000u32.to_be_bytes());
    put(&mut bytes, 168, b"00000000-1111-4222-8333-444444444444");
    // The second slot.
    put(&mut bytes, 256, &[0, 0xac, 0x71, 0xf3]);
    put(&mut bytes, 260, &2000u32.to_be_bytes());
    put(&mut bytes, 264, &[5; 32]);
    put(&mut bytes, 296, &264u32.to_be_bytes());
    put(&mut bytes, 300, &4000u32.to_be_bytes());
    bytes
}

const JSON: &str = r#"{
 "keyslots": {
  "0": {"type":"luks2","key_size":64,"af":{"type":"luks1","stripes":4000,"hash":"sha256"},
    "area":{"type":"raw","offset":"32768","size":"258048","encryption":"aes-xts-plain64","key_size":64},
    "kdf":{"type":"argon2id","time":4,"memory":65536,"cpus":2,"salt":"AAEC"}},
  "1": {"type":"luks2","key_size":64,"priority":0,"af":{"type":"luks1","stripes":4000,"hash":"sha256"},
    "area":{"type":"raw","offset":"290816","size":"258048","encryption":"aes-xts-plain64","key_size":64},
    "kdf":{"type":"pbkdf2","hash":"sha256","iterations":1000,"salt":"AAEC"}},
  "2": {"type":"luks2","key_size":64,"priority":2,"af":{"type":"luks1","stripes":4000,"hash":"sha256"},
    "area":{"type":"raw","offset":"548864","size":"258048","encryption":"aes-xts-plain64","key_size":64},
    "kdf":{"type":"pbkdf2","hash":"sha512","iterations":1000,"salt":"AAEC"}},
  "3": {"type":"reencrypt","key_size":1}
 },
 "tokens": {"0":{"type":"clevis","keyslots":["1"]}},
 "segments": {"0":{"type":"crypt","offset":"16777216","size":"dynamic","iv_tweak":"0","encryption":"aes-xts-plain64","sector_size":4096}},
 "digests": {"0":{"type":"pbkdf2","keyslots":["0","1","2","3"],"segments":["0"],"hash":"sha256","iterations":1000,
    "salt":"AAEC","digest":"AAECAwQFBgcICQoLDA0ODw=="}},
 "config": {"json_size":"12288","keyslots_size":"16744448"}
}"#;

/// A header of version 2 with its copy, whose counts of changes are given.
fn header_2(json: &str, sequences: [u64; 2]) -> Vec<u8> {
    use sha2::Digest as _;
    let mut both = Vec::new();
    for (magic, at, sequence) in
        [(b"LUKS\xba\xbe", 0u64, sequences[0]), (b"SKUL\xba\xbe", 16384, sequences[1])]
    {
        let mut bytes = vec![0; 16384];
        put(&mut bytes, 0, magic);
        put(&mut bytes, 6, &[0, 2]);
        put(&mut bytes, 8, &16384u64.to_be_bytes());
        put(&mut bytes, 16, &sequence.to_be_bytes());
        put(&mut bytes, 72, b"sha256");
        put(&mut bytes, 168, format!("copy-{sequence}").as_bytes());
        put(&mut bytes, 256, &at.to_be_bytes());
        put(&mut bytes, 4096, json.as_bytes());
        let sum = sha2::Sha256::digest(&bytes);
        put(&mut bytes, 448, &sum);
        both.extend(bytes);
    }
    both
}

#[test]
fn version_1_is_read() {
    let content = |start_sectors, sectors| Content {
        cipher: "aes-cbc-essiv:sha256".into(),
        start_sectors,
        sectors,
        first_iv: 0,
        sector_bytes: 512,
    };
    let slot = Slot {
        number: 1,
        kdf: Kdf::Pbkdf2 { hash: Hash::Sha1, iterations: 2000, salt: vec![5; 32], key_bytes: 32 },
        area: content(264, Some(250)),
        stripes: 4000,
        spread_by: Hash::Sha1,
        key_bytes: 32,
        digest: Digest { hash: Hash::Sha1, iterations: 1000, salt: vec![4; 32], value: vec![3; 20] },
    };
    let expected = Header {
        version: 1,
        uuid: "00000000-1111-4222-8333-444444444444".into(),
        slots: vec![slot],
        content: content(4096, None),
        tokens: Vec::new(),
    };
    assert_eq!(read(&header_1()).unwrap(), Ok(expected));
}

#[test]
fn version_2_is_read_from_the_newest_copy() {
    let found = read(&header_2(JSON, [7, 6])).unwrap().unwrap();
    assert_eq!(
        (found.version, found.uuid.as_str(), found.tokens.as_slice()),
        (2, "copy-7", ["clevis".to_owned()].as_slice())
    );
    let content = Content {
        cipher: "aes-xts-plain64".into(),
        start_sectors: 32768,
        sectors: None,
        first_iv: 0,
        sector_bytes: 4096,
    };
    assert_eq!(found.content, content);
    let kdf = |slot: &Slot| (slot.number, slot.kdf.clone());
    let argon2 = Kdf::Argon2 {
        is_id: true,
        passes: 4,
        memory_kib: 65536,
        lanes: 2,
        salt: vec![0, 1, 2],
        key_bytes: 64,
    };
    let pbkdf2 = Kdf::Pbkdf2 { hash: Hash::Sha512, iterations: 1000, salt: vec![0, 1, 2], key_bytes: 64 };
    assert_eq!(found.slots.iter().map(kdf).collect::<Vec<_>>(), [(2, pbkdf2), (0, argon2)]);
    assert_eq!((found.slots[0].area.start_sectors, found.slots[0].area.sectors), (1072, Some(504)));
    assert_eq!(found.slots[0].area_bytes(), 256_000);
    assert_eq!(read(&header_2(JSON, [7, 8])).unwrap().unwrap().uuid, "copy-8");
    for (at, uuid) in [(170, "copy-8"), (16384 + 170, "copy-7")] {
        let mut damaged = header_2(JSON, [7, 8]);
        damaged[at] ^= 1;
        assert_eq!(read(&damaged).unwrap().unwrap().uuid, uuid);
    }
}

#[test]
fn what_is_damaged_or_not_known_is_told() {
    let with = |from: &str, to: &str| header_2(&JSON.replacen(from, to, 1), [1, 1]);
    let harm = |at: usize| {
        let mut bytes = header_1();
        bytes[at] ^= 0xff;
        bytes
    };
    for (header, expected) in [
        (
            with("\"config\": {", "\"config\": {\"requirements\":{\"mandatory\":[\"online-reencrypt-v2\"]},"),
            "its header says that one must know \"online-reencrypt-v2\", which is not read",
        ),
        (
            with("\"sector_size\":4096", "\"integrity\":{}"),
            "its header says that the content is also guarded by dm-integrity, which is not read",
        ),
        (
            with("\"segments\": {", "\"segments\": {\"1\":{},"),
            "its header says that the content is in 2 parts, which is not read",
        ),
        (
            with("aes-xts-plain64\",\"sector_size", "aes xts\",\"sector_size"),
            "its header is damaged: the name of its cipher",
        ),
        (with("{", "["), "its header is damaged: its JSON"),
        (
            vec![b'L', b'U', b'K', b'S', 0xba, 0xbe, 0, 2],
            "its header is damaged: neither it nor its copy has the checksum that it says",
        ),
        (
            vec![b'L', b'U', b'K', b'S', 0xba, 0xbe, 0, 3],
            "its header is damaged: its version is neither 1 nor 2",
        ),
        (harm(72), "its header says the hash \"\u{fffd}ha1\", which is not read"),
        (harm(168), "its header is damaged: its UUID"),
        (harm(108), "its header is damaged: the length of its key"),
        (harm(300), "its header is damaged: the pieces of a slot"),
    ] {
        let found = read(&header).unwrap();
        assert_eq!(found.unwrap_err().to_string(), expected);
    }
    for header in [header_1(), header_2(JSON, [1, 2])] {
        for at in (0..5000).step_by(7) {
            let mut bytes = header.clone();
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 0xff;
            }
            let _ = read(&bytes).unwrap();
            let _ = read(&bytes[..at.min(bytes.len())].to_vec()).unwrap();
        }
    }
}

#[test]
fn a_spread_key_is_put_together_and_told_by_its_digest() {
    let key: Vec<u8> = (0..64).collect();
    let stripes = 5;
    for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha512, Hash::Ripemd160, Hash::Whirlpool] {
        // All pieces but the last are noise, so that the last makes the key come out.
        let mut area: Vec<u8> = (0..64 * (stripes - 1)).map(|n| (n * 31 % 251) as u8).collect();
        area.extend([0; 64]);
        let without = af::merged(&area, 64, stripes, hash).unwrap();
        let last: Vec<u8> = without.iter().zip(&key).map(|(one, other)| one ^ other).collect();
        area[64 * (stripes - 1)..].copy_from_slice(&last);
        let mut value = vec![0; 20];
        hash.pbkdf2(&key, b"salt", 10, &mut value);
        let slot = Slot {
            stripes: stripes as u32,
            spread_by: hash,
            key_bytes: 64,
            digest: Digest { hash, iterations: 10, salt: b"salt".to_vec(), value },
            ..read(&header_1()).unwrap().unwrap().slots.remove(0)
        };
        assert_eq!(slot.volume_key(&area, false), Some(key.clone()), "{hash:?}");
        area[3] ^= 1;
        assert_eq!(slot.volume_key(&area, false), None, "{hash:?}");
        assert_eq!(slot.volume_key(&area[..100], true), None, "{hash:?}");
    }
}

#[test]
fn pbkdf2_is_that_of_rfc_6070() {
    let mut made = [0; 20];
    Hash::Sha1.pbkdf2(b"password", b"salt", 4096, &mut made);
    assert_eq!(crate::formats::block::hex(&made), "4b007901b765489abead49d926f721d065a429c1");
}
