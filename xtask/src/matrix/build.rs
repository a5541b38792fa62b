//! Makes a row, and looks at one: the scripts for User Mode Linux, and the listing that comes out of it on a disk of its own.

use super::row::Row;
use crate::guest::uml;
use crate::hostile::debian::Tree;
use crate::hostile::shop::Shop;
use crate::{cache, run};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The most that a listing may have.
const TAPE_BYTES: u64 = 16 << 20;

/// What is said of each name: kind, mode, content and so on, in one text.
pub(super) type Listing = BTreeMap<String, String>;

/// A row as it was made.
pub(super) struct Made {
    /// Its disks.
    pub(super) disks: Vec<PathBuf>,
    /// What is on it.
    pub(super) listing: Listing,
}

/// Returns a row's disks in the cache, which nobody may write to; they are made if they are missing.
pub(super) fn made(row: &Row) -> Result<Made> {
    let (script, tree) = (build_script(row), tree_archive()?);
    let sizes = row.disks.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
    let inputs = [script.as_str(), row.table.unwrap_or_default(), row.host, row.image, &sizes];
    let mut inputs: Vec<&[u8]> = inputs.map(str::as_bytes).to_vec();
    let archive = fs::read(&tree)?;
    inputs.push(&archive);
    let entry = cache::entry("matrix", &inputs, |dir| build(row, &script, &tree, dir))?;
    Ok(Made { disks: disks(row, &entry), listing: parsed(&fs::read_to_string(entry.join("listing"))?) })
}

/// Returns the names of a row's disks, in their order.
pub(super) fn names(row: &Row) -> impl Iterator<Item = String> {
    let extension = if row.image.is_empty() { "raw" } else { "img" };
    (1..=row.disks.len()).map(move |number| format!("disk-{number}.{extension}"))
}

fn disks(row: &Row, dir: &Path) -> Vec<PathBuf> {
    names(row).map(|name| dir.join(name)).collect()
}

/// Returns an archive of a small system that is converted.
pub(crate) fn tree_archive() -> Result<PathBuf> {
    // It is made of this program's own text, so that its version stands for it.
    let entry = cache::entry("matrix-tree", &[include_bytes!("../hostile/debian.rs"), b"2"], |dir| {
        let shop = Shop::new(dir.to_owned(), dir.join("canary"));
        let tree = Tree::new(&shop)?;
        let mut tar = Command::new("tar");
        tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@1700000000"]);
        run::run(tar.arg("-C").arg(&tree.root).arg("-cf").arg(dir.join("tree.tar")).arg("."))?;
        Ok(fs::remove_dir_all(&tree.root)?)
    })?;
    Ok(entry.join("tree.tar"))
}

fn build(row: &Row, script: &str, tree: &Path, dir: &Path) -> Result<()> {
    let raw: Vec<PathBuf> =
        (1..=row.disks.len()).map(|number| dir.join(format!("disk-{number}.raw"))).collect();
    for (disk, size_mib) in raw.iter().zip(row.disks) {
        File::create(disk)?.set_len(size_mib << 20)?;
        let Some(table) = row.table else { continue };
        let file = dir.join("table");
        fs::write(&file, table)?;
        run::run(Command::new("sfdisk").arg("--quiet").arg(disk).stdin(File::open(&file)?))?;
        fs::remove_file(file)?;
    }
    let listing = in_uml(script, &raw, tree, dir)?;
    fs::write(dir.join("listing"), listing)?;
    if !row.host.is_empty() {
        let mut shell = Command::new("sh");
        shell.args(["-euc", row.host]).current_dir(dir).stdin(Stdio::null());
        run::run(
            shell.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("image", raw.first().context("no disk")?),
        )?;
    }
    if !row.image.is_empty() {
        for (from, to) in raw.iter().zip(disks(row, dir)) {
            let options = row.image.split_whitespace();
            run::run(
                Command::new("qemu-img").args(["convert", "-f", "raw", "-O"]).args(options).arg(from).arg(to),
            )?;
            fs::remove_file(from)?;
        }
    }
    Ok(())
}

/// Looks at raw disks: opens them without writing, lists all, and lets the file system be checked.
pub(super) fn looked_at(row: &Row, disks: &[PathBuf], scratch: &Path) -> Result<Listing> {
    let script = format!(
        "{}\ntrap '[ $? = 0 ] || cat /tmp/log' EXIT\nopen > /tmp/log 2>&1\nmounted -o ro\nlisting > /tmp/listing\numount $root\n\
         check > /tmp/check 2>&1 || {{ echo \"the check of the file system failed:\"; tail -30 /tmp/check; exit 1; }}\n\
         cat /tmp/listing > $tape\n",
        functions(row)
    );
    Ok(parsed(&in_uml(&script, disks, Path::new("/dev/null"), scratch)?))
}

fn in_uml(script: &str, disks: &[PathBuf], tree: &Path, scratch: &Path) -> Result<String> {
    let tape = scratch.join("tape");
    File::create(&tape)?.set_len(TAPE_BYTES)?;
    let images: Vec<PathBuf> = disks.iter().chain([&tape]).cloned().collect();
    uml::run(script, &images, tree)?;
    let mut bytes = Vec::new();
    File::open(&tape)?.read_to_end(&mut bytes)?;
    fs::remove_file(&tape)?;
    let end = bytes.iter().position(|byte| *byte == 0).context("the listing is longer than its disk")?;
    bytes.truncate(end);
    String::from_utf8(bytes).context("a listing is UTF-8")
}

fn build_script(row: &Row) -> String {
    let spec = if row.spec.is_empty() { "UUID=$(blkid -p -o value -s UUID $dev)" } else { row.spec };
    format!(
        r#"{functions}
# After `||` a shell would go on where a command fails.
trap '[ $? = 0 ] || cat /tmp/log' EXIT
stack > /tmp/log 2>&1
format > /tmp/log 2>&1
mounted
tar -C $root -xpf $tar
spec="{spec}"
printf '%s / auto defaults 0 1\n/dev/sr0 /media/cdrom udf noauto 0 0\n' "$spec" > $root/etc/fstab
sed -i "s,root=/dev/sda1,root=$spec," $root/boot/grub/grub.cfg $root/etc/default/grub
dress
fill
sync
umount -R $root
open_again > /tmp/log 2>&1
mounted -o ro
listing > /tmp/listing
umount $root
close > /tmp/log 2>&1
cat /tmp/listing > $tape
sync
"#,
        functions = functions(row)
    )
}

fn functions(row: &Row) -> String {
    let Row { modules, stack, open, close, mkfs, fill, check, options, .. } = row;
    let letters: Vec<char> = ('a'..='z').take(row.disks.len() + 1).collect();
    let names: Vec<String> = letters.iter().map(|letter| format!("/dev/vd{letter}")).collect();
    let (tape, all) =
        names.split_last().map_or(("", String::new()), |(tape, all)| (tape.as_str(), all.join(" ")));
    format!(
        "set -eu\nmodules='{modules}'\n{}\n{}\nall='{all}'\ntape={tape}\noptions='{options}'\n\
         stack () {{\n{stack}\n}}\nopen () {{\n{open}\n}}\nopen_again () {{\nclose\nopen\n}}\nclose () {{\n:\n{close}\n}}\n\
         format () {{\n{mkfs}\n}}\nfill () {{\n:\n{fill}\n}}\ncheck () {{\n{check}\n}}\n",
        include_str!("../guest/library.sh"),
        include_str!("script.sh"),
    )
}

fn parsed(text: &str) -> Listing {
    let mut listing = Listing::new();
    for line in text.lines() {
        let (name, what) = line.split_once('\t').unwrap_or((line, ""));
        let said = listing.entry(name.to_owned()).or_default();
        said.push_str(what);
        said.push('\n');
    }
    listing
}
