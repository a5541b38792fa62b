//! Network cards as a caller writes them: `[NAME=]MAC`.

use super::{Nic, PlanError};

/// The most cards that a caller names.
const NICS_CAP: usize = 1000;

impl Nic {
    /// Returns the card that `text` says: `eth0=52:54:00:12:34:56`, or the address alone; capital letters and hyphens
    /// are accepted.
    ///
    /// # Errors
    /// `nic-invalid` if it is no address of one card.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let (name, address) = match text.split_once('=') {
            Some((name, address)) => (Some(name), address),
            None => (None, text),
        };
        let name_is_valid = |name: &str| {
            (1..=15).contains(&name.len()) && name.chars().all(|c| c.is_ascii_graphic() && c != '/')
        };
        let mac = mac(address).filter(|_| name.is_none_or(name_is_valid)).ok_or_else(|| {
            let message = format!(
                "{text:?} is no network card; write the address of one card, like 52:54:00:12:34:56 or \
                 eth0=52:54:00:12:34:56"
            );
            PlanError::new("nic-invalid", message)
        })?;
        Ok(Self { name: name.map(str::to_owned), mac })
    }
}

/// Fails if two cards have the same address or go to the same interface.
///
/// # Errors
/// `nic-twice`, `nics-too-many`.
pub fn require_distinct(nics: &[Nic]) -> Result<(), PlanError> {
    if nics.len() > NICS_CAP {
        let message =
            format!("{} network cards are more than a guest can have; name at most {NICS_CAP}", nics.len());
        return Err(PlanError::new("nics-too-many", message));
    }
    for (index, nic) in nics.iter().enumerate() {
        let mut earlier = nics.iter().take(index);
        let is_same = |other: &Nic| other.mac == nic.mac || (nic.name.is_some() && other.name == nic.name);
        if earlier.any(is_same) {
            let name = nic.name.as_ref().map(|name| format!("{name}=")).unwrap_or_default();
            let message = format!(
                "the network card {name}{} is there twice; name each card once, with its own address",
                nic.mac
            );
            return Err(PlanError::new("nic-twice", message));
        }
    }
    Ok(())
}

/// Returns a MAC address of one card in lower case with colons; `None` if it is none, or a group's, or zero.
fn mac(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase().replace('-', ":");
    let octets: Vec<u8> = lower
        .split(':')
        .map(|octet| match octet.len() {
            2 if octet.chars().all(|c| c.is_ascii_hexdigit()) => u8::from_str_radix(octet, 16).ok(),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let is_group = octets.first().is_none_or(|first| first & 1 == 1);
    (octets.len() == 6 && !is_group && octets.iter().any(|octet| *octet != 0)).then_some(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_there_once() {
        for (cards, expected) in [
            (&[][..], None),
            (&["52:54:00:12:34:56", "52:54:00:12:34:57"], None),
            (&["eth0=52:54:00:12:34:56", "eth1=52:54:00:12:34:57"], None),
            (&["52:54:00:12:34:56", "52-54-00-12-34-56"], Some("nic-twice")),
            (&["eth0=52:54:00:12:34:56", "52:54:00:12:34:56"], Some("nic-twice")),
            (&["eth0=52:54:00:12:34:56", "eth0=52:54:00:12:34:57"], Some("nic-twice")),
        ] {
            let nics: Vec<Nic> = cards.iter().map(|card| Nic::parse(card).unwrap()).collect();
            let code = require_distinct(&nics).err().map(|error| error.code);
            assert_eq!(code.as_deref(), expected, "{cards:?}");
        }
        for (count, expected) in [(1000, None), (1001, Some("nics-too-many"))] {
            let card =
                |n: usize| Nic::parse(&format!("52:54:00:00:{:02x}:{:02x}", n / 256, n % 256)).unwrap();
            let nics: Vec<Nic> = (0..count).map(card).collect();
            let code = require_distinct(&nics).err().map(|error| error.code);
            assert_eq!(code.as_deref(), expected, "{count} cards");
        }
    }

    #[test]
    fn a_card_is_a_name_and_an_address() {
        let nic =
            |name: Option<&str>, mac: &str| Some(Nic { name: name.map(str::to_owned), mac: mac.to_owned() });
        for (text, expected) in [
            ("52:54:00:12:34:56", nic(None, "52:54:00:12:34:56")),
            ("52-54-00-AB-CD-EF", nic(None, "52:54:00:ab:cd:ef")),
            ("eth0=52:54:00:12:34:56", nic(Some("eth0"), "52:54:00:12:34:56")),
            ("=52:54:00:12:34:56", None),
            ("eth0=", None),
            ("eth0", None),
            ("", None),
            ("00:00:00:00:00:00", None),
            ("ff:ff:ff:ff:ff:ff", None),
            ("01:54:00:12:34:56", None),
            ("52:54:00:12:34", None),
            ("52:54:00:12:34:56:78", None),
            ("52:54:00:12:34:+6", None),
            ("52:54:00:12:34:567", None),
            ("a name=52:54:00:12:34:56", None),
            ("../../etc=52:54:00:12:34:56", None),
        ] {
            assert_eq!(Nic::parse(text).ok(), expected, "{text:?}");
            let code = Nic::parse(text).err().map(|error| error.code);
            assert_eq!(code.as_deref(), expected.is_none().then_some("nic-invalid"), "{text:?}");
        }
    }
}
