//! `setup`: the Debian packages that tasks need, installed if they are missing and only then.

use crate::{cache, debian, run};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs;
use std::process::{Command, Stdio};

/// Packages that are needed for one purpose.
pub(crate) struct Group {
    purpose: &'static str,
    packages: &'static [&'static str],
}

/// To build the appliance's kernel, and crates with C in them.
pub(crate) const BUILD: Group = Group {
    purpose: "to build the appliance",
    packages: &[
        "flex",
        "bison",
        "bc",
        "make",
        "gcc",
        "libc6-dev",
        "libelf-dev",
        "xz-utils",
        "cpio",
        "binutils",
        "pkg-config",
    ],
};

/// To build real guests.
pub(crate) const GUESTS: Group = Group {
    purpose: "to build guests",
    packages: &[
        "mmdebstrap",
        "qemu-user-static",
        "kmod",
        "fdisk",
        "gdisk",
        "e2fsprogs",
        "xfsprogs",
        "btrfs-progs",
        "dosfstools",
        "mtools",
        "lvm2",
        "mdadm",
        "cryptsetup-bin",
        "user-mode-linux",
        "qemu-utils",
    ],
};

/// To make the rows of the matrix, which have what no guest has.
pub(crate) const MATRIX: Group = Group {
    purpose: "to make file systems",
    packages: &[
        "acl",
        "attr",
        "erofs-utils",
        "exfatprogs",
        "f2fs-tools",
        "genisoimage",
        "jfsutils",
        "nilfs-tools",
        "ntfs-3g",
        "reiserfsprogs",
        "squashfs-tools",
        "udftools",
    ],
};

/// To boot them.
pub(crate) const PROVE: Group = Group {
    purpose: "to boot guests",
    packages: &[EMULATOR, "ovmf", "qemu-system-arm", "qemu-efi-aarch64", "qemu-utils"],
};

/// To run the appliance under a distribution's kernel in tests.
pub(crate) const SECOND_RUNNER: Group =
    Group { purpose: "to run the appliance under QEMU", packages: &["kmod", EMULATOR] };

const EMULATOR: &str = "qemu-system-x86";
/// Where Debian has QEMU's qxl since QEMU 9; before, it is part of the emulator's own packages.
const QXL: &str = "qemu-system-modules-spice";

/// To give a disk without boot loader one, and to check in tests that GRUB reads what it says that it reads.
pub(crate) const GRUB: Group = Group {
    purpose: "to give disks a boot loader",
    packages: &["grub-common", "grub-pc-bin", "grub-efi-amd64-bin"],
};

/// To check documents and the C library in tests.
pub(crate) const CHECKS: Group = Group {
    purpose: "to check documents and the C library",
    // libvirt0 for libvirt's schema of domains.
    packages: &["g++", "libvirt0", "libxml2-utils", "valgrind"],
};

/// To pack the Python package, and to install it in tests.
pub(crate) const PYTHON: Group =
    Group { purpose: "to pack and test the Python package", packages: &["python3-venv"] };

/// The programs that guestconv is compared with. `libguestfs` boots a kernel from `/boot` and reads XFS by a package of its
/// own. Only the benchmark needs them.
pub(crate) const PEERS: Group = Group {
    purpose: "to compare with",
    packages: &[
        "virt-v2v",
        "libguestfs-tools",
        "guestfs-tools",
        "libguestfs-xfs",
        "nbdkit",
        "linux-image-amd64",
    ],
};

/// The task: installs what any task but the benchmark needs.
pub(crate) fn task(_: &[String]) -> Result<()> {
    ensure(&[BUILD, GUESTS, MATRIX, PROVE, SECOND_RUNNER, GRUB, CHECKS, PYTHON])
}

/// Sees to it that the packages of the groups are installed.
///
/// # Errors
/// If some are missing and the caller is not root, with the command to install them; or if apt cannot install them.
pub(crate) fn ensure(groups: &[Group]) -> Result<()> {
    let mut wanted = Vec::new();
    for group in groups {
        let missing = debian::missing(group.packages)?;
        if !missing.is_empty() {
            eprintln!("missing {}: {}", group.purpose, missing.join(" "));
        }
        wanted.extend(missing);
    }
    wanted.sort_unstable();
    wanted.dedup();
    install_wanted(&wanted)?;
    let is_to_boot = groups.iter().any(|group| group.packages.contains(&EMULATOR));
    if is_to_boot && !has_qxl()? {
        eprintln!("missing to boot guests with qxl graphics: {QXL}");
        install_wanted(&[QXL])?;
    }
    Ok(())
}

/// Does the emulator have the graphics card that oVirt's guests have?
fn has_qxl() -> Result<bool> {
    let devices = run::output(Command::new("qemu-system-x86_64").args(["-device", "help"]))?;
    Ok(devices.contains("\"qxl-vga\""))
}

fn install_wanted(wanted: &[&str]) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    if !is_root()? {
        bail!("packages are missing; as root: apt-get install --no-install-recommends {}", wanted.join(" "));
    }
    run::run(apt().arg("update"))?;
    // Emulator and tools of QEMU are of one version. If the machine has the tools from backports, the emulator of the
    // release cannot be installed beside them.
    let (emulators, others): (Vec<&str>, Vec<&str>) =
        wanted.iter().partition(|name| name.starts_with("qemu-"));
    if !emulators.is_empty() && !can_be_installed(&emulators) {
        install_from_backports(&emulators)?;
    } else {
        install(&mut apt(), &emulators)?;
    }
    install(&mut apt(), &others)
}

fn install(apt: &mut Command, packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    eprintln!("installing {}", packages.join(" "));
    run::run(apt.args(["install", "--yes", "--no-install-recommends"]).args(packages))
}

/// Would apt install the packages without removing any?
fn can_be_installed(packages: &[&str]) -> bool {
    let simulated = apt()
        .args(["install", "--simulate", "--yes", "--no-remove", "--no-install-recommends"])
        .args(packages)
        .output();
    simulated.is_ok_and(|output| output.status.success())
}

/// Installs from the backports of the machine's release, for this once: the machine's own sources stay as they are.
fn install_from_backports(packages: &[&str]) -> Result<()> {
    let suite = format!("{}-backports", debian::codename()?);
    eprintln!("{} of the release do not fit what is installed; taking {suite}", packages.join(" "));
    let mut option = None;
    if !debian::has_suite(&suite)? {
        let own = fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
        let directory = cache::root()?;
        fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        let list = directory.join("backports.list");
        fs::write(&list, format!("{own}\n{}", debian::source_line(&suite)?))
            .with_context(|| format!("cannot write {}", list.display()))?;
        let mut value = OsString::from("Dir::Etc::sourcelist=");
        value.push(list);
        option = Some(value);
    }
    let apt = || {
        let mut apt = apt();
        option.iter().for_each(|option| {
            apt.arg("-o").arg(option);
        });
        apt
    };
    run::run(apt().arg("update"))?;
    install(apt().args(["-t", &suite]), packages)
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    // Another apt may be at work; a package may want to ask.
    command
        .args(["-q", "-o", "DPkg::Lock::Timeout=300"])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    command
}

fn is_root() -> Result<bool> {
    Ok(run::output(Command::new("id").arg("-u"))? == "0")
}
