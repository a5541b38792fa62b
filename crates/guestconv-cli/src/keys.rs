//! The keys of encrypted devices: those that the arguments name, and those on the standard input.

use crate::arguments;
use guestconv::{Error, ErrorKind, Key, KeySecret, KeySelector};
use std::io::Read;

/// The most bytes of the standard input: a passphrase has 512 at most, as cryptsetup asks for it.
const INPUT_CAP_BYTES: u64 = 64 << 10;

/// Returns the keys, in the order in which they are tried.
///
/// # Errors
/// `key-invalid` and the like if an argument is no key; `key-file-unreadable` if the standard input has none.
pub(crate) fn keys(arguments: &arguments::Guest) -> Result<Vec<Key>, Error> {
    let mut keys = arguments.keys.iter().map(|key| key.parse()).collect::<Result<Vec<Key>, _>>()?;
    if arguments.keys_from_stdin {
        keys.extend(of_lines(std::io::stdin())?);
    }
    Ok(keys)
}

/// Returns the passphrases of a text, one per line, each for all devices; empty lines are none.
fn of_lines(input: impl Read) -> Result<Vec<Key>, Error> {
    let unreadable = |why: &str| {
        let message = format!("the keys on the standard input: {why}");
        Error::new(ErrorKind::InvalidArgument, "key-file-unreadable", message)
    };
    let mut text = String::new();
    input
        .take(INPUT_CAP_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| unreadable(&error.to_string()).caused_by(error))?;
    if text.len() as u64 > INPUT_CAP_BYTES {
        return Err(unreadable(&format!("they are longer than {INPUT_CAP_BYTES} bytes")));
    }
    let key = |line: &str| Key { selector: KeySelector::All, secret: KeySecret::Passphrase(line.to_owned()) };
    let keys: Vec<Key> = text.lines().filter(|line| !line.is_empty()).map(key).collect();
    if keys.is_empty() {
        return Err(unreadable("there are none; write one passphrase per line"));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_passphrase_for_all_devices() {
        let key =
            |text: &str| Key { selector: KeySelector::All, secret: KeySecret::Passphrase(text.to_owned()) };
        let read = |text: &[u8]| of_lines(text).map_err(|error| (error.code().to_owned(), error.to_string()));
        assert_eq!(read(b"one two \n\nthr:ee"), Ok(vec![key("one two "), key("thr:ee")]));
        let none = "the keys on the standard input: there are none; write one passphrase per line";
        assert_eq!(read(b"\n\n"), Err(("key-file-unreadable".to_owned(), none.to_owned())));
        let long = "the keys on the standard input: they are longer than 65536 bytes";
        assert_eq!(read(&[b'a'; 65_537]), Err(("key-file-unreadable".to_owned(), long.to_owned())));
        let binary = "the keys on the standard input: stream did not contain valid UTF-8";
        assert_eq!(read(b"\xff\n"), Err(("key-file-unreadable".to_owned(), binary.to_owned())));
    }
}
