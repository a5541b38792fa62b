//! Which kernel of a distribution is run: the one that the caller names, one beside the appliance, or one of the host's own.
//!
//! A kernel is an image and a directory of modules with the indexes of depmod. Distributions have the image in `/boot`, named
//! after its release, or beside the modules (Fedora, Arch). The kernel that runs the host comes first, then the newest.

use super::{image, modules};
use guestconv_core::formats::version;
use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The environment variable that names the image of the kernel for QEMU.
pub const KERNEL_VARIABLE: &str = "GUESTCONV_KERNEL";
/// The environment variable that names the directory of its modules, where that is not found by itself.
pub const MODULES_VARIABLE: &str = "GUESTCONV_MODULES";

/// Where modules are, each release in a directory of its own.
const MODULES: [&str; 2] = ["usr/lib/modules", "lib/modules"];
/// What images are called before their release.
const IMAGES: [&str; 2] = ["vmlinuz", "Image"];

/// A kernel that can be started.
#[derive(Debug)]
pub(super) struct Kernel {
    /// Where its image is.
    pub(super) path: PathBuf,
    /// Its image, in memory.
    pub(super) image: File,
    /// What goes into the initramfs for it.
    pub(super) files: Vec<(String, Vec<u8>)>,
}

/// Where a kernel may be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    image: PathBuf,
    modules: PathBuf,
}

impl Kernel {
    /// Returns the kernel that the caller names, by `given` or the environment, or else the first that can be used.
    ///
    /// # Errors
    /// Why none can, and what to do.
    pub(super) fn find(given: Option<&Path>, appliance: &Path) -> Result<Self, String> {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let named = given.map(Path::to_owned).or_else(|| variable(KERNEL_VARIABLE));
        let running = rustix::system::uname().release().to_string_lossy().into_owned();
        let places = match &named {
            Some(image) => vec![named_place(image, variable(MODULES_VARIABLE))],
            None => places(appliance, Path::new("/"), &running),
        };
        let mut refused = Vec::new();
        for place in places {
            match place.kernel() {
                Ok(kernel) => return Ok(kernel),
                Err(why) => refused.push(why),
            }
        }
        let why = if refused.is_empty() { "none is installed".to_owned() } else { refused.join("; ") };
        Err(format!(
            "there is no kernel that can be used ({why}); install one of a distribution (Debian has it in \
             linux-image-amd64 or linux-image-arm64), or set {KERNEL_VARIABLE} to its image and {MODULES_VARIABLE} to its \
             modules"
        ))
    }
}

impl Place {
    fn kernel(self) -> Result<Kernel, String> {
        let failed = |error: io::Error| format!("{}: {error}", self.image.display());
        let image = fs::read(&self.image).map_err(failed)?;
        let files = modules::files(&self.modules)?;
        let image = image::in_memory(&image).map_err(failed)?;
        Ok(Kernel { path: self.image, image, files })
    }
}

/// Returns where the kernel of that image is: its modules are where the caller says, beside it, or in the tree that its
/// `/boot` is of.
fn named_place(image: &Path, modules: Option<PathBuf>) -> Place {
    let beside = image.with_file_name("modules");
    let of_tree = || {
        let release = image.file_name()?.to_str()?.split_once('-')?.1;
        let root = image.parent()?.parent()?;
        MODULES.iter().map(|place| root.join(place).join(release)).find(|place| place.is_dir())
    };
    let found = modules.or_else(|| Some(beside.clone()).filter(|place| place.is_dir())).or_else(of_tree);
    Place { image: image.to_owned(), modules: found.unwrap_or(beside) }
}

/// Returns where kernels are, those to be tried first in front.
fn places(appliance: &Path, root: &Path, running: &str) -> Vec<Place> {
    let own = Place { image: appliance.join("vmlinuz"), modules: appliance.join("modules") };
    let mut found = Vec::new();
    for directory in MODULES.iter().map(|place| root.join(place)) {
        // Usually the second is a link to the first.
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for release in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
            let modules = directory.join(&release);
            let images = IMAGES
                .iter()
                .flat_map(|name| [root.join("boot").join(format!("{name}-{release}")), modules.join(name)]);
            if found.iter().any(|(known, _)| *known == release) {
                continue;
            }
            let image = images.into_iter().find(|image| image.is_file());
            found.extend(image.map(|image| (release, Place { image, modules })));
        }
    }
    found.sort_by(|(left, _), (right, _)| {
        let order = (right == running).cmp(&(left == running));
        order.then_with(|| version::compare(right, left))
    });
    let own = Some(own).filter(|own| own.image.is_file());
    own.into_iter().chain(found.into_iter().map(|(_, place)| place)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(root: &Path, path: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    #[test]
    fn the_running_kernel_comes_first_then_the_newest() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "lib/modules/6.1.0-9-amd64/modules.dep",
            "boot/vmlinuz-6.1.0-9-amd64",
            "lib/modules/6.1.0-44-amd64/modules.dep",
            "boot/vmlinuz-6.1.0-44-amd64",
            "usr/lib/modules/5.14.0-611.el9/vmlinuz",
            "lib/modules/without-image/modules.dep",
            "appliance/vmlinuz",
        ] {
            touch(root.path(), path);
        }
        let shown = |appliance: &str, running: &str| -> Vec<String> {
            let found = places(&root.path().join(appliance), root.path(), running);
            let shown = found.iter().map(|place| {
                let relative = |path: &Path| path.strip_prefix(root.path()).unwrap().display().to_string();
                format!("{} {}", relative(&place.image), relative(&place.modules))
            });
            shown.collect()
        };
        let newest = "boot/vmlinuz-6.1.0-44-amd64 lib/modules/6.1.0-44-amd64";
        let older = "boot/vmlinuz-6.1.0-9-amd64 lib/modules/6.1.0-9-amd64";
        let oldest = "usr/lib/modules/5.14.0-611.el9/vmlinuz usr/lib/modules/5.14.0-611.el9";
        assert_eq!(
            shown("appliance", "other"),
            ["appliance/vmlinuz appliance/modules", newest, older, oldest]
        );
        assert_eq!(shown("nowhere", "5.14.0-611.el9"), [oldest, newest, older]);
    }

    #[test]
    fn the_modules_of_a_named_kernel_are_named_too_or_beside_it_or_in_its_tree() {
        let root = tempfile::tempdir().unwrap();
        let path = |path: &str| root.path().join(path);
        touch(root.path(), "tree/lib/modules/6.1.0/modules.dep");
        touch(root.path(), "beside/modules/modules.dep");
        for (image, named, expected) in [
            ("tree/boot/vmlinuz-6.1.0", None, "tree/lib/modules/6.1.0"),
            ("tree/boot/vmlinuz-6.1.0", Some("mine"), "mine"),
            ("beside/vmlinuz", None, "beside/modules"),
            ("nothing/vmlinuz", None, "nothing/modules"),
        ] {
            let found = named_place(&path(image), named.map(path));
            assert_eq!(found, Place { image: path(image), modules: path(expected) }, "{image}");
        }
    }
}
