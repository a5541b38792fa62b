//! Opening a guest's encrypted devices, before the first look at what is in them.

use super::{Guest, run, wrong_answer};
use crate::appliance::Job;
use crate::disks::{Durability, View};
use crate::error::Result;
use crate::keys::Opening;
use crate::observe::Stage;
use guestconv_core::protocol::{Answer, Lock, Task};

impl Guest {
    /// Finds out which keys open what, if there are keys and it is not known yet. That takes a run of the appliance for each
    /// key that is tried, and what the slots were made to take: a second or two for each.
    pub(super) fn unlock(&mut self) -> Result<()> {
        if self.is_unlocked || self.options.keys.is_empty() {
            return Ok(());
        }
        let keys = self.options.keys.clone();
        let mut opening = Opening::with(&keys)?;
        let mut slot_keys = Vec::new();
        let locks = loop {
            self.slot_keys = slot_keys;
            let locks = self.locks()?;
            slot_keys = std::mem::take(&mut self.slot_keys);
            self.options.cancel.check()?;
            if !opening.next(&locks, &mut slot_keys) {
                break locks;
            }
        };
        opening.require_used(&locks)?;
        self.slot_keys = slot_keys;
        self.is_unlocked = true;
        Ok(())
    }

    fn locks(&mut self) -> Result<Vec<Lock>> {
        let views: Vec<View> =
            self.disks.iter().map(|disk| View::of(&disk.base).throw_away()).collect::<Result<_>>()?;
        let job = Job {
            stage: Stage::Inspect,
            disks: &self.disks,
            views: &views,
            keys: &self.slot_keys,
            durability: Durability::None,
            task: Task::Locks,
        };
        match run(&mut self.appliance, &self.options, job, &mut self.timings)? {
            Answer::Locks(locks) => Ok(locks),
            _ => Err(wrong_answer()),
        }
    }
}
