use super::*;

fn names(found: Vec<Interface>) -> Vec<(String, Option<String>)> {
    found.into_iter().map(|interface| (interface.name, interface.mac)).collect()
}

#[test]
fn every_stack_tells_its_physical_interfaces() {
    let mac = Some("00:50:56:01:02:03");
    for (found, expected) in [
        (
            ifupdown::interfaces(
                "auto lo\niface lo inet loopback\nauto ens192\niface ens192 inet static\n address 10.0.2.77/24\niface ens192 inet6 auto\n",
            ),
            vec![("ens192", None), ("ens192", None)],
        ),
        (
            ifupdown::interfaces("iface br0 inet dhcp\n bridge_ports eth0 eth1\niface eth2:1 inet dhcp\n"),
            vec![("eth2", None), ("eth0", None), ("eth1", None)],
        ),
        (
            ifupdown::interfaces(
                "iface bond0 inet dhcp\n bond-mode 1\n bond-slaves none\niface eth0 inet manual\n bond-master bond0\n",
            ),
            vec![("eth0", None)],
        ),
        (
            networkd::interfaces("[Match]\nName=ens192\nMACAddress=00:50:56:01:02:03\n[Network]\nDHCP=yes\n"),
            vec![("ens192", mac)],
        ),
        (networkd::interfaces("[Match]\nName=en*\n[Network]\nDHCP=yes\n"), vec![]),
        (
            keyfile::interfaces(
                "[connection]\nid=x\ntype=ethernet\ninterface-name=ens192\n\n[ethernet]\nmac-address=00:50:56:01:02:03\n",
            ),
            vec![("ens192", mac)],
        ),
        (keyfile::interfaces("[connection]\ntype=bridge\ninterface-name=br0\n"), vec![]),
        (
            ifcfg::interfaces("DEVICE=eth0\nHWADDR=\"00:50:56:01:02:03\"\nONBOOT=yes\n", "ifcfg-eth0"),
            vec![("eth0", mac)],
        ),
        (ifcfg::interfaces("BOOTPROTO='dhcp'\n", "ifcfg-eth1"), vec![("eth1", None)]),
        (ifcfg::interfaces("DEVICE=lo\n", "ifcfg-lo"), vec![]),
        (ifcfg::interfaces("DEVICE=bond0\nTYPE=Bond\n", "ifcfg-bond0"), vec![]),
        (
            netplan::interfaces(
                "network:\n  version: 2\n  ethernets:\n    nic0:\n      match:\n        macaddress: \"00:50:56:01:02:03\"\n      set-name: ens192\n      addresses:\n        - 10.0.2.77/24\n    ens224:\n      macaddress: 00:50:56:01:02:04\n      dhcp4: true\n  bridges:\n    br0:\n      dhcp4: true\n",
            ),
            vec![("ens192", mac), ("ens224", None)],
        ),
    ] {
        let expected: Vec<(String, Option<String>)> =
            expected.into_iter().map(|(name, mac)| (name.to_owned(), mac.map(str::to_owned))).collect();
        assert_eq!(names(found), expected);
    }
}

#[test]
fn a_removed_card_is_not_configured() {
    for (before, after) in [
        (
            "auto lo eth0\niface lo inet loopback\n\niface eth0 inet static\n    address 10.0.2.77/24\n# note\nauto eth1\niface eth1 inet dhcp\n",
            "auto lo\niface lo inet loopback\n\n#iface eth0 inet static\n#    address 10.0.2.77/24\n# note\nauto eth1\niface eth1 inet dhcp\n",
        ),
        ("allow-hotplug eth0\niface eth0 inet dhcp\n", "#allow-hotplug eth0\n#iface eth0 inet dhcp\n"),
        ("iface eth1 inet dhcp\n", "iface eth1 inet dhcp\n"),
    ] {
        assert_eq!(ifupdown::without(before, "eth0"), after, "{before:?}");
        assert_eq!(ifupdown::without(after, "eth0"), after, "twice {before:?}");
    }
    let keyfile = "[connection]\nautoconnect=false\nid=x\n";
    assert_eq!(keyfile::without("[connection]\nid=x\nautoconnect=true\n"), keyfile);
    assert_eq!(keyfile::without(keyfile), keyfile);
    assert_eq!(ifcfg::without("DEVICE=eth0\nONBOOT=yes\n"), "DEVICE=eth0\nONBOOT=no\n");
}

const OLD: &str = "00:0c:29:aa:bb:01";
const NEW: &str = "52:54:00:00:00:01";
const OTHER: &str = "52:54:00:00:00:02";

/// Returns the tree after the plan with cards of these MAC addresses.
fn converted(tree: &crate::fixtures::MemTree, macs: &[&str]) -> crate::fixtures::MemTree {
    use crate::layout::{DeviceName, Layout};
    let layout = Layout::default();
    let probe = Probe { tree, layout: &layout, mounts: &[], known: Some(&[]) };
    let network = facts(&probe, &bootloader::Facts::default(), &mut Vec::new()).unwrap();
    let class = crate::description::Class::Network;
    let driver = || crate::description::Choice::Driver("virtio-net-pci".to_owned());
    let devices = network.interfaces.iter().map(|one| ((class, one.name.clone()), driver())).collect();
    let choices = crate::description::Choices { devices };
    let linux = crate::linux::Facts { network: network.clone(), ..Default::default() };
    let root = crate::fixtures::root(DeviceName("/dev/sda1".into()), linux);
    let facts = crate::inspect::facts(Layout::default(), vec![root.clone()], Vec::new());
    let nics = macs.iter().map(|mac| crate::plan::Nic { name: None, mac: (*mac).to_owned() }).collect();
    let options = crate::plan::PlanOptions { nics, ..Default::default() };
    let target = crate::knowledge::target("kvm").unwrap();
    let context = crate::plan::Context {
        facts: &facts,
        root: &root,
        root_index: 0,
        target,
        choices: &choices,
        options: &options,
    };
    let mut draft = crate::plan::Draft::default();
    plan(&context, &network, &mut draft);
    let mut result = tree.clone();
    for change in draft.finish().unwrap().0.into_iter().flat_map(|step| step.changes) {
        let crate::change::Change::Write { path, before, after, .. } = change else { panic!("{change:?}") };
        let there = match result.entries().get(&path) {
            Some(crate::fixtures::Entry::File(bytes)) => Some(String::from_utf8(bytes.clone()).unwrap()),
            _ => None,
        };
        assert_eq!(there, before, "what {path} holds before");
        result.insert(path.as_str(), crate::fixtures::Entry::File(after.into_bytes()));
    }
    result
}

#[test]
fn each_interface_keeps_its_name_and_what_is_converted_plans_to_nothing() {
    let new = ("/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so", "");
    let (old, udevd) = (("/usr/lib/systemd/libsystemd-shared-239.so", ""), ("/sbin/udevd", ""));
    let systemd = ("/usr/lib/systemd/systemd-udevd", "");
    let link = |matches: &str| {
        format!(
            "# The interface keeps its name on the hardware that it was moved to.\n[Match]\n{matches}\n[Link]\nName=ens192\n"
        )
    };
    let rule = |mac: &str, name: &str| {
        format!(
            "SUBSYSTEM==\"net\", ACTION==\"add\", DRIVERS==\"?*\", ATTR{{address}}==\"{mac}\", ATTR{{type}}==\"1\", NAME=\"{name}\"\n"
        )
    };
    let link_path = "/etc/systemd/network/10-guestconv-ens192.link";
    let rules_path = "/etc/udev/rules.d/70-persistent-net.rules";
    let ens192 = ("/etc/network/interfaces", "iface ens192 inet static\n\taddress 10.0.2.77/24\n");
    let two = ("/etc/network/interfaces", "iface eth0 inet dhcp\niface eth1 inet dhcp\n");
    let stale = rule(OLD, "eth0");
    for (case, files, macs, written, text) in [
        (
            "systemd 252",
            vec![new, systemd, ens192],
            vec![NEW],
            link_path,
            link(&format!("MACAddress={NEW}\nType=ether\n")),
        ),
        (
            "systemd 239",
            vec![old, systemd, ens192],
            vec![NEW],
            link_path,
            link(&format!("MACAddress={NEW}\nDriver=virtio_net\n")),
        ),
        ("by driver", vec![new, systemd, ens192], vec![], link_path, link("Driver=virtio_net\nType=ether\n")),
        (
            "two rules",
            vec![udevd, two],
            vec![NEW, OTHER],
            rules_path,
            rule(NEW, "eth0") + &rule(OTHER, "eth1"),
        ),
        (
            "a rule edited and one added",
            vec![udevd, two, (rules_path, stale.as_str())],
            vec![NEW, OTHER],
            rules_path,
            rule(NEW, "eth0") + &rule(OTHER, "eth1"),
        ),
    ] {
        let tree = crate::fixtures::MemTree::of(&files);
        let mut expected = tree.clone();
        expected.insert(written, crate::fixtures::Entry::File(text.into_bytes()));
        let result = converted(&tree, &macs);
        assert_eq!(result, expected, "{case}");
        assert_eq!(converted(&result, &macs), result, "{case}, again");
        assert_eq!(converted(&result, &[]), result, "{case}, again and without naming the cards");
    }
}
