//! What the images need: nothing where every module is there, one appended segment where some are not.

use super::{Image, ImageText, makers};
use crate::change::{AddedModule, AddedText, Change, InitramfsAppend, ModuleLoader};
use crate::description::Class;
use crate::finding::Finding;
use crate::formats::modules::module_name;
use crate::layout::Layout;
use crate::linux::devices;
use crate::linux::kernels::{Driver, Kernel};
use crate::plan::{Context, Draft, PlanError, Rebuild};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Plans what the initramfs images need.
///
/// # Errors
/// `driver-absent` if the kernel that boots by default cannot have a driver; `initramfs-closed` if its image would not read
/// what is appended; `initramfs-loader` if nothing in its image
/// would load one; `initramfs-not-read` if its image must have one and cannot be read; `facts-without-initramfs` if nobody
/// has looked at the images.
pub fn plan(context: &Context<'_>, facts: &crate::linux::Facts, draft: &mut Draft) -> Result<(), PlanError> {
    let needed = needed(context);
    let bootable: Vec<&Kernel> = facts.kernels.iter().filter(|kernel| kernel.image.is_some()).collect();
    if bootable.is_empty() {
        let text =
            "no kernel of the guest was found, so whether it finds its disk on the target is not known";
        draft.finding(Finding::warning("no-kernel", text).about("/boot"));
    }
    let images = facts.initramfs.images.as_ref().ok_or_else(|| {
        let message = "the facts say nothing of the initramfs images; look at the guest with them, then plan";
        PlanError::new("facts-without-initramfs", message)
    })?;
    let mut changes = Vec::new();
    for (number, kernel) in bootable.iter().enumerate() {
        let image = images.iter().find(|image| image.kernel == kernel.version);
        match append(context, kernel, image, &needed) {
            Ok(append) => changes.extend(append),
            Err(error) if number == 0 => return Err(error),
            Err(error) => draft.finding(
                Finding::warning("kernel-cannot-boot", error.message).about(kernel.module_dir.as_str()),
            ),
        }
    }
    let settings = &facts.initramfs.settings;
    let lasting: Vec<&str> = needed
        .iter()
        .copied()
        .filter(|name| {
            bootable.iter().any(|kernel| matches!(kernel.drivers.get(*name), Some(Driver::Module { .. })))
        })
        .collect();
    makers::plan(context, settings, &lasting, draft);
    let is_wished = context.options.rebuild == Rebuild::Guest && !changes.is_empty();
    let own = settings.first().filter(|_| is_wished);
    if is_wished && own.is_none() {
        let message = "none of the programs that make initramfs images is in the guest, so that none can be run; \
                       do without --rebuild=guest, and what is missing is appended";
        return Err(PlanError::new("initramfs-maker-missing", message));
    }
    let (id, why) = match own {
        Some(_) => {
            ("initramfs/rebuild", "the caller asked for the guest's own tool to make the initramfs anew")
        }
        None => {
            ("initramfs/append", "the kernel finds its disk on the target: the initramfs gets what it lacks")
        }
    };
    draft.step(context, id, why, |step| match own {
        Some(own) => {
            makers::commands(own, &bootable).into_iter().for_each(|argv| step.push(Change::Run { argv }));
        }
        None => changes.into_iter().for_each(|append| step.push(Change::AppendInitramfs(append))),
    });
    Ok(())
}

/// Returns the modules of the drivers that were chosen for the disks.
fn needed(context: &Context<'_>) -> Vec<&'static str> {
    let mut needed: Vec<&'static str> = Vec::new();
    for (_, driver) in context.choices.drivers(Class::Block) {
        for module in context.target.modules_for(driver) {
            if !needed.contains(&module) {
                needed.push(module);
            }
        }
    }
    needed
}

/// Returns what is appended to the image of a kernel; `None` if it lacks nothing.
fn append(
    context: &Context<'_>,
    kernel: &Kernel,
    image: Option<&Image>,
    needed: &[&str],
) -> Result<Option<InitramfsAppend>, PlanError> {
    let missing = missing(kernel, image, needed)?;
    let Some(image) = image else { return Ok(None) };
    let files: Vec<AddedText> =
        image.texts.iter().filter_map(|text| lasting(&context.facts.layout, text)).collect();
    if missing.is_empty() && files.is_empty() {
        return Ok(None);
    }
    if image.is_closed {
        let message = format!(
            "the kernel would not read what is appended to the initramfs {}: behind its last archive is something that is \
             none; make it anew in the guest",
            image.path
        );
        return Err(PlanError::new("initramfs-closed", message));
    }
    if image.loader == ModuleLoader::Preload && !missing.is_empty() {
        let message = format!(
            "the initramfs {} lacks {} and has no udev that would load what is appended; make it anew in the guest",
            image.path,
            missing.join(", ")
        );
        return Err(PlanError::new("initramfs-loader", message));
    }
    let mut modules = Vec::new();
    for name in &missing {
        let Some((path, Some(file))) = kernel.files.get(*name).map(|known| (&known.path, &known.file)) else {
            return Err(absent(kernel, name));
        };
        modules.push(AddedModule {
            name: (*name).to_owned(),
            from: kernel.module_dir.join(path),
            to: path.clone(),
            file: file.clone(),
        });
    }
    Ok(Some(InitramfsAppend {
        path: image.path.clone(),
        before: image.file.clone(),
        kernel: kernel.version.clone(),
        loader: ModuleLoader::Index,
        directories: if modules.is_empty() { Vec::new() } else { image.missing_directories.clone() },
        modules,
        present: image.modules.clone(),
        module_dir: image.module_dir.clone(),
        files,
        tail: image.tail,
    }))
}

/// Returns the modules that the image lacks, in the order of loading.
fn missing<'a>(
    kernel: &'a Kernel,
    image: Option<&Image>,
    needed: &[&str],
) -> Result<Vec<&'a str>, PlanError> {
    let present: BTreeSet<Cow<'_, str>> =
        image.into_iter().flat_map(|image| &image.modules).map(|path| module_name(path)).collect();
    let mut missing: Vec<&str> = Vec::new();
    for name in needed {
        match kernel.drivers.get(*name) {
            Some(Driver::Builtin) => {}
            Some(Driver::Module { load }) => {
                for module in load.iter().map(String::as_str) {
                    if !present.contains(module) && !missing.contains(&module) {
                        missing.push(module);
                    }
                }
            }
            Some(Driver::Absent) | None => return Err(absent(kernel, name)),
        }
    }
    if let (None, Some(path), false) = (image, &kernel.initramfs, missing.is_empty()) {
        let message = format!(
            "whether the initramfs {path} has {} is not known, since it cannot be read; make it anew in the guest",
            missing.join(", ")
        );
        return Err(PlanError::new("initramfs-not-read", message));
    }
    if image.is_none() && !missing.is_empty() {
        let message = format!(
            "the kernel {} starts without an initramfs and has {} as modules only; choose another driver",
            kernel.version,
            missing.join(", ")
        );
        return Err(PlanError::new("driver-absent", message));
    }
    Ok(missing)
}

fn absent(kernel: &Kernel, name: &str) -> PlanError {
    let message = format!(
        "the kernel {} does not have the driver {name}; choose another driver for the disk",
        kernel.version
    );
    PlanError::new("driver-absent", message)
}

/// Returns the text with names of devices that hold on every bus; `None` if nothing differs.
fn lasting(layout: &Layout, text: &ImageText) -> Option<AddedText> {
    let word = |word: &str| {
        let (name, value) = word.split_once('=')?;
        let plain = value.trim_end_matches('\n');
        if !devices::is_unstable(plain) {
            return None;
        }
        let device = devices::resolve(layout, plain)?;
        Some(format!("{name}={}{}", devices::stable_name(layout, &device)?, value.get(plain.len()..)?))
    };
    let after: String = text
        .text
        .split_inclusive([' ', '\n'])
        .map(|piece| {
            let end = piece.trim_end_matches(' ');
            word(end).map_or_else(|| piece.to_owned(), |new| new + piece.get(end.len()..).unwrap_or_default())
        })
        .collect();
    (after != text.text).then(|| AddedText {
        path: text.path.clone(),
        text: after,
        unlink_first: text.is_hard_linked,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::FileHash;
    use crate::linux::initramfs::Compression;
    use crate::path::guest_path;

    #[test]
    fn what_is_missing_is_what_the_kernel_has_as_a_file_and_the_image_lacks() {
        let module =
            |load: &[&str]| Driver::Module { load: load.iter().map(|&name| name.to_owned()).collect() };
        let kernel = |initramfs: Option<&'static str>| Kernel {
            version: "6.1".to_owned(),
            default: true,
            image: Some(guest_path("/boot/vmlinuz-6.1")),
            paravirtual: false,
            initramfs: initramfs.map(guest_path),
            module_dir: guest_path("/lib/modules/6.1"),
            drivers: [
                ("virtio_pci", module(&["virtio", "virtio_pci"])),
                ("virtio_blk", module(&["virtio", "virtio_blk"])),
                ("sd_mod", Driver::Builtin),
                ("nvme", Driver::Absent),
            ]
            .map(|(name, driver)| (name.to_owned(), driver))
            .into(),
            files: std::collections::BTreeMap::new(),
        };
        let image = |modules: &[&str]| Image {
            path: guest_path("/boot/initrd.img-6.1"),
            kernel: "6.1".to_owned(),
            file: FileHash { size_bytes: 0, blake3: String::new() },
            module_dir: "/lib/modules/6.1".to_owned(),
            missing_directories: Vec::new(),
            modules: modules.iter().map(|&path| path.to_owned()).collect(),
            loader: ModuleLoader::Index,
            tail: Compression::None,
            is_closed: false,
            unpacked_bytes: 0,
            texts: Vec::new(),
        };
        let virtio = ["virtio_pci", "virtio_blk"].as_slice();
        let (with, without) = (kernel(Some("/boot/initrd.img-6.1")), kernel(None));
        let empty = image(&[]);
        let partial = image(&["kernel/drivers/virtio/virtio.ko.xz", "kernel/drivers/virtio/virtio-pci.ko"]);
        let whole = image(&["virtio.ko", "virtio_pci.ko", "virtio_blk.ko"]);
        for (name, kernel, image, needed, expected) in [
            ("nothing there", &with, Some(&empty), virtio, Ok(vec!["virtio", "virtio_pci", "virtio_blk"])),
            ("some there", &with, Some(&partial), virtio, Ok(vec!["virtio_blk"])),
            ("all there", &with, Some(&whole), virtio, Ok(vec![])),
            ("built in", &with, Some(&empty), &["sd_mod"][..], Ok(vec![])),
            ("built in, no initramfs", &without, None, &["sd_mod"][..], Ok(vec![])),
            ("absent", &with, Some(&whole), &["nvme"][..], Err("driver-absent")),
            ("not known", &with, Some(&whole), &["other"][..], Err("driver-absent")),
            ("no initramfs", &without, None, virtio, Err("driver-absent")),
            ("image not read", &with, None, virtio, Err("initramfs-not-read")),
            ("image not read, built in", &with, None, &["sd_mod"][..], Ok(vec![])),
        ] {
            let found = missing(kernel, image, needed).map_err(|error| error.code);
            assert_eq!(found, expected.map_err(str::to_owned), "{name}");
        }
    }
}
