//! The seed's `root.xml` (the proposal of 2013) against the description of the guest that it tells of, element by element;
//! and what the plan does to that guest's files.

use super::describe;
use crate::change::Change;
use crate::description::Choices;
use crate::fixtures::{relaxng, rhel64};
use crate::knowledge::target;
use crate::plan::{Nic, PlanOptions, plan};
use roxmltree::{Document, Node};
use std::collections::BTreeMap;

/// As it was posted, with its last tag closed.
const SEED: &str = "<guestconv>
  <info>
    <hostname>guest.example.com</hostname>
    <os>linux</os>
    <distribution>rhel</distribution>
    <version>
      <major>6</major>
      <minor>4</minor>
    </version>
  </info>
  <devices>
    <graphics id='0' driver='qxl-vga'>
      <driver>qxl-vga</driver>
      <driver>cirrus-vga</driver>
    </graphics>
    <network id='eth0' driver='virtio-net-pci'>
      <driver>virtio-net-pci</driver>
      <driver>e1000</driver>
    </network>
    <network id='eth1' driver='virtio-net-pci'>
      <driver>virtio-net-pci</driver>
      <driver>e1000</driver>
    </network>
    <block id='sda' driver='virtio-blk-pci'>
      <driver>virtio-blk-pci</driver>
      <driver>scsi-hd</driver>
    </block>
    <console id='console' driver='isa-serial'>
      <driver>virtserialport</driver>
      <driver>virtconsole</driver>
      <driver>isa-serial</driver>
    </console>
  </devices>
</guestconv>";

/// What a document says, a line for each element with its place and text, and one for each attribute, in its order.
fn lines(document: &str) -> Vec<String> {
    fn add(node: Node<'_, '_>, above: &str, lines: &mut Vec<String>) {
        let name = node.tag_name().name();
        let id = node.attribute("id").map(|id| format!("[{id}]")).unwrap_or_default();
        let place = format!("{above}/{name}{id}");
        lines.push(format!("{place} {}", node.text().unwrap_or_default().trim()).trim_end().to_owned());
        lines.extend(node.attributes().map(|a| format!("{place}/@{} {}", a.name(), a.value())));
        node.children().filter(Node::is_element).for_each(|child| add(child, &place, lines));
    }
    let mut lines = Vec::new();
    add(Document::parse(document).unwrap().root_element(), "", &mut lines);
    lines
}

/// Returns the lines of `ours` that are not in `seed`, and those of `seed` that `ours` lacks or has in another order.
fn compared(seed: &[String], ours: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut additions, mut wanted) = (Vec::new(), seed.iter().peekable());
    for line in ours {
        if wanted.next_if_eq(&line).is_none() {
            additions.push(line.clone());
        }
    }
    (additions, wanted.cloned().collect())
}

#[test]
fn every_element_of_the_seed_is_in_the_description_in_its_order() {
    let document = describe(&rhel64::facts(), target("rhev-3.1").unwrap(), &[]).to_xml();
    relaxng::assert_valid(&document);
    let (additions, missing) = compared(&lines(SEED), &lines(&document));
    assert_eq!(missing, Vec::<String>::new(), "{document}");
    let devices = "/guestconv/devices";
    let expected = [
        "/guestconv/@version 1".to_owned(),
        "/guestconv/@target rhev-3.1".to_owned(),
        "/guestconv/info/@root /dev/vg_guest/lv_root".to_owned(),
        "/guestconv/info/arch x86_64".to_owned(),
        "/guestconv/info/osinfo rhel6.4".to_owned(),
        "/guestconv/info/product Red Hat Enterprise Linux Server release 6.4 (Santiago)".to_owned(),
        "/guestconv/boot".to_owned(),
        "/guestconv/boot/@firmware bios".to_owned(),
        "/guestconv/boot/loader".to_owned(),
        "/guestconv/boot/loader/@disk sda".to_owned(),
        "/guestconv/boot/loader/@name grub-legacy".to_owned(),
        format!("{devices}/graphics[0]/@updatable 1"),
        format!("{devices}/network[eth0]/@mac 00:50:56:ab:cd:01"),
        format!("{devices}/network[eth0]/@updatable 1"),
        format!("{devices}/network[eth0]/driver rtl8139"),
        format!("{devices}/network[eth1]/@mac 00:50:56:ab:cd:02"),
        format!("{devices}/network[eth1]/@updatable 1"),
        format!("{devices}/network[eth1]/driver rtl8139"),
        format!("{devices}/block[sda]/@updatable 1"),
        format!("{devices}/block[sda]/driver ide-hd"),
        format!("{devices}/console[console]/@updatable 1"),
        "/guestconv/findings".to_owned(),
        "/guestconv/findings/finding scsi-hd on Red Hat Enterprise Virtualization 3.1: needs RHEL 6.4 hosts; the manager offers it from 3.3 on".to_owned(),
        "/guestconv/findings/finding/@code driver-caution".to_owned(),
        "/guestconv/findings/finding/@severity info".to_owned(),
        "/guestconv/findings/finding/@subject scsi-hd".to_owned(),
    ];
    assert_eq!(additions, expected, "{document}");
}

#[test]
fn what_is_missing_or_elsewhere_is_seen() {
    let seed = lines("<a><b id='1' c='2'/><d>e</d></a>");
    for (ours, additions, missing) in [
        ("<a x='y'><b id='1' z='z' c='2'/><d>e</d></a>", vec!["/a/@x y", "/a/b[1]/@z z"], vec![]),
        ("<a><b id='1'/><d>e</d></a>", vec!["/a/d e"], vec!["/a/b[1]/@c 2", "/a/d e"]),
        ("<a><b id='1' c='2'/><d>f</d></a>", vec!["/a/d f"], vec!["/a/d e"]),
        ("<a><d>e</d></a>", vec!["/a/d e"], vec!["/a/b[1]", "/a/b[1]/@id 1", "/a/b[1]/@c 2", "/a/d e"]),
    ] {
        let found = compared(&seed, &lines(ours));
        let owned = |lines: Vec<&str>| lines.into_iter().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(found, (owned(additions), owned(missing)), "{ours}");
    }
}

#[test]
fn the_plan_edits_words_and_keeps_comments_and_order() {
    let nic = |name: &str, mac: &str| Nic { name: Some(name.into()), mac: mac.into() };
    let (first, second) = ("52:54:00:00:00:01", "52:54:00:00:00:02");
    let options = PlanOptions { nics: vec![nic("eth0", first), nic("eth1", second)], ..Default::default() };
    let plan = plan(&rhel64::facts(), target("rhev-3.1").unwrap(), &Choices::default(), &options).unwrap();
    let (mut before, mut after, mut appended) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for change in plan.steps.into_iter().flat_map(|step| step.changes) {
        match change {
            Change::Write { path, before: was, after: text, .. } => {
                before.entry(path.to_string()).or_insert(was);
                after.insert(path.to_string(), text);
            }
            Change::AppendInitramfs(append) => {
                appended.push(append.path.to_string());
                appended.extend(append.modules.into_iter().map(|module| module.name));
            }
            other => panic!("{other:?}"),
        }
    }
    let image = format!("/boot/initramfs-{}.img", rhel64::KERNEL);
    assert_eq!(appended, [image.as_str(), "virtio", "virtio_ring", "virtio_pci", "virtio_blk"]);
    let rules = rhel64::RULES.replace("00:50:56:ab:cd:01", first).replace("00:50:56:ab:cd:02", second);
    let consoles = |end: &str| format!("{end} console=tty0 console=ttyS0");
    let menu = [" rhgb quiet\n", " single\n"].iter().fold(rhel64::GRUB_CONF.to_owned(), |text, end| {
        text.replace(end, &(consoles(end.trim_end()) + "\n"))
    });
    let card = rhel64::XORG_CONF.replace("vmware", "qxl").replace("\tBusID", "#\tBusID");
    let was = |text: &str| Some(text.to_owned());
    let expected = [
        ("/boot/grub/device.map", was(rhel64::DEVICE_MAP), rhel64::DEVICE_MAP.replace("sda", "vda")),
        ("/boot/grub/grub.conf", was(rhel64::GRUB_CONF), menu),
        ("/etc/X11/xorg.conf", was(rhel64::XORG_CONF), card),
        (
            "/etc/dracut.conf.d/50-guestconv.conf",
            None,
            "add_drivers+=\" virtio_pci virtio_blk \"\n".to_owned(),
        ),
        (
            "/etc/sysconfig/network-scripts/ifcfg-eth1",
            was(rhel64::IFCFG_ETH1),
            rhel64::IFCFG_ETH1.replace("00:50:56:AB:CD:02", second),
        ),
        ("/etc/udev/rules.d/70-persistent-net.rules", was(rhel64::RULES), rules),
    ];
    let texts: Vec<_> = before.into_iter().zip(after.into_values()).collect();
    let expected = expected.map(|(path, was, text)| ((path.to_owned(), was), text));
    assert_eq!(texts, expected);
}
