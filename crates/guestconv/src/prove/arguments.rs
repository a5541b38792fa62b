//! The command line of QEMU for a machine. Pure: paths in, arguments out.
//!
//! The guest gets what the machine names and nothing else: `-nodefaults`. A machine without graphics says so to the firmware,
//! so that firmware and boot loader speak on the serial port instead of waiting for a screen. How a device is given is said in
//! one place, for proofs and for who starts the machine by himself: [`guestconv_core::hardware::qemu`].

use super::emulator::{Emulator, FirmwareFiles};
use super::{Machine, ProofDisk, ProofFormat, ProveError, ProveOptions};
use guestconv_core::hardware::{HardwareFirmware, qemu};
use std::path::{Path, PathBuf};

/// Where the sockets and files of one boot are.
pub(super) struct Places {
    /// QEMU connects here with the guest's console.
    pub(super) console: PathBuf,
    /// QEMU connects here to be told what to do.
    pub(super) monitor: PathBuf,
    /// One per network card: QEMU's end and the peer's end.
    pub(super) wires: Vec<(PathBuf, PathBuf)>,
    /// The firmware and the copy of its variables, for a machine with UEFI.
    pub(super) ovmf: Option<(FirmwareFiles, PathBuf)>,
}

/// Returns the arguments of QEMU.
///
/// # Errors
/// [`ProveError::UnknownDevice`], [`ProveError::DiskCount`].
pub(super) fn arguments(
    disks: &[ProofDisk],
    machine: &Machine,
    options: &ProveOptions,
    accelerator: &str,
    places: &Places,
) -> Result<Vec<String>, ProveError> {
    if disks.len() != machine.disks.len() {
        return Err(ProveError::DiskCount { machine: machine.disks.len(), given: disks.len() });
    }
    let emulator = Emulator::of(&machine.arch)?;
    let mut line = Line::default();
    line.add("-machine", qemu::machine(&machine.machine, machine.graphics.is_some()));
    match accelerator {
        "kvm" => line.add("-accel", "kvm").add("-cpu", "host"),
        _ => line.add("-accel", "tcg,thread=multi").add("-cpu", emulator.cpu),
    };
    line.add("-m", options.memory_mib.to_string()).add("-smp", options.cpus.to_string());
    line.flags(&["-nodefaults", "-no-user-config", "-no-reboot"]);
    line.add("-display", "none").add("-boot", "strict=on");
    line.add("-chardev", format!("socket,id=monitor,path={}", escaped(&places.monitor)));
    line.add("-mon", "chardev=monitor,mode=control");
    if let Some((ovmf, variables)) = &places.ovmf {
        line.add("-drive", qemu::firmware_code(&ovmf.code.to_string_lossy()));
        line.add("-drive", format!("if=pflash,format=raw,file={}", escaped(variables)));
    }
    if machine.firmware == HardwareFirmware::Uefi && places.ovmf.is_none() {
        return Err(ProveError::FirmwareMissing { arch: emulator.arch });
    }
    if let Some(smbios) = &machine.smbios {
        let (manufacturer, product) = (qemu::escaped(&smbios.manufacturer), qemu::escaped(&smbios.product));
        line.add("-smbios", format!("type=1,manufacturer={manufacturer},product={product}"));
    }
    if machine.vmware_slots {
        // Else the firmware numbers the slots by itself, and interfaces are named after buses.
        line.add("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off");
    }
    if let Some(driver) = &machine.graphics {
        line.add("-device", qemu::graphics(driver)?);
    }
    add_disks(&mut line, disks, machine)?;
    add_nics(&mut line, machine, places)?;
    add_console(&mut line, machine, places)?;
    Ok(line.0)
}

fn add_disks(line: &mut Line, disks: &[ProofDisk], machine: &Machine) -> Result<(), ProveError> {
    let of_machine = machine.disks.iter().map(|disk| (disk.driver.as_str(), disk.controller.as_deref()));
    let devices = qemu::disks(&machine.machine, of_machine)?;
    for (index, (disk, devices)) in disks.iter().zip(devices).enumerate() {
        let format = match disk.format {
            ProofFormat::Raw => "raw",
            ProofFormat::Qcow2 => "qcow2",
        };
        let file = escaped(&disk.path);
        line.add(
            "-drive",
            format!("if=none,id=disk{index},file={file},format={format},snapshot=on,cache=unsafe"),
        );
        for device in devices {
            line.add("-device", device);
        }
    }
    Ok(())
}

fn add_nics(line: &mut Line, machine: &Machine, places: &Places) -> Result<(), ProveError> {
    for (index, (nic, (here, there))) in machine.nics.iter().zip(&places.wires).enumerate() {
        line.add(
            "-netdev",
            format!(
                "dgram,id=net{index},local.type=unix,local.path={},remote.type=unix,remote.path={}",
                escaped(here),
                escaped(there)
            ),
        );
        let device = qemu::nic(&nic.driver, index, Some(&mac_of(machine, index)))?;
        let bus = nic.slot.map_or(String::new(), |slot| {
            // QEMU's chassis numbers are our own business; only the slot is seen by the guest.
            line.add("-device", format!("pcie-root-port,id=port{index},chassis={},slot={slot}", index + 1));
            format!(",bus=port{index}")
        });
        line.add("-device", device + &bus);
    }
    Ok(())
}

fn add_console(line: &mut Line, machine: &Machine, places: &Places) -> Result<(), ProveError> {
    let Some(driver) = machine.console.as_deref() else { return Ok(()) };
    line.add("-chardev", format!("socket,id=console,path={}", escaped(&places.console)));
    for (option, value) in qemu::console(driver)? {
        line.add(option, value);
    }
    Ok(())
}

/// Returns the MAC address of a card of the machine; one is made up where none is named.
pub(super) fn mac_of(machine: &Machine, index: usize) -> String {
    let named = machine.nics.get(index).and_then(|nic| nic.mac.clone());
    named.map_or_else(|| format!("52:54:00:67:63:{:02x}", index + 1), |mac| mac.to_lowercase())
}

fn escaped(path: &Path) -> String {
    qemu::escaped(&path.to_string_lossy())
}

#[derive(Default)]
struct Line(Vec<String>);

impl Line {
    fn add(&mut self, option: &str, value: impl Into<String>) -> &mut Self {
        self.0.extend([option.to_owned(), value.into()]);
        self
    }

    fn flags(&mut self, flags: &[&str]) {
        self.0.extend(flags.iter().map(|flag| (*flag).to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(nics: usize) -> Places {
        Places {
            console: "/t/console".into(),
            monitor: "/t/monitor".into(),
            wires: (0..nics).map(|n| (format!("/t/wire{n}").into(), format!("/t/peer{n}").into())).collect(),
            ovmf: None,
        }
    }

    /// The devices of the line, which is where machines differ.
    fn devices(disks: &[ProofDisk], machine: &Machine) -> Vec<String> {
        let options = ProveOptions::default();
        let line = arguments(disks, machine, &options, "tcg", &places(machine.nics.len())).unwrap();
        let of = |pair: &[String]| (pair[0] == "-device").then(|| pair[1].clone());
        line.windows(2).filter_map(of).collect()
    }

    #[test]
    fn each_machine_has_its_devices() {
        let disk = |name: &str| ProofDisk { path: name.into(), format: ProofFormat::Raw };
        let disks = [disk("a"), disk("b")];
        for (name, expected) in [
            (
                "vmware",
                vec![
                    "VGA",
                    "pvscsi,id=scsi0",
                    "scsi-hd,bus=scsi0.0,drive=disk0,bootindex=1",
                    "scsi-hd,bus=scsi0.0,drive=disk1,bootindex=2",
                    "pcie-root-port,id=port0,chassis=1,slot=192",
                    "vmxnet3,netdev=net0,mac=52:54:00:c0:01:92,romfile=,bus=port0",
                    "isa-serial,chardev=console",
                ],
            ),
            (
                "virtio",
                vec![
                    "VGA",
                    "virtio-blk-pci,drive=disk0,bootindex=1",
                    "virtio-blk-pci,drive=disk1,bootindex=2",
                    "virtio-net-pci,netdev=net0,mac=52:54:00:c0:00:01,romfile=",
                    "isa-serial,chardev=console",
                ],
            ),
            (
                "ide",
                vec![
                    "VGA",
                    "ide-hd,bus=ide.0,unit=0,drive=disk0,bootindex=1",
                    "ide-hd,bus=ide.0,unit=1,drive=disk1,bootindex=2",
                    "e1000,netdev=net0,mac=52:54:00:c0:00:01,romfile=",
                    "isa-serial,chardev=console",
                ],
            ),
        ] {
            let machine = Machine::preset(name).unwrap().with_disks(2);
            assert_eq!(devices(&disks, &machine), expected, "{name}");
        }
    }

    #[test]
    fn the_whole_line_of_a_machine_without_graphics_and_cards() {
        let mut machine = Machine::preset("nvme").unwrap();
        machine.graphics = None;
        machine.nics.clear();
        machine.console = Some("virtconsole".into());
        let disk = ProofDisk { path: "/a,b.qcow2".into(), format: ProofFormat::Qcow2 };
        let options = ProveOptions::default();
        let line = arguments(&[disk], &machine, &options, "kvm", &places(0)).unwrap();
        assert_eq!(
            line.join(" "),
            "-machine q35,graphics=off -accel kvm -cpu host -m 1024 -smp 1 -nodefaults -no-user-config -no-reboot \
             -display none -boot strict=on -chardev socket,id=monitor,path=/t/monitor -mon chardev=monitor,mode=control \
             -drive if=none,id=disk0,file=/a,,b.qcow2,format=qcow2,snapshot=on,cache=unsafe \
             -device nvme,serial=disk0,drive=disk0,bootindex=1 -chardev socket,id=console,path=/t/console \
             -device virtio-serial-pci -device virtconsole,chardev=console"
        );
    }

    #[test]
    fn what_cannot_be_given_is_refused() {
        let disk = ProofDisk { path: "a".into(), format: ProofFormat::Raw };
        let machine = Machine::preset("virtio").unwrap();
        type Edit = fn(&mut Machine);
        let cases: [(Edit, &str); 5] = [
            (|machine| machine.graphics = Some("svga".into()), "device-unknown"),
            (|machine| machine.console = Some("xencons".into()), "device-unknown"),
            (|machine| machine.nics[0].driver = "ena".into(), "device-unknown"),
            (|machine| machine.disks[0].driver = "storvsc".into(), "device-unknown"),
            (|machine| machine.disks.clear(), "disk-count"),
        ];
        for (edit, code) in cases {
            let mut machine = machine.clone();
            edit(&mut machine);
            let result =
                arguments(std::slice::from_ref(&disk), &machine, &ProveOptions::default(), "tcg", &places(1));
            assert_eq!(result.unwrap_err().code(), code, "{machine:?}");
        }
    }
}
