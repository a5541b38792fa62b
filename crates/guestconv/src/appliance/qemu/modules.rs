//! Which modules of a distribution's kernel go into the initramfs: what drives the machine, and what our own kernel has built
//! in for guests (`appliance/kernel.config`), each with what it needs. The agent loads them.

use guestconv_core::formats::compressed;
use guestconv_core::formats::modules::{aliases, builtin, dependencies, module_name, normalised_alias};
use guestconv_core::protocol::{MODULES_FILE, Modules};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// The machine's own: without these there are no disks and no reply.
const OF_THE_MACHINE: [&str; 3] = ["virtio_pci", "virtio_blk", "virtio_console"];
/// What the agent speaks to without the kernel being asked for a module.
const ASKED_BY_NOBODY: [&str; 2] = ["dm_mod", "md_mod"];
/// What the kernel asks for when it is needed, as far as it is there.
const OF_GUESTS: [&str; 58] = [
    "ext4",
    "xfs",
    "btrfs",
    "jfs",
    "f2fs",
    "nilfs2",
    "ntfs",
    "vfat",
    "msdos",
    "exfat",
    "isofs",
    "udf",
    "squashfs",
    "erofs",
    "overlay",
    "quota_v1",
    "quota_v2",
    "nls_cp437",
    "nls_iso8859_1",
    "nls_utf8",
    "nls_ascii",
    "linear",
    "raid0",
    "raid1",
    "raid10",
    "raid456",
    "dm_crypt",
    "dm_snapshot",
    "dm_thin_pool",
    "dm_cache",
    "dm_cache_smq",
    "dm_writecache",
    "dm_zero",
    "dm_raid",
    "dm_mirror",
    "dm_integrity",
    "xts",
    "cbc",
    "ecb",
    "essiv",
    "aes_generic",
    "aesni_intel",
    "aes_arm64",
    "aes_ce_blk",
    "serpent_generic",
    "twofish_generic",
    "camellia_generic",
    "sha1_generic",
    "sha256_generic",
    "sha512_generic",
    "hmac",
    "crc32c_generic",
    "crc32c_intel",
    "crc32_generic",
    "xxhash_generic",
    "blake2b_generic",
    "cryptd",
    "authenc",
];
/// The largest module, unpacked.
const MODULE_CAP_BYTES: u64 = 64 << 20;

/// Returns the files that go into the initramfs: [`Modules`], and the modules themselves.
///
/// # Errors
/// What is missing in the directory, or cannot be read.
pub(super) fn files(directory: &Path) -> Result<Vec<(String, Vec<u8>)>, String> {
    let text = |name: &str| {
        let path = directory.join(name);
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let (needed_by, names, built_in) =
        (text("modules.dep")?, text("modules.alias")?, text("modules.builtin")?);
    let (index, built_in) = (dependencies(&needed_by), builtin(&built_in));
    let (mut modules, mut paths) = (Modules::default(), BTreeMap::new());
    for name in OF_THE_MACHINE.iter().chain(&ASKED_BY_NOBODY).chain(&OF_GUESTS) {
        let Some(found) = index.get(*name) else {
            if built_in.contains(*name) || !OF_THE_MACHINE.contains(name) {
                continue;
            }
            return Err(format!("the kernel of {} has no {name}", directory.display()));
        };
        // In the order in which they are loaded.
        let load: Vec<&str> = found.needs().rev().chain([found.path]).collect();
        for path in &load {
            let name = module_name(path);
            let needs = index.get(&name).into_iter().flat_map(|found| found.needs().rev());
            let needs = needs.map(|path| module_name(path).into_owned()).collect();
            modules.needs.insert(name.clone().into_owned(), needs);
            paths.insert(name, *path);
        }
        if !OF_GUESTS.contains(name) {
            let names = load.iter().map(|path| module_name(path).into_owned());
            let new: Vec<String> = names.filter(|name| !modules.first.contains(name)).collect();
            modules.first.extend(new);
        }
    }
    let of_ours =
        aliases(&names).filter(|(alias, module)| paths.contains_key(*module) && !alias.contains('*'));
    modules.aliases = of_ours.map(|(alias, module)| (normalised_alias(alias), module.to_owned())).collect();
    let index = serde_json::to_vec(&modules).map_err(|error| error.to_string())?;
    let mut files = vec![(MODULES_FILE.to_owned(), index)];
    for (name, path) in paths {
        let path = directory.join(path);
        let content = unpacked(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        files.push((format!("{name}.ko"), content));
    }
    Ok(files)
}

fn unpacked(path: &Path) -> io::Result<Vec<u8>> {
    compressed::unpacked(fs::read(path)?, MODULE_CAP_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the directory of a kernel that has virtio's PCI built in; returns its files.
    fn found(needed_by: &str, built_in: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
        let directory = tempfile::tempdir().unwrap();
        let aliases =
            "alias virtio:d00000002v* virtio_blk\nalias fs-ext2 ext4\nalias fs-ext4 ext4\nalias fs-nfs nfs\n";
        let texts = [("modules.dep", needed_by), ("modules.alias", aliases), ("modules.builtin", built_in)];
        texts.iter().for_each(|(name, text)| fs::write(directory.path().join(name), text).unwrap());
        for path in needed_by.lines().filter_map(|line| line.split_once(':')).map(|(path, _)| path) {
            let file = directory.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, module_name(path).as_bytes()).unwrap();
        }
        files(directory.path()).map_err(|why| why.replace(&directory.path().display().to_string(), "DIR"))
    }

    #[test]
    fn what_may_be_needed_is_taken_with_what_it_needs() {
        let needed_by = "kernel/virtio_blk.ko: kernel/virtio_ring.ko kernel/virtio.ko\n\
                         kernel/virtio_console.ko: kernel/virtio.ko\nkernel/virtio_ring.ko: kernel/virtio.ko\n\
                         kernel/virtio.ko:\nkernel/ext4.ko: kernel/jbd2.ko kernel/crc16.ko\nkernel/jbd2.ko:\n\
                         kernel/crc16.ko:\nkernel/nfs.ko:\n";
        let files = found(needed_by, "kernel/drivers/virtio/virtio_pci.ko\n").unwrap();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        let of_modules = [
            "crc16.ko",
            "ext4.ko",
            "jbd2.ko",
            "virtio.ko",
            "virtio_blk.ko",
            "virtio_console.ko",
            "virtio_ring.ko",
        ];
        assert_eq!(names, [[MODULES_FILE].as_slice(), &of_modules].concat());
        let content =
            |(name, content): &(String, Vec<u8>)| format!("{}.ko", String::from_utf8_lossy(content)) == *name;
        assert!(files.iter().skip(1).all(content), "each has its own content");
        let index: Modules = serde_json::from_slice(&files[0].1).unwrap();
        assert_eq!(index.first, ["virtio", "virtio_ring", "virtio_blk", "virtio_console"]);
        assert_eq!(
            index.aliases,
            [("fs_ext2", "ext4"), ("fs_ext4", "ext4")].map(|(a, m)| (a.to_owned(), m.to_owned()))
        );
        assert_eq!(index.asked("fs-ext2"), ["crc16", "jbd2", "ext4"]);
    }

    #[test]
    fn a_kernel_without_the_machines_drivers_is_refused() {
        assert_eq!(found("kernel/ext4.ko:\n", ""), Err("the kernel of DIR has no virtio_pci".to_owned()));
        let missing = files(Path::new("/nonexistent")).unwrap_err();
        assert_eq!(missing, "/nonexistent/modules.dep: No such file or directory (os error 2)");
    }
}
