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
                "network:\n  version: 2\n  ethernets:\n    nic0:\n      match:\n        macaddress: \"00:50:56:01:02:03\"\n      set-name: ens192\n      addresses:\n        - 10.0.2.77/24\n    ens224:\n      dhcp4: true\n  bridges:\n    br0:\n      dhcp4: true\n",
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
