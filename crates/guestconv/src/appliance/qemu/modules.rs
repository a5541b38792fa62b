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
