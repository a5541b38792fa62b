//! Running `grub-mkimage`: it reads the host's files, writes into a private directory, and can do nothing else. The modules that
//! it reads may be the caller's own, from wherever.

use super::{Part, modules};
use crate::appliance::PrivateDir;
use crate::confine::{CallsOf, Confinement, Host, Rights, Sockets, confine};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::Cancel;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// For BIOS it takes a quarter of a second, which is packing.
const TIME_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(1);
/// The largest image: GRUB for UEFI with all of its modules has 5 MiB.
const CAP_IMAGE_BYTES: u64 = 32 << 20;
/// It holds the image a few times.
const CAP_MEMORY_BYTES: u64 = 256 << 20;
/// How much of its words an error has.
const CAP_WORDS_BYTES: u64 = 2000;

/// Makes an image from modules and a memory disk.
///
/// # Errors
/// `grub-failed`, with what the program says; `cancelled`.
pub(super) fn image(
    mkimage: &Path,
    part: &Part,
    modules: &[&str],
    memdisk: &[u8],
    cancel: &Cancel,
) -> Result<Vec<u8>> {
    let dir = PrivateDir::new(CAP_IMAGE_BYTES)?;
    let [menu, image, words] = ["menu.tar", "image", "words"].map(|name| dir.path().join(name));
    let cannot = |doing: &str| {
        let doing = doing.to_owned();
        move |error: io::Error| failed(&format!("cannot {doing}: {error}")).caused_by(error)
    };
    fs::write(&menu, memdisk).map_err(cannot("write its menu"))?;
    let mut command = Command::new(mkimage);
    command.arg("--format").arg(part.platform.name());
    command.arg("--directory").arg(&part.dir);
    command.arg("--prefix").arg(modules::PREFIX);
    command.arg("--memdisk").arg(&menu);
    command.arg("--output").arg(&image);
    command.args(modules);
    command.env_clear().env("LC_ALL", "C").current_dir(dir.path());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(File::create(&words).map_err(cannot("keep its words"))?);
    let rights = Rights {
        executable: mkimage,
        directory: dir.path(),
        // Its libraries are where the distribution has them, its modules where the caller says.
        readable: &[Path::new("/")],
        devices: &[],
        descriptors: &[],
        processor: None,
        file_cap_bytes: CAP_IMAGE_BYTES,
        memory_cap_bytes: Some(CAP_MEMORY_BYTES),
        time_cap: Some(TIME_LIMIT),
        calls: CallsOf::Program(Sockets::Unix),
    };
    // Whether the host can is asked when a guest is opened.
    confine(&mut command, &rights, Confinement::BestEffort, Host::probe()).map_err(cannot("confine it"))?;
    let mut child = command.spawn().map_err(cannot("start it"))?;
    let status = wait(&mut child, cancel).map_err(cannot("wait for it"))?;
    cancel.check()?;
    match status {
        Some(status) if status.success() => fs::read(&image).map_err(cannot("read its image")),
        Some(status) => Err(failed(&format!("it ended with {status}: {}", said(&words)))),
        None => Err(failed(&format!("it did not end within {} seconds", TIME_LIMIT.as_secs()))),
    }
}

/// Returns how it ended; `None` if it did not in time or is not wanted any more, and was killed.
fn wait(child: &mut Child, cancel: &Cancel) -> io::Result<Option<ExitStatus>> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() > TIME_LIMIT || cancel.is_cancelled() {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        sleep(POLL);
    }
}

fn said(words: &Path) -> String {
    let mut text = Vec::new();
    if let Err(error) = File::open(words).and_then(|file| file.take(CAP_WORDS_BYTES).read_to_end(&mut text)) {
        return format!("(its words cannot be read: {error})");
    }
    let text = String::from_utf8_lossy(&text);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" / ")
}

/// Returns the error of images that cannot be made.
pub(super) fn failed(why: &str) -> Error {
    Error::new(ErrorKind::Io, "grub-failed", format!("grub-mkimage cannot make GRUB's image: {why}"))
}
