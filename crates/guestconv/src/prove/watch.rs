//! One boot: the guest is started and watched until its console, its screen or its network tells how far it came.

use super::arguments::{Places, arguments};
use super::confined;
use super::console::state_of;
use super::emulator::Emulator;
use super::evidence::{nics, unmet, working_addresses};
use super::line::Line;
use super::login::{self, Answers};
use super::monitor::Monitor;
use super::peer::Peers;
use super::process::Process;
use super::screen::{self, Font};
use super::{
    CommandOutput, Machine, PROOF_SCHEMA, Proof, ProofDisk, ProofNic, ProveError, ProveOptions, State,
};
use crate::observe::{Event, Stage};
use guestconv_core::hardware::HardwareFirmware;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often somebody looks at the screen.
const SCREEN_PERIOD: Duration = Duration::from_secs(2);
/// How long a guest that failed is listened to for what else it has to say.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long a guest whose network answers, or whose screen shows a login prompt, may take to show one on the console: some
/// never show one.
const PROMPT_GRACE: Duration = Duration::from_secs(60);
/// The same for a guest that has no console.
const SILENT_GRACE: Duration = Duration::from_secs(5);
/// How long the network may take after the login prompt, when something is expected of it, and when not.
const EXPECTED_GRACE: Duration = Duration::from_secs(90);
const CURIOUS_GRACE: Duration = Duration::from_secs(15);
/// Lines of the console that a proof carries.
const TAIL_LINES: usize = 40;

/// A guest that is being watched.
struct Watch<'a> {
    // First, since the last goes last: QEMU ends before its peers.
    process: Process,
    peers: Peers,
    machine: &'a Machine,
    options: &'a ProveOptions,
    line: Line,
    answers: Option<Answers>,
    directory: &'a Path,
    font: Option<Font>,
    screen_text: Vec<String>,
    screen_at: Instant,
    network_since: Option<Instant>,
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
    let expected = |index: usize| {
        let id = machine.nics.get(index).map(|nic| nic.id.as_str());
        let of_card = options.expected.iter().filter(|expected| Some(expected.id.as_str()) == id);
        of_card.flat_map(|expected| expected.addresses.clone()).collect()
    };
    let peers = Peers::start(&places.wires, expected)?;
    let has_console = machine.console.is_some();
    let start = |arguments: &[String]| {
        Process::start(qemu, arguments, disks, directory.path(), &places, has_console, options)
    };
    let mut process = match start(&confined::with_sandbox(&arguments)) {
        // It was built without.
        Err(ProveError::QemuRefused { reason }) if reason.contains("sandbox") => start(&arguments)?,
        result => result?,
    };
    let mut watch = Watch {
        line: Line::new(process.console.take(), options.cancel.clone()),
        screen_at: process.started,
        process,
        peers,
        machine,
        options,
        answers: None,
        directory: directory.path(),
        font: Font::of_host(),
        screen_text: Vec::new(),
        network_since: None,
        milestones: Vec::new(),
    };
    let (state, reason) = watch.until_it_shows()?;
    let time_ms = milliseconds(watch.process.started.elapsed());
    let mut reasons = vec![reason];
    let mut passed = state.is_up();
    let mut command = None;
    if state.is_up() {
        let (output, refusal) = watch.ask(state)?;
        passed = refusal.is_none();
        reasons.extend(refusal);
        command = output;
    }
    let nics = watch.nics();
    let unmet = if state.is_up() { unmet(&options.expected, &nics) } else { Vec::new() };
    passed = passed && unmet.is_empty();
    reasons.extend(unmet);
    let (serial_log, screenshot) = watch.keep_evidence()?;
    let told = watch.answers.unwrap_or_default();
    let console = &watch.line.console;
    Ok(Proof {
        schema: PROOF_SCHEMA,
        passed,
        state,
        reasons,
        root_device: told.root_device.or_else(|| console.root_device()),
        kernel: told.kernel.or_else(|| console.kernel()),
        nics,
        command,
        time_ms,
        milestones_ms: watch.milestones,
        accelerator: accelerator.to_owned(),
        machine: machine.clone(),
        attempts: 1,
        serial_tail: console.tail(TAIL_LINES),
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
            let shown = self.line.console.state().or_else(|| self.screen_state());
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
            let network = self.network_state();
            let is_late = self.process.started.elapsed() > self.options.time_limit;
            let grace = if self.machine.console.is_some() { PROMPT_GRACE } else { SILENT_GRACE };
            if let Some((since, address)) = network.filter(|(since, _)| is_late || since.elapsed() > grace) {
                let seconds = since.duration_since(self.process.started).as_secs();
                let reason = format!(
                    "the guest answers as {address} since second {seconds}, and shows no login prompt"
                );
                return Ok((State::Network, reason));
            }
            if is_late {
                let limit = self.options.time_limit.as_secs();
                return Ok((State::Timeout, format!("the guest did not come up within {limit} seconds")));
            }
        }
    }

    /// Takes in what the console says, for a tick.
    fn listen(&mut self) -> Result<(), ProveError> {
        if self.line.listen()? {
            let shown: Vec<&str> = self.line.console.milestones().collect();
            for milestone in shown {
                self.reached(milestone);
            }
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
        if self.machine.graphics.is_none() || self.screen_at.elapsed() < SCREEN_PERIOD {
            return None;
        }
        self.screen_at = Instant::now();
        self.read_screen();
        state_of(&self.screen_text.join("\n"))
    }

    /// Reads the text on the screen: of the text mode, else of the picture.
    fn read_screen(&mut self) {
        let Some(monitor) = self.process.monitor.as_mut().filter(|_| self.machine.graphics.is_some()) else {
            return;
        };
        let picture = self.directory.join("screen.ppm");
        let from_picture = |monitor: &mut Monitor, font: &Font| {
            let bytes = monitor.picture(&picture, "ppm").then(|| confined::left(&picture).ok()).flatten()?;
            screen::text_of(&bytes, font)
        };
        let of_picture = self.font.as_ref().and_then(|font| from_picture(monitor, font));
        // The memory of the text mode keeps its text when the screen has become a picture: the picture goes first.
        self.screen_text = of_picture.or_else(|| monitor.screen_text()).unwrap_or_default();
    }

    /// Returns since when the network answers, and by which address.
    fn network_state(&mut self) -> Option<(Instant, String)> {
        let nics = self.nics();
        let address = nics.iter().find_map(|nic| working_addresses(nic).next().map(str::to_owned))?;
        Some((*self.network_since.get_or_insert_with(Instant::now), address))
    }

    /// Asks the guest itself, if somebody may log in, and gives its network the time that it needs. Returns what the
    /// command printed, and why nobody could log in.
    fn ask(&mut self, state: State) -> Result<(Option<CommandOutput>, Option<String>), ProveError> {
        let mut refusal = None;
        let mut is_in = false;
        if let Some(login) = &self.options.login {
            if state == State::Login {
                self.wait_for_prompt()?;
            }
            let result = if state == State::Login && self.line.console.state().is_some() {
                login::log_in(&mut self.line, login)?
            } else {
                Err(format!("nobody could log in as {}: the console shows no login prompt", login.user))
            };
            is_in = result.is_ok();
            refusal = result.err();
        }
        let grace = if self.options.expected.is_empty() { CURIOUS_GRACE } else { EXPECTED_GRACE };
        let since = Instant::now();
        loop {
            if is_in {
                self.answers = login::ask(&mut self.line)?;
            }
            let nics = self.nics();
            let all_work = nics.iter().all(|nic| working_addresses(nic).next().is_some());
            let is_met = unmet(&self.options.expected, &nics).is_empty();
            let is_content = is_met && (all_work || !self.options.expected.is_empty());
            if is_content || since.elapsed() > grace || self.process.ended().is_some() {
                break;
            }
            let pause = Instant::now();
            while pause.elapsed() < Duration::from_secs(2) {
                self.listen()?;
            }
        }
        let command = self.options.command.as_deref().filter(|_| is_in);
        let output = command.map(|command| login::run(&mut self.line, command, self.options.time_limit));
        Ok((output.transpose()?.flatten(), refusal))
    }

    /// Waits for the prompt on the console: the screen may show one before.
    fn wait_for_prompt(&mut self) -> Result<(), ProveError> {
        let since = Instant::now();
        let has_console = self.machine.console.is_some();
        while has_console && self.line.console.state().is_none() && self.process.ended().is_none() {
            if since.elapsed() > PROMPT_GRACE {
                break;
            }
            self.listen()?;
        }
        Ok(())
    }

    fn nics(&self) -> Vec<ProofNic> {
        nics(self.machine, &self.line.console, self.answers.as_ref(), &self.peers.heard())
    }

    /// Leaves log and screenshot where the caller wants them.
    fn keep_evidence(&mut self) -> Result<(Option<PathBuf>, Option<PathBuf>), ProveError> {
        self.read_screen();
        let monitor = self.process.monitor.as_mut().filter(|_| self.machine.graphics.is_some());
        let Some(directory) = &self.options.evidence else { return Ok((None, None)) };
        let failed = |source| ProveError::Io { act: "keep the evidence", source };
        fs::create_dir_all(directory).map_err(failed)?;
        let directory = fs::canonicalize(directory).map_err(failed)?;
        let log = directory.join("serial.log");
        let has_console = self.machine.console.is_some();
        if has_console {
            fs::write(&log, &self.line.log).map_err(failed)?;
        }
        let picture = directory.join("screen.png");
        // QEMU writes to its own directory only, and what it left there is not followed.
        let taken = self.directory.join("screen.png");
        if !monitor.is_some_and(|monitor| monitor.picture(&taken, "png")) {
            return Ok((has_console.then_some(log), None));
        }
        fs::write(&picture, confined::left(&taken).map_err(failed)?).map_err(failed)?;
        Ok((has_console.then_some(log), Some(picture)))
    }
}

fn places(directory: &Path, machine: &Machine) -> Result<Places, ProveError> {
    let ovmf = match machine.firmware {
        HardwareFirmware::Bios => None,
        HardwareFirmware::Uefi => {
            let ovmf = Emulator::of(&machine.arch)?.firmware()?;
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

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
