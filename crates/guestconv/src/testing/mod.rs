//! What tests of this crate share: an appliance with an agent of their own, whose task is the name of the first disk.

use crate::disks::DiskSpec;
use crate::guest::Options;
use guestconv_core::protocol::{VERSION, room};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// Returns the options for the test appliance; `None`, and says so, if there is no appliance to take the kernel from.
pub(crate) fn options() -> Option<Options> {
    static APPLIANCE: OnceLock<Option<TempDir>> = OnceLock::new();
    let appliance = APPLIANCE.get_or_init(appliance).as_ref();
    if appliance.is_none() {
        eprintln!("skipped: no appliance");
    }
    let appliance = Some(appliance?.path().to_owned());
    let runner = Some(crate::RunnerKind::Uml);
    Some(Options { appliance, runner, time_limit: Duration::from_secs(60), ..Options::default() })
}

/// Returns the same for the second runner, without KVM; `None`, and says so, if there is no QEMU or no kernel for it and none
/// is required.
pub(crate) fn options_under_qemu() -> Option<Options> {
    let runner = Some(crate::RunnerKind::Qemu);
    let accelerator = crate::prove::Accelerator::Tcg;
    let options = Options { runner, accelerator, time_limit: Duration::from_secs(300), ..options()? };
    let dir = tempfile::tempdir().unwrap();
    let mut guest = crate::Guest::open(vec![disk(dir.path(), "facts", 1 << 20)], options.clone()).unwrap();
    let missing = guest.inspect().err().filter(|error| error.code() == "second-runner-missing");
    if let Some(error) = &missing {
        assert!(std::env::var_os("GUESTCONV_REQUIRE_GUESTS").is_none(), "{error}; run: cargo xtask test");
        eprintln!("skipped: {error}");
    }
    missing.is_none().then_some(options)
}

fn appliance() -> Option<TempDir> {
    let given = PathBuf::from(std::env::var_os(crate::APPLIANCE_VARIABLE)?);
    let dir = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .unwrap();
    fs::write(dir.path().join("VERSION"), VERSION).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/testing/agent.rs");
    let status = Command::new("rustc")
        .args([
            "--edition=2024",
            "-O",
            "-Ctarget-feature=+crt-static",
            "--target=x86_64-unknown-linux-gnu",
            "-o",
        ])
        .args([&dir.path().join("agent"), &source])
        .status();
    assert!(status.expect("rustc").success(), "the test agent compiles");
    let kernel = dir.path().join("kernel");
    fs::copy(given.join("kernel"), &kernel).expect("the kernel of the appliance");
    let mut bytes = fs::read(&kernel).unwrap();
    room::put_agent(&mut bytes, &fs::read(dir.path().join("agent")).unwrap()).unwrap();
    fs::write(&kernel, bytes).unwrap();
    Some(dir)
}

/// Makes a disk of random bytes whose name tells the test agent what to do.
pub(crate) fn disk(dir: &Path, task: &str, size_bytes: usize) -> DiskSpec {
    let path = dir.join(format!("{task}.img"));
    fs::write(&path, noise(size_bytes)).unwrap();
    DiskSpec { name: Some(task.to_owned()), format: crate::Format::Raw, ..DiskSpec::new(path) }
}

/// Returns bytes that look random and are always the same.
pub(crate) fn noise(size_bytes: usize) -> Vec<u8> {
    let mut state: u32 = 7;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..size_bytes).map(next).collect()
}

/// Does to a model what the test agent's `pattern` does to a disk.
pub(crate) fn write_pattern(model: &mut [u8]) {
    let size = model.len() as u64;
    let mut state: u64 = 42;
    let mut next = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    for _ in 0..400 {
        let length = 1 + next(40_000);
        let at = next(size - length);
        let byte = next(256) as u8;
        model[at as usize..(at + length) as usize].fill(byte);
        next(20);
    }
}

/// Returns the names in a directory.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = fs::read_dir(dir).unwrap().map(name).collect();
    names.sort();
    names
}

/// Returns a plan with one step, for an agent that does not read it.
pub(crate) fn some_plan() -> guestconv_core::plan::Plan {
    serde_json::from_value(serde_json::json!({
        "schema": 1,
        "target": "kvm",
        "wishes": { "devices": [], "nics": [], "rebuild": "append" },
        "roots": [{"device": "/dev/sda1", "subvolume": null, "mounts": []}],
        "steps": [{"id": "test/step", "root": 0, "why": "a test", "changes": [
            {"change": "write", "path": "/a", "before": null, "after": "x"}
        ]}],
        "hardware": {
            "machine": "q35", "firmware": "bios", "arch": "x86_64", "disks": [], "nics": [],
            "graphics": null, "console": null
        },
        "findings": []
    }))
    .unwrap()
}
