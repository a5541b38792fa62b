//! The disk of a guest: partition table, file systems, the unpacked tree, the boot loader.

use super::description::Description;
use super::uml;
use crate::{cache, run};
use anyhow::Result;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the folder that holds `disk.raw`.
pub(super) fn make(description: &Description, tar: &Path) -> Result<PathBuf> {
    let script = script(description, tar);
    let size = description.size_mib.to_string();
    let inputs = [script.as_bytes(), description.table.as_bytes(), size.as_bytes()];
    cache::entry("disk", &inputs, |dir| build(description, &script, dir))
}

fn build(description: &Description, script: &str, dir: &Path) -> Result<()> {
    let image = dir.join("disk.raw");
    File::create(&image)?.set_len(description.size_mib << 20)?;
    let table = dir.join("table");
    fs::write(&table, &description.table)?;
    run::run(Command::new("sfdisk").arg("--quiet").arg(&image).stdin(File::open(&table)?))?;
    uml::run(script, &image)
}

/// Returns the script that runs as root in User Mode Linux.
fn script(description: &Description, tar: &Path) -> String {
    let Description { format, install, .. } = description;
    let tar = tar.display();
    format!(
        r#"set -eu
root=/mnt/root
mkdir $root
{library}
format () {{
{format}
}}
format
mkdir -p /dev/disk/by-uuid
for part in /dev/vda* /dev/mapper/*; do
  uuid=$(blkid -o value -s UUID $part 2>/dev/null || true)
  [ -z "$uuid" ] || ln -sf $part /dev/disk/by-uuid/$uuid
done
tar -C $root --xattrs --xattrs-include='*' -xpf {tar}
for dir in dev proc sys; do mount --rbind /$dir $root/$dir; done
mount -t tmpfs tmpfs $root/run
mount -t tmpfs tmpfs $root/tmp
chroot $root sh -eu <<'END-OF-SCRIPT'
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LVM_SUPPRESS_FD_WARNINGS=1
{install}
END-OF-SCRIPT
umount $root/run $root/tmp
umount -l $root/dev $root/proc $root/sys
umount -R $root
! type finish >/dev/null 2>&1 || finish
sync
"#,
        library = include_str!("library.sh"),
    )
}
