//! What a user of Python installs: the wheel, into an empty environment. An ordinary user converts a real guest by the
//! seed's program; the documents are those of the command line, byte for byte.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "it is a test: what fails here fails the test")]

use guestconv::APPLIANCE_VARIABLE;
use guestconv_system_tests::programs::said;
use guestconv_system_tests::{Copy, EXAMPLES, EXAMPLES_TARGET, copy_for_examples, installed};
use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Debian's own, to which `python3-venv` belongs; every user may execute it.
const PYTHON: &str = "/usr/bin/python3";
const NOBODY: u32 = 65534;

/// The type checker, and what it must know of cffi.
const CHECKER: [&str; 2] = ["mypy==2.4.1", "types-cffi==2.1.0.20260827"];

/// The tree with the wheel in it, and an environment in which the wheel is installed and what it asks for.
struct Environment {
    tree: TempDir,
    directory: TempDir,
}

impl Environment {
    /// Returns it; `None`, with a word on stderr, if something is missing and need not be there.
    fn new() -> Option<Self> {
        let tree = installed(&[PYTHON])?;
        let Some(wheel) = wheel(tree.path()) else {
            assert!(
                env::var_os("GUESTCONV_REQUIRE_GUESTS").is_none(),
                "the wheel is missing; run: cargo xtask test"
            );
            eprintln!("skipped: the wheel is missing; cargo xtask wheel makes it");
            return None;
        };
        let directory = tempfile::Builder::new().prefix("guestconv-venv-").tempdir_in("/var/tmp").unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let place = directory.path().join("venv");
        // Python itself is in the environment, so that what is beside Python can be what a test wants.
        succeeds(Command::new(PYTHON).args(["-m", "venv", "--copies"]).arg(&place));
        let environment = Self { tree, directory };
        environment.install(&[wheel.to_str().unwrap()]);
        Some(environment)
    }

    /// Returns the directory where Python is.
    fn place(&self) -> PathBuf {
        self.directory.path().join("venv")
    }

    fn install(&self, packages: &[&str]) {
        let mut pip = Command::new(self.place().join("bin/pip"));
        succeeds(pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(packages));
    }

    /// Returns Python with no other program in reach and nothing that tells where the appliance is.
    fn python(&self) -> Command {
        let mut python = Command::new(self.place().join("bin/python"));
        python.arg("-B").env("PATH", "/nonexistent").env_remove(APPLIANCE_VARIABLE);
        python
    }
}

/// Returns the wheel in the tree.
fn wheel(tree: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(tree).unwrap().map(|file| file.unwrap().path());
    let mut wheels = files.filter(|file| file.extension().is_some_and(|extension| extension == "whl"));
    let wheel = wheels.next();
    assert_eq!(wheels.next(), None, "there is one wheel");
    wheel
}

fn succeeds(command: &mut Command) -> String {
    let (status, output, errors) = said(&command.output().unwrap());
    assert_eq!(status, Some(0), "{command:?}: {output}{errors}");
    output
}

/// Returns a guest with its disk where the programs want it, as an ordinary user's, if we may give it away.
fn guest(name: &str) -> Option<Copy> {
    let copy = copy_for_examples(name)?;
    give_away(&copy.disk);
    give_away(copy.directory.path());
    Some(copy)
}

fn give_away(path: &Path) {
    if rustix::process::geteuid().is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// Runs a program of Python where the guest's disk is, as an ordinary user.
fn run(
    environment: &Environment,
    copy: &Copy,
    program: &Path,
    arguments: &[&str],
) -> (Option<i32>, String, String) {
    // The checkout need not be where an ordinary user can read.
    let program = fs::read_to_string(program).unwrap();
    let mut python = environment.python();
    python.args(["-c", &program]).args(arguments).current_dir(copy.directory.path());
    if rustix::process::geteuid().is_root() {
        python.uid(NOBODY).gid(NOBODY);
    }
    said(&python.output().unwrap())
}

/// What the command line is asked for each document, but for the disk and the target.
const COMMANDS: [(&str, &[&str]); 7] = [
    ("inspect", &["inspect", "--xml"]),
    ("plan", &["plan", "--json"]),
    ("plan-text", &["plan"]),
    ("hardware-libvirt", &["plan", "--hardware", "libvirt"]),
    ("hardware-qemu", &["plan", "--hardware", "qemu"]),
    ("verify", &["verify", "--json"]),
    ("convert", &["convert", "--json"]),
];

/// Asserts that Python's documents of the guest are the command line's, which verify ends with that status. To "convert"
/// it, Python gets the copy and the command line another.
fn assert_documents_are_equal(
    environment: &Environment,
    copy: &Copy,
    how: &str,
    nics: &[&str],
    verified: i32,
) {
    let target = copy.subject.target;
    let other = if how == "convert" { Some(guest(copy.subject.name).unwrap()) } else { None };
    let documents = tempfile::tempdir_in(copy.directory.path()).unwrap();
    give_away(documents.path());
    let arguments = [&[how, target, documents.path().to_str().unwrap()], nics].concat();
    let written = run(environment, copy, &python_test("documents.py"), &arguments);
    // The second look is for the plan, into the initramfs images too.
    let stages = match how {
        "convert" => {
            "inspect /inspect inspect /inspect verify /verify apply /apply verify /verify commit /commit\n"
        }
        _ => "inspect /inspect inspect /inspect verify /verify\n",
    };
    assert_eq!(written, (Some(0), stages.to_owned(), String::new()));
    let document = |name: &str| {
        let text = fs::read_to_string(documents.path().join(name)).unwrap();
        // Where the disk is, is in the hardware.
        match &other {
            Some(other) => text.replace(place(copy), place(other)),
            None => text,
        }
    };
    for (name, command) in COMMANDS.iter().filter(|(name, _)| how == "convert" || *name != "convert") {
        let mut program = Command::new(environment.tree.path().join("bin/guestconv"));
        program.args(*command).args(["test.img", "--format", "raw", "--target", target]);
        nics.iter().for_each(|nic| {
            program.args(["--nic", nic]);
        });
        program.current_dir(other.as_ref().unwrap_or(copy).directory.path()).env_remove(APPLIANCE_VARIABLE);
        let (exited, expected, errors) = said(&program.output().unwrap());
        let status = if *name == "verify" { verified } else { 0 };
        assert_eq!(exited, Some(status), "{name}: {errors}");
        assert_eq!(document(name), expected, "{name}");
    }
    let targets =
        Command::new(environment.tree.path().join("bin/guestconv")).args(["targets", "--json"]).output();
    assert_eq!(document("targets"), said(&targets.unwrap()).1);
}

/// Returns a program in Python of the tests.
fn python_test(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name)
}

fn place(copy: &Copy) -> &str {
    copy.directory.path().to_str().unwrap()
}

#[test]
fn an_ordinary_user_converts_a_guest_by_the_wheel_alone() {
    let Some(environment) = Environment::new() else { return };
    let Some(copy) = guest("debian-12-dep") else { return };
    // Another release, installed beside Python, is not for the library of the wheel.
    let foreign = environment.place().join("libexec/guestconv");
    fs::create_dir_all(&foreign).unwrap();
    for (name, text) in [("kernel", ""), ("agent", ""), ("VERSION", "0.0.9")] {
        fs::write(foreign.join(name), text).unwrap();
    }
    assert_documents_are_equal(&environment, &copy, "look", &["ens192=52:54:00:12:34:56"], 6);
    assert!(copy.is_pristine(), "looking at it wrote to the disk");

    let example = environment.tree.path().join("share/doc/guestconv/examples/example.py");
    let done = run(&environment, &copy, &example, &[]);
    assert_eq!(done, (Some(0), "Success\n".to_owned(), String::new()));
    assert!(!copy.is_pristine(), "the commit did not reach the disk");
    let kept = ["test.img", "test.img.guestconv-undo", "test.img.guestconv-undo.json"];
    assert_eq!(copy.files(), kept, "the undo file is left beside the disk, and no more");
    assert_documents_are_equal(&environment, &copy, "look", &[], 0);

    let undone = run(&environment, &copy, &python_test("undo.py"), &[]);
    assert_eq!(undone, (Some(0), "test.img.guestconv-undo undo /undo\n".to_owned(), String::new()));
    assert!(copy.is_pristine(), "an undo brings back every bit");
    assert_eq!(copy.files(), ["test.img"], "something is left by the undo");

    fs::remove_file(&copy.disk).unwrap();
    let failed = run(&environment, &copy, &example, &[]);
    assert_eq!(failed, (Some(1), String::new(), "there is no disk test.img; check its path\n".to_owned()));
}

#[test]
fn the_example_converts_each_guest() {
    let Some(environment) = Environment::new() else { return };
    let example = environment.tree.path().join("share/doc/guestconv/examples/example.py");
    for copy in EXAMPLES.iter().filter_map(|name| guest(name)) {
        let name = copy.subject.name;
        let done = run(&environment, &copy, &example, &[]);
        assert_eq!(done, (Some(0), "Success\n".to_owned(), String::new()), "{name}");
        assert!(!copy.is_pristine(), "{name}: the commit did not reach the disk");
        let mut verify = Command::new(environment.tree.path().join("bin/guestconv"));
        verify.args(["verify", "test.img", "--format", "raw", "--target", EXAMPLES_TARGET]);
        verify.current_dir(copy.directory.path()).env_remove(APPLIANCE_VARIABLE);
        let (status, _, errors) = said(&verify.output().unwrap());
        assert_eq!((status, errors.as_str()), (Some(0), ""), "{name}");
    }
}

#[test]
fn a_guest_is_converted_by_python_as_by_the_command_line() {
    let Some(environment) = Environment::new() else { return };
    let Some(copy) = guest("debian-12-dep") else { return };
    assert_documents_are_equal(&environment, &copy, "convert", &["ens192=52:54:00:12:34:56"], 6);
    assert!(!copy.is_pristine(), "the commit did not reach the disk");
}

#[test]
fn errors_are_exceptions_and_calls_can_be_stopped() {
    let Some(environment) = Environment::new() else { return };
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/tests");
    let mut python = environment.python();
    let (status, output, errors) =
        said(&python.args(["-W", "error", "-m", "unittest", "discover"]).arg(tests).output().unwrap());
    assert_eq!((status, output.as_str()), (Some(0), ""), "{errors}");
    let last = errors.lines().last();
    assert_eq!(last, Some("OK"), "{errors}");
    assert!(!errors.contains("Ran 0 tests"), "{errors}");
}

#[test]
fn the_package_has_types() {
    let Some(environment) = Environment::new() else { return };
    environment.install(&CHECKER);
    let uses = python_test("typed.py");
    for checked in [["-p", "guestconv"], ["--", uses.to_str().unwrap()]] {
        let mut python = environment.python();
        python.args(["-m", "mypy", "--strict", "--cache-dir=/dev/null"]).args(checked);
        succeeds(python.current_dir(environment.directory.path()));
    }
}
