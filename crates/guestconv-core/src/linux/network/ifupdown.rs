//! `/etc/network/interfaces`, interfaces(5): stanzas that begin with `iface NAME FAMILY METHOD`.

use super::Interface;

/// Returns the physical interfaces: those with a stanza that is no loopback, bridge or bond, and the ports of these.
pub(super) fn interfaces(text: &str) -> Vec<Interface> {
    let mut found: Vec<(String, bool)> = Vec::new();
    let mut ports: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("iface") => {
                let name = words.next().unwrap_or_default();
                // An alias `eth0:1` and a VLAN `eth0.5` are on their interface.
                let base = name.split([':', '.']).next().unwrap_or(name);
                let is_card = words.nth(1) != Some("loopback") && !base.is_empty() && base != "lo";
                found.push((base.to_owned(), is_card));
            }
            Some("bridge_ports" | "bridge-ports" | "bond-slaves" | "slaves" | "vlan-raw-device") => {
                if let Some(last) = found.last_mut() {
                    last.1 = false;
                }
                ports.extend(
                    words.filter(|word| !matches!(*word, "none" | "all" | "regex")).map(str::to_owned),
                );
            }
            Some(option) if option.starts_with("bond-") || option.starts_with("bridge_") => {
                if let Some(last) = found.last_mut().filter(|_| option != "bond-master") {
                    last.1 = false;
                }
            }
            _ => {}
        }
    }
    let cards = found.into_iter().filter(|(_, is_card)| *is_card).map(|(name, _)| name);
    cards.chain(ports).map(|name| Interface { name, mac: None }).collect()
}

/// Returns the text with the stanzas of an interface commented out.
pub(super) fn without(text: &str, name: &str) -> String {
    let mut inside = false;
    text.split_inclusive('\n')
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let starts = |word: &str| {
                matches!(word, "iface" | "mapping" | "source" | "source-directory" | "auto")
                    || word.starts_with("allow-")
            };
            match words.as_slice() {
                [first, rest @ ..] if starts(first) => {
                    let is_list = *first == "auto" || first.starts_with("allow-");
                    inside = *first == "iface" && rest.first() == Some(&name);
                    if is_list && rest.contains(&name) {
                        let others: Vec<&str> = rest.iter().copied().filter(|other| *other != name).collect();
                        if others.is_empty() {
                            return format!("#{line}");
                        }
                        return format!("{first} {}\n", others.join(" "));
                    }
                }
                _ => {}
            }
            let is_text = words.first().is_some_and(|word| !word.starts_with('#'));
            if inside && is_text { format!("#{line}") } else { line.to_owned() }
        })
        .collect()
}
