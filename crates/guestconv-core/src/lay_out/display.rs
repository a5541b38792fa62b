//! A new layout for people.

use super::LayOut;
use crate::finding::Finding;
use crate::layout::{GPT_BIOS_BOOT, Partition};
use crate::text::visible;
use std::fmt;

impl LayOut {
    /// Returns what a person should know who reads the description.
    pub fn finding(&self) -> Finding {
        let text = format!(
            "the disk has no partition table and no boot loader; converting gives it both: what is on it moves by {} MiB and \
             becomes partition 1, and the disk will have {} MiB",
            self.head_bytes >> 20,
            self.size_bytes >> 20
        );
        Finding::info("disk-laid-out", text).about(self.disk.as_str())
    }

    fn purpose(&self, partition: &Partition) -> String {
        if partition.is_esp() {
            format!("EFI system partition, FAT {}, GRUB for UEFI", visible(&self.esp_id))
        } else if partition.type_id == GPT_BIOS_BOOT {
            "GRUB for BIOS".to_owned()
        } else {
            format!("what is there now: {} {}", visible(&self.before.filesystem), visible(&self.before.uuid))
        }
    }
}

impl fmt::Display for LayOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# lay out the disk {}: GPT {}, {} bytes in all",
            visible(&self.disk),
            visible(&self.table.id),
            self.size_bytes
        )?;
        for partition in &self.table.partitions {
            let (device, purpose) = (visible(&partition.device.0), self.purpose(partition));
            writeln!(
                f,
                "#   {device}: {} bytes from {}, {purpose}",
                partition.size_bytes, partition.start_bytes
            )?;
        }
        writeln!(f, "#   GRUB begins with:")?;
        self.grub.config.lines().try_for_each(|line| writeln!(f, "#     {}", visible(line)))
    }
}
