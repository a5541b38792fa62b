use super::*;
use crate::change::Change;
use crate::description::Choices;
use crate::fixtures::MemTree;
use crate::layout::{DeviceName, Layout};
use crate::plan::{PlanOptions, Step};

/// Returns the steps for the modules of virtio disks, and again for the tree that they leave.
fn planned(files: &[(&str, &str)]) -> (Vec<Settings>, Vec<Step>, Vec<Finding>) {
    let tree = MemTree::of(files);
    let layout = Layout::default();
    let probe = Probe { tree: &tree, layout: &layout, mounts: &[], known: Some(&[]) };
    let settings = facts(&probe, &mut Vec::new()).unwrap();
    let root = crate::fixtures::root(DeviceName("/dev/sda1".into()), crate::linux::Facts::default());
    let all = crate::inspect::facts(layout, vec![root.clone()], Vec::new());
    let (choices, options) = (Choices::default(), PlanOptions::default());
    let target = crate::knowledge::target("kvm").unwrap();
    let context =
        Context { facts: &all, root: &root, root_index: 0, target, choices: &choices, options: &options };
    let mut draft = Draft::default();
    plan(&context, &settings, &["virtio_pci", "virtio_blk"], &mut draft);
    let (steps, findings) = draft.finish().unwrap();
    (settings, steps, findings)
}

#[test]
fn the_next_image_has_the_modules_too_and_nothing_is_said_twice() {
    let list = "/etc/initramfs-tools/modules";
    for (name, files, path, after) in [
        (
            "initramfs-tools",
            &[
                ("/usr/sbin/update-initramfs", ""),
                ("/etc/initramfs-tools/conf.d/x", "MODULES=list\n"),
                (list, "# list\nvirtio-blk"),
            ][..],
            list,
            "# list\nvirtio-blk\nvirtio_pci\n",
        ),
        (
            "dracut",
            &[("/usr/bin/dracut", ""), ("/etc/dracut.conf", "add_drivers+=\" virtio_blk \"\n")],
            "/etc/dracut.conf.d/50-guestconv.conf",
            "add_drivers+=\" virtio_pci \"\n",
        ),
        (
            "mkinitcpio",
            &[("/usr/bin/mkinitcpio", ""), ("/etc/mkinitcpio.conf", "# M\nMODULES=(ext4)\nHOOKS=(base)\n")],
            "/etc/mkinitcpio.conf",
            "# M\nMODULES=(ext4 virtio_pci virtio_blk)\nHOOKS=(base)\n",
        ),
        (
            "mkinitcpio, old",
            &[("/sbin/mkinitcpio", ""), ("/etc/mkinitcpio.conf", "MODULES=\"\"\n")],
            "/etc/mkinitcpio.conf",
            "MODULES=\"virtio_pci virtio_blk\"\n",
        ),
        (
            "mkinitfs",
            &[("/sbin/mkinitfs", ""), ("/etc/mkinitfs/mkinitfs.conf", "features=\"ata base scsi\"\n")],
            "/etc/mkinitfs/mkinitfs.conf",
            "features=\"ata base scsi virtio\"\n",
        ),
        (
            "mkinitrd of SUSE",
            &[("/sbin/mkinitrd", ""), ("/etc/sysconfig/kernel", "INITRD_MODULES=\"piix jbd\"\n")],
            "/etc/sysconfig/kernel",
            "INITRD_MODULES=\"piix jbd virtio_pci virtio_blk\"\n",
        ),
        (
            "mkinitrd of RHEL 5",
            &[
                ("/sbin/mkinitrd", ""),
                ("/etc/modprobe.conf", "alias scsi_hostadapter mptbase\nalias eth0 e1000\n"),
            ],
            "/etc/modprobe.conf",
            "alias scsi_hostadapter mptbase\nalias eth0 e1000\nalias scsi_hostadapter1 virtio_pci\nalias scsi_hostadapter2 virtio_blk\n",
        ),
    ] {
        let (_, steps, findings) = planned(files);
        let changes: Vec<&Change> = steps.iter().flat_map(|step| &step.changes).collect();
        let before = files.iter().find(|(there, _)| *there == path).map(|(_, text)| (*text).to_owned());
        let mode = before.is_none().then_some(0o644);
        let expected = Change::Write { path: guest_path(path), before, after: after.to_owned(), mode };
        assert_eq!((changes, findings), (vec![&expected], Vec::new()), "{name}");
        let others = files.iter().filter(|(there, _)| *there != path).copied();
        let then: Vec<_> = others.chain([(path, after)]).collect();
        assert_eq!(planned(&then).1, Vec::new(), "twice {name}");
    }
}

#[test]
fn who_takes_everything_is_left_alone_and_who_is_not_known_is_told() {
    for files in [
        &[("/usr/sbin/update-initramfs", ""), ("/etc/initramfs-tools/initramfs.conf", "MODULES=most\n")][..],
        &[("/usr/bin/dracut", ""), ("/etc/dracut.conf.d/x.conf", "hostonly=no\n")],
    ] {
        let (_, steps, findings) = planned(files);
        assert_eq!((steps, findings), (Vec::new(), Vec::new()), "{files:?}");
    }
    // dracut's own mkinitrd is none.
    let (settings, steps, findings) =
        planned(&[("/sbin/mkinitrd", ""), ("/etc/modprobe.conf", "alias eth0 e1000\n")]);
    let text = "what makes the guest's initramfs images is not known; after an update of the kernel, see that they have \
                virtio_pci, virtio_blk";
    let unknown = Finding::info("initramfs-maker-unknown", text).about("/boot");
    assert_eq!((settings, steps, findings), (Vec::new(), Vec::new(), vec![unknown]));
    let (_, _, findings) =
        planned(&[("/usr/bin/dracut", ""), ("/etc/dracut.conf", "omit_drivers+=\" virtio_blk \"\n")]);
    let text = "dracut's settings leave out virtio_blk: the next initramfs will not boot on the target";
    assert_eq!(findings, [Finding::warning("driver-omitted", text).about("/etc/dracut.conf.d")]);
}

#[test]
fn the_callers_wish_is_a_command_for_each_program() {
    let kernel = |version: &str| Kernel {
        version: version.to_owned(),
        default: true,
        image: None,
        paravirtual: false,
        initramfs: Some(guest_path("/boot/i")),
        module_dir: guest_path("/lib/modules/1"),
        drivers: Default::default(),
        files: Default::default(),
    };
    let (one, two) = (kernel("1"), kernel("2"));
    for (tool, expected) in [
        (Tool::InitramfsTools, &["/x -u -k all"][..]),
        (Tool::Dracut, &["/x --force --regenerate-all"]),
        (Tool::Mkinitcpio, &["/x --allpresets"]),
        (Tool::Mkinitfs, &["/x 1", "/x 2"]),
        (Tool::Mkinitrd, &["/x -f /boot/i 1", "/x -f /boot/i 2"]),
    ] {
        let settings = Settings { tool, program: guest_path("/x"), files: Vec::new() };
        let commands: Vec<String> =
            commands(&settings, &[&one, &two]).iter().map(|words| words.join(" ")).collect();
        assert_eq!(commands, expected, "{tool:?}");
    }
}
