//! The real agent on disks that the host's own tools make without mounting anything.

use super::*;
use guestconv_core::change::{Before, Change, FileHash};
use guestconv_core::path::{GuestPath, guest_path};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Returns options for the appliance with the real agent; `None`, and says so, if none is named.
fn options() -> Option<Options> {
    if std::env::var_os(crate::APPLIANCE_VARIABLE).is_none() {
        eprintln!("skipped: no appliance");
        return None;
    }
    Some(Options { time_limit: Duration::from_secs(60), ..Options::default() })
}

fn tool(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

/// Makes the files of a root.
fn root_files(dir: &Path, hostname: &str, fstab: &str) -> PathBuf {
    let root = dir.join(format!("root-{hostname}"));
    for name in ["etc", "sbin", "bin", "usr/lib", "lib/modules", "boot/efi", "var"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    let os_release = "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
    for (name, text) in [
        ("usr/lib/os-release", os_release),
        ("etc/fstab", fstab),
        ("etc/hostname", hostname),
        ("etc/kept", "old\n"),
        ("etc/gone", "gone\n"),
        ("sbin/init", "init"),
        ("bin/sh", "sh"),
    ] {
        fs::write(root.join(name), text).unwrap();
    }
    symlink("/usr/lib/os-release", root.join("etc/os-release")).unwrap();
    symlink("/request.json", root.join("etc/outside")).unwrap();
    symlink("kept", root.join("etc/link")).unwrap();
    fs::set_permissions(root.join("etc/kept"), fs::Permissions::from_mode(0o640)).unwrap();
    root
}

/// Makes a disk with one file system that holds the files.
fn filesystem(dir: &Path, name: &str, kind: &str, files: &Path) -> PathBuf {
    let image = dir.join(name);
    fs::File::create(&image).unwrap().set_len(120 << 20).unwrap();
    let (image_name, files) = (image.to_str().unwrap(), files.to_str().unwrap());
    match kind {
        "btrfs" => tool("mkfs.btrfs", &["-q", "--rootdir", files, image_name]),
        _ => tool(&format!("mkfs.{kind}"), &["-q", "-F", "-d", files, image_name]),
    }
    image
}

/// Makes a disk whose MBR has an ESP as 1 and the file system as logical partition 5.
fn partitioned(dir: &Path, files: &Path) -> PathBuf {
    let (inner, image) = (filesystem(dir, "inner.img", "ext4", files), dir.join("parts.img"));
    fs::File::create(&image).unwrap().set_len(160 << 20).unwrap();
    let script = dir.join("table");
    let table =
        "label: dos\nstart=2048,size=32768,type=ef\nstart=34816,type=5\nstart=36864,size=245760,type=83\n";
    fs::write(&script, table).unwrap();
    let command = format!("sfdisk -q {} < {}", image.to_str().unwrap(), script.to_str().unwrap());
    tool("sh", &["-c", &command]);
    tool("mkfs.vfat", &["--offset", "2048", image.to_str().unwrap(), "16384"]);
    use std::os::unix::fs::FileExt;
    let disk = fs::OpenOptions::new().write(true).open(&image).unwrap();
    disk.write_all_at(&fs::read(inner).unwrap(), 36864 * 512).unwrap();
    image
}

fn opened(disks: &[&PathBuf], options: &Options) -> Guest {
    let spec = |path: &&PathBuf| DiskSpec { format: crate::Format::Raw, ..DiskSpec::new(path) };
    Guest::open(disks.iter().map(spec).collect(), options.clone()).unwrap()
}

fn codes(facts: &Facts) -> Vec<(&str, Option<&str>)> {
    facts.findings.iter().map(|finding| (finding.code.as_str(), finding.subject.as_deref())).collect()
}

fn roots(facts: &Facts) -> Vec<(&str, Option<&str>, Vec<String>)> {
    let mounts = |root: &guestconv_core::facts::Root| {
        root.mounts.iter().map(|mount| format!("{} {}", mount.mountpoint, mount.device)).collect()
    };
    facts.roots.iter().map(|root| (root.device.0.as_str(), root.hostname.as_deref(), mounts(root))).collect()
}

#[test]
fn a_root_is_found_on_every_kind_of_disk() {
    let Some(options) = options() else { return };
    let dir = TempDir::new().unwrap();
    let plain = root_files(dir.path(), "plain", "");
    let with_esp = root_files(dir.path(), "parts", "/dev/sda5 / ext4\n/dev/sda1 /boot/efi vfat umask=0077\n");
    for (image, device, host, esp) in [
        (filesystem(dir.path(), "ext4.img", "ext4", &plain), "/dev/sda", "plain", None),
        (filesystem(dir.path(), "ext3.img", "ext3", &plain), "/dev/sda", "plain", None),
        (filesystem(dir.path(), "btrfs.img", "btrfs", &plain), "/dev/sda", "plain", None),
        (partitioned(dir.path(), &with_esp), "/dev/sda5", "parts", Some("/boot/efi /dev/sda1".to_owned())),
    ] {
        let before = fs::read(&image).unwrap();
        let mut guest = opened(&[&image], &options);
        let facts = guest.inspect().unwrap();
        let mounts = [Some(format!("/ {device}")), esp].into_iter().flatten().collect();
        assert_eq!(roots(facts), [(device, Some(host), mounts)], "{}", image.display());
        assert_eq!(fs::read(&image).unwrap(), before, "looking at {} writes nothing", image.display());
    }
}

#[test]
fn two_disks_have_two_roots_and_data_is_none() {
    let Some(options) = options() else { return };
    let dir = TempDir::new().unwrap();
    let one = filesystem(dir.path(), "one.img", "ext4", &root_files(dir.path(), "one", ""));
    let data = dir.path().join("data");
    fs::create_dir_all(data.join("etc")).unwrap();
    let data = filesystem(dir.path(), "data.img", "ext4", &data);
    let two = filesystem(dir.path(), "two.img", "btrfs", &root_files(dir.path(), "two", ""));
    let mut guest = opened(&[&one, &data, &two], &options);
    let facts = guest.inspect().unwrap();
    let names: Vec<_> = roots(facts).into_iter().map(|(device, host, _)| (device, host)).collect();
    assert_eq!(names, [("/dev/sda", Some("one")), ("/dev/sdc", Some("two"))]);
}

#[test]
fn initramfs_images_are_looked_at_when_they_are_wanted_or_planned_for() {
    let Some(options) = options() else { return };
    let dir = TempDir::new().unwrap();
    let image = filesystem(dir.path(), "one.img", "ext4", &root_files(dir.path(), "one", ""));
    let count = |facts: &Facts| facts.roots[0].linux().unwrap().initramfs.images.as_ref().map(Vec::len);
    let mut guest = opened(&[&image], &options);
    assert_eq!(count(guest.inspect().unwrap()), None);
    assert_eq!(count(guest.inspect_with_initramfs().unwrap()), Some(0));
    assert_eq!(count(guest.inspect().unwrap()), Some(0), "what was found is remembered");
    let mut guest = opened(&[&image], &options);
    assert_eq!(count(guest.inspect().unwrap()), None);
    let refused = guest.plan("kvm", &Choices::default(), &PlanOptions::default()).unwrap_err();
    assert_eq!(refused.code(), "boot-menu-missing");
    assert_eq!(count(guest.inspect().unwrap()), Some(0));
}

#[test]
fn what_is_damaged_or_dirty_is_said_and_nothing_is_written() {
    let Some(options) = options() else { return };
    let dir = TempDir::new().unwrap();
    let files = root_files(dir.path(), "host", "");
    let dirty = filesystem(dir.path(), "dirty.img", "ext4", &files);
    tool("debugfs", &["-w", "-R", "feature needs_recovery", dirty.to_str().unwrap()]);
    let damaged = filesystem(dir.path(), "damaged.img", "ext4", &files);
    use std::os::unix::fs::FileExt;
    let disk = fs::OpenOptions::new().write(true).open(&damaged).unwrap();
    disk.write_all_at(&[0xff; 8192], 2048).unwrap();
    for (image, code, found) in [(dirty, "journal-replayed", 1), (damaged, "filesystem-not-mounted", 0)] {
        let before = fs::read(&image).unwrap();
        let mut guest = opened(&[&image], &options);
        let facts = guest.inspect().unwrap();
        assert_eq!(codes(facts).first(), Some(&(code, Some("/dev/sda"))), "{}", image.display());
        assert_eq!(facts.roots.len(), found, "{code}");
        assert_eq!(facts.layout.filesystems[0].dirty, found == 1, "{code}");
        assert_eq!(fs::read(&image).unwrap(), before, "{code}");
    }
}

fn plan_of(changes: &[Change]) -> Plan {
    serde_json::from_value(json!({
        "schema": 1,
        "target": "kvm",
        "wishes": { "devices": [], "nics": [], "rebuild": "append" },
        "roots": [{"device": "/dev/sda", "subvolume": null,
                   "mounts": [{"mountpoint": "/", "device": "/dev/sda", "subvolume": null}]}],
        "steps": [{"id": "test/step", "root": 0, "why": "a test", "changes": changes}],
        "hardware": {
            "machine": "q35", "firmware": "bios", "arch": "x86_64", "disks": [], "nics": [],
            "graphics": null, "console": null
        },
        "findings": []
    }))
    .unwrap()
}

fn write(path: &str, before: Option<&str>, after: &str, mode: Option<u32>) -> Change {
    let path = GuestPath::new(path).unwrap();
    Change::Write { path, before: before.map(str::to_owned), after: after.to_owned(), mode }
}

fn hash_of(text: &str) -> FileHash {
    let mut hashing = guestconv_core::tree::Hashing::default();
    hashing.update(text.as_bytes());
    hashing.finish()
}

#[test]
fn changes_do_what_they_say_and_nothing_else() {
    let Some(options) = options() else { return };
    let dir = TempDir::new().unwrap();
    let files = root_files(dir.path(), "host", "");
    for kind in ["ext4", "btrfs"] {
        let image = filesystem(dir.path(), kind, kind, &files);
        let disk = fs::read(&image).unwrap();
        let mut guest = opened(&[&image], &options);
        let before = guest.manifest().unwrap();
        let plan = plan_of(&[
            write("/etc/link", Some("old\n"), "new\n", None),
            write("/new/deep/file", None, "made\n", Some(0o600)),
            Change::Remove { path: guest_path("/etc/gone"), before: Before::Text("gone\n".into()) },
            Change::Link { path: guest_path("/etc/to"), before: None, to: "kept".into() },
            Change::Copy {
                from: guest_path("/etc/kept"),
                source: hash_of("new\n"),
                to: guest_path("/etc/copy"),
            },
        ]);
        let overlays = Overlays::new(&guest.disks, None).unwrap();
        let outcome = guest.apply(&plan, &overlays).unwrap();
        let written: Vec<_> =
            outcome.steps[0].files.iter().map(|file| (file.path.as_str(), file.now.is_some())).collect();
        let expected = [
            ("/etc/link", false),
            ("/new/deep/file", true),
            ("/etc/gone", false),
            ("/etc/to", false),
            ("/etc/copy", true),
        ];
        assert_eq!(written, expected, "{kind}");
        let after = guest.run_on_throw_away(Stage::Verify, Task::Manifest, Some(&overlays.views())).unwrap();
        let Answer::Manifest(after) = after else { panic!("another answer") };
        let file = |name: &str, mode: &str, text: &str| {
            let hash = hash_of(text);
            format!("/dev/sda {name} file {mode} 0 0 \"{} {}\" ", hash.size_bytes, hash.blake3)
        };
        let only = |these: &[String], others: &[String]| -> Vec<String> {
            these.iter().filter(|line| !others.contains(line)).cloned().collect()
        };
        assert_eq!(
            only(&before, &after),
            [file("/etc/gone", "0644", "gone\n"), file("/etc/kept", "0640", "old\n")],
            "{kind}"
        );
        let made = [
            file("/etc/copy", "0640", "new\n"),
            file("/etc/kept", "0640", "new\n"),
            "/dev/sda /etc/to link 0777 0 0 \"kept\" ".to_owned(),
            "/dev/sda /new directory 0755 0 0 \"\" ".to_owned(),
            "/dev/sda /new/deep directory 0755 0 0 \"\" ".to_owned(),
            file("/new/deep/file", "0600", "made\n"),
        ];
        assert_eq!(only(&after, &before), made, "{kind}");
        assert_eq!(fs::read(&image).unwrap(), disk, "{kind}: only the overlay was written");
    }
}

#[test]
fn a_guest_that_moved_on_is_an_error_for_every_change() {
    let Some(options) = options() else { return };
    let dir = TempDir::new().unwrap();
    let image = filesystem(dir.path(), "disk", "ext4", &root_files(dir.path(), "host", ""));
    let disk = fs::read(&image).unwrap();
    let other = hash_of("other");
    for (change, code) in [
        (write("/etc/kept", Some("other"), "x", None), "guest-changed"),
        (write("/etc/kept", None, "x", None), "guest-changed"),
        (write("/etc/none", Some(""), "x", None), "guest-changed"),
        (write("/etc/outside", None, "x", None), "guest-changed"),
        (write("/etc/outside", Some(""), "x", None), "guest-changed"),
        (
            Change::Remove { path: guest_path("/etc/gone"), before: Before::Text("other".into()) },
            "guest-changed",
        ),
        (
            Change::Remove { path: guest_path("/etc/link"), before: Before::Text("old\n".into()) },
            "guest-changed",
        ),
        (
            Change::Remove { path: guest_path("/etc/link"), before: Before::Link("other".into()) },
            "guest-changed",
        ),
        (Change::Link { path: guest_path("/etc/link"), before: None, to: "x".into() }, "guest-changed"),
        (
            Change::Copy {
                from: guest_path("/etc/kept"),
                source: other.clone(),
                to: guest_path("/etc/copy"),
            },
            "guest-changed",
        ),
        (Change::Run { argv: vec!["/bin/none".into()] }, "guest-program-failed"),
    ] {
        let mut guest = opened(&[&image], &options);
        let overlays = Overlays::new(&guest.disks, None).unwrap();
        let error = guest.apply(&plan_of(std::slice::from_ref(&change)), &overlays).unwrap_err();
        assert_eq!(error.code(), code, "{change:?}: {error}");
        drop(overlays);
        assert_eq!(fs::read(&image).unwrap(), disk, "{change:?}");
    }
    let left: Vec<_> = crate::testing::names(dir.path());
    assert_eq!(left, ["disk", "root-host"]);
}
