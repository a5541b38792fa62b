//! Every edit that is obeyed, and every refusal with its code and place.

use super::super::xml::tests::seed;
use super::*;
use crate::fixtures::relaxng::assert_valid;
use std::collections::BTreeSet;

#[test]
fn an_unedited_document_chooses_what_was_described() {
    assert_eq!(choices(&seed().to_xml(), &seed()), Ok(seed().choices()));
}

#[test]
fn drivers_deletions_comments_and_white_space_are_obeyed() {
    let driver = |name: &str| Choice::Driver(name.into());
    let chosen = |class, id: &str, choice: Choice| {
        let mut choices = seed().choices();
        choices.devices.insert((class, id.into()), choice);
        choices
    };
    for (before, after, expected) in [
        (
            "'eth1' driver='virtio-net-pci'",
            "'eth1' driver='e1000'",
            chosen(Class::Network, "eth1", driver("e1000")),
        ),
        (
            "'sda' driver='virtio-blk-pci'",
            "\"sda\"\n driver = \"scsi-hd\" ",
            chosen(Class::Block, "sda", driver("scsi-hd")),
        ),
        (
            "    <graphics id='0' driver='qxl-vga' updatable='1'>
      <driver>qxl-vga</driver>
      <driver>cirrus-vga</driver>
    </graphics>\n",
            "",
            chosen(Class::Graphics, "0", Choice::Removed),
        ),
        ("<boot ", "<!-- kept --><boot  ", seed().choices()),
        ("<os>linux</os>", "<os>\n<!-- it is -->linux</os>", seed().choices()),
        ("?>\n<guestconv ", "?>\n\n<!-- edited -->\n<guestconv ", seed().choices()),
        ("<?xml version='1.0' encoding='utf-8'?>", "\u{feff}", seed().choices()),
    ] {
        let text = seed().to_xml();
        assert!(text.contains(before), "{before}");
        let edited = text.replacen(before, after, 1);
        assert_valid(&edited);
        assert_eq!(choices(&edited, &seed()), Ok(expected), "{after}");
    }
}

#[test]
fn everything_else_is_refused_with_its_code_and_place() {
    let device = "/guestconv/devices/network[@id='eth0']";
    for (before, after, code, element) in [
        ("version='1'", "version='2'", "description-version", "/guestconv"),
        ("version='1' ", "", "description-version", "/guestconv"),
        ("target='rhev-3.1'", "target='kvm'", "description-target", "/guestconv"),
        ("guest.example.com", "other", "description-info-changed", "/guestconv/info/hostname"),
        ("<hostname>guest.example.com</hostname>", "", "description-info-changed", "/guestconv/info/os"),
        ("<minor>4</minor>", "", "description-info-changed", "/guestconv/info/version"),
        ("root='/dev/sda1'", "root='/dev/sda2'", "description-info-changed", "/guestconv/info"),
        ("root='/dev/sda1'", "", "description-info-changed", "/guestconv/info"),
        ("<boot ", "<info/><boot ", "description-info-changed", "/guestconv/info[2]"),
        ("firmware='bios'", "firmware='uefi'", "description-boot-changed", "/guestconv/boot"),
        ("grub-legacy", "grub2", "description-boot-changed", "/guestconv/boot/loader"),
        ("<findings>", "<boot/><findings>", "description-findings-changed", "/guestconv"),
        ("<finding ", "<note/><finding ", "description-unknown-element", "/guestconv/findings/note"),
        ("<finding ", "<finding id='1' ", "description-unknown-attribute", "/guestconv/findings/finding"),
        ("look&#10;here", "<b>here</b>", "description-unknown-element", "/guestconv/findings/finding/b"),
        ("<findings>", "<findings>none", "description-unexpected-text", "/guestconv/findings"),
        ("</findings>", "</findings><findings/>", "description-duplicate", "/guestconv/findings[2]"),
        ("52:54:00:00:00:01", "52:54:00:00:00:02", "description-mac-changed", device),
        ("'eth1' driver", "'eth1' mac='x' driver", "description-mac-changed", &device.replace('0', "1")),
        ("01' updatable='1'", "01' updatable='0'", "description-device-changed", device),
        ("01' updatable='1'", "01'", "description-device-changed", device),
        ("driver='virtio-net-pci' mac", "mac", "description-device-changed", device),
        ("driver='virtio-net-pci' mac", "driver='vmxnet3' mac", "driver-not-offered", device),
        ("<driver>e1000</driver>", "", "description-offers-changed", device),
        ("<driver>e1000</driver>", "<driver>ne2k_pci</driver>", "description-offers-changed", device),
        ("id='eth0'", "id='eth7'", "description-new-device", &device.replace('0', "7")),
        ("id='eth0'", "id='eth1'", "description-mac-changed", &device.replace('0', "1")),
        (
            "  </devices>",
            "<console id='console' driver='isa-serial' updatable='1'><driver>virtconsole</driver>\
             <driver>isa-serial</driver></console></devices>",
            "description-duplicate",
            "/guestconv/devices/console[@id='console']",
        ),
        (
            "    <graphics id='0'",
            "<console id='console' driver='isa-serial' updatable='1'><driver>virtconsole</driver>\
             <driver>isa-serial</driver></console><graphics id='0'",
            "description-order-changed",
            "/guestconv/devices/graphics[@id='0']",
        ),
        (
            "<network id='eth0'",
            "<sound id='0'/><network id='eth0'",
            "description-unknown-element",
            "/guestconv/devices/sound",
        ),
        ("<os>linux</os>", "<os><b/>linux</os>", "description-unknown-element", "/guestconv/info/os/b"),
        ("<boot ", "<?php x?><boot ", "description-unknown-element", "/guestconv"),
        (
            "<block ",
            "<block xmlns='urn:x' ",
            "description-unknown-element",
            "/guestconv/devices/{urn:x}block",
        ),
        ("<os>", "<os lang='en'>", "description-unknown-attribute", "/guestconv/info/os"),
        (
            "updatable='1'>",
            "updatable='1' queues='4'>",
            "description-unknown-attribute",
            "/guestconv/devices/graphics[@id='0']",
        ),
        ("<devices>", "<devices>fast", "description-unexpected-text", "/guestconv/devices"),
        ("linux</os>", "</os>", "description-info-changed", "/guestconv/info/os"),
        ("</devices>", "</device>", "description-not-xml", "/"),
        ("?>", "?><!DOCTYPE guestconv [<!ENTITY a 'b'>]>", "description-dtd", "/"),
    ] {
        let text = seed().to_xml();
        assert!(text.contains(before), "{before}");
        let refusal = choices(&text.replacen(before, after, 1), &seed()).unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.element.as_str()), (code, element), "{after}: {refusal}");
    }
}

/// Converting changes what is found, and tells the guest its MAC addresses; the document that it was converted by is as
/// good for verify.
#[test]
fn a_document_stays_good_when_the_guest_was_converted_by_it() {
    use crate::finding::Finding;
    let mut after = seed();
    after.findings = vec![Finding::info("other-code", "done"), Finding::info("more", "done")];
    after.devices.iter_mut().filter(|device| device.id == "eth1").for_each(|device| {
        device.mac = Some("52:54:00:00:00:02".into());
    });
    assert_valid(&after.to_xml());
    assert_eq!(choices(&seed().to_xml(), &after), Ok(seed().choices()));
    after.findings.clear();
    assert_valid(&after.to_xml());
    assert_eq!(choices(&seed().to_xml(), &after), Ok(seed().choices()));
}

#[test]
fn a_refusal_tells_line_and_column() {
    let text = seed().to_xml().replace("'eth1' driver='virtio-net-pci'", "'eth1' driver='vmxnet3'");
    let refusal = Refusal {
        code: "driver-not-offered".into(),
        element: "/guestconv/devices/network[@id='eth1']".into(),
        line: 27,
        column: 5,
        message: "the driver vmxnet3 is not on offer; choose one of: virtio-net-pci, e1000".into(),
    };
    assert_eq!(choices(&text, &seed()), Err(refusal));
}

#[test]
fn hostile_documents_are_refused() {
    for (text, code) in [
        (String::new(), "description-not-xml"),
        ("hello".into(), "description-not-xml"),
        ("<guestconv".into(), "description-not-xml"),
        ("<guestconv>\u{1}</guestconv>".into(), "description-not-xml"),
        ("<html/>".into(), "description-unknown-element"),
        ("<a>".repeat(100_000) + &"</a>".repeat(100_000), "description-unknown-element"),
        ("<guestconv>".to_owned() + &"<a/>".repeat(300_000) + "</guestconv>", "description-too-large"),
        (" ".repeat(SIZE_CAP_BYTES + 1), "description-too-large"),
    ] {
        let refusal = choices(&text, &seed()).unwrap_err();
        assert_eq!(refusal.code, code, "{:.80}", text);
        assert_eq!(require_description(&text), Err(refusal), "no guest is needed for that: {text:.80}");
    }
    assert_eq!(require_description(&seed().to_xml()), Ok(()));
}

/// Returns the attributes and the elements that the schema has directly in a pattern.
fn parts(grammar: &Document<'_>, pattern: Node<'_, '_>) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut attributes, mut children) = (BTreeSet::new(), BTreeSet::new());
    for node in elements(pattern) {
        let name = node.attribute("name").unwrap_or_default();
        let inside = match node.tag_name().name() {
            "attribute" => (BTreeSet::from([name.to_owned()]), BTreeSet::new()),
            "element" => (BTreeSet::new(), BTreeSet::from([name.to_owned()])),
            "ref" => {
                let is_it = |node: &Node<'_, '_>| {
                    node.has_tag_name(("http://relaxng.org/ns/structure/1.0", "define"))
                        && node.attribute("name") == Some(name)
                };
                parts(grammar, grammar.descendants().find(is_it).unwrap())
            }
            _ => parts(grammar, node),
        };
        attributes.extend(inside.0);
        children.extend(inside.1);
    }
    (attributes, children)
}

/// What the schema lets stand somewhere, the reader knows there, and the other way round.
#[test]
fn the_schema_has_the_vocabulary_of_the_reader() {
    let grammar = Document::parse(include_str!("../../../../../docs/guestconv.rng")).unwrap();
    let mut seen = BTreeSet::new();
    for element in grammar.descendants().filter(|node| node.tag_name().name() == "element") {
        let name = element.attribute("name").unwrap();
        let (attributes, children) = known(name);
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(parts(&grammar, element), (set(attributes), set(children)), "{name}");
        seen.insert(name);
    }
    let missing: Vec<_> = VOCABULARY.iter().filter(|(name, ..)| !seen.contains(name)).collect();
    assert_eq!(missing, Vec::<&(&str, &[&str], &[&str])>::new());
}
