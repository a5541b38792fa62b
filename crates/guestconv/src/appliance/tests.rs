//! Runs of the real kernel with the test agent, good and bad.

use super::RunnerKind;
use crate::confine::Confinement;
use crate::error::Result;
use crate::guest::{Guest, Options};
use crate::testing;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

fn code<T>(result: Result<T>) -> String {
    result.err().map_or("done".to_owned(), |error| error.code().to_owned())
}

fn inspected(task: &str, options: &Options) -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let disk = testing::disk(dir.path(), task, 1 << 20);
    Guest::open(vec![disk], options.clone())?.inspect().map(drop)
}

#[test]
fn every_way_to_end_has_its_code_and_leaves_nothing() {
    let Some(options) = testing::options() else { return };
    let short = Options { time_limit: Duration::from_secs(2), ..options.clone() };
    for (task, options, expected) in [
        ("facts", &options, "done"),
        ("hang", &short, "appliance-timeout"),
        ("die", &options, "appliance-died"),
        ("silent", &options, "appliance-died"),
        ("garbage", &options, "appliance-reply"),
        ("old", &options, "appliance-version"),
        ("failure", &options, "tested"),
        ("memory", &options, "appliance-out-of-memory"),
        ("liar", &options, "appliance-reply"),
        ("large", &options, "appliance-reply"), // the answer to another question, 30 MiB of it
    ] {
        let begun = Instant::now();
        assert_eq!(code(inspected(task, options)), expected, "{task}");
        // A busy machine may take its time; that it does not wait for the limit is what counts.
        assert!(
            begun.elapsed() < options.time_limit + Duration::from_secs(10),
            "{task} took {:?}",
            begun.elapsed()
        );
    }
    let me = format!("guestconv-run-{}", std::process::id());
    for place in ["/dev/shm".into(), std::env::temp_dir()] {
        // What is locked, or gone by now, is of a run of another test.
        let is_free = |name: &String| {
            let lock = fs::File::open(place.join(name).join("lock"));
            lock.is_ok_and(|lock| lock.try_lock().is_ok())
        };
        let names = testing::names(&place).into_iter().filter(|name| name.starts_with(&me));
        let left: Vec<_> = names.filter(is_free).collect();
        assert_eq!(left, Vec::<String>::new(), "{}", place.display());
    }
}

/// What the first runner is asked, the second answers the same.
#[test]
fn the_second_runner_ends_as_the_first() {
    let Some(options) = testing::options_under_qemu() else { return };
    for (task, expected) in [
        ("facts", "done"),
        ("die", "appliance-died"),
        ("silent", "appliance-died"),
        ("garbage", "appliance-reply"),
        ("old", "appliance-version"),
        ("failure", "tested"),
        ("liar", "appliance-reply"),
        ("large", "appliance-reply"),
    ] {
        assert_eq!(code(inspected(task, &options)), expected, "{task}");
    }
    let short = Options { time_limit: Duration::from_secs(1), ..options.clone() };
    assert_eq!(code(inspected("hang", &short)), "appliance-timeout");
    written_as_the_model(options);
}

/// How long it takes depends on what else the machine does: it is processor time that counts.
#[test]
fn an_appliance_that_only_works_is_ended() {
    let Some(options) = testing::options() else { return };
    let patient = Options { time_limit: Duration::from_secs(600), ..options };
    assert_eq!(code(inspected("spin", &patient)), "appliance-hung");
}

#[test]
fn a_kernel_that_cannot_run_is_told_from_one_that_dies() {
    let Some(options) = testing::options() else { return };
    let good = options.appliance.clone().unwrap();
    for (name, kernel, mode) in [
        ("no program", b"this is no program".to_vec(), 0o755),
        ("no permission", b"".to_vec(), 0o644),
        ("ends at once", fs::read("/bin/false").unwrap(), 0o755),
    ] {
        let dir = tempfile::tempdir().unwrap();
        for file in ["agent", "VERSION"] {
            fs::copy(good.join(file), dir.path().join(file)).unwrap();
        }
        let path = dir.path().join("kernel");
        fs::write(&path, kernel).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let options = Options { appliance: Some(dir.path().to_owned()), ..options.clone() };
        assert_eq!(code(inspected("facts", &options)), "appliance-cannot-start", "{name}");
    }
}

#[test]
fn cancelling_stops_a_run_at_once() {
    let Some(options) = testing::options() else { return };
    let cancel = options.cancel.clone();
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        cancel.cancel();
    });
    let begun = Instant::now();
    assert_eq!(code(inspected("hang", &options)), "cancelled");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    canceller.join().unwrap();
}

#[test]
fn many_requests_of_any_size_and_place_read_back_as_written() {
    let Some(options) = testing::options() else { return };
    written_as_the_model(options);
}

fn written_as_the_model(options: Options) {
    let dir = tempfile::tempdir().unwrap();
    let disk = testing::disk(dir.path(), "pattern", 3 << 20);
    let before = fs::read(&disk.path).unwrap();
    let mut guest = Guest::open(vec![disk.clone()], options).unwrap();
    assert_eq!(guest.manifest().unwrap(), ["0 differ"]);
    assert_eq!(fs::read(&disk.path).unwrap(), before, "only the overlay was written");
    let traffic = guest.timings().disks[0];
    assert!(traffic.read_bytes >= 3 << 20 && traffic.written_bytes > 1 << 20, "{traffic:?}");
    assert_eq!(testing::names(dir.path()), ["pattern.img"]);
}

#[test]
fn many_disks_and_many_runs_at_a_time() {
    let Some(options) = testing::options() else { return };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let dir = tempfile::tempdir().unwrap();
                let named = |number: usize| testing::disk(dir.path(), &format!("facts{number}"), 1 << 20);
                let mut guest = Guest::open((0..8).map(named).collect(), options.clone()).unwrap();
                assert_eq!(code(guest.inspect().map(drop)), "done");
            });
        }
    });
}

#[test]
fn a_host_that_forbids_ptrace_is_good_enough() {
    let Some(options) = testing::options() else { return };
    let result = std::thread::spawn(move || {
        forbid(libc::SYS_ptrace, libc::EPERM);
        code(inspected("facts", &options))
    });
    assert_eq!(result.join().unwrap(), "done");
}

/// Before Linux 5.9 the kernel's seccomp mode cannot be, so that it traces its processes; the list must do for that, too.
#[test]
fn a_host_without_close_range_is_good_enough() {
    let Some(options) = testing::options() else { return };
    let options = Options { confinement: Confinement::Required, ..options };
    let result = std::thread::spawn(move || {
        forbid(libc::SYS_close_range, libc::ENOSYS);
        code(inspected("facts", &options))
    });
    assert_eq!(result.join().unwrap(), "done");
}

#[test]
fn a_host_that_cannot_confine_is_good_enough_unless_that_is_required() {
    let Some(options) = testing::options() else { return };
    for (missing, expected) in [
        (None, vec![]),
        (Some(libc::SYS_landlock_create_ruleset), vec!["host-without-landlock"]),
        (Some(libc::SYS_seccomp), vec!["host-without-seccomp"]),
    ] {
        let options = options.clone();
        let thread = std::thread::spawn(move || {
            if let Some(call) = missing {
                forbid(call, libc::ENOSYS);
            }
            let required = Options { confinement: Confinement::Required, ..options.clone() };
            let refused = missing.map_or("done", |_| "host-cannot-confine");
            assert_eq!(code(inspected("facts", &required)), refused, "{missing:?}");
            let off = Options { confinement: Confinement::Off, ..options.clone() };
            assert_eq!(code(inspected("facts", &off)), "done", "{missing:?}");
            let dir = tempfile::tempdir().unwrap();
            let disk = testing::disk(dir.path(), "facts", 1 << 20);
            let facts = Guest::open(vec![disk], options).unwrap().inspect().unwrap().clone();
            facts.findings.into_iter().map(|finding| finding.code).collect::<Vec<_>>()
        });
        assert_eq!(thread.join().unwrap(), expected, "{missing:?}");
    }
}

/// Our own kernel needs one of the two for its processes. Then the second runner takes over, and says so.
#[test]
fn a_host_that_forbids_filters_and_ptrace_has_the_second_runner() {
    let Some(options) = testing::options_under_qemu() else { return };
    let first = Options { runner: Some(RunnerKind::Uml), ..options.clone() };
    let any = Options { runner: None, ..options };
    let nothing = Options { kernel: Some("/nonexistent/vmlinuz".into()), ..any.clone() };
    let thread = std::thread::spawn(move || {
        forbid(libc::SYS_ptrace, libc::EPERM);
        forbid(libc::SYS_seccomp, libc::ENOSYS);
        assert_eq!(code(inspected("facts", &first)), "appliance-cannot-start");
        let dir = tempfile::tempdir().unwrap();
        let disk = testing::disk(dir.path(), "facts", 1 << 20);
        let none = Guest::open(vec![disk.clone()], nothing).unwrap().inspect().unwrap_err().to_string();
        let facts = Guest::open(vec![disk], any).unwrap().inspect().unwrap().clone();
        (none, facts.findings.into_iter().map(|finding| finding.code).collect::<Vec<_>>())
    });
    let (none, findings) = thread.join().unwrap();
    assert!(
        none.contains("seccomp filters or ptrace") && none.contains("install one of a distribution"),
        "{none}"
    );
    assert_eq!(findings, ["host-without-seccomp", "host-second-runner"]);
}

/// Installs a seccomp filter for this thread and all that it starts: the system call fails with that error.
#[allow(unsafe_code, reason = "a seccomp filter can only be installed by a system call with a pointer")]
fn forbid(call: libc::c_long, error: i32) {
    rustix::thread::set_no_new_privs(true).unwrap();
    let instruction = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut filter = [
        instruction((libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, 0, 0, 0),
        instruction((libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, 0, 1, call as u32),
        instruction((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, libc::SECCOMP_RET_ERRNO | error as u32),
        instruction((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its instructions live until the call returns; the kernel copies them.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: zeroes are valid arguments of the calls that tests forbid, and harmless.
    let result = unsafe { libc::syscall(call, 0, 0, 0, 0) };
    assert_eq!(
        (result, std::io::Error::last_os_error().raw_os_error()),
        (-1, Some(error)),
        "it is forbidden"
    );
}

/// Runs one test of this program again, as nobody, from a place that nobody may read.
#[test]
fn an_ordinary_user_is_good_enough() {
    let Some(options) = testing::options() else { return };
    if !rustix::process::geteuid().is_root() {
        return; // then all the other tests show it
    }
    use std::os::unix::process::CommandExt;
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let program = dir.path().join("tests");
    // By another process: a child that another test is just starting would have the copy open for writing.
    let copied =
        std::process::Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status();
    assert!(copied.unwrap().success());
    let output = std::process::Command::new(&program)
        .args(["--exact", "appliance::tests::as_this_user", "--nocapture"])
        .env("GUESTCONV_TEST_APPLIANCE", options.appliance.unwrap())
        .env("TMPDIR", dir.path())
        .current_dir(dir.path())
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("inspected as 65534") && output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn as_this_user() {
    let Some(appliance) = std::env::var_os("GUESTCONV_TEST_APPLIANCE") else { return };
    let runner = Some(RunnerKind::Uml);
    let options = Options { appliance: Some(Path::new(&appliance).to_owned()), runner, ..Options::default() };
    assert_eq!(code(inspected("facts", &options)), "done");
    println!("inspected as {}", rustix::process::geteuid().as_raw());
}
