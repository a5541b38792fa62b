//! Disks that a plan lays out: what GRUB they get, and whether the plan was made for these disks.

use super::Guest;
use crate::boot_image::Grub;
use crate::commit::Overlays;
use crate::disks::Disk;
use crate::error::{Error, ErrorKind, Result};
use crate::observe::Stage;
use guestconv_core::change::Change;
use guestconv_core::facts::Facts;
use guestconv_core::knowledge::Target;
use guestconv_core::lay_out::LayOut;
use guestconv_core::plan::Plan;
use guestconv_core::report::Outcome;
use std::time::Instant;

/// Returns the new layouts that a plan gives to disks.
fn lay_outs(plan: &Plan) -> impl Iterator<Item = &LayOut> {
    plan.steps.iter().flat_map(|step| &step.changes).filter_map(|change| match change {
        Change::LayOut(lay_out) => Some(lay_out),
        _ => None,
    })
}

impl Guest {
    /// Returns the GRUB that the plan's disks get; `None` if it lays out none.
    ///
    /// # Errors
    /// `grub-missing`, `grub-cannot-read`: before anything is written.
    pub(super) fn grub(&self, plan: &Plan) -> Result<Option<Grub>> {
        let mut grub = None;
        for lay_out in lay_outs(plan) {
            let found = match grub.take() {
                Some(found) => found,
                None => Grub::find(self.options.grub_dir.as_deref())?,
            };
            found.require_reads(&lay_out.before)?;
            grub = Some(found);
        }
        Ok(grub)
    }

    /// Gives the overlays of a conversion head and tail for the disks that the plan lays out.
    ///
    /// # Errors
    /// As [`Guest::grub`]; `disk-changed` if the plan was made for other disks.
    pub(super) fn lay_out(&self, plan: &Plan, mut overlays: Overlays) -> Result<Overlays> {
        let grub = self.grub(plan)?;
        for lay_out in lay_outs(plan) {
            let number = disk_of(&self.disks, lay_out)?;
            grub.iter().try_for_each(|grub| overlays.lay_out(&self.disks, number, lay_out, grub))?;
        }
        Ok(overlays)
    }

    /// Applies the plan and verifies, while GRUB is made for the disks that the plan lays out; returns what was done, and what
    /// is there then. GRUB that cannot be made is what comes out, as if it had been made before.
    ///
    /// # Errors
    /// As [`Guest::convert`].
    pub(super) fn apply_and_verify(
        &mut self,
        plan: &Plan,
        target: &Target,
        overlays: &mut Overlays,
    ) -> Result<(Outcome, Facts)> {
        let applied = self.apply(plan, overlays);
        self.make(Stage::Apply, plan, || overlays.show())?;
        let outcome = applied?;
        let verified = self.verify_overlays(overlays, plan, target);
        self.make(Stage::Verify, plan, || overlays.complete())?;
        Ok((outcome, verified?))
    }

    /// Waits for GRUB, if the plan wants it.
    fn make(&mut self, stage: Stage, plan: &Plan, wait: impl FnOnce() -> Result<()>) -> Result<()> {
        if lay_outs(plan).next().is_some() {
            self.options.cancel.check()?;
            let begun = Instant::now();
            wait()?;
            self.timings.add(stage, "boot loader", begun.elapsed());
        }
        Ok(())
    }

    /// Says in the facts what only the host knows of the disks: whether their storage can grow.
    pub(super) fn with_storage(&self, mut facts: Facts) -> Facts {
        for (known, disk) in facts.layout.disks.iter_mut().zip(&self.disks) {
            known.fixed_size = disk.is_block_device();
        }
        facts
    }
}

/// Returns the number of the disk that a layout is for.
///
/// # Errors
/// `disk-changed` if it is not as large as it was when the plan was made.
fn disk_of(disks: &[Disk], lay_out: &LayOut) -> Result<usize> {
    let is_fitting = |disk: &Disk| match disk.is_block_device() {
        true => disk.base.size() == lay_out.size_bytes,
        false => disk.base.size() / 512 * 512 == lay_out.before.size_bytes,
    };
    disks.iter().position(|disk| disk.name == lay_out.disk && is_fitting(disk)).ok_or_else(|| {
        let message =
            format!("the disk {} is not what it was when the plan was made; plan again", lay_out.disk);
        Error::new(ErrorKind::Changed, "disk-changed", message)
    })
}
