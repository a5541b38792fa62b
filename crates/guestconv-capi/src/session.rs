//! What a handle does: collects drives, cards and options, opens the guest at the first question, remembers the target.

use guestconv::core::description::Choices;
use guestconv::core::hardware::{libvirt, qemu};
use guestconv::core::plan::{Nic, Plan, PlanOptions, Rebuild};
use guestconv::core::report::Outcome;
use guestconv::core::{finding, knowledge};
use guestconv::prove::ProveOptions;
use guestconv::{Cancel, ConvertOptions, DiskSpec, Error, ErrorKind, Guest, Observer, Options, Result};
use guestconv::{DiskHashes, UndoFile, UndoOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A guest in the making, then opened.
pub(crate) struct Session {
    disks: Vec<DiskSpec>,
    allow_backing: bool,
    nics: Vec<Nic>,
    rebuild: Rebuild,
    undo: UndoFile,
    disk_hashes: DiskHashes,
    options: Options,
    target: Option<String>,
    guest: Option<Guest>,
    outcome: Option<Outcome>,
}

/// Who the hardware is written for.
#[derive(Clone, Copy)]
pub(crate) enum HardwareFormat {
    Libvirt,
    Qemu,
    Json,
}

impl Session {
    /// Returns a session without disks.
    pub(crate) fn new(observer: Arc<dyn Observer>, cancel: Cancel) -> Self {
        let options = Options { observer, cancel, ..Options::default() };
        Self {
            disks: Vec::new(),
            allow_backing: false,
            nics: Vec::new(),
            rebuild: Rebuild::default(),
            undo: UndoFile::default(),
            disk_hashes: DiskHashes::default(),
            options,
            target: None,
            guest: None,
            outcome: None,
        }
    }

    /// Adds a disk.
    pub(crate) fn add_drive(&mut self, disk: DiskSpec) -> Result<()> {
        self.require_unopened()?;
        self.disks.push(disk);
        Ok(())
    }

    /// Adds a card that the target will give, in the source's order.
    pub(crate) fn add_nic(&mut self, nic: Nic) -> Result<()> {
        self.require_unopened()?;
        self.nics.push(nic);
        Ok(())
    }

    /// Says whether images may name other files.
    pub(crate) fn set_allow_backing(&mut self, allowed: bool) -> Result<()> {
        self.require_unopened()?;
        self.allow_backing = allowed;
        Ok(())
    }

    /// Says how initramfs images get drivers that they lack.
    pub(crate) fn set_rebuild(&mut self, rebuild: Rebuild) -> Result<()> {
        self.require_unopened()?;
        self.rebuild = rebuild;
        Ok(())
    }

    /// Says whether a conversion can be undone.
    pub(crate) fn set_undo(&mut self, undo: UndoFile) -> Result<()> {
        self.require_unopened()?;
        self.undo = undo;
        Ok(())
    }

    /// Says whether records have the hashes of disks.
    pub(crate) fn set_disk_hashes(&mut self, hashes: DiskHashes) -> Result<()> {
        self.require_unopened()?;
        self.disk_hashes = hashes;
        Ok(())
    }

    /// Changes how the guest will be worked on.
    pub(crate) fn configure(&mut self, change: impl FnOnce(&mut Options)) -> Result<()> {
        self.require_unopened()?;
        change(&mut self.options);
        Ok(())
    }

    /// Returns the description for a target as XML.
    pub(crate) fn inspect(&mut self, target: &str) -> Result<String> {
        guestconv::target(target)?;
        let nics = self.nics.clone();
        let described = self.guest()?.describe(target, &nics);
        if described.is_err() && self.target.is_none() {
            self.guest = None; // so that what was wrong can be said anew
        }
        let description = described?.to_xml();
        self.target = Some(target.to_owned());
        Ok(description)
    }

    /// Returns the plan as JSON.
    pub(crate) fn plan(&mut self, document: Option<&str>) -> Result<String> {
        Ok(self.planned(document)?.to_document())
    }

    /// Returns the plan for people, as the command line prints it.
    pub(crate) fn plan_text(&mut self, document: Option<&str>) -> Result<String> {
        let plan = self.planned(document)?;
        Ok(format!("{plan}{}", finding::lines(&plan.findings)))
    }

    /// Returns the hardware of the plan.
    pub(crate) fn hardware(&mut self, document: Option<&str>, format: HardwareFormat) -> Result<String> {
        let hardware = self.planned(document)?.hardware;
        let host = |guest: &Guest| guest.host(&hardware);
        Ok(match format {
            HardwareFormat::Libvirt => libvirt::domain(&hardware, &host(self.guest()?)?)?,
            HardwareFormat::Qemu => qemu::shell(&qemu::command(&hardware, &host(self.guest()?)?)?),
            HardwareFormat::Json => json(&hardware)?,
        })
    }

    /// Converts the guest.
    pub(crate) fn convert(&mut self, document: Option<&str>) -> Result<()> {
        self.outcome = None;
        let plan = self.planned(document)?;
        self.carry_out(&plan)
    }

    /// Converts the guest as a plan says that was kept.
    pub(crate) fn convert_plan(&mut self, document: &str) -> Result<()> {
        self.outcome = None;
        let plan = Plan::of_document(document)?;
        self.guest()?.require_current(&plan)?;
        self.carry_out(&plan)?;
        self.target = Some(plan.target);
        Ok(())
    }

    fn carry_out(&mut self, plan: &Plan) -> Result<()> {
        let options =
            ConvertOptions { undo: self.undo, disk_hashes: self.disk_hashes, ..ConvertOptions::default() };
        self.outcome = Some(self.guest()?.convert(plan, &options)?);
        Ok(())
    }

    /// Returns what the last conversion did, as JSON.
    pub(crate) fn last_outcome(&self) -> Result<String> {
        json(self.outcome.as_ref().ok_or_else(conversion_needed)?)
    }

    /// Returns the record of the last conversion, as JSON.
    pub(crate) fn last_record(&self) -> Result<String> {
        let record = self.outcome.as_ref().and(self.guest.as_ref()).and_then(Guest::record);
        json(record.ok_or_else(conversion_needed)?)
    }

    /// Opens the guest and returns what that repaired, as JSON.
    pub(crate) fn recover(&mut self) -> Result<String> {
        json(self.guest()?.recovery())
    }

    /// Puts back what the last conversion changed.
    pub(crate) fn undo(&mut self, options: &UndoOptions) -> Result<()> {
        self.guest()?.undo(options)
    }

    /// Removes the undo files.
    pub(crate) fn discard_undo(&mut self) -> Result<()> {
        self.guest()?.discard_undo()
    }

    /// Returns the undo files, as JSON.
    pub(crate) fn undo_files(&mut self) -> Result<String> {
        let files = self.guest()?.undo_files();
        let text = |path: &PathBuf| {
            path.to_str().map(str::to_owned).ok_or_else(|| {
                let message = format!("the undo file {} has a name that is not UTF-8", path.display());
                Error::new(ErrorKind::InvalidArgument, "not-utf-8", message)
            })
        };
        json(&files.iter().map(text).collect::<Result<Vec<_>>>()?)
    }

    /// Returns what is still missing, as JSON.
    pub(crate) fn verify(&mut self, document: Option<&str>) -> Result<String> {
        let (target, options) = (self.target()?, self.plan_options());
        let choices = self.choices(document)?;
        json(&self.guest()?.verify(&target, &choices, &options)?)
    }

    /// Boots the guest and returns the proof as JSON.
    pub(crate) fn prove(
        &mut self,
        document: Option<&str>,
        time_limit: Duration,
        evidence: Option<&Path>,
    ) -> Result<String> {
        let (target, options) = (self.target()?, self.plan_options());
        let choices = self.choices(document)?;
        let how = ProveOptions { time_limit, evidence: evidence.map(Into::into), ..ProveOptions::default() };
        json(&self.guest()?.prove(&target, &choices, &options, &how)?)
    }

    /// Forgets the guest as far as it was opened; the next call opens it anew.
    pub(crate) fn give_up_guest(&mut self) {
        self.guest = None;
    }

    fn planned(&mut self, document: Option<&str>) -> Result<Plan> {
        let (target, plan) = (self.target()?, self.plan_options());
        let choices = self.choices(document)?;
        self.guest()?.plan(&target, &choices, &plan)
    }

    fn choices(&mut self, document: Option<&str>) -> Result<Choices> {
        let (target, nics) = (self.target()?, self.nics.clone());
        match document {
            Some(document) => self.guest()?.choices(&target, &nics, document),
            None => Ok(Choices::default()),
        }
    }

    fn plan_options(&self) -> PlanOptions {
        PlanOptions { nics: self.nics.clone(), rebuild: self.rebuild }
    }

    fn target(&self) -> Result<String> {
        let message = "no target is known yet; call guestconv_inspect first";
        let missing = || Error::new(ErrorKind::InvalidArgument, "target-needed", message);
        self.target.clone().ok_or_else(missing)
    }

    fn require_unopened(&self) -> Result<()> {
        if self.guest.is_some() {
            let message = "drives, cards and options come before the guest is inspected; make a new handle";
            return Err(Error::new(ErrorKind::InvalidArgument, "guest-opened", message));
        }
        Ok(())
    }

    fn guest(&mut self) -> Result<&mut Guest> {
        let guest = match self.guest.take() {
            Some(guest) => guest,
            None => {
                let allow_backing = self.allow_backing;
                let disk = |disk: &DiskSpec| DiskSpec { allow_backing, ..disk.clone() };
                Guest::open(self.disks.iter().map(disk).collect(), self.options.clone())?
            }
        };
        Ok(self.guest.insert(guest))
    }
}

fn conversion_needed() -> Error {
    let message = "no conversion ended well on the handle; call guestconv_convert first";
    Error::new(ErrorKind::InvalidArgument, "conversion-needed", message)
}

/// Returns the targets that are known, as JSON.
pub(crate) fn targets() -> Result<String> {
    json(&knowledge::targets())
}

fn json(document: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string_pretty(document).map_err(|error| {
        Error::new(ErrorKind::Bug, "request-failed", format!("cannot write a document: {error}"))
    })
}
