//! `guestconv prove`: the guest is booted with the hardware of its plan; the verdict with its evidence.

use crate::arguments;
use crate::failure::{DONE, Done, NOT_PROVED};
use crate::job::{Job, Wish};
use crate::output::{BAD, BOLD, DIM, GOOD, Output};
use crate::{table, timings};
use guestconv::core::text::visible;
use guestconv::prove::{Accelerator, Evidence, ExpectedNic, Login, Machine, Proof, ProofNic, ProveOptions};
use guestconv::{Error, ErrorKind};
use std::time::Duration;

/// Boots the guest and writes what it did.
pub(crate) fn run(arguments: &arguments::Prove, output: &mut Output) -> Done {
    let how = options(arguments)?;
    let machine = arguments.machine.as_deref().map(Machine::preset).transpose()?;
    let wish = Wish::read(&arguments.wish)?;
    let mut job = Job::open(&arguments.guest)?;
    let proof = match machine {
        Some(machine) => job.guest.prove_on(machine, &how)?,
        None => {
            job.guest.inspect_with_initramfs()?;
            let choices = wish.choices(&mut job.guest)?;
            job.guest.prove(&wish.target, &choices, &wish.options, &how)?
        }
    };
    job.shown.close();
    match arguments.json {
        true => output.json(&proof)?,
        false => output.text(&page(&proof))?,
    }
    timings::show(&arguments.guest, &job.guest, arguments.json);
    Ok(if proof.passed { DONE } else { NOT_PROVED })
}

fn options(arguments: &arguments::Prove) -> Result<ProveOptions, Error> {
    let mut expected: Vec<ExpectedNic> = Vec::new();
    for (id, address) in &arguments.expect {
        match expected.iter_mut().find(|nic| nic.id == *id) {
            Some(nic) => nic.addresses.push(*address),
            None => expected.push(ExpectedNic { id: id.clone(), addresses: vec![*address] }),
        }
    }
    let login = match (&arguments.login, &arguments.password_file) {
        (Some(user), Some(path)) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                let message = format!("cannot read the password in {}: {error}", path.display());
                Error::new(ErrorKind::InvalidArgument, "document-unreadable", message).caused_by(error)
            })?;
            let password = text.lines().next().unwrap_or_default().to_owned();
            Some(Login { user: user.clone(), password })
        }
        _ => None,
    };
    Ok(ProveOptions {
        time_limit: Duration::from_secs(arguments.boot_limit.into()),
        login,
        command: arguments.command.clone(),
        expected,
        evidence: arguments.evidence.clone(),
        accelerator: if arguments.tcg { Accelerator::Tcg } else { Accelerator::Probe },
        memory_mib: arguments.memory,
        cpus: arguments.cpus,
        ..ProveOptions::default()
    })
}

fn page(proof: &Proof) -> String {
    let seconds = |ms: u64| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
    let (style, verdict) =
        if proof.passed { (GOOD, "the guest boots") } else { (BAD, "the guest does not boot") };
    let mut text = format!(
        "{style}{verdict}{style:#}: {} after {} {DIM}({}){DIM:#}\n",
        proof.state.name(),
        seconds(proof.time_ms),
        visible(&proof.accelerator)
    );
    for reason in &proof.reasons {
        text.push_str(&format!("  {}\n", visible(reason)));
    }
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![format!("{DIM}{name}{DIM:#}"), value]);
    for (name, value) in [("root", &proof.root_device), ("kernel", &proof.kernel)] {
        row(name, value.as_deref().map_or("not told".to_owned(), visible));
    }
    for nic in &proof.nics {
        row("network", network(nic));
    }
    let milestones: Vec<String> =
        proof.milestones_ms.iter().map(|(name, ms)| format!("{} {}", visible(name), seconds(*ms))).collect();
    if !milestones.is_empty() {
        row("times", milestones.join(", "));
    }
    for (name, path) in [("serial", &proof.serial_log), ("screen", &proof.screenshot)] {
        if let Some(path) = path {
            row(name, path.display().to_string());
        }
    }
    text.push_str(&table::lines(&rows, "  "));
    if let Some(command) = &proof.command {
        text.push_str(&format!("{BOLD}command{BOLD:#}: exit status {}\n", command.status));
        text.push_str(&quoted(command.output.lines()));
    }
    if !proof.passed {
        let serial = proof.serial_tail.iter().map(String::as_str);
        let screen = proof.screen_text.iter().map(String::as_str).filter(|line| !line.trim().is_empty());
        for (heading, lines) in [("serial console", quoted(serial)), ("screen", quoted(screen))] {
            if !lines.is_empty() {
                text.push_str(&format!("{BOLD}{heading}{BOLD:#}\n{lines}"));
            }
        }
    }
    text
}

fn quoted<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.map(|line| format!("  {DIM}|{DIM:#} {}\n", visible(line))).collect()
}

fn network(nic: &ProofNic) -> String {
    let addresses = nic.addresses.iter().map(|address| {
        let evidence: Vec<&str> = address.evidence.iter().map(|evidence| word(*evidence)).collect();
        format!("{} {DIM}({}){DIM:#}", visible(&address.address), evidence.join(", "))
    });
    let addresses: Vec<String> = addresses.collect();
    let name = nic.name.as_deref().filter(|name| *name != nic.id);
    let name = name.map(|name| format!(" (named {})", visible(name))).unwrap_or_default();
    format!(
        "{}{name} {}: {} {}",
        visible(&nic.id),
        visible(&nic.mac),
        visible(&nic.state),
        addresses.join(", ")
    )
}

fn word(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Seen => "seen",
        Evidence::Lease => "lease",
        Evidence::Neighbour => "answers",
        Evidence::Ping => "ping",
        Evidence::Login => "login",
        _ => "known",
    }
}
