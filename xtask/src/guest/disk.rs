//! The disk of a guest: partition table, file systems, the unpacked tree, the boot loader; at last what only the host can do.

use super::description::Description;
use super::uml;
use crate::{cache, run};
use anyhow::Result;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Returns the folder that holds `disk.raw`.
pub(super) fn make(description: &Description, tar: &Path) -> Result<PathBuf> {
    let script = script(description, tar);
    let size = description.size_mib.to_string();
    let mut inputs = vec![script.as_bytes(), description.table.as_bytes(), size.as_bytes()];
    inputs.extend(description.host.iter().map(String::as_bytes));
    cache::entry("disk", &inputs, |dir| build(description, &script, tar, dir))
}

fn build(description: &Description, script: &str, tar: &Path, dir: &Path) -> Result<()> {
    let image = dir.join("disk.raw");
    File::create(&image)?.set_len(description.size_mib << 20)?;
    let table = dir.join("table");
    fs::write(&table, &description.table)?;
    run::run(Command::new("sfdisk").arg("--quiet").arg(&image).stdin(File::open(&table)?))?;
    uml::run(script, &image)?;
    description.host.iter().try_for_each(|script| on_host(script, &image, tar))
}

/// Runs a script on the host, in an empty directory that goes with it.
fn on_host(script: &str, image: &Path, tar: &Path) -> Result<()> {
    let own = image.with_extension("host");
    fs::create_dir(&own)?;
    let mut shell = Command::new("sh");
    shell.current_dir(&own).args(["-euc", script]).env("image", image).env("tar", tar).stdin(Stdio::null());
    run::run(&mut shell)?;
    Ok(fs::remove_dir_all(&own)?)
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
