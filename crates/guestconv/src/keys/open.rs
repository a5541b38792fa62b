//! Which keys are tried on which devices, until no more open.

use super::derive::derived;
use super::given::{Key, KeySelector};
use crate::error::{Error, ErrorKind, Result};
use guestconv_core::protocol::{Lock, SlotKey};
use std::collections::BTreeMap;

/// The most times that the appliance is asked what the keys open.
const ROUNDS_CAP: usize = 512;

/// The state of opening a guest's encrypted devices.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    keys: &'a [Key],
    passphrases: Vec<Vec<Vec<u8>>>,
    /// How many pairs of passphrase and slot were tried of each device, by its UUID.
    tried: BTreeMap<String, usize>,
    rounds: usize,
}

impl<'a> Opening<'a> {
    /// Reads the keys.
    ///
    /// # Errors
    /// `key-file-unreadable`.
    pub(crate) fn with(keys: &'a [Key]) -> Result<Self> {
        let passphrases = keys.iter().map(Key::passphrases).collect::<Result<_>>()?;
        Ok(Self { keys, passphrases, tried: BTreeMap::new(), rounds: 0 })
    }

    /// Takes note of what the slot keys opened, and adds those that are to be tried next. Returns whether there are any.
    pub(crate) fn next(&mut self, locks: &[Lock], slot_keys: &mut Vec<SlotKey>) -> bool {
        slot_keys.retain_mut(|key| {
            let opened = locks.iter().any(|lock| lock.uuid == key.uuid && lock.opened_by == Some(key.slot));
            key.is_known |= opened;
            opened
        });
        self.rounds += 1;
        if self.rounds > ROUNDS_CAP {
            return false;
        }
        let before = slot_keys.len();
        let closed = locks.iter().filter(|lock| lock.opened_by.is_none());
        slot_keys.extend(closed.filter_map(|lock| self.candidate(lock)));
        slot_keys.len() > before
    }

    /// Returns the next key of a device; `None` if all were tried.
    fn candidate(&mut self, lock: &Lock) -> Option<SlotKey> {
        let fitting = self.keys.iter().zip(&self.passphrases).filter(|(key, _)| key.is_for(lock));
        let passphrases: Vec<&Vec<u8>> = fitting.flat_map(|(_, passphrases)| passphrases).collect();
        let tried = self.tried.entry(lock.uuid.clone()).or_default();
        let pairs =
            passphrases.iter().flat_map(|passphrase| lock.slots.iter().map(move |slot| (passphrase, slot)));
        for (passphrase, (slot, kdf)) in pairs.skip(*tried) {
            *tried += 1;
            if let Some(key) = derived(kdf, passphrase) {
                return Some(SlotKey { uuid: lock.uuid.clone(), slot: *slot, key, is_known: false });
            }
        }
        None
    }

    /// Fails if a key that names a device opened nothing, or one for all did not open any of those that are there.
    ///
    /// # Errors
    /// `key-device-unknown`, `key-wrong`.
    pub(crate) fn require_used(&self, locks: &[Lock]) -> Result<()> {
        let names: Vec<&str> = locks.iter().map(|lock| lock.device.0.as_str()).collect();
        for key in self.keys {
            let KeySelector::Device(name) = &key.selector else { continue };
            if !locks.iter().any(|lock| key.is_for(lock)) {
                let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                let message =
                    format!("there is no encrypted device {name} for its key; encrypted are: {there}");
                return Err(Error::new(ErrorKind::InvalidArgument, "key-device-unknown", message));
            }
        }
        let is_named =
            |lock: &&Lock| self.keys.iter().any(|key| key.selector != KeySelector::All && key.is_for(lock));
        let mut closed = locks.iter().filter(|lock| lock.opened_by.is_none());
        let none_opened = locks.iter().all(|lock| lock.opened_by.is_none());
        let wrong = closed.find(|lock| none_opened || is_named(lock));
        wrong.map_or(Ok(()), |lock| {
            let message = format!(
                "no key that was given opens {}; it has {} key slots; check the passphrase",
                lock.device,
                lock.slots.len()
            );
            Err(Error::new(ErrorKind::InvalidArgument, "key-wrong", message))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guestconv_core::formats::luks::{Hash, Kdf};
    use guestconv_core::layout::DeviceName;

    fn lock(device: &str, slots: &[u32], opened_by: Option<u32>) -> Lock {
        let kdf = |_: &u32| Kdf::Pbkdf2 { hash: Hash::Sha256, iterations: 1, salt: vec![1], key_bytes: 4 };
        Lock {
            device: DeviceName(device.into()),
            uuid: format!("uuid-{device}"),
            opened_by,
            slots: slots.iter().map(|slot| (*slot, kdf(slot))).collect(),
        }
    }

    fn keys(texts: &[&str]) -> Vec<Key> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn every_passphrase_is_tried_on_every_slot_until_one_opens() {
        let keys = keys(&["all:key:a", "/dev/sdb:key:b"]);
        let mut opening = Opening::with(&keys).unwrap();
        let mut slot_keys = Vec::new();
        let closed = [lock("/dev/sda", &[0, 3], None), lock("/dev/sdb", &[1], None)];
        let tried = |slot_keys: &[SlotKey]| -> Vec<(String, u32, bool)> {
            slot_keys.iter().map(|key| (key.uuid.clone(), key.slot, key.is_known)).collect()
        };
        let (a, b) = ("uuid-/dev/sda".to_owned(), "uuid-/dev/sdb".to_owned());
        assert!(opening.next(&closed, &mut slot_keys));
        assert_eq!(tried(&slot_keys), [(a.clone(), 0, false), (b.clone(), 1, false)]);
        let first = slot_keys[1].key.clone();
        assert!(opening.next(&closed, &mut slot_keys));
        assert_eq!(tried(&slot_keys), [(a.clone(), 3, false), (b.clone(), 1, false)]);
        assert_ne!(slot_keys[1].key, first);
        let opened = [lock("/dev/sda", &[0, 3], Some(3)), lock("/dev/sdb", &[1], None)];
        assert!(!opening.next(&opened, &mut slot_keys));
        assert_eq!(tried(&slot_keys), [(a, 3, true)]);
        assert_eq!(opening.require_used(&opened).unwrap_err().code(), "key-wrong");
    }

    #[test]
    fn a_key_that_opens_nothing_is_told() {
        let (open, closed) = (Some(0), None);
        for (given, locks, expected) in [
            (vec!["all:key:x"], vec![], None),
            (vec!["all:key:x"], vec![("/dev/sda", open), ("/dev/sdb", closed)], None),
            (vec!["all:key:x"], vec![("/dev/sda", closed)], Some("key-wrong")),
            (vec!["/dev/sdb:key:x"], vec![("/dev/sda", open), ("/dev/sdb", closed)], Some("key-wrong")),
            (vec!["/dev/sdb:key:x"], vec![("/dev/sda", closed)], Some("key-device-unknown")),
            (vec!["/dev/sda:key:x"], vec![], Some("key-device-unknown")),
            (vec!["/dev/sda:key:x"], vec![("/dev/sda", open)], None),
        ] {
            let keys = keys(&given);
            let locks: Vec<Lock> = locks.into_iter().map(|(name, by)| lock(name, &[0], by)).collect();
            let result = Opening::with(&keys).unwrap().require_used(&locks);
            assert_eq!(result.err().map(|error| error.code().to_owned()).as_deref(), expected, "{given:?}");
        }
    }
}
