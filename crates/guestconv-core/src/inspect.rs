//! Inspection: the order of the probes and nothing else. The agent calls it where the files are, tests over memory.

mod boot;
mod mounts;
mod names;

use crate::facts::{Facts, Mount, Root, System};
use crate::finding::Finding;
use crate::layout::{DeviceName, Layout};
use crate::linux::initramfs::Image;
use crate::linux::{self, Probe};
use crate::tree::{GuestTree, ReadError};

/// Returns what is to be mounted in a root beside `/`, in order, from its own fstab; `None` if the tree is no root of a
/// system. The agent calls it with only `/` mounted, mounts what it says, and then calls [`root`].
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn mounts(
    tree: &dyn GuestTree,
    layout: &Layout,
    device: &DeviceName,
    subvolume: Option<&str>,
    findings: &mut Vec<Finding>,
) -> Result<Option<Vec<Mount>>, ReadError> {
    mounts::mounts(tree, layout, device, subvolume, findings)
}

/// Writes down in the layout what a system calls the content of its encrypted devices, by its crypttab. The agent calls it
/// before [`mounts`].
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn names(tree: &dyn GuestTree, layout: &mut Layout) -> Result<(), ReadError> {
    names::names(tree, layout)
}

/// Reads one root, all mounted; `None` if it is no system. `known` are initramfs images that were read before; without,
/// none is read. `ended` is told when a part of it that takes long has ended, for who knows the time: `kernels`,
/// `initramfs`.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn root(
    tree: &dyn GuestTree,
    layout: &Layout,
    mounts: Vec<Mount>,
    known: Option<&[Image]>,
    findings: &mut Vec<Finding>,
    ended: &mut dyn FnMut(&'static str),
) -> Result<Option<Root>, ReadError> {
    let probe = Probe { tree, layout, mounts: &mounts, known };
    let Some(distribution) = linux::distribution::facts(&probe)? else { return Ok(None) };
    let system = System::Linux(Box::new(linux::facts(&probe, findings, ended)?));
    let Some(top) = mounts.first().cloned() else { return Ok(None) };
    Ok(Some(Root {
        device: top.device,
        subvolume: top.subvolume,
        hostname: distribution.hostname,
        distribution: distribution.id,
        major: distribution.major,
        minor: distribution.minor,
        product: distribution.product,
        arch: distribution.arch,
        osinfo: distribution.osinfo,
        mounts,
        system,
    }))
}

/// Joins layout and roots to facts: firmware, and the root that boots by default first.
pub fn facts(layout: Layout, mut roots: Vec<Root>, findings: Vec<Finding>) -> Facts {
    if let Some(first) = boot::default_root(&layout, &roots) {
        roots.sort_by_key(|root| root.device != first);
    }
    Facts {
        schema: crate::facts::FACTS_SCHEMA,
        firmware: boot::firmware(&layout, &roots),
        layout,
        roots,
        findings,
    }
}
