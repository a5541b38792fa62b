//! The network cards of a guest. A card is a device of the machine; each root has its own name for it, or none. The first
//! root's name is the card's id in the document.
//!
//! Cards of two roots are the same if they have the same MAC address, else by order: `ens192` of one system and `eth0` of
//! the other are the first card. A guest that names no interface (everything by DHCP) still gets the cards that the caller
//! names, or one.

use crate::facts::Facts;
use crate::finding::Finding;
use crate::plan::{Nic, PlanOptions};

/// A network card of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its id in the document.
    pub id: String,
    /// Its MAC address: the caller's, else the guest's; `None` if neither says.
    pub mac: Option<String>,
    /// Its name in each root, in the order of the roots; `None` where a root does not name it.
    pub names: Vec<Option<String>>,
}

/// Returns the cards, in the order of their slots.
pub fn cards(facts: &Facts, nics: &[Nic]) -> Vec<Card> {
    let mut cards: Vec<Card> = Vec::new();
    for (index, root) in facts.roots.iter().enumerate() {
        let interfaces = root.linux().map_or(&[][..], |linux| &linux.network.interfaces);
        for interface in interfaces {
            let free = |card: &Card| card.names.get(index).is_none_or(Option::is_none);
            let by_mac = cards
                .iter()
                .position(|card| free(card) && interface.mac.is_some() && card.mac == interface.mac);
            let by_order = || {
                cards.iter().position(|card| free(card) && (card.mac.is_none() || interface.mac.is_none()))
            };
            let at = by_mac.or_else(by_order);
            match at.and_then(|at| cards.get_mut(at)) {
                Some(card) => {
                    card.names.resize(index, None);
                    card.names.push(Some(interface.name.clone()));
                    card.mac = card.mac.take().or_else(|| interface.mac.clone());
                }
                None => {
                    let mut names = vec![None; index];
                    names.push(Some(interface.name.clone()));
                    let id = unused(&cards, &interface.name);
                    cards.push(Card { id, mac: interface.mac.clone(), names });
                }
            }
        }
    }
    let is_named =
        |nic: &&Nic| nic.name.as_ref().is_some_and(|name| cards.iter().all(|card| card.id != *name));
    let named: Vec<String> = nics.iter().filter(is_named).filter_map(|nic| nic.name.clone()).collect();
    for name in named {
        let id = unused(&cards, &name);
        cards.push(Card { id, mac: None, names: Vec::new() });
    }
    while cards.len() < nics.len().max(1) {
        let id = unused(&cards, &format!("nic{}", cards.len()));
        cards.push(Card { id, mac: None, names: Vec::new() });
    }
    let options = PlanOptions { nics: nics.to_vec(), ..PlanOptions::default() };
    let ids: Vec<String> = cards.iter().map(|card| card.id.clone()).collect();
    let assigned = options.nics_of(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    for (card, nic) in cards.iter_mut().zip(assigned) {
        card.names.resize(facts.roots.len(), None);
        card.mac = nic.map(|nic| nic.mac.clone()).or(card.mac.take());
    }
    cards
}

/// Returns a finding for each card that the caller named and no root knows.
pub fn surplus(cards: &[Card], nics: &[Nic]) -> Vec<Finding> {
    let unknown = |card: &&Card| {
        card.names.iter().all(Option::is_none) && nics.iter().any(|nic| nic.name.as_deref() == Some(&card.id))
    };
    let finding = |card: &Card| {
        let text =
            format!("the guest configures no interface {}; the card is given to it all the same", card.id);
        Finding::warning("nic-unknown", text).about(card.id.as_str())
    };
    cards.iter().filter(unknown).map(finding).collect()
}

/// Returns `name`, or `name.2` and so on if a card has that id already.
fn unused(cards: &[Card], name: &str) -> String {
    let is_free = |id: &String| cards.iter().all(|card| card.id != *id);
    let numbered = (2u32..).map(|number| format!("{name}.{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}
