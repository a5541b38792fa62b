//! The disks of a guest: partition tables, file systems, the unpacked tree, the boot loader; at last what only the host can do.

use super::description::Description;
use super::{emulation, uml};
use crate::{cache, run};
use anyhow::Result;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Returns the folder that holds the images: see [`images`].
pub(super) fn make(description: &Description, tar: &Path) -> Result<PathBuf> {
    let script = script(description, tar);
    let sizes: Vec<String> = description.all_disks().map(|(size_mib, _)| size_mib.to_string()).collect();
    let mut inputs = vec![script.as_bytes()];
    for ((_, table), size) in description.all_disks().zip(&sizes) {
        inputs.extend([table.unwrap_or_default().as_bytes(), size.as_bytes()]);
    }
    inputs.extend(description.host.iter().map(String::as_bytes));
    cache::entry("disk", &inputs, |dir| build(description, &script, tar, dir))
}

/// Returns where the images of the disks are in a folder.
pub(super) fn images(description: &Description, dir: &Path) -> Vec<PathBuf> {
    names().zip(description.all_disks()).map(|(name, _)| dir.join(name)).collect()
}

/// Returns the names of images in order of the disks: `disk.raw`, `disk-2.raw` and on.
pub(super) fn names() -> impl Iterator<Item = String> {
    std::iter::once("disk.raw".to_owned()).chain((2..).map(|number| format!("disk-{number}.raw")))
}

fn build(description: &Description, script: &str, tar: &Path, dir: &Path) -> Result<()> {
    let images = images(description, dir);
    for (image, (size_mib, table)) in images.iter().zip(description.all_disks()) {
        File::create(image)?.set_len(size_mib << 20)?;
        let Some(table) = table else { continue };
        let file = dir.join("table");
        fs::write(&file, table)?;
        run::run(Command::new("sfdisk").arg("--quiet").arg(image).stdin(File::open(&file)?))?;
    }
    uml::run(script, &images, tar)?;
    let first = images.first().expect("a guest has a disk");
    description.host.iter().try_for_each(|script| on_host(script, first, tar))
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
    let disks = ('a'..='z').zip(description.all_disks()).map(|(letter, _)| format!("/dev/vd{letter}*"));
    let disks = disks.collect::<Vec<_>>().join(" ");
    format!(
        r#"set -eu
root=/mnt/root
mkdir $root
{library}
{emulate}format () {{
{format}
}}
format
mkdir -p /dev/disk/by-uuid
for part in {disks} /dev/mapper/*; do
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
        emulate = if description.is_foreign() { emulation::IN_UML } else { "" },
    )
}
