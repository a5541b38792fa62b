//! `demo`: the main job on a real guest, told line by line. What a reader of the README runs first.
//!
//! The guest boots on the hardware that it comes from and not on virtio; it is converted; it boots on virtio with the
//! address that it had, on the interface that it had. Whatever does not come out so is an error.

use crate::{appliance, boot, checkout, dist, guest, run, setup, undo_file};
use anyhow::{Context, Result, bail};
use guestconv::prove::{ExpectedNic, Machine, Proof, ProofDisk, ProofFormat, ProveOptions, State, prove};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The guest: LVM, an initramfs that was made on VMware, a static address.
const GUEST: &str = "debian-12-dep";
/// Its interface and address.
const INTERFACE: &str = "ens192";
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 2, 77));
/// The card that it gets on the target.
const MAC: &str = "52:54:00:12:34:56";
const TARGET: &str = "rhev-3.1";

/// The task.
pub(crate) fn task(_: &[String]) -> Result<()> {
    setup::task(&[])?;
    say("The appliance, in which guestconv opens disks, and guestconv itself");
    let appliance = appliance::directory()?;
    let guestconv = dist::program()?;

    say("A guest as VMware would have left it, made from Debian's packages, and a copy of it to work on");
    let images = guest::make(GUEST)?;
    let disk = copy(images.first().context("a guest has a disk")?)?;
    println!("{}", disk.display());

    say(&format!("On VMware's hardware (pvscsi, vmxnet3) it boots, with {ADDRESS} on {INTERFACE}"));
    let proof = booted(&disk, "vmware", true)?;
    if !proof.passed {
        bail!("the guest does not boot where it comes from: {}", proof.reasons.join("; "));
    }

    say("On virtio it does not: its initramfs has no driver for such a disk");
    let proof = booted(&disk, "virtio", false)?;
    if proof.passed || !matches!(proof.state, State::InitramfsShell | State::DracutEmergency | State::Timeout)
    {
        bail!("the guest should have missed its root file system, and came to: {}", proof.state.name());
    }

    let nic = format!("{INTERFACE}={MAC}");
    let expected = format!("{INTERFACE}={ADDRESS}");
    let guestconv = |subcommand: &str, more: &[&str]| {
        let mut command = Command::new(&guestconv);
        command.env("GUESTCONV_APPLIANCE", &appliance);
        command
            .arg(subcommand)
            .arg(&disk)
            .args(["--format", "raw", "--target", TARGET, "--nic", &nic])
            .args(more);
        // As a user would type it.
        println!("$ {}", run::shown_as(&command));
        let begun = Instant::now();
        run::visibly(&mut command)?;
        println!("({:.2} s)", begun.elapsed().as_secs_f64());
        Ok::<(), anyhow::Error>(())
    };
    say("What guestconv would do, and why; nothing is written");
    guestconv("plan", &[])?;
    say("The conversion: on an overlay, looked at again, then committed");
    guestconv("convert", &[])?;
    say("A look at the result: nothing is left to do");
    guestconv("verify", &[])?;
    say(&format!("On virtio-blk and virtio-net it boots now, with {ADDRESS} on {INTERFACE}"));
    guestconv("prove", &["--expect", &expected])?;
    say(&format!("Done. The converted guest is {}", disk.display()));
    Ok(())
}

fn say(text: &str) {
    println!("\n== {text}");
}

/// Copies the image to where the demonstration may write; holes stay holes.
fn copy(image: &Path) -> Result<PathBuf> {
    let directory = checkout().join("target/demo");
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let copy = directory.join("disk.img");
    undo_file::remove(&copy)?;
    run::run(Command::new("cp").arg("--sparse=always").arg(image).arg(&copy))?;
    Ok(copy)
}

/// Boots the disk, unchanged, on a machine of that name, and tells what came of it.
fn booted(disk: &Path, machine: &str, has_address: bool) -> Result<Proof> {
    let expected = ExpectedNic { id: INTERFACE.to_owned(), addresses: vec![ADDRESS] };
    let options = ProveOptions {
        expected: Some(expected).into_iter().filter(|_| has_address).collect(),
        ..ProveOptions::default()
    };
    let disks = [ProofDisk { path: disk.to_owned(), format: ProofFormat::Raw }];
    let machine = Machine::preset(machine)?.with_disks(disks.len());
    let proof = prove(&disks, &machine, &options)?;
    print!("{}", boot::shown(&proof));
    Ok(proof)
}
