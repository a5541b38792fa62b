//! `guestconv targets`: the hypervisors that are known, as a table, or some of them with all that is known.

use crate::arguments;
use crate::failure::{DONE, Done};
use crate::output::{BOLD, CAUTION, DIM, Output};
use crate::table;
use guestconv::core::description::Class;
use guestconv::core::knowledge::{Target, targets};

/// The devices in the table. Consoles are much the same everywhere.
const COLUMNS: [Class; 3] = [Class::Block, Class::Network, Class::Graphics];

/// Writes the targets.
pub(crate) fn run(arguments: &arguments::Targets, output: &mut Output) -> Done {
    let named: Vec<&Target> =
        arguments.targets.iter().map(|id| guestconv::target(id)).collect::<guestconv::Result<_>>()?;
    match (arguments.json, named.is_empty()) {
        (true, true) => output.json(&targets())?,
        (true, false) => output.json(&named)?,
        (false, true) => output.text(&overview(targets()))?,
        (false, false) => {
            output.text(&named.into_iter().map(page).collect::<Vec<_>>().join("\n"))?;
        }
    }
    Ok(DONE)
}

/// Returns a line for each machine of each target, its best drivers first.
fn overview(targets: &[Target]) -> String {
    let head = ["target", "machine", "firmware"].into_iter().chain(COLUMNS.map(Class::name));
    let mut rows = vec![head.map(|name| format!("{DIM}{name}{DIM:#}")).collect::<Vec<_>>()];
    for target in targets.iter().flat_map(Target::by_machine) {
        let mut row =
            vec![format!("{BOLD}{}{BOLD:#}", target.id), target.machine.clone(), firmware(&target, " ")];
        row.extend(COLUMNS.map(|class| target.drivers(class).join(" ")));
        rows.push(row);
    }
    table::lines(&rows, "")
}

fn page(target: &Target) -> String {
    let mut rows = Vec::new();
    for target in target.by_machine() {
        let machine =
            format!("{} {}, {}", target.arch.join(" or "), target.machine, firmware(&target, " or "));
        rows.push(vec![format!("{DIM}machine{DIM:#}"), machine]);
        for class in Class::ALL {
            rows.push(vec![format!("{DIM}{}{DIM:#}", class.name()), target.drivers(class).join(", ")]);
        }
    }
    for (driver, caution) in &target.cautions {
        rows.push(vec![format!("{CAUTION}caution{CAUTION:#}"), format!("{driver}: {caution}")]);
    }
    format!("{BOLD}{}{BOLD:#} {}\n{}", target.id, target.name, table::lines(&rows, "  "))
}

fn firmware(target: &Target, between: &str) -> String {
    let names: Vec<String> = target.firmware.iter().map(|name| name.to_uppercase()).collect();
    names.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    #[test]
    fn a_line_for_each_target_and_a_page_for_one() {
        let of = |id: &str| guestconv::target(id).unwrap();
        let two = [of("rhev-3.0").clone(), of("libvirt").clone()];
        assert_eq!(
            strip_str(&overview(&two)).to_string(),
            "target    machine  firmware   block                          network                              graphics\n\
             rhev-3.0  pc       BIOS       virtio-blk-pci ide-hd          virtio-net-pci e1000 rtl8139         qxl-vga cirrus-vga\n\
             libvirt   q35      BIOS UEFI  virtio-blk-pci scsi-hd ide-hd  virtio-net-pci e1000e e1000 rtl8139  virtio-vga qxl-vga VGA cirrus-vga bochs-display\n\
             libvirt   virt     UEFI       virtio-blk-pci scsi-hd         virtio-net-pci e1000e                virtio-gpu-pci\n"
        );
        assert_eq!(
            strip_str(&page(of("rhev-3.1"))).to_string(),
            "rhev-3.1 Red Hat Enterprise Virtualization 3.1\n\
             \x20 machine   x86_64 or i686 pc, BIOS\n\
             \x20 graphics  qxl-vga, cirrus-vga\n\
             \x20 network   virtio-net-pci, e1000, rtl8139\n\
             \x20 block     virtio-blk-pci, scsi-hd, ide-hd\n\
             \x20 console   virtserialport, virtconsole, isa-serial\n\
             \x20 caution   scsi-hd: needs RHEL 6.4 hosts; the manager offers it from 3.3 on\n"
        );
        assert!(strip_str(&page(of("kvm"))).to_string().contains(
            "\x20 machine   aarch64 virt, UEFI\n\
             \x20 graphics  virtio-gpu-pci\n\
             \x20 network   virtio-net-pci, e1000e, e1000\n\
             \x20 block     virtio-blk-pci, scsi-hd, nvme\n\
             \x20 console   pl011, virtconsole\n"
        ));
    }
}
