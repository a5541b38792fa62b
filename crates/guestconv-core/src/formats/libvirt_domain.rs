//! The domain XML of libvirt (<https://libvirt.org/formatdomain.html>), as far as a conversion needs it: the MAC
//! addresses of the network cards in their order. All else is left alone.
//!
//! The document comes from the caller, perhaps from somebody else: its nodes are capped, and a DTD (entities) is refused.

use crate::plan::{Nic, PlanError};
use roxmltree::{Document, ParsingOptions};

/// The most elements, attributes and texts that a domain may hold.
const NODE_CAP: u32 = 200_000;

/// Returns the network cards of a domain, in its order; a card without an address is an error, since the next ones
/// would take its place.
///
/// # Errors
/// `domain-not-xml` if it is no domain XML; `domain-without-mac` if a card has no address, `nic-invalid` if it has a
/// wrong one.
pub fn nics(text: &str) -> Result<Vec<Nic>, PlanError> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODE_CAP, ..ParsingOptions::default() };
    let not_xml = |what: String| PlanError::new("domain-not-xml", format!("the libvirt XML {what}"));
    let document = Document::parse_with_options(text, options)
        .map_err(|error| not_xml(format!("cannot be read: {error}; take what virsh dumpxml writes")))?;
    // `virsh dumpxml` writes a domain; a snapshot or a saved state holds one.
    let domain = document.descendants().find(|node| node.has_tag_name("domain"));
    let domain = domain.ok_or_else(|| not_xml("holds no domain; take what virsh dumpxml writes".into()))?;
    let devices = domain.children().filter(|node| node.has_tag_name("devices"));
    let cards = devices.flat_map(|node| node.children()).filter(|node| node.has_tag_name("interface"));
    cards
        .enumerate()
        .map(|(at, card)| {
            let mac = card.children().find(|node| node.has_tag_name("mac"));
            let address = mac.and_then(|mac| mac.attribute("address")).ok_or_else(|| {
                let message = format!(
                    "network card {} of the libvirt XML has no MAC address; take what virsh dumpxml writes of the defined domain",
                    at + 1
                );
                PlanError::new("domain-without-mac", message)
            })?;
            Nic::parse(address).map(|nic| Nic { name: None, ..nic })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_come_in_order_or_not_at_all() {
        let with = |cards: &str| format!("<domain type='kvm'><devices>{cards}<disk/></devices></domain>");
        let card =
            |address: &str| format!("<interface type='network'><mac address='{address}'/></interface>");
        let two = card("52:54:00:00:00:02") + &card("52:54:00:00:00:01");
        for (text, expected) in [
            (with(&two), Ok(vec!["52:54:00:00:00:02", "52:54:00:00:00:01"])),
            (with(""), Ok(vec![])),
            (
                format!("<domainsnapshot>{}</domainsnapshot>", with(&two)),
                Ok(vec!["52:54:00:00:00:02", "52:54:00:00:00:01"]),
            ),
            (with("<interface type='user'/>"), Err("domain-without-mac")),
            (with(&card("eth0=52:54:00:00:00:01:01")), Err("nic-invalid")),
            ("<network/>".into(), Err("domain-not-xml")),
            ("<domain>".into(), Err("domain-not-xml")),
            ("<!DOCTYPE domain [<!ENTITY a 'b'>]><domain/>".into(), Err("domain-not-xml")),
        ] {
            let nics = nics(&text).map_err(|error| error.code);
            let macs = nics.map(|nics| nics.into_iter().map(|nic| nic.mac).collect::<Vec<_>>());
            let expected =
                expected.map(|macs| macs.into_iter().map(str::to_owned).collect()).map_err(str::to_owned);
            assert_eq!(macs, expected, "{text}");
        }
    }
}
