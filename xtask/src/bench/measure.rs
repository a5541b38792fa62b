//! One run of a command, measured from outside: time, processor time, memory, bytes, over all the processes that it
//! starts.
//!
//! Who takes samples disturbs: memory is sampled in a run of its own, or in one so long that samples are rare.

use super::processes::{self, Process, Traffic};
use crate::run;
use anyhow::{Context, Result, bail};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, set_child_subreaper, waitid,
};
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long what a command left running may take to end by itself.
const LEFT_RUNNING_LIMIT: Duration = Duration::from_secs(10);

/// How memory is looked at while the command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sampling {
    /// Not at all: nothing disturbs the time.
    None,
    /// Again after each such time.
    Every(Duration),
}

/// How a command is run.
pub(crate) struct How<'a> {
    /// How memory is looked at.
    pub(crate) sampling: Sampling,
    /// After that time it is ended, and the run has failed.
    pub(crate) limit: Duration,
    /// An empty or missing directory for what it says.
    pub(crate) scratch: &'a Path,
}

/// What a run took.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Time on the wall, in seconds.
    pub(crate) wall_seconds: f64,
    /// Processor time of all processes, in seconds.
    pub(crate) cpu_seconds: f64,
    /// What all processes read and wrote.
    pub(crate) traffic: Traffic,
    /// The most memory of all processes together; `None` if it was not sampled.
    pub(crate) peak: Option<Peak>,
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Did it take longer than it might?
    pub(crate) timed_out: bool,
    /// What it wrote to its standard output.
    pub(crate) stdout: String,
    /// What it wrote to its standard error.
    pub(crate) stderr: String,
}

/// The most that was seen at one time; each its own maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peak {
    /// Memory of all processes together, in bytes, shared pages once, with their files in memory.
    pub(crate) memory_bytes: u64,
    /// The largest that any one process ever was, in bytes: a check of the other, which cannot be much smaller.
    pub(crate) largest_process_bytes: u64,
    /// Processes.
    pub(crate) processes: usize,
}

/// Runs the command to its end.
///
/// # Errors
/// If it cannot be started, or the system does not tell what it took. That it fails is no error: see [`Run::status`].
pub(crate) fn measure(command: &mut Command, how: &How<'_>) -> Result<Run> {
    // Processes whose parent has ended become ours, so that none is lost to the count.
    set_child_subreaper(Some(getpid())).context("cannot become the parent of orphans")?;
    fs::create_dir_all(how.scratch).with_context(|| format!("cannot make {}", how.scratch.display()))?;
    let said = [how.scratch.join("stdout"), how.scratch.join("stderr")];
    let create = |path: &Path| File::create(path).with_context(|| format!("cannot make {}", path.display()));
    let [stdout, stderr] = &said;
    // A group of its own is how an orphan is known as the command's.
    command.stdin(Stdio::null()).stdout(create(stdout)?).stderr(create(stderr)?).process_group(0);
    let begun = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start {}", run::shown_as(command)))?;
    let watched = watched(&child, how)?;
    let wall_seconds = watched.ended.duration_since(begun).as_secs_f64();
    let leader = pid(&child)?;
    let taken = taken(leader).with_context(|| format!("after {}", run::shown_as(command)))?;
    let text = |path: &Path| {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok::<_, anyhow::Error>(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok(Run {
        wall_seconds,
        cpu_seconds: taken.cpu_seconds,
        traffic: taken.traffic,
        peak: watched.peak,
        status: taken.status,
        timed_out: watched.timed_out,
        stdout: text(stdout)?,
        stderr: text(stderr)?,
    })
}

/// What was seen while a command ran.
struct Watched {
    ended: Instant,
    peak: Option<Peak>,
    timed_out: bool,
}

/// Waits until the child has ended, and leaves it unwaited for, so that it can still be asked.
fn watched(child: &Child, how: &How<'_>) -> Result<Watched> {
    let leader = pid(child)?;
    let deadline = Instant::now() + how.limit;
    let pause = match how.sampling {
        Sampling::None => how.limit,
        Sampling::Every(pause) => pause,
    };
    let (done, is_done) = channel::<()>();
    thread::scope(|scope| {
        let watcher = scope.spawn(move || {
            let mut peak = Peak::default();
            let mut timed_out = false;
            while is_done.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                if how.sampling != Sampling::None {
                    peak.sample(leader);
                }
                if Instant::now() >= deadline && !timed_out {
                    timed_out = true;
                    kill_tree(leader);
                }
            }
            (peak, timed_out)
        });
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let waited = waitid(WaitId::Pid(leader), options);
        let ended = Instant::now();
        drop(done);
        let (peak, timed_out) = watcher.join().map_err(|_| anyhow::anyhow!("watching processes panicked"))?;
        waited.context("cannot wait for a process")?;
        let peak = (how.sampling != Sampling::None).then_some(peak);
        Ok(Watched { ended, peak, timed_out })
    })
}

impl Peak {
    fn sample(&mut self, leader: Pid) {
        // A process that ends while it is looked at counts no more.
        let Ok(all) = processes::all() else { return };
        let tree = processes::tree(&all, leader.as_raw_nonzero().get());
        let living = tree.iter().filter(|process| !process.has_ended);
        let sizes: Vec<u64> = living.clone().filter_map(Process::memory_bytes).collect();
        let files = processes::files_in_memory(living.clone());
        let highest = living.filter_map(Process::highest_bytes).max().unwrap_or(0);
        self.memory_bytes = self.memory_bytes.max(sizes.iter().sum::<u64>() + files);
        self.largest_process_bytes = self.largest_process_bytes.max(highest);
        self.processes = self.processes.max(sizes.len());
    }
}

/// What all processes of a command took.
struct Taken {
    status: ExitStatus,
    cpu_seconds: f64,
    traffic: Traffic,
}

/// Asks the ended leader and what it left behind, and lets them go.
fn taken(leader: Pid) -> Result<Taken> {
    let leader_raw = leader.as_raw_nonzero().get();
    let own = getpid().as_raw_nonzero().get();
    let deadline = Instant::now() + LEFT_RUNNING_LIMIT;
    let mut status = None;
    let (mut cpu_seconds, mut traffic) = (0.0, Traffic::default());
    let mut is_late = false;
    loop {
        let all = processes::all()?;
        let mut tree = processes::tree(&all, leader_raw);
        // One whose parent was killed is nobody's but ours, and in a group that is neither the command's nor ours.
        let orphans = all.iter().filter(|process| process.is_orphan_of(own) && !tree.contains(process));
        let orphans: Vec<Process> = orphans.copied().collect();
        tree.extend(orphans);
        let mut is_waiting = false;
        for process in tree {
            if !process.has_ended {
                is_waiting = true;
                if Instant::now() >= deadline {
                    is_late = true;
                    kill(number(process.pid)?);
                }
            } else if process.parent == own {
                cpu_seconds += process.cpu_seconds();
                let more = process.traffic()?;
                traffic.read_bytes += more.read_bytes;
                traffic.written_bytes += more.written_bytes;
                let ended = reaped(number(process.pid)?)?;
                if process.pid == leader_raw {
                    status = Some(ended);
                }
            }
        }
        if !is_waiting {
            break;
        }
        thread::sleep(Duration::from_millis(2));
    }
    if is_late {
        bail!("processes were left running; they have been killed");
    }
    let status = status.context("the process that was waited for is gone")?;
    Ok(Taken { status, cpu_seconds, traffic })
}

fn reaped(pid: Pid) -> Result<ExitStatus> {
    let ended = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED).context("cannot wait for a process")?;
    let ended = ended.context("a process that had ended has not")?;
    // As the kernel would have put it into the number that wait gives.
    let raw = match (ended.exit_status(), ended.terminating_signal()) {
        (Some(code), _) => code << 8,
        (None, Some(signal)) => signal,
        (None, None) => bail!("a process ended neither by itself nor by a signal"),
    };
    Ok(ExitStatus::from_raw(raw))
}

/// Kills the leader and all that it started.
fn kill_tree(leader: Pid) {
    let all = processes::all().unwrap_or_default();
    kill(leader);
    for process in processes::tree(&all, leader.as_raw_nonzero().get()) {
        number(process.pid).into_iter().for_each(kill);
    }
}

fn kill(pid: Pid) {
    // If it has ended by itself there is nothing to kill.
    let _ = kill_process(pid, Signal::KILL);
}

fn pid(child: &Child) -> Result<Pid> {
    number(i32::try_from(child.id()).context("a process has a number beyond all numbers")?)
}

fn number(raw: i32) -> Result<Pid> {
    Pid::from_raw(raw).context("no process has the number 0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(script: &str, sampling: Sampling, limit: Duration) -> Run {
        let scratch = tempfile::tempdir().unwrap();
        let how = How { sampling, limit, scratch: scratch.path() };
        measure(Command::new("sh").args(["-c", script]), &how).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_it_says_and_how_it_ends_is_kept() {
        let run = measured("echo out; echo err >&2; exit 3", Sampling::None, LONG);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!((run.status.code(), run.timed_out, run.peak), (Some(3), false, None));
    }

    #[test]
    fn children_count_waited_for_or_not() {
        // One that the shell waits for, one that it leaves behind as an orphan.
        let read = "head -c 3000000 /dev/zero >/dev/null";
        for script in [format!("{read}; true"), format!("(sleep 0.1; {read}; true) & exit 0")] {
            let run = measured(&script, Sampling::None, LONG);
            assert!(run.traffic.read_bytes >= 3_000_000, "{script}: {:?}", run.traffic);
            assert!(run.traffic.read_bytes < 4_000_000, "{script}: {:?}", run.traffic);
            assert!(run.traffic.written_bytes >= 3_000_000, "{script}: {:?}", run.traffic);
        }
    }

    #[test]
    fn time_is_told_on_the_wall_and_of_processors() {
        let run = measured("sleep 0.3", Sampling::None, LONG);
        assert!(run.wall_seconds >= 0.3, "{}", run.wall_seconds);
        assert!(run.cpu_seconds < 0.3, "{}", run.cpu_seconds);
        let run = measured("head -c 600000000 /dev/zero | sha256sum >/dev/null", Sampling::None, LONG);
        assert!(run.cpu_seconds > 0.1, "{}", run.cpu_seconds);
    }

    #[test]
    fn memory_of_all_processes_is_added_up() {
        let hog = "(head -c 40000000 /dev/zero | tail -c 40000000 | (sleep 1; wc -c >/dev/null))";
        let every = Sampling::Every(Duration::from_millis(5));
        let run = measured(&format!("{hog} & {hog}; wait"), every, LONG);
        let peak = run.peak.unwrap();
        assert!(peak.memory_bytes > 80_000_000, "{peak:?}");
        assert!((40_000_000..80_000_000).contains(&peak.largest_process_bytes), "{peak:?}");
        assert!(peak.processes >= 5, "{peak:?}");
    }

    #[test]
    fn what_takes_too_long_is_ended() {
        let begun = Instant::now();
        let run = measured("exec sleep 60", Sampling::None, Duration::from_millis(200));
        assert_eq!((run.timed_out, run.status.signal()), (true, Some(9)));
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}
