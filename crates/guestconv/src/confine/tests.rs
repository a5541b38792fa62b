//! What a kernel reaches that a guest has taken over: nothing. As root and as an ordinary user.

use crate::confine::Confinement;
use crate::error::Result;
use crate::guest::{Guest, Options};
use crate::testing;
use guestconv_core::protocol::VERSION;
use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The directory that it must not reach, with a file; and in it the appliance that it is.
struct Scene {
    dir: TempDir,
    options: Options,
}

/// Returns the scene; `None`, and says so, if there is no appliance: then nothing of this is looked at anywhere.
fn scene() -> Option<Scene> {
    let good = testing::options()?.appliance?;
    let dir = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let appliance = dir.path().join("appliance");
    fs::create_dir(&appliance).unwrap();
    fs::write(appliance.join("VERSION"), VERSION).unwrap();
    fs::copy(good.join("agent"), appliance.join("agent")).unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o666)).unwrap();
    let status = Command::new("rustc")
        .args(["--edition=2024", "-O", "-Cpanic=abort", "-Ctarget-feature=+crt-static"])
        .args(["--target=x86_64-unknown-linux-gnu", "-o"])
        .args([
            &appliance.join("kernel"),
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/testing/rogue.rs"),
        ])
        .env("ROGUE_FILE", &secret)
        .env("ROGUE_DIR", dir.path())
        .status();
    assert!(status.expect("rustc").success(), "the rogue compiles");
    Some(of(dir, appliance))
}

fn of(dir: TempDir, appliance: PathBuf) -> Scene {
    let options = Options {
        appliance: Some(appliance),
        runner: Some(crate::RunnerKind::Uml),
        time_limit: Duration::from_secs(60),
        confinement: Confinement::Required,
        ..Options::default()
    };
    Scene { dir, options }
}

fn code(result: Result<Vec<String>>) -> Option<String> {
    result.err().map(|error| error.code().to_owned())
}

/// Returns what the rogue says that it reached.
fn reached(options: &Options, task: &str) -> Result<Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let disk = testing::disk(dir.path(), task, 1 << 20);
    let mut guest = Guest::open(vec![disk], options.clone()).unwrap();
    guest.manifest()
}

/// Returns the processes that run the rogue of a scene.
fn running(kernel: &Path) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| fs::read_link(process.path().join("exe")).is_ok_and(|exe| exe == kernel))
        .count()
}

fn wait_until(mut is_so: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

fn reaches_nothing(scene: &Scene) {
    let mut victim =
        Command::new("sleep").arg("120").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let kernel = scene.options.appliance.as_ref().unwrap().join("kernel");
    let name = format!("rogue{}", std::process::id());
    let by_path = UnixListener::bind(scene.dir.path().join(&name)).unwrap();
    let by_name = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let task = format!("reachX{}X{name}", victim.id());
    assert_eq!(reached(&scene.options, &task).map_err(|error| error.to_string()), Ok(vec![]), "reached");
    for listener in [by_path, by_name] {
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "it connected to {listener:?}");
    }
    assert_eq!(fs::read_to_string(scene.dir.path().join("secret")).unwrap(), "secret");
    assert_eq!(victim.try_wait().unwrap(), None, "it killed a stranger");
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(wait_until(|| running(&kernel) == 0), "its processes are left");
}

#[test]
fn a_kernel_that_a_guest_has_taken_over_reaches_nothing() {
    let Some(scene) = scene() else { return };
    reaches_nothing(&scene);
}

#[test]
fn one_that_does_not_answer_is_killed_with_all_its_processes() {
    let Some(scene) = scene() else { return };
    let kernel = scene.options.appliance.as_ref().unwrap().join("kernel");
    let options = Options { time_limit: Duration::from_secs(2), ..scene.options.clone() };
    assert_eq!(code(reached(&options, "stay")).as_deref(), Some("appliance-timeout"));
    assert!(wait_until(|| running(&kernel) == 0), "its processes are left");
}

#[test]
fn all_its_processes_die_with_who_started_it() {
    let Some(scene) = scene() else { return };
    let kernel = scene.options.appliance.as_ref().unwrap().join("kernel");
    let mut starter = again("confine::tests::stays", scene.dir.path(), &kernel).spawn().unwrap();
    assert!(wait_until(|| running(&kernel) == 4), "it has three children");
    starter.kill().unwrap();
    starter.wait().unwrap();
    assert!(wait_until(|| running(&kernel) == 0), "{} processes are left", running(&kernel));
}

#[test]
fn nonsense_to_the_server_of_a_disk_is_an_error() {
    let Some(scene) = scene() else { return };
    for how in
        ["huge", "short", "unknown", "version", "tableless", "table", "queue", "kick", "config", "noise"]
    {
        assert_eq!(code(reached(&scene.options, how)).as_deref(), Some("appliance-died"), "{how}");
    }
}

/// Runs a test of this program again.
fn again(test: &str, dir: &Path, kernel: &Path) -> Command {
    let program = dir.join("tests");
    // By another process: a child that another test is just starting would have the copy open for writing.
    assert!(
        Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status().unwrap().success()
    );
    let mut command = Command::new(&program);
    command.args(["--exact", test, "--nocapture"]).env("GUESTCONV_TEST_ROGUE", kernel.parent().unwrap());
    command.current_dir(dir).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn given() -> Option<Scene> {
    let appliance = PathBuf::from(std::env::var_os("GUESTCONV_TEST_ROGUE")?);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("secret"), "secret").unwrap();
    Some(of(dir, appliance))
}

#[test]
fn stays() {
    let Some(scene) = given() else { return };
    drop(reached(&scene.options, "stay"));
}

#[test]
fn reaches_nothing_as_this_user() {
    let Some(scene) = given() else { return };
    reaches_nothing(&scene);
    println!("nothing is reached as {}", rustix::process::geteuid().as_raw());
}

/// The rogue was compiled for the scene of root: what it tries to read belongs to root, and to everybody.
#[test]
fn nor_does_it_as_an_ordinary_user() {
    let Some(scene) = scene() else { return };
    if !rustix::process::geteuid().is_root() {
        return; // then the other test shows it
    }
    let kernel = scene.options.appliance.as_ref().unwrap().join("kernel");
    let temporary = scene.dir.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = again("confine::tests::reaches_nothing_as_this_user", scene.dir.path(), &kernel);
    let output = command
        .env("TMPDIR", &temporary)
        .uid(65534)
        .gid(65534)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("nothing is reached as 65534") && output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
