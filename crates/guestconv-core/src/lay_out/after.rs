//! What a guest will be once its disk is laid out: the rest of the plan is made for that.

use super::LayOut;
use crate::facts::{Facts, Firmware, Root, System};
use crate::layout::{BootCode, DeviceName, Filesystem};

impl LayOut {
    /// Returns the facts as a look at the guest would find them when the disk has been laid out and nothing else was done.
    pub fn after(&self, facts: &Facts) -> Facts {
        let mut facts = facts.clone();
        let old = DeviceName(format!("/dev/{}", self.disk));
        let find = |number| self.table.partitions.iter().find(|partition| partition.number == number);
        let (Some(root), Some(esp)) = (find(1), find(15)) else { return facts };
        let renamed = |device: &mut DeviceName| {
            if *device == old {
                *device = root.device.clone();
            }
        };
        for disk in facts.layout.disks.iter_mut().filter(|disk| disk.name == self.disk) {
            disk.size_bytes = self.size_bytes;
            disk.table = Some(self.table.clone());
            disk.boot_code = Some(BootCode::Grub);
        }
        for filesystem in &mut facts.layout.filesystems {
            renamed(&mut filesystem.device);
        }
        facts.layout.filesystems.push(Filesystem {
            uuid: Some(self.esp_id.clone()),
            ..Filesystem::new(esp.device.clone(), "vfat")
        });
        for system in &mut facts.roots {
            renames(system, &renamed);
        }
        facts.firmware = Firmware::Both { esps: vec![esp.device.clone()] };
        facts
    }
}

fn renames(root: &mut Root, renamed: &dyn Fn(&mut DeviceName)) {
    renamed(&mut root.device);
    for mount in &mut root.mounts {
        renamed(&mut mount.device);
    }
    match &mut root.system {
        System::Linux(linux) => {
            for entry in &mut linux.bootloader.entries {
                entry.root.iter_mut().for_each(renamed);
            }
        }
    }
}
