//! ifcfg files of RHEL (`network-scripts`) and SUSE: shell variables, one file an interface.

use super::{Interface, mac};
use crate::formats::shell_vars;

/// Returns the interface that a file configures: its `DEVICE`, or what its name says.
pub(super) fn interfaces(text: &str, file_name: &str) -> Vec<Interface> {
    let value = |name: &str| shell_vars::value(text, name).filter(|value| !value.is_empty());
    let named = file_name.strip_prefix("ifcfg-").unwrap_or(file_name);
    let name = value("DEVICE").unwrap_or_else(|| named.to_owned());
    let is_virtual = name == "lo"
        || name.contains([':', '.'])
        || value("VLAN").is_some_and(|value| value == "yes")
        || value("TYPE").is_some_and(|kind| !kind.eq_ignore_ascii_case("ethernet"))
        || ["BONDING_MASTER", "BRIDGE_PORTS", "BRIDGE", "ETHERDEVICE", "BONDING_OPTS"]
            .iter()
            .any(|key| *key != "BRIDGE" && value(key).is_some());
    let is_leftover =
        [".bak", ".orig", ".rpmsave", ".rpmnew", "~"].iter().any(|end| file_name.ends_with(end));
    if is_virtual || is_leftover {
        return Vec::new();
    }
    let mac = value("HWADDR").and_then(|value| mac(&value));
    vec![Interface { name, mac }]
}

/// Returns the text of an interface that is not started by itself.
pub(super) fn without(text: &str) -> String {
    let key =
        if shell_vars::value(text, "STARTMODE").is_some() { ("STARTMODE", "off") } else { ("ONBOOT", "no") };
    shell_vars::with_value(text, key.0, key.1)
}
