//! What only a Linux root has, and the order of its parts. Each part reads in `facts` and decides in `plan`.

pub mod bootloader;
pub mod cloud_init;
pub mod console;
pub mod devices;
pub mod distribution;
pub mod esp;
pub mod graphics;
pub mod initramfs;
pub mod kernels;
pub mod network;
pub mod selinux;
pub mod storage;

use crate::facts::Mount;
use crate::finding::Finding;
use crate::layout::Layout;
use crate::plan::{Context, Draft};
use crate::tools;
use crate::tree::{GuestTree, ReadError};
use serde::{Deserialize, Serialize};

/// What is known of a Linux root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "LinuxFacts"))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Facts {
    /// The installed kernels, best first.
    pub kernels: Vec<kernels::Kernel>,
    /// The programs that make initramfs images here, with their settings.
    pub initramfs: initramfs::Facts,
    /// Boot loaders and their menus.
    pub bootloader: bootloader::Facts,
    /// EFI system partition and its loaders.
    pub esp: esp::Facts,
    /// fstab, crypttab, resume.
    pub storage: storage::Facts,
    /// Interfaces and who configures them.
    pub network: network::Facts,
    /// Consoles.
    pub console: console::Facts,
    /// Graphics.
    pub graphics: graphics::Facts,
    /// SELinux.
    pub selinux: selinux::Facts,
    /// Where cloud-init looks for its data.
    pub cloud_init: cloud_init::Facts,
    /// What hypervisors left behind.
    pub tools: tools::Facts,
}

/// What a part sees when it looks at a root.
#[derive(Clone, Copy)]
pub struct Probe<'a> {
    /// The files.
    pub tree: &'a dyn GuestTree,
    /// The block devices of the whole guest.
    pub layout: &'a Layout,
    /// What is mounted where in this root.
    pub mounts: &'a [Mount],
    /// Initramfs images that were read before: of one that has only grown, what is new is read. `None`: none is read.
    pub known: Option<&'a [initramfs::Image]>,
}

/// Reads all that is known of a Linux root. The order: boot loaders first, since their menus name kernels. Says when the
/// parts end that take long: `kernels`, `initramfs`.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(
    probe: &Probe<'_>,
    findings: &mut Vec<Finding>,
    ended: &mut dyn FnMut(&'static str),
) -> Result<Facts, ReadError> {
    let bootloader = bootloader::facts(probe, findings)?;
    let mut kernels = kernels::facts(probe, &bootloader, findings)?;
    ended("kernels");
    let initramfs = initramfs::facts(probe, &kernels, findings)?;
    kernels::read_files(probe, &mut kernels, initramfs.images.as_deref().unwrap_or_default())?;
    ended("initramfs");
    Ok(Facts {
        initramfs,
        esp: esp::facts(probe, findings)?,
        storage: storage::facts(probe, findings)?,
        network: network::facts(probe, &bootloader, findings)?,
        console: console::facts(probe, findings)?,
        graphics: graphics::facts(probe, findings)?,
        selinux: selinux::facts(probe, findings)?,
        cloud_init: cloud_init::facts(probe, findings)?,
        tools: tools::facts(probe, findings)?,
        kernels,
        bootloader,
    })
}

/// Plans all that a Linux root needs.
///
/// # Errors
/// [`crate::plan::PlanError`] if the guest cannot boot on the target whatever is done.
pub fn plan(context: &Context<'_>, facts: &Facts, draft: &mut Draft) -> Result<(), crate::plan::PlanError> {
    kernels::require_native(&facts.kernels)?;
    storage::plan(context, &facts.storage, draft);
    bootloader::plan(context, &facts.bootloader, draft);
    bootloader::plan_terminal(context, &facts.bootloader, draft);
    network::plan(context, &facts.network, draft);
    console::plan(context, facts, draft);
    graphics::plan(context, &facts.graphics, draft);
    cloud_init::plan(context, &facts.cloud_init, draft);
    tools::plan(context, &facts.tools, draft);
    esp::plan(context, &facts.esp, draft);
    initramfs::plan(context, facts, draft)
}
