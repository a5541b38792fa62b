//! The appliance: (disks, request) → reply. A Linux kernel as an ordinary process, with the agent as its `/init`; one run
//! per request, nothing is kept.

mod cpu;
mod find;
mod initramfs;
mod lies;
mod life;
mod private;
mod process;
mod reply;
#[cfg(test)]
mod tests;

pub use find::APPLIANCE_VARIABLE;
pub(crate) use private::PrivateDir;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use {lies::Asked, lies::require_none, reply::Incoming};

use crate::confine::{Confinement, Host};
use crate::disks::{Disk, Durability, Server, View};
use crate::error::{Error, ErrorKind, Result};
use crate::guest::Options;
use crate::observe::{Cancel, Stage, Timings};
use find::Appliance;
use guestconv_core::change::Change;
use guestconv_core::plan::Plan;
use guestconv_core::protocol::{Answer, REQUEST_FILE, Reply, Request, SlotKey, Task, VERSION};
#[cfg(not(any(test, feature = "fuzzing")))]
use lies::Asked;
use process::{FILE_CAP_BYTES, Process, Start};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Runs the appliance.
#[derive(Debug)]
pub(crate) struct Runner {
    appliance: Appliance,
    agent: Vec<u8>,
    time_limit: Duration,
    confinement: Confinement,
    host: Host,
    cancel: Cancel,
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

impl Runner {
    /// Finds the appliance, in the options' directory or where it belongs.
    ///
    /// # Errors
    /// `host-cannot-confine` if confinement is required and this host cannot.
    pub(crate) fn new(options: &Options, host: Host) -> Result<Self> {
        host.require(options.confinement)?;
        let appliance = find::find(options.appliance.as_deref())?;
        let agent = fs::read(&appliance.agent).map_err(|error| {
            let reading = format_args!("read {}", appliance.agent.display()).to_string();
            Error::io("appliance-incomplete", reading, error)
        })?;
        let Options { time_limit, confinement, cancel, .. } = options;
        let (time_limit, confinement, cancel) = (*time_limit, *confinement, cancel.clone());
        Ok(Self { appliance, agent, time_limit, confinement, host, cancel })
    }

    /// Runs the appliance once and returns what it answered.
    ///
    /// # Errors
    /// A failure that the agent reports is an error too, with the agent's code.
    pub(crate) fn run(&self, job: Job<'_>, timings: &mut Timings) -> Result<Answer> {
        self.cancel.check()?;
        let begun = Instant::now();
        let request = Request {
            version: VERSION.to_owned(),
            disks: job.disks.iter().map(|disk| disk.name.clone()).collect(),
            keys: job.keys.to_vec(),
            task: job.task,
        };
        let runs_program = runs_program(&request.task);
        let document = serde_json::to_vec(&request).map_err(|error| {
            Error::new(ErrorKind::Bug, "request-failed", "cannot write the request").caused_by(error)
        })?;
        let initramfs = initramfs::in_memory(&self.agent, REQUEST_FILE, &document).map_err(|error| {
            Error::io("initramfs-failed", "make the appliance's initramfs in memory", error)
        })?;
        let directory = PrivateDir::new(FILE_CAP_BYTES)?;
        let servers = job.disks.iter().zip(job.views).enumerate().map(|(number, (disk, view))| {
            let socket = directory.path().join(format!("disk{number}"));
            Server::start(disk, view.clone(), job.durability, socket)
        });
        let servers = servers.collect::<Result<Vec<_>>>()?;
        let sockets: Vec<&Path> = servers.iter().map(Server::socket).collect();
        let start = Start {
            appliance: &self.appliance,
            directory: &directory,
            initramfs: &initramfs,
            sockets: &sockets,
            time_limit: self.time_limit,
            confinement: self.confinement,
            host: self.host,
            processes: processes(runs_program),
            is_disposable: job.durability == Durability::None,
        };
        let requests = || servers.iter().map(Server::signs).sum::<u64>();
        let requests: Option<&dyn Fn() -> u64> = if runs_program { None } else { Some(&requests) };
        let ended = Process::start(&start)?.wait(&self.cancel, requests)?;
        let was_served = servers.iter().any(Server::was_connected);
        // A disk that cannot be read is the reason for whatever the agent says about it.
        servers.into_iter().try_for_each(Server::finish)?;
        let host = ended.host;
        let reply = ended.reply(was_served)?;
        let disks = job.disks.iter().zip(job.views).map(|(disk, view)| (disk.name.as_str(), view.size()));
        let asked = Asked { task: &request.task, disks: &disks.collect::<Vec<_>>() };
        lies::require_none(&reply.answer, &asked)?;
        note_times(&reply, job.stage, begun.elapsed(), timings);
        match reply.answer {
            Answer::Failure(failure) => Err(Error::new(ErrorKind::Guest, failure.code, failure.message)),
            Answer::Facts(mut facts) => {
                if self.confinement != Confinement::Off {
                    facts.findings.extend(host.missing());
                }
                Ok(Answer::Facts(facts))
            }
            answer => Ok(answer),
        }
    }
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
