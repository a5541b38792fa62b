//! From arguments to a guest and what is wanted of it.

use crate::arguments::{self, Runner};
use crate::keys::keys;
use crate::progress::Shown;
use guestconv::core::description::{Choices, edited};
use guestconv::core::formats::libvirt_domain;
use guestconv::core::plan::{Nic, Plan, PlanOptions, Rebuild, require_distinct};
use guestconv::{
    Cancel, Confinement, DiskSpec, Error, ErrorKind, Format, Guest, Options, Result, RunnerKind,
};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The most that a document of the caller may hold, in bytes.
const DOCUMENT_CAP_BYTES: u64 = 16 << 20;

/// A guest that is worked on.
pub(crate) struct Job {
    /// The guest.
    pub(crate) guest: Guest,
    /// What is shown of the work meanwhile.
    pub(crate) shown: Arc<Shown>,
}

impl Job {
    /// Opens the guest that the arguments name. From now on an interrupt stops the work in order.
    pub(crate) fn open(arguments: &arguments::Guest) -> Result<Self> {
        let format = match arguments.format {
            arguments::DiskFormat::Auto => Format::Auto,
            arguments::DiskFormat::Raw => Format::Raw,
            arguments::DiskFormat::Qcow2 => Format::Qcow2,
            arguments::DiskFormat::Vmdk => Format::Vmdk,
            arguments::DiskFormat::Vhd => Format::Vhd,
            arguments::DiskFormat::Vhdx => Format::Vhdx,
            arguments::DiskFormat::Vdi => Format::Vdi,
        };
        let disk = |path: &std::path::PathBuf| DiskSpec {
            format,
            allow_backing: arguments.allow_backing,
            ..DiskSpec::new(path)
        };
        let shown = Shown::new(arguments.progress, arguments.verbose);
        let cancel = Cancel::default();
        let interrupted = cancel.clone();
        // A handler that is there already belongs to whoever runs us; then an interrupt is theirs.
        drop(ctrlc::try_set_handler(move || interrupted.cancel()));
        let confinement = match arguments.require_confinement {
            true => Confinement::Required,
            false => Confinement::BestEffort,
        };
        let runner = arguments.runner.map(|runner| match runner {
            Runner::Uml => RunnerKind::Uml,
            Runner::Qemu => RunnerKind::Qemu,
        });
        let options = Options {
            appliance: arguments.appliance.clone(),
            runner,
            overlay_dir: arguments.overlay_dir.clone(),
            grub_dir: arguments.grub_dir.clone(),
            keys: keys(arguments)?,
            time_limit: Duration::from_secs(arguments.time_limit.into()),
            confinement,
            observer: shown.clone(),
            cancel,
            ..Options::default()
        };
        let guest = Guest::open(arguments.disks.iter().map(disk).collect(), options)?;
        Ok(Self { guest, shown })
    }
}

/// What is wanted of a guest, as far as it can be said without looking at one.
pub(crate) struct Wish {
    /// The hypervisor that the guest shall boot on.
    pub(crate) target: String,
    /// What else was said.
    pub(crate) options: PlanOptions,
    /// What the caller chose of the devices.
    said: Said,
}

/// How the caller chose.
enum Said {
    /// Not at all: what the description selects.
    Nothing,
    /// By a description, edited or not.
    Document(String),
    /// By a plan that was kept.
    Plan(Box<Plan>),
}

impl Wish {
    /// Reads what the arguments want. What is wrong with that is told before a disk is opened.
    pub(crate) fn read(arguments: &arguments::Wish) -> Result<Self> {
        if let Some(path) = &arguments.plan {
            let plan = Plan::of_document(&text(path, "plan")?)?;
            guestconv::target(&plan.target)?;
            let (target, options) = (plan.target.clone(), plan.wishes.options());
            return Ok(Self { target, options, said: Said::Plan(Box::new(plan)) });
        }
        let target = arguments.target.clone().unwrap_or_default();
        guestconv::target(&target)?;
        let nics = nics(&arguments.nics)?;
        let said = match &arguments.description {
            Some(path) => {
                let document = text(path, "description")?;
                edited::require_description(&document)?;
                Said::Document(document)
            }
            None => Said::Nothing,
        };
        let rebuild = match arguments.rebuild {
            arguments::Rebuild::Append => Rebuild::Append,
            arguments::Rebuild::Guest => Rebuild::Guest,
        };
        Ok(Self { target, options: PlanOptions { nics, rebuild }, said })
    }

    /// Returns the drivers that the caller's description or plan selects; none if there is neither.
    pub(crate) fn choices(&self, guest: &mut Guest) -> Result<Choices> {
        match &self.said {
            Said::Document(document) => guest.choices(&self.target, &self.options.nics, document),
            Said::Plan(plan) => Ok(plan.wishes.devices.clone()),
            Said::Nothing => Ok(Choices::default()),
        }
    }

    /// Returns what will be done to the guest: the caller's plan, if it is still what the guest needs, or a new one.
    pub(crate) fn plan(&self, guest: &mut Guest) -> Result<Plan> {
        // Else the guest would be looked at twice: first for its devices.
        guest.inspect_with_initramfs()?;
        let choices = self.choices(guest)?;
        let plan = guest.plan(&self.target, &choices, &self.options)?;
        let Said::Plan(kept) = &self.said else { return Ok(plan) };
        kept.require_same(&plan)?;
        Ok(Plan::clone(kept))
    }
}

/// Returns the network cards that the arguments name.
pub(crate) fn nics(arguments: &arguments::Nics) -> Result<Vec<Nic>> {
    let nics = match &arguments.libvirt_xml {
        Some(path) => libvirt_domain::nics(&text(path, "libvirt XML")?),
        None => arguments.nics.iter().map(|nic| Nic::parse(nic)).collect(),
    };
    let nics = nics?;
    require_distinct(&nics)?;
    Ok(nics)
}

/// Reads a document of the caller; `-` is the standard input.
fn text(path: &Path, what: &str) -> Result<String> {
    let unreadable = |error: std::io::Error| {
        let message = format!("cannot read the {what} {}: {error}", path.display());
        Error::new(ErrorKind::InvalidArgument, "document-unreadable", message).caused_by(error)
    };
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().take(DOCUMENT_CAP_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    } else {
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(DOCUMENT_CAP_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    }
    Ok(text)
}

impl Drop for Job {
    fn drop(&mut self) {
        self.shown.close();
    }
}
