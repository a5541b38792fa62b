//! The hardware as QEMU's arguments. The devices that a proof boots a guest with are written here too, so that what is proven
//! is what is said.
//!
//! Drives are called `disk0`, `disk1` …, networks `net0` …, the character device behind the console `console`.

use super::host::{Host, HostFirmware};
use super::{AGENT_CHANNEL, Hardware, HardwareFirmware};
use crate::plan::PlanError;

/// Controllers that a `scsi-hd` may hang on.
const CONTROLLERS: &[&str] =
    &["virtio-scsi-pci", "pvscsi", "lsi53c895a", "mptsas1068", "megasas", "megasas-gen2", "am53c974"];
const NICS: &[&str] = &[
    "virtio-net-pci",
    "vmxnet3",
    "e1000",
    "e1000e",
    "rtl8139",
    "pcnet",
    "ne2k_pci",
    "igb",
    "i82551",
    "tulip",
];
const GRAPHICS: &[&str] =
    &["VGA", "qxl-vga", "cirrus-vga", "virtio-vga", "virtio-gpu-pci", "vmware-svga", "bochs-display"];

/// A device that is none of QEMU's that are known here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot give a guest the {class} device {driver}: it is none of qemu's that are known here")]
pub struct UnknownDevice {
    /// `block`, `network`, `graphics` or `console`.
    pub class: &'static str,
    /// The driver.
    pub driver: String,
}

/// Returns the command that starts the machine by KVM: the program, then its arguments. The console is on the terminal, the
/// network is QEMU's own, and the firmware's variables are forgotten when the machine ends.
///
/// # Errors
/// `device-unknown` if QEMU has no such device, `disk-count` if there is not one image for each disk, `firmware-missing` if
/// the machine starts by UEFI and the host has none.
pub fn command(hardware: &Hardware, host: &Host) -> Result<Vec<String>, PlanError> {
    host.require_disks(hardware)?;
    let mut line = Arguments(vec![format!("qemu-system-{}", hardware.arch)]);
    line.add("-name", escaped(&host.name));
    line.add("-machine", machine(&hardware.machine, hardware.graphics.is_some()));
    line.add("-accel", "kvm").add("-cpu", "host");
    line.add("-m", host.memory_mib.to_string()).add("-smp", host.cpus.to_string());
    line.flag("-nodefaults").add("-boot", "strict=on");
    if hardware.graphics.is_none() {
        line.add("-display", "none");
    }
    match (&host.firmware, hardware.firmware) {
        (_, HardwareFirmware::Bios) => {}
        (Some(HostFirmware { code, variables }), HardwareFirmware::Uefi) => {
            line.add("-drive", firmware_code(code));
            line.add("-drive", format!("if=pflash,format=raw,snapshot=on,file={}", escaped(variables)));
        }
        (None, HardwareFirmware::Uefi) => {
            let packages = firmware_packages(&hardware.arch);
            let message =
                format!("the machine starts by UEFI and no UEFI firmware was found; install {packages}");
            return Err(PlanError::new("firmware-missing", message));
        }
    }
    devices(&mut line, hardware, host)
        .map_err(|unknown| PlanError::new("device-unknown", unknown.to_string()))?;
    Ok(line.0)
}

fn devices(line: &mut Arguments, hardware: &Hardware, host: &Host) -> Result<(), UnknownDevice> {
    if let Some(driver) = &hardware.graphics {
        line.add("-device", graphics(driver)?);
    }
    let of_hardware = hardware.disks.iter().map(|disk| (disk.driver.as_str(), disk.controller.as_deref()));
    let devices = disks(&hardware.machine, of_hardware)?;
    for (index, (image, devices)) in host.disks.iter().zip(devices).enumerate() {
        let (path, format) = (escaped(&image.path), image.format.name());
        line.add("-drive", format!("if=none,id=disk{index},file={path},format={format}"));
        for device in devices {
            line.add("-device", device);
        }
    }
    for (index, card) in hardware.nics.iter().enumerate() {
        line.add("-netdev", format!("user,id=net{index}"));
        line.add("-device", nic(&card.driver, index, card.mac.as_deref())?);
    }
    if let Some(driver) = hardware.console.as_deref() {
        match driver {
            // No terminal: whoever talks to the agent connects there.
            "virtserialport" => {
                let path = escaped(&host.name);
                line.add("-chardev", format!("socket,id=console,path={path}-agent.socket,server=on,wait=off"))
            }
            _ => line.add("-chardev", "stdio,id=console,mux=on,signal=off").add("-mon", "chardev=console"),
        };
        for (option, value) in console(driver)? {
            line.add(option, value);
        }
    }
    Ok(())
}

/// Returns the value of `-machine`. A machine without graphics says so to the firmware, so that firmware and boot loader
/// speak on the serial port instead of waiting for a screen.
pub fn machine(machine: &str, has_graphics: bool) -> String {
    format!("{machine}{}", if has_graphics { "" } else { ",graphics=off" })
}

/// Returns the packages that have the UEFI firmware for an architecture.
pub fn firmware_packages(arch: &str) -> &'static str {
    match arch {
        "aarch64" => "qemu-efi-aarch64 (Debian) or edk2-aarch64 (Fedora, RHEL)",
        _ => "ovmf (Debian) or edk2-ovmf (Fedora, RHEL)",
    }
}

/// Returns the value of `-drive` for the code of a UEFI firmware.
pub fn firmware_code(path: &str) -> String {
    format!("if=pflash,format=raw,readonly=on,file={}", escaped(path))
}

/// Returns for each disk, given as driver and controller, the values of `-device` that it needs: its controller before the
/// first disk on it, then itself. The first disk is booted.
///
/// # Errors
/// [`UnknownDevice`].
pub fn disks<'a>(
    machine: &str,
    disks: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<Vec<Vec<String>>, UnknownDevice> {
    let mut controllers: Vec<&str> = Vec::new();
    let mut all = Vec::new();
    for (index, (driver, controller)) in disks.enumerate() {
        let mut devices = Vec::new();
        let last = format!("drive=disk{index},bootindex={}", index + 1);
        let device = match driver {
            "scsi-hd" => {
                let controller = known("block", controller.unwrap_or("virtio-scsi-pci"), CONTROLLERS)?;
                let known_at = controllers.iter().position(|known| *known == controller);
                let number = known_at.unwrap_or(controllers.len());
                if known_at.is_none() {
                    devices.push(format!("{controller},id=scsi{number}"));
                    controllers.push(controller);
                }
                format!("scsi-hd,bus=scsi{number}.0,{last}")
            }
            // The old machine has two channels of two disks each, the new one six ports.
            "ide-hd" if machine.starts_with("pc") => {
                format!("ide-hd,bus=ide.{},unit={},{last}", index / 2, index % 2)
            }
            "ide-hd" => format!("ide-hd,bus=ide.{index},{last}"),
            "nvme" => format!("nvme,serial=disk{index},{last}"),
            "virtio-blk-pci" => format!("virtio-blk-pci,{last}"),
            driver => return Err(UnknownDevice { class: "block", driver: driver.to_owned() }),
        };
        devices.push(device);
        all.push(devices);
    }
    Ok(all)
}

/// Returns the value of `-device` for a network card. Without its ROM the card does not try to boot the machine.
///
/// # Errors
/// [`UnknownDevice`].
pub fn nic(driver: &str, index: usize, mac: Option<&str>) -> Result<String, UnknownDevice> {
    let driver = known("network", driver, NICS)?;
    let mac = mac.map_or(String::new(), |mac| format!(",mac={mac}"));
    Ok(format!("{driver},netdev=net{index}{mac},romfile="))
}

/// Returns the value of `-device` for the graphics.
///
/// # Errors
/// [`UnknownDevice`].
pub fn graphics(driver: &str) -> Result<&str, UnknownDevice> {
    known("graphics", driver, GRAPHICS)
}

/// Returns the options for the console, each with its value: a device, or what stands behind a port of the board.
///
/// # Errors
/// [`UnknownDevice`].
pub fn console(driver: &str) -> Result<Vec<(&'static str, String)>, UnknownDevice> {
    let device = |value: &str| ("-device", value.to_owned());
    match driver {
        "isa-serial" => Ok(vec![device("isa-serial,chardev=console")]),
        "pl011" => Ok(vec![("-serial", "chardev:console".to_owned())]),
        "virtconsole" => Ok(vec![device("virtio-serial-pci"), device("virtconsole,chardev=console")]),
        "virtserialport" => Ok(vec![
            device("virtio-serial-pci"),
            device(&format!("virtserialport,chardev=console,name={AGENT_CHANNEL}")),
        ]),
        _ => Err(UnknownDevice { class: "console", driver: driver.to_owned() }),
    }
}

/// Returns a text as part of a value: in QEMU's options a comma is written twice.
pub fn escaped(text: &str) -> String {
    text.replace(',', ",,")
}

/// Returns a command as a shell takes it, an option with its value on each line, with a line feed at its end.
pub fn shell(command: &[String]) -> String {
    let mut text = String::new();
    for (at, word) in command.iter().enumerate() {
        match (at, word.starts_with('-')) {
            (0, _) => {}
            (_, true) => text.push_str(" \\\n  "),
            (_, false) => text.push(' '),
        }
        text.push_str(&quoted(word));
    }
    text + "\n"
}

/// Returns a word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

fn known<'a>(class: &'static str, driver: &'a str, known: &[&str]) -> Result<&'a str, UnknownDevice> {
    match known.contains(&driver) {
        true => Ok(driver),
        false => Err(UnknownDevice { class, driver: driver.to_owned() }),
    }
}

/// A command in the making.
struct Arguments(Vec<String>);

impl Arguments {
    fn add(&mut self, option: &str, value: impl Into<String>) -> &mut Self {
        self.0.extend([option.to_owned(), value.into()]);
        self
    }

    fn flag(&mut self, flag: &str) -> &mut Self {
        self.0.push(flag.to_owned());
        self
    }
}

#[cfg(test)]
mod tests;
