//! From facts, target and choices to a plan: each root is planned for in turn, and the hardware is what the choices say.
//!
//! What the caller does not choose is what the description selects. A choice that the description does not offer is an
//! error: nothing is silently ignored.

use super::{Context, Draft, Nic, PLAN_SCHEMA, Plan, PlanError, PlanOptions, PlanRoot, Wishes};
use crate::change::Change;
use crate::describe::{cards, describe, offers};
use crate::description::{Choice, Choices, Class, Description, Device};
use crate::facts::{Facts, Root, System};
use crate::finding::{Finding, Severity};
use crate::hardware::Hardware;
use crate::knowledge::Target;
use crate::lay_out::{self, LayOut};
use crate::linux;

/// How many findings the message has that there is no system.
const OBSTACLES_CAP: usize = 3;

/// Returns the plan that makes a guest boot on a target with the chosen devices.
///
/// # Errors
/// [`PlanError`] if there is no system, if a file system is damaged, if a card is named twice, if a choice is not on offer, or if the guest cannot boot there whatever is done.
pub fn plan(
    facts: &Facts,
    target: &Target,
    choices: &Choices,
    options: &PlanOptions,
) -> Result<Plan, PlanError> {
    require_system(facts)?;
    require_sound(facts)?;
    super::require_distinct(&options.nics)?;
    let target = &*target.for_guest(facts);
    let lay_out = lay_out::needed(facts)?;
    let laid_out = lay_out.as_ref().map(|lay_out| lay_out.after(facts));
    let facts = laid_out.as_ref().unwrap_or(facts);
    let described = describe(facts, target, &options.nics);
    let devices = chosen(&described, choices)?;
    let devices_wished = wished(&described, choices);
    let wishes = Wishes { devices: devices_wished, nics: options.nics.clone(), rebuild: options.rebuild };
    let hardware = Hardware::of(facts, target, &devices)?;
    require_disks(facts, &described, &devices)?;
    let mut draft = Draft::default();
    for finding in findings(&described, target, &devices) {
        draft.finding(finding);
    }
    let cards = cards::cards(facts, &options.nics);
    for (root_index, root) in facts.roots.iter().enumerate() {
        let (choices, options) = for_root(&described, &devices, &cards, options, root_index);
        let context = Context { facts, root, root_index, target, choices: &choices, options: &options };
        if let Some(lay_out) = lay_out.as_ref().filter(|_| root_index == 0) {
            plan_lay_out(&context, lay_out, &mut draft);
        }
        match &root.system {
            System::Linux(linux) => linux::plan(&context, linux, &mut draft)?,
        }
    }
    let (steps, findings) = draft.finish()?;
    let roots: Vec<PlanRoot> = facts.roots.iter().map(plan_root).collect();
    super::space::require_room(facts, &roots, &steps)?;
    Ok(Plan { schema: PLAN_SCHEMA, target: target.id.clone(), wishes, roots, steps, hardware, findings })
}

/// All later steps are for the disk as it is then.
fn plan_lay_out(context: &Context<'_>, lay_out: &LayOut, draft: &mut Draft) {
    let why = "a machine with BIOS or UEFI starts a disk by its partition table and boot loader, and this one has neither: \
               the source's hypervisor found the kernel by itself";
    draft.step(context, "disk/lay-out", why, |step| step.push(Change::LayOut(lay_out.clone())));
}

fn plan_root(root: &Root) -> PlanRoot {
    PlanRoot { device: root.device.clone(), subvolume: root.subvolume.clone(), mounts: root.mounts.clone() }
}

/// Fails if the guest has no system that can be converted, and says what is on its disks instead.
///
/// # Errors
/// `no-disks`, `disks-blank`, `no-system`.
pub fn require_system(facts: &Facts) -> Result<(), PlanError> {
    if !facts.roots.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = facts.layout.disks.iter().map(|disk| disk.name.as_str()).collect();
    let names = names.join(", ");
    if names.is_empty() {
        return Err(PlanError::new(
            "no-disks",
            "the guest has no disks; add its disks in the order of the source",
        ));
    }
    let has_table = facts.layout.disks.iter().any(|disk| disk.table.is_some());
    if !has_table && facts.layout.filesystems.is_empty() {
        let message = format!(
            "nothing is on {names}: no partition table and no file system; check that it is the right disk"
        );
        return Err(PlanError::new("disks-blank", message));
    }
    let kinds: Vec<String> = (facts.layout.filesystems.iter())
        .map(|filesystem| format!("{} on {}", filesystem.kind, filesystem.device))
        .collect();
    let found = if kinds.is_empty() {
        "no file system is there".into()
    } else {
        format!("there is {}", kinds.join(", "))
    };
    let mut message =
        format!("no installed system was found on {names}: {found}; add all disks of the guest");
    // What could not be looked at may hold the system.
    let obstacles = facts.findings.iter().filter(|finding| finding.severity >= Severity::Warning);
    for (index, finding) in obstacles.take(OBSTACLES_CAP).enumerate() {
        let about = finding.subject.as_ref().map(|subject| format!("{subject}: ")).unwrap_or_default();
        let begin = if index == 0 { ", or see to this: " } else { "; " };
        message.push_str(&format!("{begin}{about}{}", finding.text));
    }
    Err(PlanError::new("no-system", message))
}

/// Fails if the kernel met damage in what it looked at: what is written there may break more, and what was not seen is not
/// planned for.
fn require_sound(facts: &Facts) -> Result<(), PlanError> {
    match facts.findings.iter().find(|finding| finding.code == "filesystem-damaged") {
        Some(damage) => Err(PlanError::new("filesystem-damaged", damage.text.clone())),
        None => Ok(()),
    }
}

/// Returns the devices that the guest shall have, each with its driver.
fn chosen(described: &Description, choices: &Choices) -> Result<Vec<Device>, PlanError> {
    let is_described = |class: Class, id: &str| {
        described.devices.iter().any(|device| device.class == class && device.id == id)
    };
    // What was removed may be gone already: so it is when a converted guest is planned for again.
    let wanted = choices.devices.iter().filter(|(_, choice)| **choice != Choice::Removed);
    for ((class, id), _) in wanted {
        if !is_described(*class, id) {
            let message = format!("the guest has no {} device {id}; inspect it again", class.name());
            return Err(PlanError::new("device-unknown", message));
        }
    }
    let mut devices = Vec::new();
    for device in &described.devices {
        let driver = match choices.devices.get(&(device.class, device.id.clone())) {
            Some(Choice::Removed) => continue,
            Some(Choice::Driver(driver)) => driver,
            None => &device.driver,
        };
        if !device.offers.contains(driver) {
            let (class, id, offers) = (device.class.name(), &device.id, device.offers.join(", "));
            let message =
                format!("the driver {driver} is not on offer for {class} {id}; choose one of: {offers}");
            return Err(PlanError::new("driver-not-offered", message));
        }
        devices.push(Device { driver: driver.clone(), ..device.clone() });
    }
    Ok(devices)
}

/// Returns the choices that are other than what the description selects: whoever hands in the description unchanged gets
/// the same plan as whoever chooses nothing, to the byte, as a signature needs it.
fn wished(described: &Description, choices: &Choices) -> Choices {
    let selected = described.choices();
    let wished =
        choices.devices.iter().filter(|(device, choice)| selected.devices.get(device) != Some(choice));
    Choices { devices: wished.map(|(device, choice)| (device.clone(), choice.clone())).collect() }
}

/// Fails if a disk that a system cannot start without is not among the devices.
fn require_disks(facts: &Facts, described: &Description, devices: &[Device]) -> Result<(), PlanError> {
    for root in &facts.roots {
        let needed = root.mounts.iter().filter(|mount| {
            matches!(mount.mountpoint.as_str(), "/" | "/boot" | "/boot/efi" | "/efi" | "/usr" | "/var")
        });
        for mount in needed {
            for disk in facts.layout.disks_of(&mount.device) {
                let is_it = |device: &&Device| device.class == Class::Block && device.id == disk;
                if devices.iter().any(|device| is_it(&device)) {
                    continue;
                }
                let holds =
                    format!("the disk {disk} holds {} of the system on {}", mount.mountpoint, root.device);
                return Err(match described.devices.iter().find(is_it) {
                    Some(_) => PlanError::new(
                        "disk-needed",
                        format!("{holds} and was removed; keep it, the system cannot start without it"),
                    ),
                    None => PlanError::new(
                        "no-block-driver",
                        format!(
                            "{holds}, and the system can have none of the target's drivers for disks; the \
                                 findings say why; choose another target or install a kernel that has one"
                        ),
                    ),
                });
            }
        }
    }
    Ok(())
}

/// Returns the description's findings; a caution about a driver counts, and more, if the driver is chosen.
fn findings(described: &Description, target: &Target, devices: &[Device]) -> Vec<Finding> {
    let is_caution = |finding: &&Finding| finding.code != "driver-caution";
    let mut findings: Vec<Finding> = described.findings.iter().filter(is_caution).cloned().collect();
    let chosen = |device: &Device| offers::caution(target, &device.driver);
    findings.extend(
        devices.iter().filter_map(chosen).map(|finding| Finding { severity: Severity::Warning, ..finding }),
    );
    findings
}

/// Returns choices and options in the words of one root: the network devices by its own names for them.
fn for_root(
    described: &Description,
    devices: &[Device],
    cards: &[cards::Card],
    options: &PlanOptions,
    root_index: usize,
) -> (Choices, PlanOptions) {
    let name_of = |id: &str| -> Option<String> {
        cards.iter().find(|card| card.id == id)?.names.get(root_index)?.clone()
    };
    let mut choices = Choices::default();
    for device in &described.devices {
        let id = match device.class {
            Class::Network => name_of(&device.id).unwrap_or_else(|| device.id.clone()),
            _ => device.id.clone(),
        };
        let is_it = |chosen: &&Device| chosen.class == device.class && chosen.id == device.id;
        let choice = devices
            .iter()
            .find(is_it)
            .map_or(Choice::Removed, |chosen| Choice::Driver(chosen.driver.clone()));
        choices.devices.insert((device.class, id), choice);
    }
    let nics = (options.nics.iter())
        .map(|nic| {
            let name = nic.name.as_ref().map(|name| name_of(name).unwrap_or_else(|| name.clone()));
            Nic { name, mac: nic.mac.clone() }
        })
        .collect();
    (choices, PlanOptions { nics, ..options.clone() })
}

#[cfg(test)]
mod tests;
