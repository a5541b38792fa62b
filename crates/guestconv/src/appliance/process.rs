//! The appliance's process: started confined, watched until it replied and went, killed if it does not, always reaped.

use super::life::Life;
use super::reply::Incoming;
use super::runner::{Lines, Runner, Start};
use crate::confine::{Hold, Host, Rights, Warden, confine};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::Cancel;
use guestconv_core::protocol::Reply;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process_group, pidfd_open, waitpgid};
use std::io::{self, ErrorKind as IoKind, PipeWriter, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often somebody looks whether the caller cancelled.
const TICK: Duration = Duration::from_millis(20);
/// How much of what the kernel says is kept for errors.
const LINES_CAP_BYTES: usize = 16 << 10;
/// What the kernel says when it has no memory left.
const OUT_OF_MEMORY: [&str; 3] = ["deadlocked on memory", "Out of memory", "invoked oom-killer"];

/// A started process of an appliance; killed and reaped when this goes, with all that it has started.
pub(super) struct Started {
    child: Child,
    group: Option<Pid>,
    pidfd: Option<OwnedFd>,
    hold: Hold,
}

/// Starts the confined process of a runner, in a group of its own: it has no environment, and works in its directory.
pub(super) fn started(
    mut command: Command,
    rights: &Rights<'_>,
    start: &Start<'_>,
    said: PipeWriter,
) -> io::Result<Started> {
    command
        .env_clear()
        .env("TMPDIR", rights.directory)
        .current_dir(rights.directory)
        .stdin(Stdio::null())
        .stdout(said.try_clone()?)
        .stderr(said)
        .process_group(0);
    let ready = confine(&mut command, rights, start.confinement, start.host)?;
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("{} cannot be executed: {error}", rights.executable.display()))
    };
    let mut child = command.spawn().map_err(named)?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let hold = ready.started(group).or_else(|error| {
        child.kill()?;
        child.wait()?;
        Err(error)
    });
    let pidfd = group.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    Ok(Started { child, group, pidfd, hold: hold? })
}

/// A running appliance; killed and reaped when this goes.
pub(super) struct Process<'a> {
    runner: &'a dyn Runner,
    started: Started,
    reply: UnixStream,
    messages: Option<OwnedFd>,
    said: Vec<u8>,
    began: Instant,
    time_limit: Duration,
}

/// How a run ended.
pub(super) struct Ended {
    /// What the agent replied, if anything.
    pub(super) incoming: Incoming,
    /// How the process ended; `None` if it was not waited for.
    pub(super) status: Option<ExitStatus>,
    /// The last lines of the kernel.
    pub(super) said: String,
    /// What the host's kernel could do to confine it.
    pub(super) host: Host,
    /// The system calls that were refused to it.
    pub(super) refused: Vec<String>,
}

impl<'a> Process<'a> {
    /// Starts the appliance.
    ///
    /// # Errors
    /// `appliance-cannot-start` if the host does not let us.
    pub(super) fn start(runner: &'a dyn Runner, start: &Start<'_>) -> Result<Self> {
        let failed = |error: io::Error| runner.cannot_start(&error.to_string()).caused_by(error);
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let (messages, said) = io::pipe().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let began = Instant::now();
        let started = runner.start(start, Lines { reply: theirs, said }).map_err(failed)?;
        Ok(Self {
            runner,
            started,
            reply: ours,
            messages: Some(messages.into()),
            said: Vec::new(),
            began,
            time_limit: start.time_limit,
        })
    }

    /// Waits until the process has replied, or has ended without. What it wrote is on the disks before it replies, so that
    /// nobody waits until its kernel has taken leave of each disk, ten milliseconds each. `requests` tells how often it
    /// asked for its disks; `None` if it may work without a sign of life.
    ///
    /// # Errors
    /// `appliance-timeout`, `appliance-hung`, `cancelled`, `appliance-reply`: the process is killed then.
    pub(super) fn wait(mut self, cancel: &Cancel, requests: Option<&dyn Fn() -> u64>) -> Result<Ended> {
        let mut life = Life::new(self.runner.silent_limit());
        let mut incoming = Incoming::default();
        let mut is_open = true;
        loop {
            self.sleep(is_open);
            self.answer()?;
            self.listen();
            is_open = is_open && self.receive(&mut incoming)?;
            if incoming.is_complete() {
                return Ok(self.ended_with(incoming, None));
            }
            if let Some(status) = self.started.child.try_wait().map_err(waiting)? {
                // All that it said is in the socket and the pipe by now.
                self.listen();
                if is_open {
                    self.receive(&mut incoming)?;
                }
                return Ok(self.ended_with(incoming, Some(status)));
            }
            cancel.check()?;
            let signs = requests.map(|requests| requests().saturating_add(incoming.received()));
            if signs.is_some_and(|signs| life.hangs(signs, self.started.group)) {
                return Err(self.hung());
            }
            if self.began.elapsed() > self.time_limit {
                return Err(self.timeout());
            }
        }
    }

    /// Sleeps until something happens, at most a tick.
    fn sleep(&self, is_open: bool) {
        let mut watched = Vec::new();
        watched.extend(is_open.then(|| PollFd::new(&self.reply, PollFlags::IN)));
        watched.extend(self.messages.as_ref().map(|messages| PollFd::new(messages, PollFlags::IN)));
        watched.extend(self.started.pidfd.as_ref().map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        let warden = self.started.hold.warden.as_ref();
        watched.extend(warden.map(|warden| PollFd::from_borrowed_fd(warden.listener(), PollFlags::IN)));
        let tick = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
        // An interrupted sleep is a short sleep.
        let _ = poll(&mut watched, Some(&tick));
    }

    /// Answers what the appliance asks for, as long as it asks.
    fn answer(&mut self) -> Result<()> {
        while let Some(warden) = &mut self.started.hold.warden {
            let mut asked = [PollFd::from_borrowed_fd(warden.listener(), PollFlags::IN)];
            let is_asked = poll(&mut asked, Some(&Timespec::default())) == Ok(1);
            let [asked] = &asked;
            if !is_asked || !asked.revents().contains(PollFlags::IN) {
                return Ok(());
            }
            if let Err(error) = warden.answer() {
                let message = format!("the appliance was killed: {error}{}", refused(&warden.refused()));
                return Err(Error::new(ErrorKind::Appliance, "appliance-died", message));
            }
        }
        Ok(())
    }

    /// Takes in what there is of the reply; returns whether more may come.
    fn receive(&mut self, incoming: &mut Incoming) -> Result<bool> {
        let mut buffer = [0; 64 << 10];
        loop {
            match self.reply.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => incoming.push(buffer.get(..count).unwrap_or_default())?,
                Err(error) if error.kind() == IoKind::Interrupted => {}
                Err(error) if error.kind() == IoKind::WouldBlock => return Ok(true),
                Err(_) => return Ok(false),
            }
        }
    }

    /// Takes in what the kernel says; keeps the end of it.
    fn listen(&mut self) {
        let mut buffer = [0; 4096];
        while let Some(messages) = &self.messages {
            let ready = poll(&mut [PollFd::new(messages, PollFlags::IN)], Some(&Timespec::default()));
            if ready != Ok(1) {
                return;
            }
            match rustix::io::read(messages, &mut buffer) {
                Ok(count) if count > 0 => {
                    self.said.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    let excess = self.said.len().saturating_sub(LINES_CAP_BYTES);
                    self.said.drain(..excess);
                }
                Err(rustix::io::Errno::INTR) => {}
                _ => self.messages = None,
            }
        }
    }

    fn ended_with(&self, incoming: Incoming, status: Option<ExitStatus>) -> Ended {
        let refused = self.started.hold.warden.as_ref().map(Warden::refused).unwrap_or_default();
        Ended { incoming, status, said: self.last_lines(), host: self.started.hold.host, refused }
    }

    fn last_lines(&self) -> String {
        let text = String::from_utf8_lossy(&self.said);
        let is_plain = |c: &char| *c == '\n' || !c.is_control();
        text.chars().filter(is_plain).collect::<String>().trim().to_owned()
    }

    fn hung(&self) -> Error {
        let said = self.last_lines();
        let message = format!(
            "the kernel of the appliance hangs{}: it worked for {} seconds without a sign of life and was killed{}",
            looking_at(&said),
            self.runner.silent_limit().as_secs(),
            last_words(&said)
        );
        Error::new(ErrorKind::Appliance, "appliance-hung", message)
    }

    fn timeout(&self) -> Error {
        let message = format!(
            "the appliance did not answer within {} seconds and was killed{}{}",
            self.began.elapsed().as_secs(),
            last_words(&self.last_lines()),
            refused(&self.started.hold.warden.as_ref().map(Warden::refused).unwrap_or_default())
        );
        Error::new(ErrorKind::Appliance, "appliance-timeout", message)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // The kernel's processes are in its group. A group that is gone, or a child that was reaped, is as it should be.
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        drop(self.child.wait());
        // If we are the reaper of orphans (init of a container), the kernel's processes are ours to reap.
        if let Some(group) = self.group {
            while let Ok(Some(_)) = waitpgid(group, WaitOptions::NOHANG) {}
        }
    }
}

impl Ended {
    /// Returns the reply of a run that ended well; `was_served` tells whether the kernel came as far as its disks.
    pub(super) fn reply(self, runner: &dyn Runner, was_served: bool) -> Result<Reply> {
        if self.incoming.is_complete() {
            return self.incoming.parse();
        }
        let status = self.status.map_or_else(|| "not waited for".to_owned(), |status| status.to_string());
        let words = format!("{}{}", last_words(&self.said), refused(&self.refused));
        if !was_served && self.incoming.is_empty() {
            return Err(runner.cannot_start(&format!("{status}{words}")));
        }
        let (code, what) = death(&self.said);
        let message = format!("the appliance {what}{} ({status}){words}", looking_at(&self.said));
        Err(Error::new(ErrorKind::Appliance, code, message))
    }
}

/// Returns the code of a death by what the kernel said, and what people call it.
fn death(said: &str) -> (&'static str, &'static str) {
    // The agent is the first process: the kernel never kills it for memory, and has a panic when it ends.
    if OUT_OF_MEMORY.iter().any(|text| said.contains(text)) {
        ("appliance-out-of-memory", "ran out of its memory")
    } else if said.contains("Kernel panic") && !said.contains("Attempted to kill init") {
        ("appliance-panicked", "had a kernel panic")
    } else {
        ("appliance-died", "died")
    }
}

/// Returns what the agent said last that it looks at.
fn looking_at(said: &str) -> String {
    let last = said.lines().rev().find_map(|line| line.split_once("guestconv: "));
    last.map(|(_, what)| format!(" while it was {what}")).unwrap_or_default()
}

fn last_words(said: &str) -> String {
    // The addresses of a backtrace tell nobody anything without the kernel at hand.
    let is_telling = |line: &&str| !line.trim().is_empty() && !line.contains("[<");
    let mut lines: Vec<&str> = said.lines().rev().filter(is_telling).take(8).collect();
    lines.reverse();
    if lines.is_empty() { String::new() } else { format!("; its last words: {}", lines.join(" / ")) }
}

/// A call that the appliance needs on some machine, and that is not on its list, is our mistake, and must have a name.
fn refused(calls: &[String]) -> String {
    if calls.is_empty() {
        return String::new();
    }
    format!(
        "; its confinement refused it {}: unless the guest is hostile, please report this",
        calls.join(", ")
    )
}

fn waiting(error: io::Error) -> Error {
    Error::io("appliance-wait-failed", "wait for the appliance", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_is_told_by_the_last_words() {
        let memory = "guestconv: reading /boot/initrd.img of the guest\nKernel panic - not syncing: System is deadlocked on memory";
        let init = "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300";
        let fault = "[1.0] guestconv: mounting /dev/sda1 as xfs\nKernel panic - not syncing: Kernel mode fault at addr 0x0";
        for (said, code, place) in [
            (memory, "appliance-out-of-memory", " while it was reading /boot/initrd.img of the guest"),
            (init, "appliance-died", ""),
            (fault, "appliance-panicked", " while it was mounting /dev/sda1 as xfs"),
            ("", "appliance-died", ""),
        ] {
            assert_eq!((death(said).0, looking_at(said).as_str()), (code, place), "{said}");
        }
    }
}
