//! Where a case is built: trees of files, file systems made from them without root and without mounting anything, disks
//! with a partition table. All tools are the host's: e2fsprogs, btrfs-progs, xfsprogs, dosfstools, mtools, qemu-utils.

use crate::run;
use anyhow::{Context, Result};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the only partition of a disk begins.
pub(crate) const PARTITION_AT: u64 = 1 << 20;
/// Small, so that thousands of runs fit anywhere.
pub(crate) const DISK_BYTES: u64 = 96 << 20;
/// Programs of administrators are not in everybody's path.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// Nothing of a case depends on when it is made.
const UUID: &str = "6a1b2c3d-0000-4000-8000-00000000000a";

/// The directory of one case.
pub(crate) struct Shop {
    dir: PathBuf,
    /// A file of the host that no guest may reach.
    pub(crate) canary: PathBuf,
}

impl Shop {
    /// Returns a shop in an empty directory.
    pub(crate) fn new(dir: PathBuf, canary: PathBuf) -> Self {
        Self { dir, canary }
    }

    /// Returns the path of a file of the case.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Returns a file of zeroes of that size, which is a hole.
    pub(crate) fn blank(&self, name: &str, size_bytes: u64) -> Result<PathBuf> {
        let path = self.path(name);
        let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        file.set_len(size_bytes)?;
        Ok(path)
    }

    /// Returns a disk with one partition that holds the tree as ext4; `debugfs` is done to it then.
    pub(crate) fn ext4(&self, tree: &Path, debugfs: &[String]) -> Result<PathBuf> {
        self.ext4_of("disk.img", DISK_BYTES, tree, &["-O", "^metadata_csum"], debugfs)
    }

    /// Returns such a disk of that name, size and options of mkfs.
    pub(crate) fn ext4_of(
        &self,
        name: &str,
        size_bytes: u64,
        tree: &Path,
        options: &[&str],
        debugfs: &[String],
    ) -> Result<PathBuf> {
        let disk = self.blank(name, size_bytes)?;
        partition(&disk, size_bytes)?;
        let blocks = ((size_bytes - PARTITION_AT) / 4096).to_string();
        let extended = format!("offset={PARTITION_AT},root_owner=0:0,hash_seed={UUID}");
        let mut command = tool("mkfs.ext4");
        command.env("E2FSPROGS_FAKE_TIME", "1700000000");
        command.args(["-q", "-F", "-b", "4096", "-U", UUID, "-E", &extended]).args(options);
        command.arg("-d").arg(tree).arg(&disk).arg(blocks);
        run::run(&mut command)?;
        self.debugfs(&disk, debugfs)?;
        Ok(disk)
    }

    /// Changes the file system in the partition of a disk.
    pub(crate) fn debugfs(&self, disk: &Path, commands: &[String]) -> Result<()> {
        if commands.is_empty() {
            return Ok(());
        }
        let script = self.path("debugfs");
        fs::write(&script, commands.join("\n") + "\n")?;
        let place = format!("{}?offset={PARTITION_AT}", disk.display());
        let mut command = tool("debugfs");
        command.env("E2FSPROGS_FAKE_TIME", "1700000000").args(["-w", "-f"]).arg(&script).arg(place);
        let said = run::output(command.stdin(Stdio::null()))?;
        fs::remove_file(script)?;
        // debugfs succeeds whatever became of its commands; it repeats each, so what is no command is what it says.
        let complaint = said.lines().find(|line| line.contains(": ") && !line.starts_with("debugfs: "));
        let is_answer = |line: &&str| {
            ["Allocated inode", "Filesystem features"].iter().any(|start| line.starts_with(start))
        };
        match complaint.filter(|line| !is_answer(line)) {
            Some(complaint) => anyhow::bail!("debugfs {}: {complaint}", disk.display()),
            None => Ok(()),
        }
    }

    /// Asks debugfs, and returns what it answers.
    pub(crate) fn asked(&self, disk: &Path, question: &str) -> Result<String> {
        let place = format!("{}?offset={PARTITION_AT}", disk.display());
        run::output(tool("debugfs").args(["-R", question]).arg(place))
    }
}

/// Returns a program of the host, with nothing of the user's own settings.
pub(crate) fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("PATH", PATH).env("LC_ALL", "C").env("MTOOLS_SKIP_CHECK", "1").stdin(Stdio::null());
    command
}

/// Writes at a place of a file.
pub(crate) fn poke(path: &Path, at: u64, bytes: &[u8]) -> Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.write_all_at(bytes, at).with_context(|| format!("cannot write {}", path.display()))
}

/// Reads at a place of a file.
pub(crate) fn peek(path: &Path, at: u64, size_bytes: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; size_bytes];
    File::open(path)?
        .read_exact_at(&mut bytes, at)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}

/// Writes an MBR with GRUB's boot code and one active Linux partition.
fn partition(disk: &Path, size_bytes: u64) -> Result<()> {
    mbr(disk, &[(0x80, 0x83, PARTITION_AT / 512, (size_bytes - PARTITION_AT) / 512)])
}

/// Writes an MBR with GRUB's boot code and these partitions: flag, type, start and length in sectors.
pub(crate) fn mbr(disk: &Path, partitions: &[(u8, u8, u64, u64)]) -> Result<()> {
    let mut sector = vec![0; 440];
    sector.splice(..4, *b"\xeb\x63\x90\x00");
    sector.splice(384..388, *b"GRUB");
    sector.extend([0x47, 0x43, 0x48, 0x31, 0, 0]);
    for (flag, kind, start, length) in partitions {
        sector.extend([*flag, 0, 2, 0, *kind, 0, 2, 0]);
        sector.extend(u32::try_from(*start)?.to_le_bytes());
        sector.extend(u32::try_from(*length)?.to_le_bytes());
    }
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    poke(disk, 0, &sector)
}

/// Returns bytes that look random and are always the same for a seed.
pub(crate) fn noise(seed: u64, size_bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[1]
    };
    (0..size_bytes).map(next).collect()
}
