//! `cargo xtask boot`: a guest or an image is booted on hardware of one's choice, and what it showed is printed.
//!
//! It is the library's own proof; this only names the machine and the disk.

use crate::guest;
use anyhow::{Context, Result, bail};
use guestconv::core::hardware::HardwareFirmware;
use guestconv::core::plan::Nic;
use guestconv::prove::{
    Accelerator, ExpectedNic, Login, Machine, MachineNic, Proof, ProofDisk, ProofFormat, ProveOptions, prove,
};
use guestconv::{Event, Observer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const USAGE: &str = "usage: cargo xtask boot GUEST|IMAGE… [--hardware NAME] [--uefi] [--format raw|qcow2] [--login] \
                     [--command TEXT] [--nic ID=MAC] [--expect ID=ADDRESS] [--no-graphics] [--no-console] [--limit SECONDS] \
                     [--evidence DIR] [--kvm] [--json]";

/// What was asked for.
struct Wish {
    disks: Vec<ProofDisk>,
    machine: Machine,
    options: ProveOptions,
    is_json: bool,
}

/// Boots what the arguments name.
///
/// # Errors
/// If it cannot be booted, or does not come up.
pub(crate) fn task(arguments: &[String]) -> Result<()> {
    let wish = wish(arguments)?;
    let proof = prove(&wish.disks, &wish.machine, &wish.options).map_err(anyhow::Error::from)?;
    if wish.is_json {
        println!("{}", serde_json::to_string_pretty(&proof).context("cannot write the proof")?);
    } else {
        print!("{}", shown(&proof));
    }
    if !proof.passed {
        bail!("the guest did not pass: {}", proof.reasons.join("; "));
    }
    Ok(())
}

fn wish(arguments: &[String]) -> Result<Wish> {
    let mut options =
        ProveOptions { accelerator: Accelerator::Tcg, observer: Arc::new(Told), ..ProveOptions::default() };
    let mut format = ProofFormat::Raw;
    let (mut disks, mut nics) = (Vec::new(), Vec::new());
    let mut hardware = "virtio";
    let (mut is_json, mut is_uefi, mut has_graphics, mut has_console) = (false, false, true, true);
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().with_context(|| format!("{argument} wants a value\n{USAGE}"));
        match argument {
            "--hardware" => hardware = value()?,
            "--uefi" => is_uefi = true,
            "--format" => format = format_of(value()?)?,
            "--login" => {
                options.login = Some(Login { user: "root".into(), password: "guestconv".into() });
            }
            "--command" => options.command = Some(value()?.to_owned()),
            "--nic" => nics.push(Nic::parse(value()?)?),
            "--expect" => options.expected.push(expected(value()?)?),
            "--no-graphics" => has_graphics = false,
            "--no-console" => has_console = false,
            "--limit" => options.time_limit = Duration::from_secs(value()?.parse().context("--limit")?),
            "--evidence" => options.evidence = Some(value()?.into()),
            "--kvm" => options.accelerator = Accelerator::Probe,
            "--json" => is_json = true,
            name if !name.starts_with('-') => disks.extend(images(name)?),
            _ => bail!("no option is called {argument}\n{USAGE}"),
        }
    }
    if disks.is_empty() {
        bail!(USAGE);
    }
    let disks: Vec<_> = disks.into_iter().map(|path| ProofDisk { path, format }).collect();
    let mut machine = Machine::preset(hardware)?.with_disks(disks.len());
    if is_uefi {
        machine = machine.with_firmware(HardwareFirmware::Uefi);
    }
    if !nics.is_empty() {
        machine.nics = cards(&machine, nics);
    }
    machine.graphics = machine.graphics.filter(|_| has_graphics);
    machine.console = machine.console.filter(|_| has_console);
    Ok(Wish { disks, machine, options, is_json })
}

/// Returns the image of that path, or the disks of the guest of that name.
fn images(name: &str) -> Result<Vec<PathBuf>> {
    if Path::new(name).is_file() {
        return Ok(vec![name.into()]);
    }
    let disks = guest::built(name)?;
    if disks.is_empty() {
        bail!(
            "{name} is neither an image nor a guest that was built; build it by: cargo xtask make-guest {name}"
        );
    }
    Ok(disks)
}

/// Returns cards of these names and addresses, like the machine's first; VMware's slots for cards are 32 apart.
fn cards(machine: &Machine, nics: Vec<Nic>) -> Vec<MachineNic> {
    let like = machine.nics.first().cloned();
    let slots = (0..).step_by(32);
    let card = |((nic, slot), like): ((Nic, u32), MachineNic)| MachineNic {
        id: nic.name.unwrap_or(like.id),
        mac: Some(nic.mac),
        slot: like.slot.map(|first| first + slot),
        driver: like.driver,
    };
    nics.into_iter().zip(slots).zip(like.into_iter().cycle()).map(card).collect()
}

fn format_of(name: &str) -> Result<ProofFormat> {
    match name {
        "raw" => Ok(ProofFormat::Raw),
        "qcow2" => Ok(ProofFormat::Qcow2),
        _ => bail!("no format is called {name}; raw and qcow2 are"),
    }
}

fn expected(text: &str) -> Result<ExpectedNic> {
    let (id, address) = text.split_once('=').unwrap_or((text, ""));
    let addresses = match address {
        "" => Vec::new(),
        _ => vec![address.parse().with_context(|| format!("{address} is no address"))?],
    };
    Ok(ExpectedNic { id: id.to_owned(), addresses })
}

/// Tells on stderr how far the guest came.
struct Told;

impl Observer for Told {
    fn event(&self, event: &Event<'_>) {
        if let Event::Log(line) = event {
            eprintln!("{line}");
        }
    }
}

/// Returns the proof as lines for a person.
pub(crate) fn shown(proof: &Proof) -> String {
    let seconds = |ms: u64| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
    let verdict = if proof.passed { "passed" } else { "failed" };
    let mut lines = vec![format!("{verdict}: {} after {}", proof.state.name(), seconds(proof.time_ms))];
    lines.extend(proof.reasons.iter().map(|reason| format!("  {reason}")));
    let milestones: Vec<_> =
        proof.milestones_ms.iter().map(|(name, ms)| format!("{name} {}", seconds(*ms))).collect();
    lines.push(format!("times    {} ({})", milestones.join(", "), proof.accelerator));
    lines.push(format!("kernel   {}", proof.kernel.as_deref().unwrap_or("not told")));
    lines.push(format!("root     {}", proof.root_device.as_deref().unwrap_or("not told")));
    for nic in &proof.nics {
        let name = nic.name.as_deref().unwrap_or("name not told");
        lines.push(format!("network  {} {} {name} {}", nic.id, nic.mac, nic.state));
        for address in &nic.addresses {
            let evidence: Vec<_> =
                address.evidence.iter().map(|known| format!("{known:?}").to_lowercase()).collect();
            lines.push(format!("         {} ({})", address.address, evidence.join(", ")));
        }
    }
    if let Some(command) = &proof.command {
        lines.push(format!("command  ended with {}", command.status));
        lines.extend(command.output.lines().map(|line| format!("  {line}")));
    }
    if !proof.passed {
        let said = if proof.serial_tail.is_empty() { &proof.screen_text } else { &proof.serial_tail };
        lines.extend(said.iter().map(|line| format!("  | {line}")));
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_names_disk_machine_and_what_is_expected() {
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("a.img");
        std::fs::write(&image, "").unwrap();
        let image = image.to_str().unwrap().to_owned();
        let arguments: Vec<String> =
            [image.as_str(), "--hardware", "nvme", "--uefi", "--no-console", "--expect", "eth0=10.0.2.77"]
                .map(str::to_owned)
                .into();
        let wish = wish(&arguments).unwrap();
        let mut machine = Machine::preset("nvme").unwrap().with_firmware(HardwareFirmware::Uefi);
        machine.console = None;
        assert_eq!(wish.disks, [ProofDisk { path: image.into(), format: ProofFormat::Raw }]);
        assert_eq!(wish.machine, machine);
        assert_eq!(
            wish.options.expected,
            [ExpectedNic { id: "eth0".into(), addresses: vec!["10.0.2.77".parse().unwrap()] }]
        );
    }

    #[test]
    fn cards_are_as_many_as_named_and_like_the_machines() {
        let (first, second) = ("52:54:00:00:00:01", "52:54:00:00:00:02");
        let nics = [format!("eth0={first}"), second.to_owned()].map(|text| Nic::parse(&text).unwrap());
        let card = |id: &str, mac: &str, slot: u32| MachineNic {
            id: id.to_owned(),
            driver: "vmxnet3".to_owned(),
            mac: Some(mac.to_owned()),
            slot: Some(slot),
        };
        let machine = Machine::preset("vmware").unwrap();
        let expected = [card("eth0", first, 192), card("ens192", second, 224)];
        assert_eq!(cards(&machine, nics.into()), expected);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (arguments, expected) in [
            (vec!["--frob"], "no option is called --frob"),
            (vec!["--format", "vmdk"], "no format is called vmdk"),
            (vec!["--hardware"], "--hardware wants a value"),
            (vec![], "usage: cargo xtask boot"),
        ] {
            let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
            let error = wish(&arguments).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.starts_with(expected), "{arguments:?}: {error}");
        }
    }
}
