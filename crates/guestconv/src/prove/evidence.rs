//! What is known of a guest's network cards, from all that was seen: the guest's own words, the kernel's log, the wire.
//! Pure.

use super::arguments::mac_of;
use super::console::Console;
use super::login::Answers;
use super::peer::Heard;
use super::{Evidence, ExpectedNic, Machine, ProofAddress, ProofNic};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Returns what is known of each card of the machine, in its order.
pub(super) fn nics(
    machine: &Machine,
    console: &Console,
    answers: Option<&Answers>,
    heard: &[Heard],
) -> Vec<ProofNic> {
    let renamed = console.renamed();
    let nic = |(index, nic): (usize, &super::MachineNic)| {
        let mac = mac_of(machine, index);
        let heard = heard.get(index).cloned().unwrap_or_default();
        let of_mac: Vec<_> = answers
            .map(|answers| answers.interfaces.iter().filter(|interface| interface.mac == mac).collect())
            .unwrap_or_default();
        let card = of_mac.iter().find(|interface| interface.is_card).or(of_mac.first());
        let mut addresses: BTreeMap<IpAddr, BTreeSet<Evidence>> = heard.addresses;
        for address in of_mac.iter().flat_map(|interface| &interface.addresses) {
            if let Ok(address) = address.parse() {
                addresses.entry(address).or_default().insert(Evidence::Login);
            }
        }
        // The kernel counts its cards in the order of their slots, which is the machine's.
        let kernel_name = format!("eth{index}");
        let renamed = renamed.iter().rfind(|(from, _)| *from == kernel_name).map(|(_, to)| to.clone());
        let wire = if heard.is_up { "up" } else { "silent" };
        ProofNic {
            id: nic.id.clone(),
            mac,
            name: card.map(|card| card.name.clone()).or(renamed),
            state: card.map_or(wire.to_owned(), |card| card.state.clone()),
            addresses: addresses
                .into_iter()
                .map(|(address, evidence)| ProofAddress {
                    address: address.to_string(),
                    evidence: evidence.into_iter().collect(),
                })
                .collect(),
        }
    };
    machine.nics.iter().enumerate().map(nic).collect()
}

/// Returns what is expected and not shown, a sentence each.
pub(super) fn unmet(expected: &[ExpectedNic], nics: &[ProofNic]) -> Vec<String> {
    let mut sentences = Vec::new();
    for expected in expected {
        let Some(nic) = nics.iter().find(|nic| nic.id == expected.id) else {
            sentences.push(format!("the machine has no network card {}", expected.id));
            continue;
        };
        let working: Vec<&str> = working_addresses(nic).collect();
        if expected.addresses.is_empty() && working.is_empty() {
            sentences.push(format!("{} has no address that works", expected.id));
        }
        for address in expected.addresses.iter().map(ToString::to_string) {
            if !working.contains(&address.as_str()) {
                sentences.push(format!("{address} does not work on {}", expected.id));
            }
        }
    }
    sentences
}

/// Returns the addresses of a card that are more than heard and more than link-local.
pub(super) fn working_addresses(nic: &ProofNic) -> impl Iterator<Item = &str> {
    let is_working = |address: &&ProofAddress| {
        let is_far = address.address.parse().is_ok_and(|address| match address {
            IpAddr::V4(address) => !address.is_link_local(),
            IpAddr::V6(address) => !address.is_unicast_link_local(),
        });
        is_far && address.evidence.iter().any(|evidence| *evidence != Evidence::Seen)
    };
    nic.addresses.iter().filter(is_working).map(|address| address.address.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::login::Interface;
    use super::*;

    fn machine() -> Machine {
        Machine::preset("vmware").unwrap()
    }

    fn heard(address: &str, evidence: &[Evidence]) -> Vec<Heard> {
        let addresses = BTreeMap::from([(address.parse().unwrap(), evidence.iter().copied().collect())]);
        vec![Heard { is_up: true, addresses }]
    }

    #[test]
    fn the_guests_words_and_the_wire_make_one_card() {
        let interface = |name: &str, is_card, addresses: &[&str]| Interface {
            name: name.into(),
            mac: "52:54:00:c0:01:92".into(),
            state: "up".into(),
            is_card,
            addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
        };
        let answers = Answers {
            interfaces: vec![interface("br0", false, &["10.0.2.77"]), interface("ens192", true, &[])],
            ..Answers::default()
        };
        let heard = heard("10.0.2.77", &[Evidence::Neighbour]);
        let address = ProofAddress {
            address: "10.0.2.77".into(),
            evidence: vec![Evidence::Neighbour, Evidence::Login],
        };
        assert_eq!(
            nics(&machine(), &Console::default(), Some(&answers), &heard),
            [ProofNic {
                id: "ens192".into(),
                mac: "52:54:00:c0:01:92".into(),
                name: Some("ens192".into()),
                state: "up".into(),
                addresses: vec![address],
            }]
        );
    }

    #[test]
    fn the_kernels_log_names_a_card_of_a_guest_that_let_nobody_in() {
        let mut console = Console::default();
        console.push(b"[ 3.1] vmxnet3 0000:03:00.0 ens192: renamed from eth0\n");
        let nics = nics(&machine(), &console, None, &[]);
        assert_eq!((nics[0].name.as_deref(), nics[0].state.as_str()), (Some("ens192"), "silent"));
    }

    #[test]
    fn an_address_that_is_only_heard_does_not_work() {
        let expected = |id: &str, addresses: &[&str]| ExpectedNic {
            id: id.into(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        };
        for (address, evidence, expected, unmet_are) in [
            ("10.0.2.77", Evidence::Neighbour, expected("ens192", &["10.0.2.77"]), vec![]),
            ("10.0.2.77", Evidence::Lease, expected("ens192", &[]), vec![]),
            ("10.0.2.77", Evidence::Seen, expected("ens192", &[]), vec!["ens192 has no address that works"]),
            (
                "fe80::1",
                Evidence::Neighbour,
                expected("ens192", &[]),
                vec!["ens192 has no address that works"],
            ),
            (
                "10.0.2.78",
                Evidence::Ping,
                expected("ens192", &["10.0.2.77"]),
                vec!["10.0.2.77 does not work on ens192"],
            ),
            (
                "10.0.2.77",
                Evidence::Ping,
                expected("eth7", &[]),
                vec!["the machine has no network card eth7"],
            ),
        ] {
            let nics = nics(&machine(), &Console::default(), None, &heard(address, &[evidence]));
            assert_eq!(unmet(&[expected], &nics), unmet_are, "{address} {evidence:?}");
        }
    }
}
