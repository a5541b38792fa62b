//! The handle: a guest by its disks, and the line from inspect to verify over it.

mod lay_out;
mod options;
mod record;
#[cfg(test)]
mod tests;
mod undo;
mod unlock;

pub use options::{ConvertOptions, DiskHashes, OpenedDisk, Options};

use crate::appliance::{Appliance, Job};
use crate::commit::{self, Commit, Output, Overlays, Recovery};
use crate::confine;
use crate::disks::{self, Disk, DiskSpec, Durability, ImageFormat, View};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::{Event, Stage, Timings};
use crate::prove::{self, Machine, Proof, ProofDisk, ProofFormat, ProveOptions};
use guestconv_core::describe::describe;
use guestconv_core::description::{Choices, Description, edited};
use guestconv_core::facts::{Facts, Root};
use guestconv_core::knowledge::{self, Target};
use guestconv_core::linux::initramfs::Image as InitramfsImage;
use guestconv_core::plan::{self, Nic, Plan, PlanOptions, require_system};
use guestconv_core::protocol::{Answer, SlotKey, Task};
use guestconv_core::record::Record;
use guestconv_core::report::{Outcome, Report};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// A guest by its disks, opened for reading and locked against writers.
///
/// ```no_run
/// use guestconv::{ConvertOptions, DiskSpec, Guest, Options};
/// use guestconv::core::{description::Choices, plan::PlanOptions};
///
/// # fn main() -> Result<(), guestconv::Error> {
/// let mut guest = Guest::open(vec![DiskSpec::new("guest.img")], Options::default())?;
/// let description = guest.describe("rhev-3.1", &[])?;
/// let choices = description.choices(); // edit the description before, or take what it selects
/// let plan = guest.plan("rhev-3.1", &choices, &PlanOptions::default())?;
/// let outcome = guest.convert(&plan, &ConvertOptions::default())?;
/// assert_eq!(outcome.error, None);
/// assert!(guest.plan("rhev-3.1", &Choices::default(), &PlanOptions::default())?.steps.is_empty());
/// # Ok(())
/// # }
/// ```
pub struct Guest {
    disks: Vec<Disk>,
    /// Found when it is first needed: what puts disks in order does without.
    appliance: Option<Appliance>,
    options: Options,
    facts: Option<Facts>,
    recovery: Recovery,
    /// What opens the encrypted devices.
    slot_keys: Vec<SlotKey>,
    is_unlocked: bool,
    record: Option<Record>,
    timings: Timings,
}

impl Guest {
    /// Opens a guest by its disks, in the order in which it has them. An interrupted commit is finished first.
    ///
    /// # Errors
    /// [`ErrorKind::Disk`] if a disk cannot be opened, [`ErrorKind::Commit`] if an interrupted commit cannot be finished.
    pub fn open(disks: Vec<DiskSpec>, options: Options) -> Result<Self> {
        let mut disks = disks::open_confined(&disks, options.confinement)?;
        let mut timings = Timings::default();
        let overlay_dir = options.overlay_dir.as_deref();
        let recovery = commit::recover(&mut disks, overlay_dir, &*options.observer, &mut timings)?;
        Ok(Self {
            disks,
            appliance: None,
            options,
            facts: None,
            recovery,
            slot_keys: Vec::new(),
            is_unlocked: false,
            record: None,
            timings,
        })
    }

    /// Returns what opening repaired: an interrupted commit that was finished, files of a conversion that was killed.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Returns what is in the guest; the first call looks, later calls remember. What is in its initramfs images is not
    /// looked at, which takes longer than all else: [`Guest::inspect_with_initramfs`].
    ///
    /// # Errors
    /// [`ErrorKind::Guest`] with the agent's code if the disks cannot be looked at, [`ErrorKind::Appliance`] if there is
    /// no appliance of our version or it cannot do its work. No system on the disks is no error here.
    pub fn inspect(&mut self) -> Result<&Facts> {
        let facts = match self.facts.take() {
            Some(facts) => facts,
            None => self.look(Stage::Inspect, None, Images::Unread)?,
        };
        Ok(self.facts.insert(facts))
    }

    /// The same with what is in the initramfs images. [`Guest::plan`] does it by itself; who will plan and calls this first,
    /// before describing, has the guest looked at once instead of twice.
    ///
    /// # Errors
    /// As [`Guest::inspect`].
    pub fn inspect_with_initramfs(&mut self) -> Result<&Facts> {
        let facts = match self.facts.take().filter(has_images) {
            Some(facts) => facts,
            None => self.look(Stage::Inspect, None, Images::Read)?,
        };
        Ok(self.facts.insert(facts))
    }

    /// Returns the description for a target: the devices with the drivers on offer. `nics` are the cards that the target
    /// will give, if known.
    ///
    /// # Errors
    /// As [`Guest::inspect`]; `target-unknown`; `disks-blank` or `no-system` if there is nothing to describe.
    pub fn describe(&mut self, target: &str, nics: &[Nic]) -> Result<Description> {
        let target = self::target(target)?;
        let facts = self.inspect()?;
        require_system(facts)?;
        Ok(describe(facts, target, nics))
    }

    /// Returns what an edited document chooses. One that was made without the cards of `nics` is as good: the cards
    /// come from the caller, not from the document.
    ///
    /// # Errors
    /// As [`Guest::describe`]; [`ErrorKind::InvalidArgument`] with the refusal's code if the document is not what
    /// describing said, but for drivers on offer and deleted devices.
    pub fn choices(&mut self, target: &str, nics: &[Nic], document: &str) -> Result<Choices> {
        edited::require_description(document)?;
        let refusal = match edited::choices(document, &self.describe(target, nics)?) {
            Ok(choices) => return Ok(choices),
            Err(refusal) => refusal,
        };
        if nics.is_empty() {
            return Err(refusal.into());
        }
        edited::choices(document, &self.describe(target, &[])?).map_err(|_| refusal.into())
    }

    /// Returns what a conversion to a target will do; devices that `choices` does not name get what the description selects.
    ///
    /// # Errors
    /// As [`Guest::describe`]; [`ErrorKind::Guest`] if the guest cannot boot there whatever is done,
    /// [`ErrorKind::InvalidArgument`] if a choice is not on offer; `grub-missing` and `grub-cannot-read` if a disk needs a
    /// boot loader and the host has none for it.
    pub fn plan(&mut self, target: &str, choices: &Choices, options: &PlanOptions) -> Result<Plan> {
        let target = self::target(target)?;
        let plan = plan::plan(self.inspect_with_initramfs()?, target, choices, options)?;
        self.grub(&plan)?;
        Ok(plan)
    }

    /// Carries out a plan: applies it on overlays, looks at them again with a fresh appliance, and commits. A plan
    /// without steps does nothing. The originals of what changes are kept in an undo file beside each disk that changes.
    ///
    /// # Errors
    /// Whatever fails, the disks are as they were, but for [`ErrorKind::Commit`]: then the next open finishes it.
    /// [`ErrorKind::Changed`] with the agent's code if a change found the guest other than it expects;
    /// `output-needed` if a disk can only be read and no new images are named;
    /// [`ErrorKind::Verify`] if the second look finds something missing; `undo-exists` if a disk still has the undo file
    /// of an earlier conversion.
    pub fn convert(&mut self, plan: &Plan, options: &ConvertOptions) -> Result<Outcome> {
        self.record = None;
        let target = target(&plan.target)?;
        if options.output.is_empty() {
            self.require_in_place()?;
        }
        let before = self.images(options.disk_hashes)?;
        let outcome = if !options.output.is_empty() {
            self.convert_to_output(plan, target, options)?
        } else if plan.steps.is_empty() {
            Outcome::of(Vec::new())
        } else {
            self.convert_in_place(plan, target, options)?
        };
        self.record = Some(self.recorded(plan, &outcome, before, options)?);
        Ok(outcome)
    }

    /// Fails if a disk can only be read here, so that the guest must be converted into new images.
    ///
    /// # Errors
    /// `output-needed`.
    pub fn require_in_place(&self) -> Result<()> {
        self.disks.iter().try_for_each(Disk::require_in_place)
    }

    fn convert_in_place(
        &mut self,
        plan: &Plan,
        target: &Target,
        options: &ConvertOptions,
    ) -> Result<Outcome> {
        self.disks.iter().try_for_each(Disk::require_named)?;
        self.disks.iter().try_for_each(Disk::lock_for_writing)?;
        let result = commit::require_no_undo(&self.disks, self.options.overlay_dir.as_deref())
            .and_then(|()| self.convert_locked(plan, target, options));
        self.disks.iter().for_each(Disk::unlock_writing);
        result
    }

    /// Converts into new images; a plan without steps gives copies.
    fn convert_to_output(
        &mut self,
        plan: &Plan,
        target: &Target,
        options: &ConvertOptions,
    ) -> Result<Outcome> {
        let output = Output::new(&self.disks, &options.output)?;
        let overlays = Overlays::for_output(&self.disks, &output)?;
        let mut overlays = self.lay_out(plan, overlays)?;
        let mut outcome = Outcome::of(Vec::new());
        if !plan.steps.is_empty() {
            (outcome, _) = self.apply_and_verify(plan, target, &mut overlays)?;
        }
        let begun = self.started(Stage::Commit);
        output.write(&self.disks, &overlays, options.output_format, &*self.options.observer)?;
        self.finished(Stage::Commit, begun);
        Ok(outcome)
    }

    /// Looks at the overlays with a fresh appliance; returns what is there.
    fn verify_overlays(&mut self, overlays: &Overlays, plan: &Plan, target: &Target) -> Result<Facts> {
        let facts = self.look(Stage::Verify, Some(&overlays.views()), Images::Read)?;
        let report = Report::of(&facts, target, &plan.wishes.devices, &plan.wishes.options())?;
        if !report.is_converted() {
            return Err(still_missing(&report));
        }
        self.options.cancel.check()?;
        Ok(facts)
    }

    fn convert_locked(&mut self, plan: &Plan, target: &Target, options: &ConvertOptions) -> Result<Outcome> {
        let overlay_dir = self.options.overlay_dir.as_deref();
        commit::require_space(&self.disks, overlay_dir, options.undo, plan.written_bytes())?;
        let overlays = Overlays::new(&self.disks, overlay_dir)?;
        let mut overlays = self.lay_out(plan, overlays)?;
        let (outcome, facts) = self.apply_and_verify(plan, target, &mut overlays)?;
        let begun = self.started(Stage::Commit);
        let commit = Commit {
            overlay_dir: self.options.overlay_dir.as_deref(),
            target: &plan.target,
            undo: options.undo,
            observer: &*self.options.observer,
        };
        commit.commit(&self.disks, overlays, &mut self.timings)?;
        self.disks.iter_mut().try_for_each(Disk::reopen)?;
        self.finished(Stage::Commit, begun);
        self.facts = Some(facts);
        Ok(outcome)
    }

    /// Returns what a conversion with the same wishes would still do, by a fresh look at the disks.
    ///
    /// # Errors
    /// As [`Guest::plan`].
    pub fn verify(&mut self, target: &str, choices: &Choices, options: &PlanOptions) -> Result<Report> {
        let target = self::target(target)?;
        let facts = self.look(Stage::Verify, None, Images::Read)?;
        let report = Report::of(&facts, target, choices, options)?;
        self.facts = Some(facts);
        Ok(report)
    }

    /// Boots the guest with the hardware that its plan names and returns what it did. The disks are not written; the
    /// observer and the cancel are those of the handle.
    ///
    /// # Errors
    /// As [`Guest::plan`]; the codes of [`prove::ProveError`] if the guest could not be started at all.
    pub fn prove(
        &mut self,
        target: &str,
        choices: &Choices,
        options: &PlanOptions,
        how: &ProveOptions,
    ) -> Result<Proof> {
        let hardware = self.plan(target, choices, options)?.hardware;
        let is_given = |disk: &&Disk| hardware.disks.iter().any(|given| given.id == disk.name);
        let disks = self.disks.iter().filter(is_given).map(proof_disk).collect::<Result<_>>()?;
        self.boot(disks, &Machine::of(&hardware), how)
    }

    /// Boots the guest with all its disks on another machine and returns what it did. The disks are not written.
    ///
    /// # Errors
    /// The codes of [`prove::ProveError`] if the guest could not be started at all.
    pub fn prove_on(&self, machine: Machine, how: &ProveOptions) -> Result<Proof> {
        let disks = self.disks.iter().map(proof_disk).collect::<Result<Vec<_>>>()?;
        let machine = machine.with_disks(disks.len());
        self.boot(disks, &machine, how)
    }

    fn boot(&self, disks: Vec<ProofDisk>, machine: &Machine, how: &ProveOptions) -> Result<Proof> {
        let how = ProveOptions {
            observer: Arc::clone(&self.options.observer),
            cancel: self.options.cancel.clone(),
            ..how.clone()
        };
        Ok(prove::prove(&disks, machine, &how)?)
    }

    /// Returns a line for every file of every root: name, kind, mode, owner, size, hash, attributes. For tests: a
    /// conversion changes nothing but what its plan names.
    ///
    /// # Errors
    /// As [`Guest::inspect`].
    pub fn manifest(&mut self) -> Result<Vec<String>> {
        match self.run_on_throw_away(Stage::Inspect, Task::Manifest, None)? {
            Answer::Manifest(lines) => Ok(lines),
            _ => Err(wrong_answer()),
        }
    }

    /// Returns the disks, in order.
    pub fn disks(&self) -> Vec<OpenedDisk> {
        let opened = |disk: &Disk| OpenedDisk {
            name: disk.name.clone(),
            path: disk.path.clone(),
            format: disk.kind,
            size_bytes: disk.base.size(),
        };
        self.disks.iter().map(opened).collect()
    }

    /// Returns where the time went since the guest was opened, and what was read and written.
    pub fn timings(&self) -> Timings {
        let disks = self.disks.iter().map(|disk| disk.counters.traffic()).collect();
        Timings { disks, ..self.timings.clone() }
    }

    /// Looks at the disks, or at what lies above them, through throw-away overlays.
    fn look(&mut self, stage: Stage, above: Option<&[View]>, images: Images) -> Result<Facts> {
        let known = match images {
            Images::Read => Some(self.known_images()),
            Images::Unread => None,
        };
        match self.run_on_throw_away(stage, Task::Inspect { known }, above)? {
            Answer::Facts(facts) => whole(self.with_storage(*facts)),
            _ => Err(wrong_answer()),
        }
    }

    /// Returns the initramfs images of the last look, by which the next one knows them.
    fn known_images(&self) -> Vec<InitramfsImage> {
        let linuxes = self.facts.iter().flat_map(|facts| &facts.roots).filter_map(Root::linux);
        linuxes.flat_map(|linux| linux.initramfs.images.iter().flatten()).cloned().collect()
    }

    fn run_on_throw_away(&mut self, stage: Stage, task: Task, above: Option<&[View]>) -> Result<Answer> {
        let begun = self.started(stage);
        self.unlock()?;
        let views = match above {
            Some(above) => above.iter().map(View::throw_away).collect::<Result<Vec<_>>>()?,
            None => self.disks.iter().map(|disk| View::of(&disk.base).throw_away()).collect::<Result<_>>()?,
        };
        let (disks, keys) = (&self.disks, &self.slot_keys);
        let job = Job { stage, disks, views: &views, keys, durability: Durability::None, task };
        let answer = run(&mut self.appliance, &self.options, job, &mut self.timings)?;
        self.finished(stage, begun);
        Ok(answer)
    }

    fn apply(&mut self, plan: &Plan, overlays: &Overlays) -> Result<Outcome> {
        self.unlock()?;
        let begun = self.started(Stage::Apply);
        let job = Job {
            stage: Stage::Apply,
            disks: &self.disks,
            views: &overlays.views(),
            keys: &self.slot_keys,
            durability: Durability::File,
            task: Task::Apply(Box::new(plan.clone())),
        };
        let answer = run(&mut self.appliance, &self.options, job, &mut self.timings)?;
        let Answer::Outcome(outcome) = answer else { return Err(wrong_answer()) };
        self.finished(Stage::Apply, begun);
        match outcome.error {
            Some(failure) => Err(Error::new(ErrorKind::Changed, failure.code, failure.message)),
            None => Ok(outcome),
        }
    }

    fn started(&self, stage: Stage) -> Instant {
        self.options.observer.event(&Event::Started(stage));
        Instant::now()
    }

    fn finished(&self, stage: Stage, begun: Instant) {
        self.options.observer.event(&Event::Finished(stage, begun.elapsed()));
    }
}

/// Runs the appliance, which is found by the first run.
fn run(
    appliance: &mut Option<Appliance>,
    options: &Options,
    job: Job<'_>,
    timings: &mut Timings,
) -> Result<Answer> {
    let found = match appliance.take() {
        Some(found) => found,
        None => Appliance::new(options, confine::Host::probe())?,
    };
    appliance.insert(found).run(job, timings)
}

/// Returns the target of that id.
///
/// # Errors
/// `target-unknown`, and which are known.
pub fn target(id: &str) -> Result<&'static Target> {
    knowledge::target(id).ok_or_else(|| {
        let known: Vec<&str> = knowledge::targets().iter().map(|target| target.id.as_str()).collect();
        let message = format!("there is no target {id:?}; choose one of: {}", known.join(", "));
        Error::new(ErrorKind::InvalidArgument, "target-unknown", message)
    })
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<&Path> = self.disks.iter().map(Disk::given_path).collect();
        f.debug_struct("Guest").field("disks", &paths).finish_non_exhaustive()
    }
}

/// What is converted into a new image is proved by that.
fn proof_disk(disk: &Disk) -> Result<ProofDisk> {
    disk.require_in_place()?;
    let format = match disk.format {
        ImageFormat::Raw => ProofFormat::Raw,
        ImageFormat::Qcow2 => ProofFormat::Qcow2,
    };
    Ok(ProofDisk { path: disk.path.clone(), format })
}

/// Whether a look reads the initramfs images.
#[derive(Clone, Copy)]
enum Images {
    Read,
    Unread,
}

fn has_images(facts: &Facts) -> bool {
    facts.roots.iter().filter_map(Root::linux).all(|linux| linux.initramfs.images.is_some())
}

/// Fails if a partition ends beyond its disk: a copy that was cut off must not be converted.
fn whole(facts: Facts) -> Result<Facts> {
    for disk in &facts.layout.disks {
        for partition in disk.table.iter().flat_map(|table| &table.partitions) {
            let end_bytes = partition.start_bytes.saturating_add(partition.size_bytes);
            if end_bytes > disk.size_bytes {
                let message = format!(
                    "{} of the guest ends at byte {end_bytes}, its disk at {}: the image is cut off; copy the whole disk",
                    partition.device, disk.size_bytes
                );
                return Err(Error::new(ErrorKind::Disk, "disk-truncated", message));
            }
        }
    }
    Ok(facts)
}

fn still_missing(report: &Report) -> Error {
    let ids: Vec<&str> = report.missing.iter().map(|step| step.id.as_str()).collect();
    let message = format!(
        "a second look at the converted guest still finds something to do ({}); nothing was committed",
        ids.join(", ")
    );
    Error::new(ErrorKind::Verify, "verify-failed", message)
}

fn wrong_answer() -> Error {
    Error::new(
        ErrorKind::Appliance,
        "appliance-reply",
        "the appliance answered another question than was asked",
    )
}
