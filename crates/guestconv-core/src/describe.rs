//! Describing: facts and a target in, a description with the drivers on offer out. Pure.
//!
//! Devices stand in the order graphics, network, block, console. Several roots share the devices, so what is on offer is
//! what each of them can have.

pub mod cards;
pub mod offers;

use crate::description::{Boot, Class, DESCRIPTION_SCHEMA, Description, Device, Info, Loader};
use crate::facts::{Facts, Firmware, Root, System};
use crate::finding::Finding;
use crate::hardware;
use crate::knowledge::Target;
use crate::lay_out;
use crate::plan::Nic;

/// Id of the graphics adapter.
pub const GRAPHICS_ID: &str = "0";
/// Id of the console.
pub const CONSOLE_ID: &str = "console";

/// Returns the description of a guest for a target. `nics` are the network cards that the target will give, if known.
///
/// A device for which nothing is on offer is left out, with a finding; so is what stops a plan (firmware, architecture).
///
/// A disk that must be laid out is described as it is then, so that the document holds before and after.
pub fn describe(facts: &Facts, target: &Target, nics: &[Nic]) -> Description {
    let target = &*target.for_guest(facts);
    let mut findings = facts.findings.clone();
    let lay_out = lay_out::needed(facts);
    let laid_out = lay_out.as_ref().ok().and_then(Option::as_ref).map(|lay_out| lay_out.after(facts));
    let facts = laid_out.as_ref().unwrap_or(facts);
    findings.extend(match lay_out {
        Ok(lay_out) => lay_out.map(|lay_out| lay_out.finding()),
        Err(fault) => Some(Finding::error(&fault.code, fault.message)),
    });
    findings.extend(lay_out::boot_loader_missing(facts));
    for fault in [hardware::arch(facts, target).err(), hardware::firmware(facts, target).err()] {
        findings.extend(fault.map(|fault| Finding::error(&fault.code, fault.message)));
    }
    let cards = cards::cards(facts, nics);
    for nic in cards::surplus(&cards, nics) {
        findings.push(nic);
    }
    let mut devices = Vec::new();
    for class in Class::ALL {
        let ids: Vec<(&str, Option<&str>)> = match class {
            Class::Graphics => vec![(GRAPHICS_ID, None)],
            Class::Network => cards.iter().map(|card| (card.id.as_str(), card.mac.as_deref())).collect(),
            Class::Block => facts.layout.disks.iter().map(|disk| (disk.name.as_str(), None)).collect(),
            Class::Console => vec![(CONSOLE_ID, None)],
        };
        let offers = offers::offers(facts, target, class, &mut findings);
        let Some(first) = offers.first() else { continue };
        let default = (class == Class::Console && offers.contains(&target.console_default))
            .then_some(&target.console_default);
        let driver = default.unwrap_or(first);
        devices.extend(ids.into_iter().map(|(id, mac)| Device {
            class,
            id: id.to_owned(),
            driver: driver.clone(),
            offers: offers.clone(),
            mac: mac.map(str::to_owned),
        }));
    }
    let mut unique: Vec<Finding> = Vec::new();
    for finding in findings {
        if !unique.contains(&finding) {
            unique.push(finding);
        }
    }
    Description {
        schema: DESCRIPTION_SCHEMA,
        target: target.id.clone(),
        systems: facts.roots.iter().map(info).collect(),
        boot: boot(facts),
        devices,
        findings: unique,
    }
}

fn info(root: &Root) -> Info {
    let os = match &root.system {
        System::Linux(_) => "linux",
    };
    Info {
        root: root.device.0.clone(),
        hostname: root.hostname.clone(),
        os: os.to_owned(),
        distribution: root.distribution.clone(),
        major: root.major,
        minor: root.minor,
        arch: root.arch.clone(),
        osinfo: root.osinfo.clone(),
        product: root.product.clone(),
    }
}

fn boot(facts: &Facts) -> Boot {
    let firmware = match &facts.firmware {
        Firmware::Bios => "bios",
        Firmware::Uefi { .. } => "uefi",
        Firmware::Both { .. } => "both",
        Firmware::None => "none",
    };
    let mut loaders: Vec<Loader> = Vec::new();
    for loader in facts.roots.iter().filter_map(Root::linux).flat_map(|linux| &linux.bootloader.loaders) {
        let Some(disk) = loader.disk.clone() else { continue };
        let loader = Loader { disk, name: loader.kind.name().to_owned() };
        if !loaders.contains(&loader) {
            loaders.push(loader);
        }
    }
    Boot { firmware: firmware.to_owned(), loaders }
}

#[cfg(test)]
mod seed;

#[cfg(test)]
pub(crate) mod tests;
