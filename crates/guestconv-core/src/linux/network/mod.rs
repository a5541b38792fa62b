//! Network interfaces: who configures them, by which name and address, and how each keeps its name on new hardware.
//!
//! A name like `ens192` says a slot of the source's machine. On the target the card is elsewhere and gets another name, so
//! that nothing is configured any more. The configuration is left as it is; the name is bound to the card's MAC address
//! ([`names`]). Physical interfaces count; bridges, bonds and VLANs are built on them by the guest itself.

mod ifcfg;
mod ifupdown;
mod keyfile;
mod names;
mod netplan;
mod networkd;

pub use names::plan;

use crate::finding::Finding;
use crate::formats::version;
use crate::linux::{Probe, bootloader};
use crate::path::guest_path;
use crate::text::TextFile;
use crate::tree::{ReadError, first_existing};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is known of a root's network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "NetworkFacts"))]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The interfaces that the guest configures or names, in the order in which the source numbered them.
    #[serde(default)]
    pub interfaces: Vec<Interface>,
    /// The files that configure them.
    #[serde(default)]
    pub configs: Vec<Config>,
    /// Who gives interfaces their names.
    #[serde(default)]
    pub naming: Naming,
    /// Whether `Type=ether` of a `.link` file matches a card: since systemd 245 at the latest.
    #[serde(default)]
    pub knows_ether: bool,
    /// udev's old file of names, `70-persistent-net.rules`; `None` if there is none.
    #[serde(default)]
    pub rules: Option<TextFile>,
    /// The files of ours that bind names, from an earlier conversion.
    #[serde(default)]
    pub links: Vec<TextFile>,
}

/// A network interface that the guest knows by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// Its name in the guest: `eth0`.
    pub name: String,
    /// The MAC address that the guest's files say it has, lower case with colons; `None` if they say none.
    pub mac: Option<String>,
}

/// A file that configures interfaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "NetworkConfig"))]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who reads it.
    pub stack: Stack,
    /// The file.
    pub file: TextFile,
}

/// Who configures interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Stack {
    /// Debian's ifupdown.
    Ifupdown,
    /// netplan.
    Netplan,
    /// systemd-networkd.
    Networkd,
    /// NetworkManager's keyfiles.
    NetworkManager,
    /// ifcfg files of RHEL and SUSE.
    Ifcfg,
}

/// Who gives interfaces their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Naming {
    /// systemd's udev, by `.link` files.
    #[default]
    Link,
    /// An older udev, by rules.
    Rules,
    /// The kernel, `eth0` and so on by the order of the slots: `net.ifnames=0`.
    Kernel,
}

/// The most interfaces: a router of a thousand VLANs has as many.
const CAP_INTERFACES: usize = 4096;

/// Reads what is known of the network.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(
    probe: &Probe<'_>,
    bootloader: &bootloader::Facts,
    findings: &mut Vec<Finding>,
) -> Result<Facts, ReadError> {
    let mut configs = Vec::new();
    for (stack, place, ends) in [
        (Stack::Ifupdown, "/etc/network/interfaces", ""),
        (Stack::Ifupdown, "/etc/network/interfaces.d", ""),
        (Stack::Netplan, "/etc/netplan", ".yaml"),
        (Stack::Networkd, "/etc/systemd/network", ".network"),
        (Stack::NetworkManager, "/etc/NetworkManager/system-connections", ""),
        (Stack::Ifcfg, "/etc/sysconfig/network-scripts", ""),
        (Stack::Ifcfg, "/etc/sysconfig/network", ""),
    ] {
        let place = guest_path(place);
        let mut paths = vec![place.clone()];
        paths.extend(probe.tree.list(&place)?.iter().map(|name| place.join(name)));
        for path in paths {
            let is_ours = stack != Stack::Ifcfg || path.file_name().starts_with("ifcfg-");
            let is_file =
                probe.tree.stat(&path)?.is_some_and(|stat| stat.kind == crate::tree::FileKind::File);
            if is_file && is_ours && path.file_name().ends_with(ends) {
                configs.extend(probe.tree.text(&path)?.map(|file| Config { stack, file }));
            }
        }
    }
    let rules = probe.tree.text(&guest_path("/etc/udev/rules.d/70-persistent-net.rules"))?;
    let mut interfaces: Vec<Interface> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for found in configs
        .iter()
        .flat_map(interfaces_of)
        .chain(rules.iter().flat_map(|file| names::of_rules(&file.text)))
    {
        match known.get(&found.name) {
            Some(at) => {
                if let Some(known) = interfaces.get_mut(*at) {
                    known.mac = known.mac.take().or(found.mac);
                }
            }
            None if interfaces.len() < CAP_INTERFACES => {
                known.insert(found.name.clone(), interfaces.len());
                interfaces.push(found);
            }
            None => {
                let text = format!(
                    "more than {CAP_INTERFACES} interfaces are configured: the rest is not looked at"
                );
                findings.push(Finding::warning("interfaces-too-many", text).about("/etc"));
                break;
            }
        }
    }
    interfaces.sort_by(|one, other| version::compare(&one.name, &other.name));
    let folder = guest_path("/etc/systemd/network");
    let mut links = Vec::new();
    for name in probe.tree.list(&folder)?.iter().filter(|name| names::is_ours(name)) {
        links.extend(probe.tree.text(&folder.join(name))?);
    }
    // A card that was named for an earlier conversion is known from then on.
    for link in links.iter().filter_map(|file| names::of_link(&file.text)) {
        if let Some(known) = interfaces.iter_mut().find(|known| known.name == link.name) {
            known.mac = known.mac.take().or(link.mac);
        }
    }
    let knows_ether = systemd_version(probe)?.is_some_and(|version| version >= 245);
    Ok(Facts { interfaces, naming: naming(probe, bootloader)?, knows_ether, rules, links, configs })
}

/// Returns the physical interfaces that a file configures.
fn interfaces_of(config: &Config) -> Vec<Interface> {
    let text = &config.file.text;
    match config.stack {
        Stack::Ifupdown => ifupdown::interfaces(text),
        Stack::Netplan => netplan::interfaces(text),
        Stack::Networkd => networkd::interfaces(text),
        Stack::NetworkManager => keyfile::interfaces(text),
        Stack::Ifcfg => ifcfg::interfaces(text, config.file.path.file_name()),
    }
}

fn naming(probe: &Probe<'_>, bootloader: &bootloader::Facts) -> Result<Naming, ReadError> {
    let is_off =
        |entry: &bootloader::Entry| entry.options.split_whitespace().any(|word| word == "net.ifnames=0");
    let entries = || bootloader.entries.iter().filter(|entry| !entry.recovery);
    let entry = entries().find(|entry| entry.default).or_else(|| entries().next());
    let masked = probe.tree.read_link(&guest_path("/etc/systemd/network/99-default.link"))?;
    if entry.is_some_and(is_off) || masked.as_deref() == Some("/dev/null") {
        return Ok(Naming::Kernel);
    }
    let daemon = first_existing(
        probe.tree,
        &[
            "/usr/lib/systemd/systemd-udevd",
            "/lib/systemd/systemd-udevd",
            "/usr/bin/systemctl",
            "/bin/systemctl",
        ],
    )?;
    Ok(if daemon.is_some() { Naming::Link } else { Naming::Rules })
}

/// Returns the version of systemd by the name of its library; `None` before 231, which had none, and without systemd.
fn systemd_version(probe: &Probe<'_>) -> Result<Option<u32>, ReadError> {
    let mut found = None;
    for dir in [
        "/usr/lib/systemd",
        "/lib/systemd",
        "/usr/lib64/systemd",
        "/usr/lib/x86_64-linux-gnu/systemd",
        "/usr/lib/i386-linux-gnu/systemd",
        "/usr/lib/aarch64-linux-gnu/systemd",
    ] {
        for name in probe.tree.list(&guest_path(dir))? {
            let Some(rest) = name.strip_prefix("libsystemd-shared-") else { continue };
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            found = found.max(digits.parse().ok());
        }
    }
    Ok(found)
}

/// Returns a MAC address in lower case with colons; `None` if the text is none.
fn mac(text: &str) -> Option<String> {
    let mac = text.trim().trim_matches(['"', '\'']).to_lowercase().replace('-', ":");
    let is_mac = mac.len() == 17
        && mac.split(':').count() == 6
        && mac.split(':').all(|pair| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit()));
    is_mac.then_some(mac)
}

#[cfg(test)]
mod tests;
