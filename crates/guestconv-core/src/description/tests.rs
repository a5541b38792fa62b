//! `docs/guestconv.rng` held against what is written here, against the seed's own document, and against what is neither.

use super::xml::tests::seed;
use super::*;
use crate::fixtures::relaxng::{assert_refused, assert_valid};

/// Returns the text with its only `before` changed to `after`.
fn changed(text: &str, before: &str, after: &str) -> String {
    assert_eq!(text.matches(before).count(), 1, "{before} in {text}");
    text.replacen(before, after, 1)
}

/// The description that says the least.
fn least() -> Description {
    Description {
        schema: DESCRIPTION_SCHEMA,
        target: "kvm".into(),
        systems: Vec::new(),
        boot: Boot { firmware: "none".into(), loaders: Vec::new() },
        devices: Vec::new(),
        findings: Vec::new(),
    }
}

#[test]
fn whatever_a_description_says_is_valid() {
    let info = |change: fn(&mut Info)| {
        let mut description = seed();
        description.systems.iter_mut().for_each(change);
        description
    };
    let mut two = seed();
    two.systems.push(Info { root: "/dev/vg0/root".into(), ..seed().systems.remove(0) });
    two.boot.loaders.push(Loader { disk: "sdb".into(), name: "systemd-boot".into() });
    let mut every_class_twice = seed();
    every_class_twice.devices = Class::ALL
        .into_iter()
        .flat_map(|class| ["1", "2"].map(|id| (class, id)))
        .map(|(class, id)| Device {
            class,
            id: id.into(),
            driver: "scsi-hd".into(),
            offers: vec!["scsi-hd".into(), "ne2k_pci".into()],
            mac: (class == Class::Network).then(|| "52:54:00:ab:cd:ef".into()),
        })
        .collect();
    let mut findings = seed();
    findings.findings = vec![
        Finding::info("a", ""),
        Finding::warning("a-b", "<b> & ]]>\u{0}").about(""),
        Finding::error("a-b-c", "é\u{fffe}").about("/etc/'\"\t\n"),
    ];
    for description in [
        seed(),
        least(),
        two,
        every_class_twice,
        findings,
        info(|info| info.os = "windows".into()),
        info(|info| info.minor = None),
        info(|info| (info.major, info.minor) = (None, None)),
        info(|info| (info.major, info.minor) = (None, Some(4))),
        info(|info| (info.hostname, info.osinfo) = (None, None)),
        info(|info| info.hostname = Some(String::new())),
        info(|info| (info.distribution, info.arch, info.product) = <_>::default()),
    ] {
        assert_valid(&description.to_xml());
    }
}

#[test]
fn what_a_caller_may_edit_is_valid() {
    let text = seed().to_xml();
    for (before, after) in [
        ("id='sda' driver='virtio-blk-pci'", "id='sda' driver='scsi-hd'"),
        ("<boot firmware='bios'>", "<!-- kept -->\n<boot\n  firmware = \"bios\" >"),
        ("<os>linux</os>", "<os>\n<!-- it is -->linux</os>"),
        ("    <block id", "\n\n<block id"),
    ] {
        assert_valid(&changed(&text, before, after));
    }
    for name in ["graphics", "block", "console"] {
        let (start, end) = (text.find(&format!("<{name} ")), text.find(&format!("</{name}>")));
        let device = &text[start.unwrap()..end.unwrap() + name.len() + 3];
        assert_valid(&changed(&text, device, ""));
    }
}

#[test]
fn another_structure_is_refused() {
    let text = seed().to_xml();
    for (before, after) in [
        ("version='1' ", ""),
        ("version='1' ", "version='2' "),
        ("version='1' ", "version='1' mode='fast' "),
        (" target='rhev-3.1'", ""),
        ("target='rhev-3.1'", "target=''"),
        ("target='rhev-3.1'", "target='rhev 3.1'"),
        ("<guestconv version", "<guestconv xmlns='urn:x' version"),
        (" root='/dev/sda1'", ""),
        ("root='/dev/sda1'", "root='/dev/sda1' primary='1'"),
        ("<os>linux</os>", ""),
        ("<os>linux</os>", "<os>dos</os>"),
        ("<os>linux</os>", "<os><b/>linux</os>"),
        ("<os>linux</os>", "<os lang='en'>linux</os>"),
        ("<os>linux</os>", "<os>linux</os><os>linux</os>"),
        ("<distribution>rhel</distribution>", ""),
        ("<arch>x86_64</arch>", ""),
        ("<arch>x86_64</arch>", "<arch>x86_64</arch><bits>64</bits>"),
        ("<major>6</major>", ""),
        ("<major>6</major>", "<major>six</major>"),
        ("<major>6</major>", "<major>-6</major>"),
        ("<minor>4</minor>", "<minor>4</minor><patch>1</patch>"),
        ("<osinfo>rhel6.4</osinfo>\n", "<osinfo>rhel6.4</osinfo><osinfo>rhel6.4</osinfo>"),
        (
            "    <os>linux</os>\n    <distribution>",
            "<distribution>x</distribution><os>linux</os><distribution>",
        ),
        ("  <boot firmware='bios'>\n    <loader disk='sda' name='grub-legacy'/>\n  </boot>\n", ""),
        ("<boot firmware='bios'>", "<boot>"),
        ("firmware='bios'", "firmware='openfirmware'"),
        ("<loader disk='sda' ", "<loader "),
        ("<loader disk='sda' name='grub-legacy'/>", "<loader disk='sda'/>"),
        ("<loader disk='sda' name='grub-legacy'/>", "<loader disk='sda' name='grub-legacy'>x</loader>"),
        ("  </boot>", "  </boot><boot firmware='bios'/>"),
        ("  <devices>", "  <devices>fast"),
        ("  <devices>", "  <devices speed='1'>"),
        ("  <devices>", "  <devices><sound id='0' driver='ac97' updatable='1'><driver>ac97</driver></sound>"),
        ("id='0' ", ""),
        ("id='0' driver='qxl-vga'", "id='0'"),
        ("id='0' driver='qxl-vga'", "id='0' driver=''"),
        ("driver='qxl-vga' updatable='1'", "driver='qxl-vga'"),
        ("driver='qxl-vga' updatable='1'", "driver='qxl-vga' updatable='0'"),
        ("driver='qxl-vga' updatable='1'", "driver='qxl-vga' updatable='1' heads='2'"),
        ("driver='qxl-vga' updatable='1'", "driver='qxl-vga' mac='52:54:00:00:00:01' updatable='1'"),
        ("<driver>qxl-vga</driver>\n      <driver>cirrus-vga</driver>", ""),
        ("<driver>qxl-vga</driver>", "<driver/>"),
        ("<driver>qxl-vga</driver>", "<driver best='1'>qxl-vga</driver>"),
        ("<driver>qxl-vga</driver>", "<driver>qxl-vga</driver>or"),
        ("mac='52:54:00:00:00:01'", "mac='52-54-00-00-00-01'"),
        ("mac='52:54:00:00:00:01'", "mac='52:54:00:00:00:0A'"),
        ("mac='52:54:00:00:00:01'", "mac=''"),
        ("</console>", "</console><block id='b' driver='x' updatable='1'><driver>x</driver></block>"),
        ("  </devices>\n", "  </devices><devices/>"),
        ("  <findings>", "  <findings>none"),
        ("  <findings>", "  <findings><note/>"),
        ("<finding code='some-code' ", "<finding "),
        ("severity='warning'", "severity='fatal'"),
        ("severity='warning' ", ""),
        ("severity='warning'", "severity='warning' line='1'"),
        ("look&#10;here", "<b>here</b>"),
        ("</findings>", "</findings><info root='/'/>"),
    ] {
        assert_refused(&changed(&text, before, after));
    }
    for other in ["<html/>", "<guestconv/>", "<guestconv version='1' target='kvm'/>"] {
        assert_refused(other);
    }
}

/// What inspection returns in the proposal of 2013; its mail has no slash in the last line.
const PROPOSED: &str = "<guestconv>
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
</guestconv>
";

/// The proposal's document is a description but for what was decided after its review, and each of that is needed.
#[test]
fn the_proposed_document_is_a_description_with_what_the_review_added() {
    let added = [
        ("<guestconv>", "<guestconv version='1' target='rhev-3.1'>"),
        ("<info>", "<info root='/dev/sda1'>"),
        ("</info>", "<arch>x86_64</arch><product/></info>"),
        ("<devices>", "<boot firmware='bios'/><devices>"),
        ("'qxl-vga'>", "'qxl-vga' updatable='1'>"),
        ("'eth0' driver='virtio-net-pci'>", "'eth0' driver='virtio-net-pci' updatable='1'>"),
        ("'eth1' driver='virtio-net-pci'>", "'eth1' driver='virtio-net-pci' updatable='1'>"),
        ("'virtio-blk-pci'>", "'virtio-blk-pci' updatable='1'>"),
        ("'isa-serial'>", "'isa-serial' updatable='1'>"),
        ("</devices>", "</devices><findings/>"),
    ];
    let with = |left_out: Option<usize>| {
        let added = added.iter().enumerate().filter(|(at, _)| Some(*at) != left_out);
        added.fold(PROPOSED.to_owned(), |text, (_, (before, after))| changed(&text, before, after))
    };
    assert_valid(&with(None));
    for at in 0..added.len() {
        assert_refused(&with(Some(at)));
    }
    assert_refused(PROPOSED);
}
