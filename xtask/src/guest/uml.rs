//! One shell script as root of Debian's User Mode Linux, which sees the images as `/dev/vda` and on, and the host's files by
//! hostfs, read-only. It is slower than the appliance and can run any program; guests are built with it.

use crate::run;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Runs `script` with the images, and with the path of the root tree as its variable `tar`. Its own files are in a folder
/// beside the images, for a look if it fails.
pub(crate) fn run(script: &str, images: &[PathBuf], tar: &Path) -> Result<()> {
    let dir = images.first().context("no image")?.with_extension("build");
    fs::create_dir(&dir)?;
    let file = |name: &str| dir.join(name);
    fs::write(file("script.sh"), script)?;
    fs::write(file("init.c"), include_str!("init.c"))?;
    fs::write(file("xstate.c"), include_str!("xstate.c"))?;
    run::run(Command::new("gcc").args(["-O1", "-static", "-o"]).args([file("init"), file("init.c")]))?;
    let shared = ["-O2", "-shared", "-fPIC", "-o"];
    run::run(Command::new("gcc").args(shared).args([file("xstate.so"), file("xstate.c")]))?;
    run::run(
        Command::new("sh").current_dir(&dir).args(["-c", "echo init | cpio --quiet -o -H newc > init.cpio"]),
    )?;
    let sockets: Vec<PathBuf> = (1..=images.len()).map(|number| file(&format!("{number}.socket"))).collect();
    let daemons = images.iter().zip(&sockets).map(|(image, socket)| Daemon::start(image, socket));
    let daemons = daemons.collect::<Result<Vec<_>>>()?;
    let output = Command::new("linux.uml")
        .env("LD_PRELOAD", file("xstate.so"))
        .env("TMPDIR", &dir)
        .args(["mem=768M", "con=null", "con0=fd:0,fd:1", "quiet"])
        .arg(format!("initrd={}", file("init.cpio").display()))
        // What the kernel does not know and has a value is in the environment of its first process.
        .arg(format!("SCRIPT={}", file("script.sh").display()))
        .arg(format!("tar={}", tar.display()))
        .args(sockets.iter().map(|socket| format!("virtio_uml.device={}:2", socket.display())))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()?;
    drop(daemons);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    fs::write(file("build.log"), &text)?;
    if text.lines().any(|line| line.trim_end() == "SCRIPT-EXIT 0") {
        return Ok(fs::remove_dir_all(&dir)?);
    }
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default();
    bail!("the script in User Mode Linux failed:\n{}", tail.join("\n"))
}

/// The storage daemon that serves the image; it ends with the value.
struct Daemon(Child);

impl Daemon {
    fn start(image: &Path, socket: &Path) -> Result<Self> {
        let (image, path) = (image.display(), socket.display());
        let child = Command::new("qemu-storage-daemon")
            .arg("--blockdev")
            .arg(format!("driver=file,node-name=file,filename={image},cache.no-flush=on,discard=unmap"))
            .args(["--blockdev", "driver=raw,node-name=disk,file=file,discard=unmap"])
            .arg("--export")
            .arg(format!(
                "type=vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr.path={path},writable=on"
            ))
            .spawn()?;
        let daemon = Self(child);
        let begun = Instant::now();
        while !socket.exists() {
            if begun.elapsed() > Duration::from_secs(20) {
                bail!("qemu-storage-daemon did not open its socket");
            }
            sleep(Duration::from_millis(20));
        }
        Ok(daemon)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}
