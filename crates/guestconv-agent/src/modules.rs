//! Kernel modules. Our own kernel has none; that of a distribution, under QEMU, asks for what it misses when it is needed: it
//! starts a program for that (kernel: `kernel/module/kmod.c`, sysctl `kernel.modprobe`), and we are that program. So a run
//! loads what its guest has, and not the drivers of all guests: some of them measure for a second what suits them best.

use guestconv_core::protocol::{MODULES_FILE, Modules};
use rustix::system::finit_module;
use std::env;
use std::fs::{self, File};
use std::path::Path;

/// What the kernel starts for a module.
const LOADER: &str = "/proc/sys/kernel/modprobe";

/// Returns whether the kernel has modules.
pub(crate) fn are_given() -> bool {
    Path::new("/").join(MODULES_FILE).exists()
}

/// Loads what is needed at once, if the kernel has modules, and names us as what loads the others.
pub(crate) fn begin() {
    let Some(modules) = given() else { return };
    // One that cannot be loaded shows by what it drives: there is no disk, no line.
    modules.first.iter().for_each(|name| load(name));
    let _ = fs::write(LOADER, "/init");
}

/// Loads what the kernel asks for: it starts us with `-q -- NAME`.
pub(crate) fn serve() {
    let (Some(modules), Some(name)) = (given(), env::args().next_back()) else { return };
    modules.asked(&name).into_iter().for_each(load);
}

fn given() -> Option<Modules> {
    let text = fs::read(Path::new("/").join(MODULES_FILE)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Loads a module. One that is there, or has nothing to do on this processor, says so; the kernel asks again for what it
/// still misses by what it tells of that.
fn load(name: &str) {
    let file = Path::new("/").join(format!("{name}.ko"));
    let _ = File::open(file).and_then(|file| Ok(finit_module(&file, c"", 0)?));
}
