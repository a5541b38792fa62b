//! One boot: the guest is started and watched until its console, its screen or its network tells how far it came.

use super::arguments::{Places, arguments, mac_of};
use super::console::{Console, state_of};
use super::process::Process;
use super::{Machine, PROOF_SCHEMA, Proof, ProofDisk, ProofNic, ProveError, ProveOptions, State, program};
use crate::observe::{Event, Stage};
use guestconv_core::hardware::HardwareFirmware;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often somebody looks at the screen.
const SCREEN_PERIOD: Duration = Duration::from_secs(2);
/// How long a guest that failed is listened to for what else it has to say.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Lines of the console that a proof carries.
const TAIL_LINES: usize = 40;

/// What was seen of a guest.
struct Watch<'a> {
    process: Process,
    options: &'a ProveOptions,
    console: Console,
    log: Vec<u8>,
    screen_text: Vec<String>,
    screen_at: Instant,
    milestones: Vec<(String, u64)>,
}

/// Boots the guest once.
pub(super) fn boot(
    qemu: &Path,
    accelerator: &str,
    disks: &[ProofDisk],
    machine: &Machine,
    options: &ProveOptions,
) -> Result<Proof, ProveError> {
    let directory = tempfile::Builder::new()
        .prefix("guestconv-proof-")
        .tempdir()
        .map_err(|source| ProveError::Io { act: "make a directory", source })?;
    let places = places(directory.path(), machine)?;
    let arguments = arguments(disks, machine, options, accelerator, &places)?;
    let has_console = machine.console.is_some();
    let process = Process::start(qemu, &arguments, directory.path(), &places, has_console, options)?;
    let mut watch = Watch {
        screen_at: process.started,
        process,
        options,
        console: Console::default(),
        log: Vec::new(),
        screen_text: Vec::new(),
        milestones: Vec::new(),
    };
    let (state, reason) = watch.until_it_shows()?;
    let time_ms = milliseconds(watch.process.started.elapsed());
    let nics = nics(machine, &watch.console);
    let (serial_log, screenshot) = watch.keep_evidence(has_console, machine.graphics.is_some())?;
    Ok(Proof {
        schema: PROOF_SCHEMA,
        passed: state.is_up(),
        state,
        reasons: vec![reason],
        root_device: watch.console.root_device(),
        kernel: watch.console.kernel(),
        nics,
        command: None,
        time_ms,
        milestones_ms: watch.milestones,
        accelerator: accelerator.to_owned(),
        machine: machine.clone(),
        attempts: 1,
        serial_tail: watch.console.tail(TAIL_LINES),
        screen_text: watch.screen_text,
        serial_log,
        screenshot,
    })
}

impl Watch<'_> {
    /// Watches until the guest came up or failed, or the time is over; returns the state and why it is that.
    fn until_it_shows(&mut self) -> Result<(State, String), ProveError> {
        loop {
            self.listen()?;
            let shown = self.console.state().or_else(|| self.screen_state());
            if let Some((state, line)) = shown {
                if state == State::Login {
                    self.reached("login");
                } else {
                    let since = Instant::now();
                    while since.elapsed() < LAST_WORDS && self.process.ended().is_none() {
                        self.listen()?;
                    }
                }
                return Ok((state, format!("the guest showed \"{line}\"")));
            }
            if let Some(said) = self.process.ended() {
                return Ok((State::QemuExit, said));
            }
            if self.process.started.elapsed() > self.options.time_limit {
                let limit = self.options.time_limit.as_secs();
                return Ok((State::Timeout, format!("the guest did not come up within {limit} seconds")));
            }
        }
    }

    /// Takes in what the console says, for a tick.
    fn listen(&mut self) -> Result<(), ProveError> {
        if self.options.cancel.is_cancelled() {
            return Err(ProveError::Cancelled);
        }
        let mut buffer = [0; 16 << 10];
        let count = self.process.listen(&mut buffer);
        let came = buffer.get(..count).unwrap_or_default();
        self.log.extend_from_slice(came);
        self.console.push(came);
        let shown: Vec<&str> = self.console.milestones().collect();
        for milestone in shown {
            self.reached(milestone);
        }
        Ok(())
    }

    fn reached(&mut self, milestone: &str) {
        if self.milestones.iter().any(|(name, _)| name == milestone) {
            return;
        }
        let elapsed = self.process.started.elapsed();
        self.milestones.push((milestone.to_owned(), milliseconds(elapsed)));
        self.options.observer.event(&Event::Progress {
            stage: Stage::Prove,
            done: elapsed.as_secs(),
            total: self.options.time_limit.as_secs(),
        });
        self.options.observer.event(&Event::Log(&format!("the guest reached: {milestone}")));
    }

    /// Looks at the screen from time to time; returns the state that its text shows.
    fn screen_state(&mut self) -> Option<(State, String)> {
        if self.screen_at.elapsed() < SCREEN_PERIOD {
            return None;
        }
        self.screen_at = Instant::now();
        self.screen_text = self.process.monitor.as_mut()?.screen_text().unwrap_or_default();
        state_of(&self.screen_text.join("\n"))
    }

    /// Leaves log and screenshot where the caller wants them.
    fn keep_evidence(
        &mut self,
        has_console: bool,
        has_screen: bool,
    ) -> Result<(Option<PathBuf>, Option<PathBuf>), ProveError> {
        if let Some(monitor) = self.process.monitor.as_mut().filter(|_| has_screen) {
            self.screen_text = monitor.screen_text().unwrap_or_default();
        }
        let Some(directory) = &self.options.evidence else { return Ok((None, None)) };
        let failed = |source| ProveError::Io { act: "keep the evidence", source };
        fs::create_dir_all(directory).map_err(failed)?;
        let directory = fs::canonicalize(directory).map_err(failed)?;
        let log = directory.join("serial.log");
        if has_console {
            fs::write(&log, &self.log).map_err(failed)?;
        }
        let picture = directory.join("screen.png");
        let monitor = self.process.monitor.as_mut().filter(|_| has_screen);
        let is_taken = monitor.is_some_and(|monitor| monitor.picture(&picture));
        Ok((has_console.then_some(log), is_taken.then_some(picture)))
    }
}

fn places(directory: &Path, machine: &Machine) -> Result<Places, ProveError> {
    let ovmf = match machine.firmware {
        HardwareFirmware::Bios => None,
        HardwareFirmware::Uefi => {
            let ovmf = program::ovmf()?;
            let variables = directory.join("variables");
            fs::copy(ovmf.variables, &variables)
                .map_err(|source| ProveError::Io { act: "copy the firmware's variables", source })?;
            Some((ovmf, variables))
        }
    };
    let wire = |index| (directory.join(format!("wire{index}")), directory.join(format!("peer{index}")));
    Ok(Places {
        console: directory.join("console"),
        monitor: directory.join("monitor"),
        wires: (0..machine.nics.len()).map(wire).collect(),
        ovmf,
    })
}

/// Returns what is known of the machine's cards from the kernel's log: the kernel counts them in their order.
fn nics(machine: &Machine, console: &Console) -> Vec<ProofNic> {
    let renamed = console.renamed();
    let name = |index: usize| {
        let old = format!("eth{index}");
        renamed.iter().rfind(|(from, _)| *from == old).map(|(_, to)| to.clone())
    };
    let nic = |(index, nic): (usize, &super::MachineNic)| ProofNic {
        id: nic.id.clone(),
        mac: mac_of(machine, index),
        name: name(index),
        state: "silent".to_owned(),
        addresses: Vec::new(),
    };
    machine.nics.iter().enumerate().map(nic).collect()
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
