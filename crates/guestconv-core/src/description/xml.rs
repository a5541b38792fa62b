//! The description as XML: one shape, [`Element`], from which a document is written and against which an edited one is
//! compared. The order of attributes is fixed, so equal descriptions are equal texts.

use super::{Description, Device, Info};
use crate::finding::{Finding, Severity};
use crate::xml::Element;

impl Description {
    /// Returns the document as XML, with a line feed at its end.
    pub fn to_xml(&self) -> String {
        document(self).to_document()
    }
}

/// Returns the description as the element that is written.
pub(super) fn document(description: &Description) -> Element {
    let mut children: Vec<Element> = description.systems.iter().map(info).collect();
    let loader = |loader: &super::Loader| {
        Element::new("loader").attribute("disk", &loader.disk).attribute("name", &loader.name)
    };
    children.push(
        Element::new("boot")
            .attribute("firmware", &description.boot.firmware)
            .with(description.boot.loaders.iter().map(loader)),
    );
    children.push(Element::new("devices").with(description.devices.iter().map(device)));
    children.push(Element::new("findings").with(description.findings.iter().map(finding)));
    Element::new("guestconv")
        .attribute("version", &description.schema.to_string())
        .attribute("target", &description.target)
        .with(children)
}

fn info(info: &Info) -> Element {
    let number = |name, number: Option<u32>| number.map(|number| Element::leaf(name, &number.to_string()));
    let version = info.major.map(|_| {
        Element::new("version")
            .with([number("major", info.major), number("minor", info.minor)].into_iter().flatten())
    });
    Element::new("info").attribute("root", &info.root).with(
        [
            info.hostname.as_deref().map(|hostname| Element::leaf("hostname", hostname)),
            Some(Element::leaf("os", &info.os)),
            Some(Element::leaf("distribution", &info.distribution)),
            version,
            Some(Element::leaf("arch", &info.arch)),
            info.osinfo.as_deref().map(|osinfo| Element::leaf("osinfo", osinfo)),
            Some(Element::leaf("product", &info.product)),
        ]
        .into_iter()
        .flatten(),
    )
}

fn device(device: &Device) -> Element {
    let mut element =
        Element::new(device.class.name()).attribute("id", &device.id).attribute("driver", &device.driver);
    if let Some(mac) = &device.mac {
        element = element.attribute("mac", mac);
    }
    element
        .attribute("updatable", "1")
        .with(device.offers.iter().map(|driver| Element::leaf("driver", driver)))
}

fn finding(finding: &Finding) -> Element {
    let severity = match finding.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let mut element = Element::leaf("finding", &finding.text)
        .attribute("code", &finding.code)
        .attribute("severity", severity);
    if let Some(subject) = &finding.subject {
        element = element.attribute("subject", subject);
    }
    element
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::{Boot, Class, Loader};
    use super::*;
    use crate::fixtures::relaxng::assert_valid;

    /// The seed's guest, with what the design page added to the document.
    pub(in super::super) fn seed() -> Description {
        let device = |class, id: &str, driver: &str, mac: Option<&str>, offers: &[&str]| Device {
            class,
            id: id.into(),
            driver: driver.into(),
            offers: offers.iter().map(|&offer| offer.to_owned()).collect(),
            mac: mac.map(str::to_owned),
        };
        Description {
            schema: super::super::DESCRIPTION_SCHEMA,
            target: "rhev-3.1".into(),
            systems: vec![Info {
                root: "/dev/sda1".into(),
                hostname: Some("guest.example.com".into()),
                os: "linux".into(),
                distribution: "rhel".into(),
                major: Some(6),
                minor: Some(4),
                arch: "x86_64".into(),
                osinfo: Some("rhel6.4".into()),
                product: "Red Hat <Enterprise> & 'Linux'\u{1b}[31m".into(),
            }],
            boot: Boot {
                firmware: "bios".into(),
                loaders: vec![Loader { disk: "sda".into(), name: "grub-legacy".into() }],
            },
            devices: vec![
                device(Class::Graphics, "0", "qxl-vga", None, &["qxl-vga", "cirrus-vga"]),
                device(
                    Class::Network,
                    "eth0",
                    "virtio-net-pci",
                    Some("52:54:00:00:00:01"),
                    &["virtio-net-pci", "e1000"],
                ),
                device(Class::Network, "eth1", "virtio-net-pci", None, &["virtio-net-pci", "e1000"]),
                device(Class::Block, "sda", "virtio-blk-pci", None, &["virtio-blk-pci", "scsi-hd"]),
                device(Class::Console, "console", "isa-serial", None, &["virtconsole", "isa-serial"]),
            ],
            findings: vec![Finding::warning("some-code", "look\nhere").about("/dev/sda1")],
        }
    }

    #[test]
    fn a_description_is_written_in_one_way() {
        assert_valid(&seed().to_xml());
        assert_eq!(
            seed().to_xml(),
            "<?xml version='1.0' encoding='utf-8'?>
<guestconv version='1' target='rhev-3.1'>
  <info root='/dev/sda1'>
    <hostname>guest.example.com</hostname>
    <os>linux</os>
    <distribution>rhel</distribution>
    <version>
      <major>6</major>
      <minor>4</minor>
    </version>
    <arch>x86_64</arch>
    <osinfo>rhel6.4</osinfo>
    <product>Red Hat &lt;Enterprise&gt; &amp; &apos;Linux&apos;\u{fffd}[31m</product>
  </info>
  <boot firmware='bios'>
    <loader disk='sda' name='grub-legacy'/>
  </boot>
  <devices>
    <graphics id='0' driver='qxl-vga' updatable='1'>
      <driver>qxl-vga</driver>
      <driver>cirrus-vga</driver>
    </graphics>
    <network id='eth0' driver='virtio-net-pci' mac='52:54:00:00:00:01' updatable='1'>
      <driver>virtio-net-pci</driver>
      <driver>e1000</driver>
    </network>
    <network id='eth1' driver='virtio-net-pci' updatable='1'>
      <driver>virtio-net-pci</driver>
      <driver>e1000</driver>
    </network>
    <block id='sda' driver='virtio-blk-pci' updatable='1'>
      <driver>virtio-blk-pci</driver>
      <driver>scsi-hd</driver>
    </block>
    <console id='console' driver='isa-serial' updatable='1'>
      <driver>virtconsole</driver>
      <driver>isa-serial</driver>
    </console>
  </devices>
  <findings>
    <finding code='some-code' severity='warning' subject='/dev/sda1'>look&#10;here</finding>
  </findings>
</guestconv>
"
        );
    }
}
