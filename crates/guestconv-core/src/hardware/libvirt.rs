//! The hardware as a libvirt domain (<https://libvirt.org/formatdomain.html>), to be defined as it is. What libvirt adds by
//! itself to every domain of a machine type (a USB controller, a balloon) is left to it.
//!
//! The network is the one that every libvirt has, `default`; the processor is what libvirt makes of the host's own.

use super::host::{Host, HostDisk, HostDiskKind};
use super::{AGENT_CHANNEL, Hardware, HardwareDisk, HardwareFirmware, HardwareNic};
use crate::layout::disk_letters;
use crate::plan::PlanError;
use crate::xml::{Element, is_forbidden};

/// Video models by QEMU's names of the devices.
const VIDEO: &[(&str, &str)] = &[
    ("qxl-vga", "qxl"),
    ("virtio-vga", "virtio"),
    // What libvirt makes of the model where the machine has no VGA.
    ("virtio-gpu-pci", "virtio"),
    ("VGA", "vga"),
    ("cirrus-vga", "cirrus"),
    ("bochs-display", "bochs"),
];

/// Returns the domain, with a line feed at its end.
///
/// # Errors
/// `device-not-in-libvirt` if libvirt's domains have no such device, `path-not-in-xml` if the path of an image has a
/// character that XML cannot hold, `disk-count` if there is not one image for each disk.
pub fn domain(hardware: &Hardware, host: &Host) -> Result<String, PlanError> {
    host.require_disks(hardware)?;
    let element = Element::new("domain").attribute("type", "kvm").with([
        Element::leaf("name", &host.name),
        Element::leaf("memory", &host.memory_mib.to_string()).attribute("unit", "MiB"),
        Element::leaf("vcpu", &host.cpus.to_string()),
        os(hardware),
        features(hardware),
        Element::new("cpu").attribute("mode", cpu_mode(hardware)),
        Element::new("devices").with(devices(hardware, host)?),
    ]);
    Ok(element.to_document())
}

fn features(hardware: &Hardware) -> Element {
    let apic = (!is_arm(hardware)).then(|| Element::new("apic"));
    Element::new("features").with(std::iter::once(Element::new("acpi")).chain(apic))
}

/// Libvirt has no models of ARM's processors.
fn cpu_mode(hardware: &Hardware) -> &'static str {
    if is_arm(hardware) { "host-passthrough" } else { "host-model" }
}

fn is_arm(hardware: &Hardware) -> bool {
    hardware.arch == "aarch64"
}

fn os(hardware: &Hardware) -> Element {
    let kind = Element::leaf("type", "hvm")
        .attribute("arch", &hardware.arch)
        .attribute("machine", &hardware.machine);
    match hardware.firmware {
        HardwareFirmware::Bios => Element::new("os").with([kind]),
        HardwareFirmware::Uefi => {
            let secure = Element::new("feature").attribute("enabled", "no").attribute("name", "secure-boot");
            Element::new("os")
                .attribute("firmware", "efi")
                .with([kind, Element::new("firmware").with([secure])])
        }
    }
}

fn devices(hardware: &Hardware, host: &Host) -> Result<Vec<Element>, PlanError> {
    let mut devices = Vec::new();
    let mut controllers = hardware.disks.iter().filter_map(|disk| disk.controller.as_deref()).peekable();
    if controllers.peek().is_some() {
        devices.push(
            Element::new("controller")
                .attribute("type", "scsi")
                .attribute("index", "0")
                .attribute("model", "virtio-scsi"),
        );
    }
    if let Some(other) = controllers.find(|controller| *controller != "virtio-scsi-pci") {
        return Err(unknown("block", other));
    }
    for (index, (disk, image)) in hardware.disks.iter().zip(&host.disks).enumerate() {
        devices.push(block(&hardware.machine, index, disk, image)?);
    }
    devices.extend(hardware.nics.iter().map(network));
    devices.extend(graphics(hardware.graphics.as_deref())?);
    devices.extend(console(hardware.console.as_deref())?);
    Ok(devices)
}

fn block(machine: &str, index: usize, disk: &HardwareDisk, image: &HostDisk) -> Result<Element, PlanError> {
    if image.path.contains(is_forbidden) {
        let message = format!(
            "the path {:?} has a character that no XML document can hold; rename the image",
            image.path
        );
        return Err(PlanError::new("path-not-in-xml", message));
    }
    let (bus, prefix) = match disk.driver.as_str() {
        "virtio-blk-pci" => ("virtio", "vd"),
        "scsi-hd" => ("scsi", "sd"),
        // The new machine has AHCI where the old one had IDE.
        "ide-hd" if machine.starts_with("pc") => ("ide", "hd"),
        "ide-hd" => ("sata", "sd"),
        driver => return Err(unknown("block", driver)),
    };
    let (kind, source) = match image.kind {
        HostDiskKind::File => ("file", "file"),
        HostDiskKind::Block => ("block", "dev"),
    };
    let mut children = vec![
        Element::new("driver").attribute("name", "qemu").attribute("type", image.format.name()),
        Element::new("source").attribute(source, &image.path),
        Element::new("target")
            .attribute("dev", &(prefix.to_owned() + &disk_letters(index)))
            .attribute("bus", bus),
        Element::new("boot").attribute("order", &(index + 1).to_string()),
    ];
    if bus == "scsi" {
        // Else the eighth disk gets a controller of libvirt's choice.
        let zero = |address: Element, name| address.attribute(name, "0");
        let address = Element::new("address").attribute("type", "drive");
        let address = ["controller", "bus", "unit"].into_iter().fold(address, zero);
        children.push(address.attribute("target", &index.to_string()));
    }
    Ok(Element::new("disk").attribute("type", kind).attribute("device", "disk").with(children))
}

fn network(nic: &HardwareNic) -> Element {
    let mac = nic.mac.as_ref().map(|mac| Element::new("mac").attribute("address", mac));
    let model = if nic.driver == "virtio-net-pci" { "virtio" } else { nic.driver.as_str() };
    let rest = [
        Element::new("source").attribute("network", "default"),
        Element::new("model").attribute("type", model),
    ];
    Element::new("interface").attribute("type", "network").with(mac.into_iter().chain(rest))
}

fn graphics(driver: Option<&str>) -> Result<Vec<Element>, PlanError> {
    let video = |model: &str| Element::new("video").with([Element::new("model").attribute("type", model)]);
    let Some(driver) = driver else { return Ok(vec![video("none")]) };
    let model = VIDEO.iter().find(|(name, _)| *name == driver).map(|(_, model)| *model);
    let model = model.ok_or_else(|| unknown("graphics", driver))?;
    let display = if model == "qxl" { "spice" } else { "vnc" };
    let display = Element::new("graphics").attribute("type", display).attribute("autoport", "yes");
    Ok(vec![display, video(model)])
}

fn console(driver: Option<&str>) -> Result<Vec<Element>, PlanError> {
    let terminal = |element: &str, target: &str| {
        Element::new(element)
            .attribute("type", "pty")
            .with([Element::new("target").attribute("type", target).attribute("port", "0")])
    };
    match driver {
        None => Ok(Vec::new()),
        Some("isa-serial") => Ok(vec![terminal("serial", "isa-serial"), terminal("console", "serial")]),
        // Of the kind that fits the machine, which on ARM's is a pl011.
        Some("pl011") => Ok(vec![
            Element::new("serial").attribute("type", "pty").with([Element::new("target")
                .attribute("type", "system-serial")
                .attribute("port", "0")
                .with([Element::new("model").attribute("name", "pl011")])]),
            terminal("console", "serial"),
        ]),
        Some("virtconsole") => Ok(vec![terminal("console", "virtio")]),
        Some("virtserialport") => {
            let target = Element::new("target").attribute("type", "virtio").attribute("name", AGENT_CHANNEL);
            Ok(vec![Element::new("channel").attribute("type", "unix").with([target])])
        }
        Some(driver) => Err(unknown("console", driver)),
    }
}

fn unknown(class: &str, driver: &str) -> PlanError {
    let message = format!(
        "cannot write the {class} device {driver} as part of a libvirt domain; choose another driver in the description, \
         or take the qemu command"
    );
    PlanError::new("device-not-in-libvirt", message)
}

#[cfg(test)]
mod tests;
