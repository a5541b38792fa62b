//! Keys as the caller gives them, in the syntax of libguestfs' tools: `SELECTOR:key:PASSPHRASE`, `SELECTOR:file:FILE`.

use crate::error::{Error, ErrorKind, Result};
use guestconv_core::formats::lvm2::mapper_name;
use guestconv_core::protocol::Lock;
use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::str::FromStr;

/// A key for encrypted devices.
///
/// ```
/// use guestconv::{Key, KeySelector};
/// let key: Key = "/dev/sda2:key:pass:phrase".parse()?;
/// assert_eq!(key.selector, KeySelector::Device("/dev/sda2".into()));
/// assert_eq!(format!("{:?}", key.secret), "Passphrase(…)");
/// # Ok::<(), guestconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// What it is for.
    pub selector: KeySelector,
    /// What opens it.
    pub secret: KeySecret,
}

/// Which devices a key is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySelector {
    /// Every encrypted device.
    All,
    /// The device of that name in the documents (`/dev/sda2`, `/dev/VG/LV`), or with that UUID.
    Device(String),
}

/// What opens an encrypted device.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySecret {
    /// A passphrase.
    Passphrase(String),
    /// A file on the host: its whole content, or its first line.
    File(PathBuf),
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passphrase(_) => f.write_str("Passphrase(…)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// The most bytes of a key file; cryptsetup takes as many.
const FILE_CAP_BYTES: u64 = 8 << 20;

impl FromStr for Key {
    type Err = Error;

    /// Reads a key as libguestfs' tools take it.
    ///
    /// # Errors
    /// `key-invalid`; `key-clevis-unsupported` for keys that a network service would give.
    fn from_str(text: &str) -> Result<Self> {
        let invalid = |code: &'static str, message: &str| {
            Err(Error::new(ErrorKind::InvalidArgument, code, message.to_owned()))
        };
        // Names of devices have no colon; a passphrase may have any.
        let Some((selector, rest)) = text.split_once(':').filter(|(selector, _)| !selector.is_empty()) else {
            return invalid("key-invalid", "a key is SELECTOR:key:PASSPHRASE or SELECTOR:file:FILE");
        };
        let selector = match selector.eq_ignore_ascii_case("all") {
            true => KeySelector::All,
            false => KeySelector::Device(selector.to_owned()),
        };
        let secret = match rest.split_once(':') {
            Some(("key", passphrase)) => KeySecret::Passphrase(passphrase.to_owned()),
            Some(("file", path)) if !path.is_empty() => KeySecret::File(path.into()),
            None if rest == "clevis" => {
                return invalid(
                    "key-clevis-unsupported",
                    "a key of Clevis comes from a network service or a TPM, which the appliance does not have; give a passphrase",
                );
            }
            _ => {
                return invalid(
                    "key-invalid",
                    "behind the selector of a key comes key:PASSPHRASE or file:FILE",
                );
            }
        };
        Ok(Self { selector, secret })
    }
}

impl Key {
    /// Returns whether it is for that device.
    pub(super) fn is_for(&self, lock: &Lock) -> bool {
        let KeySelector::Device(named) = &self.selector else { return true };
        if named.eq_ignore_ascii_case(&lock.uuid) || *named == lock.device.0 {
            return true;
        }
        let Some(name) = named.strip_prefix("/dev/") else { return false };
        let device = lock.device.0.trim_start_matches("/dev/");
        // libguestfs takes other buses' names for the same disk, and the device mapper's for a volume.
        let bus = ["vd", "hd", "xvd"].iter().find_map(|bus| name.strip_prefix(bus));
        let is_mapped = || {
            let (group, volume) = device.split_once('/')?;
            Some(name.strip_prefix("mapper/")? == mapper_name(group, volume))
        };
        bus.is_some_and(|rest| device.strip_prefix("sd") == Some(rest)) || is_mapped() == Some(true)
    }

    /// Returns what may be the passphrase.
    ///
    /// # Errors
    /// `key-file-unreadable`.
    pub(super) fn passphrases(&self) -> Result<Vec<Vec<u8>>> {
        let path = match &self.secret {
            KeySecret::Passphrase(passphrase) => return Ok(vec![passphrase.clone().into_bytes()]),
            KeySecret::File(path) => path,
        };
        let failed = |reason: String| {
            let message = format!("cannot read the key file {}: {reason}", path.display());
            Error::new(ErrorKind::InvalidArgument, "key-file-unreadable", message)
        };
        let mut whole = Vec::new();
        fs::File::open(path)
            .and_then(|file| file.take(FILE_CAP_BYTES + 1).read_to_end(&mut whole))
            .map_err(|error| failed(error.to_string()).caused_by(error))?;
        if whole.is_empty() || u64::try_from(whole.len()).is_ok_and(|length| length > FILE_CAP_BYTES) {
            return Err(failed(format!("it is empty, or has more than {FILE_CAP_BYTES} bytes")));
        }
        let line = whole.split(|byte| *byte == b'\n').next().unwrap_or_default().to_vec();
        // A passphrase in a file ends in a line feed; the bytes of a key file may hold one.
        let mut all = vec![line, whole];
        all.dedup();
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guestconv_core::layout::DeviceName;

    #[test]
    fn keys_are_read_as_libguestfs_writes_them() {
        let passphrase = |text: &str| KeySecret::Passphrase(text.into());
        let device = |name: &str| KeySelector::Device(name.into());
        for (text, expected) in [
            ("all:key:a:b ", Ok((KeySelector::All, passphrase("a:b ")))),
            ("ALL:key:", Ok((KeySelector::All, passphrase("")))),
            ("/dev/sda2:file:/a/b", Ok((device("/dev/sda2"), KeySecret::File("/a/b".into())))),
            ("0c2b-11:key:x", Ok((device("0c2b-11"), passphrase("x")))),
            ("all:clevis", Err("key-clevis-unsupported")),
            ("all", Err("key-invalid")),
            (":key:x", Err("key-invalid")),
            ("all:file:", Err("key-invalid")),
            ("all:token:x", Err("key-invalid")),
        ] {
            let found = text.parse::<Key>().map(|key| (key.selector, key.secret));
            assert_eq!(
                found.map_err(|error| error.code().to_owned()),
                expected.map_err(str::to_owned),
                "{text}"
            );
        }
    }

    #[test]
    fn a_selector_names_a_device_in_several_ways() {
        let is_for = |selector: &str, device: &str| {
            let lock = Lock {
                device: DeviceName(device.into()),
                uuid: "11-AA".into(),
                opened_by: None,
                slots: Vec::new(),
            };
            format!("{selector}:key:x").parse::<Key>().unwrap().is_for(&lock)
        };
        for (selector, device, expected) in [
            ("all", "/dev/sda2", true),
            ("/dev/sda2", "/dev/sda2", true),
            ("/dev/vda2", "/dev/sda2", true),
            ("/dev/sda3", "/dev/sda2", false),
            ("11-aa", "/dev/sda2", true),
            ("/dev/vg/a-b", "/dev/vg/a-b", true),
            ("/dev/mapper/vg-a--b", "/dev/vg/a-b", true),
            ("/dev/mapper/vg-a-b", "/dev/vg/a-b", false),
        ] {
            assert_eq!(is_for(selector, device), expected, "{selector} {device}");
        }
    }

    #[test]
    fn a_key_file_is_its_first_line_or_all_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        for (content, expected) in [
            (b"pass".as_slice(), Ok(vec![b"pass".to_vec()])),
            (b"pass\n", Ok(vec![b"pass".to_vec(), b"pass\n".to_vec()])),
            (b"", Err("key-file-unreadable")),
        ] {
            fs::write(&path, content).unwrap();
            let key = Key { selector: KeySelector::All, secret: KeySecret::File(path.clone()) };
            assert_eq!(key.passphrases().map_err(|e| e.code().to_owned()), expected.map_err(str::to_owned));
        }
        let absent = Key { selector: KeySelector::All, secret: KeySecret::File(dir.path().join("absent")) };
        assert_eq!(absent.passphrases().unwrap_err().code(), "key-file-unreadable");
    }
}
