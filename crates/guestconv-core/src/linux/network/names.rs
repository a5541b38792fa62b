//! How an interface keeps its name: a `.link` file of ours for systemd's udev (systemd.link(5)), a line in
//! `70-persistent-net.rules` for older ones; and the card's new MAC address where the guest's files have the old one.
//!
//! Names that the kernel gives by the order of the slots (`net.ifnames=0`) need nothing: the order is kept. Where no MAC
//! address is known, the only interface of a guest is bound to the driver of the only card.

use super::{Config, Facts, Interface, Naming, Stack, ifcfg, ifupdown, keyfile, mac};
use crate::change::{Before, Change};
use crate::describe::cards::{Card, cards};
use crate::description::{Choice, Class};
use crate::finding::Finding;
use crate::path::guest_path;
use crate::plan::{Context, Draft};
use crate::text::TextFile;

const FOLDER: &str = "/etc/systemd/network";
const RULES: &str = "/etc/udev/rules.d/70-persistent-net.rules";

/// Returns whether a file in systemd's folder is one of ours.
pub(super) fn is_ours(name: &str) -> bool {
    name.starts_with("10-guestconv-") && name.ends_with(".link")
}

/// Returns the interface that a file of ours names by a MAC address; `None` if it names it by its driver.
pub(super) fn of_link(text: &str) -> Option<Interface> {
    let mac = mac(keyfile::value(text, "Match", "MACAddress")?)?;
    Some(Interface { name: keyfile::value(text, "Link", "Name")?.to_owned(), mac: Some(mac) })
}

/// Returns the interfaces that udev's rules name.
pub(super) fn of_rules(text: &str) -> Vec<Interface> {
    let rules = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    rules
        .filter_map(|line| {
            let mac = mac(quoted(line, "ATTR{address}==")?)?;
            Some(Interface { name: quoted(line, "NAME=")?.to_owned(), mac: Some(mac) })
        })
        .collect()
}

/// Returns what stands in quotes behind a key of a rule.
fn quoted<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("{key}\""))?;
    rest.split('"').next()
}

/// Plans that every interface keeps its name and addresses, and that removed cards are not configured.
pub fn plan(context: &Context<'_>, facts: &Facts, draft: &mut Draft) {
    let all = cards(context.facts, &context.options.nics);
    let here: Vec<(&Card, &str)> = all
        .iter()
        .filter_map(|card| Some((card, card.names.get(context.root_index)?.as_deref()?)))
        .filter(|(_, name)| facts.interfaces.iter().any(|interface| interface.name == *name))
        .collect();
    for (card, name) in &here {
        if context.choices.is_removed(Class::Network, &card.id) {
            unconfigure(context, facts, name, draft);
            continue;
        }
        addresses(context, facts, card, name, draft);
        let by_kernel = name.strip_prefix("eth").is_some_and(|rest| rest.parse::<u32>().is_ok());
        if facts.naming == Naming::Kernel && by_kernel {
            continue;
        }
        let Some(criterion) = criterion(context, card, here.len() == 1 && all.len() == 1) else {
            let text = format!(
                "the MAC address that {name} will have is not known, so it may get another name; say it by --nic"
            );
            draft.finding(Finding::warning("nic-mac-unknown", text).about(*name));
            continue;
        };
        if card.mac.is_none() {
            let text = format!(
                "the MAC address that {name} will have is not known; the name goes to the card by its driver"
            );
            draft.finding(Finding::info("nic-by-driver", text).about(*name));
        }
        bind(context, facts, name, &criterion, draft);
    }
}

/// By what udev finds a card.
enum Criterion {
    /// Its MAC address; and the driver, to tell it from what is built on it.
    Mac(String, Option<&'static str>),
    /// Its driver.
    Driver(&'static str),
}

fn criterion(context: &Context<'_>, card: &Card, is_only: bool) -> Option<Criterion> {
    let driver = match context.choices.devices.get(&(Class::Network, card.id.clone())) {
        Some(Choice::Driver(driver)) => context.target.modules_for(driver).last().copied(),
        _ => None,
    };
    match &card.mac {
        Some(mac) => Some(Criterion::Mac(mac.clone(), driver)),
        None => driver.filter(|_| is_only).map(Criterion::Driver),
    }
}

fn bind(context: &Context<'_>, facts: &Facts, name: &str, criterion: &Criterion, draft: &mut Draft) {
    let why = format!("{name} keeps its name on the new hardware, and so its addresses");
    draft.step(context, &format!("network/{name}"), &why, |step| match (facts.naming, criterion) {
        (Naming::Rules, Criterion::Mac(mac, _)) => {
            let line = format!(
                "SUBSYSTEM==\"net\", ACTION==\"add\", DRIVERS==\"?*\", ATTR{{address}}==\"{mac}\", ATTR{{type}}==\"1\", NAME=\"{name}\"\n"
            );
            // Earlier steps may have edited the file for this card, or made it for another.
            let empty = TextFile::new(guest_path(RULES), "", 0o644);
            let with_line = |text: &str| {
                let is_it = |rule: &Interface| rule.name == name && rule.mac.as_ref() == Some(mac);
                let line_end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
                if of_rules(text).iter().any(is_it) {
                    text.to_owned()
                } else {
                    format!("{text}{line_end}{line}")
                }
            };
            match &facts.rules {
                Some(file) => step.edit(file, with_line),
                None if step.has_written(&empty.path) => step.edit(&empty, with_line),
                None => step.write(&empty.path, None, &line, 0o644),
            }
        }
        (Naming::Rules, Criterion::Driver(_)) => {}
        (Naming::Link | Naming::Kernel, criterion) => {
            // `Type=ether` matches no card where systemd does not know the kernel's types of links: there the driver keeps
            // out bonds and VLANs, which have the MAC address of their card.
            let by_driver = |driver: &str| format!("Driver={driver}\n");
            let criterion = match (criterion, facts.knows_ether) {
                (Criterion::Mac(mac, _), true) => format!("MACAddress={mac}\nType=ether\n"),
                (Criterion::Mac(mac, driver), false) => {
                    format!("MACAddress={mac}\n{}", driver.map(by_driver).unwrap_or_default())
                }
                (Criterion::Driver(driver), true) => format!("Driver={driver}\nType=ether\n"),
                (Criterion::Driver(driver), false) => by_driver(driver),
            };
            let path = guest_path(FOLDER).join(&format!("10-guestconv-{name}.link"));
            let text = format!(
                "# The interface keeps its name on the hardware that it was moved to.\n[Match]\n{criterion}\n[Link]\nName={name}\n"
            );
            let existing = facts.links.iter().find(|file| file.path == path);
            step.write(&path, existing, &text, 0o644);
        }
    });
}

/// Where the guest's files know a card by the MAC address that it had, they get the one that it will have.
fn addresses(context: &Context<'_>, facts: &Facts, card: &Card, name: &str, draft: &mut Draft) {
    let interface = facts.interfaces.iter().find(|interface| interface.name == name);
    let old = interface.and_then(|interface| interface.mac.as_deref());
    let (Some(old), Some(new)) = (old, card.mac.as_deref()) else { return };
    if old == new {
        return;
    }
    let why = format!("{name} is the card with the MAC address that the target gives it");
    draft.step(context, &format!("network/{name}-address"), &why, |step| {
        let configs = facts.configs.iter().map(|config| &config.file);
        for file in configs.chain(&facts.rules) {
            step.edit(file, |text| replaced(text, old, new));
        }
    });
}

/// Returns the text with another MAC address, but where it is one that the guest sets itself.
fn replaced(text: &str, old: &str, new: &str) -> String {
    let sets = ["cloned-mac-address", "MACADDR=", "LLADDR=", "hwaddress", "assigned-mac-address"];
    text.split_inclusive('\n')
        .map(|line| {
            let at = line.to_lowercase().find(old);
            let range =
                at.map(|at| at..at + old.len()).filter(|_| !sets.iter().any(|key| line.contains(key)));
            let parts = range.and_then(|range| Some((line.get(..range.start)?, line.get(range.end..)?)));
            parts.map_or_else(|| line.to_owned(), |(before, after)| format!("{before}{new}{after}"))
        })
        .collect()
}

fn unconfigure(context: &Context<'_>, facts: &Facts, name: &str, draft: &mut Draft) {
    let configures =
        |config: &&Config| super::interfaces_of(config).iter().any(|interface| interface.name == name);
    let mut left = None;
    let why = format!("{name} was removed from the description");
    draft.step(context, &format!("network/{name}-removed"), &why, |step| {
        for Config { stack, file } in facts.configs.iter().filter(configures) {
            match stack {
                Stack::Ifupdown => step.edit(file, |text| ifupdown::without(text, name)),
                Stack::Ifcfg => step.edit(file, ifcfg::without),
                Stack::NetworkManager => step.edit(file, keyfile::without),
                Stack::Networkd => step.push(Change::Remove {
                    path: file.path.clone(),
                    before: Before::Text(file.text.clone()),
                }),
                Stack::Netplan => left = Some(file.path.clone()),
            }
        }
    });
    if let Some(path) = left {
        let text =
            format!("{name} was removed and stays in {path}; netplan waits for it at boot: remove it there");
        draft.finding(Finding::warning("nic-left-configured", text).about(name));
    }
}
