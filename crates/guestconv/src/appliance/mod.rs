//! The appliance: (disks, request) → reply. A Linux kernel as an ordinary process, with the agent as its `/init`; one run
//! per request, nothing is kept.

mod cpu;
mod find;
mod lies;
mod life;
mod private;
mod process;
mod qemu;
mod reply;
mod runner;
#[cfg(test)]
mod tests;
mod uml;

pub use find::APPLIANCE_VARIABLE;
pub(crate) use private::PrivateDir;
pub use qemu::{KERNEL_VARIABLE, MODULES_VARIABLE};
pub use runner::{RUNNER_VARIABLE, RunnerKind};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use {lies::Asked, lies::require_none, reply::Incoming};

use crate::confine::{Confinement, Host};
use crate::disks::{Disk, Durability, Server, View};
use crate::error::{Error, ErrorKind, Result};
use crate::guest::Options;
use crate::observe::{Stage, Timings};
use find::Files;
use guestconv_core::change::Change;
use guestconv_core::finding::Finding;
use guestconv_core::formats::cpio::TooLargeForCpio;
use guestconv_core::plan::Plan;
use guestconv_core::protocol::{Answer, REQUEST_FILE, Reply, Request, SlotKey, Task, VERSION};
#[cfg(not(any(test, feature = "fuzzing")))]
use lies::Asked;
use process::Process;
use qemu::Qemu;
use runner::{CANNOT_START, Runner, Start};
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};
use uml::Uml;

/// An appliance that was found, and what runs it.
#[derive(Debug)]
pub(crate) struct Appliance {
    files: Files,
    runner: Box<dyn Runner>,
    chosen: Chosen,
    options: Options,
    host: Host,
}

/// Who chose the runner.
#[derive(Debug)]
enum Chosen {
    /// The caller.
    ByWish,
    /// Nobody: it is the first, and the other takes over if it cannot start.
    First,
    /// The first cannot start, for this reason.
    Instead(String),
}

/// One run.
pub(crate) struct Job<'a> {
    /// For the timings.
    pub(crate) stage: Stage,
    /// The guest's disks.
    pub(crate) disks: &'a [Disk],
    /// What is served for each disk.
    pub(crate) views: &'a [View],
    /// What opens encrypted devices.
    pub(crate) keys: &'a [SlotKey],
    /// Whether the overlays are kept.
    pub(crate) durability: Durability,
    /// What the agent shall do.
    pub(crate) task: Task,
}

impl Appliance {
    /// Finds the appliance, in the options' directory or where it belongs.
    ///
    /// # Errors
    /// `host-cannot-confine` if confinement is required and this host cannot.
    pub(crate) fn new(options: &Options, host: Host) -> Result<Self> {
        host.require(options.confinement)?;
        let files = find::find(options.appliance.as_deref())?;
        let options = options.clone();
        let (runner, chosen): (Box<dyn Runner>, _) = match runner::wished(options.runner)? {
            Some(RunnerKind::Uml) => (Box::new(Uml::new(&files)?), Chosen::ByWish),
            Some(RunnerKind::Qemu) => (Box::new(Qemu::new(&options, &files)?), Chosen::ByWish),
            None => match Uml::new(&files) {
                Ok(uml) => (Box::new(uml), Chosen::First),
                Err(error) => second(&options, &files, &error)?,
            },
        };
        Ok(Self { files, runner, chosen, options, host })
    }

    /// Runs the appliance once and returns what it answered.
    ///
    /// # Errors
    /// A failure that the agent reports is an error too, with the agent's code.
    pub(crate) fn run(&mut self, job: Job<'_>, timings: &mut Timings) -> Result<Answer> {
        self.options.cancel.check()?;
        let begun = Instant::now();
        let request = Request {
            version: VERSION.to_owned(),
            disks: job.disks.iter().map(|disk| disk.name.clone()).collect(),
            keys: job.keys.to_vec(),
            task: job.task.clone(),
        };
        let replied = match self.replied(&job, &request) {
            // Nothing of the guest was read by then.
            Err(error) if matches!(self.chosen, Chosen::First) && error.code() == CANNOT_START => {
                (self.runner, self.chosen) = second(&self.options, &self.files, &error)?;
                self.replied(&job, &request)
            }
            replied => replied,
        };
        let (reply, host) = replied?;
        let disks = job.disks.iter().zip(job.views).map(|(disk, view)| (disk.name.as_str(), view.size()));
        let asked = Asked { task: &request.task, disks: &disks.collect::<Vec<_>>() };
        lies::require_none(&reply.answer, &asked)?;
        note_times(&reply, job.stage, begun.elapsed(), timings);
        match reply.answer {
            Answer::Failure(failure) => Err(Error::new(ErrorKind::Guest, failure.code, failure.message)),
            Answer::Facts(mut facts) => {
                if self.options.confinement != Confinement::Off {
                    facts.findings.extend(host.missing());
                }
                facts.findings.extend(self.told());
                Ok(Answer::Facts(facts))
            }
            answer => Ok(answer),
        }
    }

    /// Returns that the second runner was taken, and why.
    fn told(&self) -> Option<Finding> {
        let Chosen::Instead(why) = &self.chosen else { return None };
        let text = format!(
            "{why}; so it runs under QEMU, which does the same and takes many times as long; {RUNNER_VARIABLE}=qemu asks for \
             that without this finding"
        );
        Some(Finding::info("host-second-runner", text))
    }

    /// Returns the reply of one run, and what the host could do to confine it.
    fn replied(&self, job: &Job<'_>, request: &Request) -> Result<(Reply, Host)> {
        let runs_program = runs_program(&request.task);
        let document = serde_json::to_vec(request).map_err(|error| {
            Error::new(ErrorKind::Bug, "request-failed", "cannot write the request").caused_by(error)
        })?;
        let initramfs = self.initramfs(&document).map_err(|error| {
            Error::io("initramfs-failed", "make the appliance's initramfs in memory", error)
        })?;
        let directory = PrivateDir::new(self.runner.file_cap_bytes())?;
        let servers = job.disks.iter().zip(job.views).enumerate().map(|(number, (disk, view))| {
            let socket = directory.path().join(format!("disk{number}"));
            Server::start(disk, view.clone(), job.durability, self.runner.bell(), socket)
        });
        let servers = servers.collect::<Result<Vec<_>>>()?;
        let sockets: Vec<&Path> = servers.iter().map(Server::socket).collect();
        let start = Start {
            directory: &directory,
            initramfs: &initramfs,
            sockets: &sockets,
            time_limit: self.options.time_limit,
            confinement: self.options.confinement,
            host: self.host,
            processes: processes(runs_program),
        };
        let requests = || servers.iter().map(Server::signs).sum::<u64>();
        let requests: Option<&dyn Fn() -> u64> = if runs_program { None } else { Some(&requests) };
        let runner = &*self.runner;
        let ended = Process::start(runner, &start)?.wait(&self.options.cancel, requests)?;
        let came_to_disks = runner.came_to_disks(&servers);
        // A disk that cannot be read is the reason for whatever the agent says about it.
        servers.into_iter().try_for_each(Server::finish)?;
        let host = ended.host;
        Ok((ended.reply(runner, came_to_disks)?, host))
    }

    /// Returns a file in memory with the initramfs that brings the request, and for who needs it the agent.
    fn initramfs(&self, request: &[u8]) -> io::Result<File> {
        let too_large = |error: TooLargeForCpio| io::Error::new(io::ErrorKind::FileTooLarge, error);
        let mut archive = self.runner.initramfs().map_err(too_large)?;
        archive.file(REQUEST_FILE, 0o600, request).map_err(too_large)?;
        let mut file = File::from(memfd_create("guestconv-initramfs", MemfdFlags::CLOEXEC)?);
        file.write_all(&archive.finish())?;
        Ok(file)
    }
}

/// Returns the second runner, since the first cannot start.
///
/// # Errors
/// That of the first, with what the second needs.
fn second(options: &Options, files: &Files, first: &Error) -> Result<(Box<dyn Runner>, Chosen)> {
    let qemu = Qemu::new(options, files)
        .map_err(|second| Error::new(ErrorKind::Appliance, CANNOT_START, format!("{first}; and {second}")))?;
    Ok((Box::new(qemu), Chosen::Instead(first.to_string())))
}

/// Returns how many processes the appliance may have: itself and one for each of the guest's, which is the agent but for a
/// plan that runs a program of the guest, as a shell with many children.
fn processes(runs_program: bool) -> u32 {
    if runs_program { 256 } else { 16 }
}

/// Returns whether a program of the guest is run. It works for minutes, and gives no signs of life.
fn runs_program(task: &Task) -> bool {
    let runs = |plan: &Plan| {
        plan.steps.iter().flat_map(|step| &step.changes).any(|c| matches!(c, Change::Run { .. }))
    };
    matches!(task, Task::Apply(plan) if runs(plan))
}

/// Adds the agent's parts; what is left of the run's time is the start and end of the process.
fn note_times(reply: &Reply, stage: Stage, whole: Duration, timings: &mut Timings) {
    let mut ended_us = 0;
    let mut parts = Vec::new();
    for (name, end_us) in reply.timings.iter().take(100) {
        let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
        parts.push((name, Duration::from_micros(end_us.saturating_sub(ended_us))));
        ended_us = ended_us.max(*end_us);
    }
    let inside = Duration::from_micros(ended_us).min(whole);
    timings.add(stage, "appliance", whole - inside);
    for (name, duration) in parts {
        timings.add(stage, &name, duration);
    }
}
