//! The program under ptrace(2): it stops before and after each call that changes a file of the guest, and is let go,
//! refused, cut short or killed there. Threads are followed; the appliance, a child, is not: it has a tracer of its own.

use super::call::{self, Data, Kind, Operation};
use nix::errno::Errno;
use nix::libc::{ENOSYS, SYS_fsync, user_regs_struct};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// It is made.
    Go,
    /// It is not made, and returns this error.
    Fail(Errno),
    /// All processes are killed before it is made.
    Kill,
    /// All processes are killed when it was made.
    KillAfter,
    /// Only so many bytes are written, and all processes are killed then.
    Tear(u64),
    /// The appliance is killed before it is made; the program is not.
    KillAppliance,
}

/// How a run ended.
pub(super) struct Run {
    /// The exit status; `None` if it was killed.
    pub(super) status: Option<i32>,
    /// What it wrote to its standard error.
    pub(super) said: String,
    /// The calls that were made or refused, in the order in which they ended.
    pub(super) operations: Vec<Operation>,
}

/// How a program is run.
pub(super) struct Start<'a> {
    /// This program, which waits for a byte on its standard input and does then what the arguments say.
    pub(super) program: &'a Path,
    pub(super) arguments: &'a [OsString],
    /// Calls on files in this directory are seen.
    pub(super) directory: &'a Path,
    pub(super) data: Data,
}

struct Pending {
    operation: Operation,
    error: Option<Errno>,
    kills: bool,
}

struct Tracer<'a> {
    start: &'a Start<'a>,
    decide: &'a mut dyn FnMut(&Operation) -> Act,
    ended: &'a mut dyn FnMut(&Operation),
    main: Pid,
    pending: BTreeMap<Pid, Pending>,
    operations: Vec<Operation>,
    children: Vec<Pid>,
}

/// Runs the program to its end; `decide` says what happens to each call, `ended` is told of each that was made or refused.
///
/// # Panics
/// If it cannot be run or traced.
#[allow(clippy::zombie_processes, reason = "the tracer waits for all its threads, by waitpid")]
pub(super) fn run(
    start: &Start<'_>,
    decide: &mut dyn FnMut(&Operation) -> Act,
    ended: &mut dyn FnMut(&Operation),
) -> Run {
    let mut said = tempfile::tempfile().unwrap();
    let mut child = Command::new(start.program)
        .args(start.arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(said.try_clone().unwrap())
        .process_group(0)
        .spawn()
        .unwrap();
    let main = Pid::from_raw(child.id().try_into().unwrap());
    let options = Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL;
    ptrace::seize(main, options).unwrap_or_else(|error| panic!("this host forbids ptrace: {error}"));
    ptrace::interrupt(main).unwrap();
    let mut input = child.stdin.take();
    let mut tracer = Tracer {
        start,
        decide,
        ended,
        main,
        pending: BTreeMap::new(),
        operations: Vec::new(),
        children: Vec::new(),
    };
    let status = loop {
        match waitpid(None, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::PtraceEvent(thread, ..)) => {
                resume(thread, None);
                if let Some(mut input) = input.take() {
                    input.write_all(b"\n").unwrap();
                }
            }
            Ok(WaitStatus::PtraceSyscall(thread)) => tracer.stopped(thread),
            Ok(WaitStatus::Stopped(thread, signal)) => resume(thread, Some(signal)),
            Ok(WaitStatus::Exited(process, status)) if process == main => break Some(status),
            Ok(WaitStatus::Signaled(process, ..)) if process == main => break None,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => panic!("waiting for {main}: {error}"),
        }
    };
    let Tracer { operations, children, .. } = tracer;
    children.into_iter().for_each(wait_until_gone);
    let mut text = String::new();
    said.rewind().unwrap();
    said.read_to_string(&mut text).unwrap();
    Run { status, said: text, operations }
}

impl Tracer<'_> {
    fn stopped(&mut self, thread: Pid) {
        // A thread that was killed meanwhile is gone: its end is reported. Before a call the kernel has put this in place of
        // the result, and leaves it there if none is made.
        if let Ok(registers) = ptrace::getregs(thread) {
            let is_unmade = i64::from_ne_bytes(registers.rax.to_ne_bytes()) == -i64::from(ENOSYS);
            match is_unmade && !self.pending.contains_key(&thread) {
                true => self.entered(thread, registers),
                false => self.left(thread, registers),
            }
        }
        resume(thread, None);
    }

    fn entered(&mut self, thread: Pid, mut registers: user_regs_struct) {
        let operation = call::operation(thread, &registers, self.start.directory, self.start.data);
        let Some(operation) = operation else { return };
        let act = (self.decide)(&operation);
        let mut pending = Pending { operation, error: None, kills: false };
        match act {
            Act::Go => {}
            Act::Fail(error) => pending.error = Some(error),
            Act::KillAfter => pending.kills = true,
            Act::Tear(length) => {
                let is_write = pending.operation.kind == Kind::Write;
                assert!(is_write, "only a write can be torn, not {}", pending.operation);
                call::shorten(thread, &mut registers, length).unwrap();
                ptrace::setregs(thread, registers).unwrap();
                pending.kills = true;
            }
            Act::Kill => {}
            Act::KillAppliance => kill_groups(&children(self.main)),
        }
        if matches!(act, Act::Fail(_) | Act::Kill) {
            registers.orig_rax = u64::MAX; // no system call has this number: none is made
            ptrace::setregs(thread, registers).unwrap();
        }
        if act == Act::Kill {
            return self.kill();
        }
        self.pending.insert(thread, pending);
    }

    fn left(&mut self, thread: Pid, mut registers: user_regs_struct) {
        let Some(mut pending) = self.pending.remove(&thread) else { return };
        if let Some(error) = pending.error {
            let code = -i64::from(error as i32);
            registers.rax = u64::from_ne_bytes(code.to_ne_bytes());
            ptrace::setregs(thread, registers).unwrap();
        }
        pending.operation.result = i64::from_ne_bytes(registers.rax.to_ne_bytes());
        if registers.orig_rax == u64::from_ne_bytes(SYS_fsync.to_ne_bytes()) {
            pending.operation.modified =
                fs::metadata(&pending.operation.path).and_then(|file| file.modified()).ok();
        }
        (self.ended)(&pending.operation);
        self.operations.push(pending.operation);
        if pending.kills {
            self.kill();
        }
    }

    /// Kills the program's group and those of its children, the appliance's.
    fn kill(&mut self) {
        self.children = children(self.main);
        kill_groups(&[self.main]);
        kill_groups(&self.children);
    }
}

/// Lets a thread run to its next call. One that is gone was killed.
fn resume(thread: Pid, signal: Option<Signal>) {
    match ptrace::syscall(thread, signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("resuming {thread}: {error}"),
    }
}

fn kill_groups(leaders: &[Pid]) {
    for leader in leaders {
        match kill(Pid::from_raw(-leader.as_raw()), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => panic!("killing {leader}: {error}"),
        }
    }
}

/// Returns the children of a process.
fn children(parent: Pid) -> Vec<Pid> {
    let is_child = |process: &Pid| stat(*process).is_some_and(|(_, of)| of == parent.as_raw());
    let names = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok().map(Pid::from_raw)).filter(is_child).collect()
}

/// Returns the state and the parent of a process; `None` if it is gone.
fn stat(process: Pid) -> Option<(char, i32)> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    let mut words = rest.split(' ');
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}

fn wait_until_gone(process: Pid) {
    while stat(process).is_some_and(|(state, _)| state != 'Z' && state != 'X') {
        sleep(Duration::from_millis(5));
    }
}
