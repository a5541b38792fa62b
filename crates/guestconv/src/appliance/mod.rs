//! The appliance: (disks, request) → reply. A Linux kernel as an ordinary process, with the agent as its `/init`; one run
//! per request, nothing is kept.

mod confine;
mod cpu;
mod find;
mod initramfs;
mod private;
mod process;
mod reply;
#[cfg(test)]
mod tests;

pub(crate) use confine::{Confinement, confine};
pub use find::APPLIANCE_VARIABLE;
pub(crate) use private::PrivateDir;

use crate::disks::{Disk, Durability, Server, View};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::{Cancel, Stage, Timings};
use confine::Landlock;
use find::Appliance;
use guestconv_core::finding::Finding;
use guestconv_core::protocol::{Answer, REQUEST_FILE, Reply, Request, Task, VERSION};
use process::{MEMORY_MIB, Process, Start};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Runs the appliance.
#[derive(Debug)]
pub(crate) struct Runner {
    appliance: Appliance,
    agent: Vec<u8>,
    time_limit: Duration,
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
    /// Whether the overlays are kept.
    pub(crate) durability: Durability,
    /// What the agent shall do.
    pub(crate) task: Task,
}

impl Runner {
    /// Finds the appliance, in `given` or where it belongs.
    pub(crate) fn new(given: Option<&Path>, time_limit: Duration, cancel: Cancel) -> Result<Self> {
        let appliance = find::find(given)?;
        let agent = fs::read(&appliance.agent).map_err(|error| {
            let reading = format_args!("read {}", appliance.agent.display()).to_string();
            Error::io("appliance-incomplete", reading, error)
        })?;
        Ok(Self { appliance, agent, time_limit, cancel })
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
            task: job.task,
        };
        let request = serde_json::to_vec(&request).map_err(|error| {
            Error::new(ErrorKind::Bug, "request-failed", "cannot write the request").caused_by(error)
        })?;
        let initramfs = initramfs::in_memory(&self.agent, REQUEST_FILE, &request).map_err(|error| {
            Error::io("initramfs-failed", "make the appliance's initramfs in memory", error)
        })?;
        let directory = PrivateDir::new(MEMORY_MIB << 20)?;
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
            is_disposable: job.durability == Durability::None,
        };
        let ended = Process::start(&start)?.wait(&self.cancel)?;
        let was_served = servers.iter().any(Server::was_connected);
        // A disk that cannot be read is the reason for whatever the agent says about it.
        servers.into_iter().try_for_each(Server::finish)?;
        let landlock = ended.landlock;
        let reply = ended.reply(was_served)?;
        note_times(&reply, job.stage, begun.elapsed(), timings);
        match reply.answer {
            Answer::Failure(failure) => Err(Error::new(ErrorKind::Guest, failure.code, failure.message)),
            Answer::Facts(mut facts) => {
                facts.findings.extend((landlock == Landlock::Missing).then(host_without_landlock));
                Ok(Answer::Facts(facts))
            }
            answer => Ok(answer),
        }
    }
}

fn host_without_landlock() -> Finding {
    let text = "the host's kernel has no Landlock, so a guest that took over the appliance could use this user's files; \
                open guests that you do not trust on Linux 5.13 or later";
    Finding::warning("host-without-landlock", text)
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
