use super::*;
use crate::change::{Before, Change};
use crate::description::Choices;
use crate::fixtures::{Entry, MemTree};
use crate::layout::{DeviceName, Layout};
use crate::path::guest_path;
use crate::plan::{PlanOptions, Step};

/// Returns the steps and findings of a root with these tools on KVM.
fn planned(tree: &MemTree) -> (Vec<Step>, Vec<Finding>) {
    let layout = Layout::default();
    let probe = Probe { tree, layout: &layout, mounts: &[], known: Some(&[]) };
    let linux = crate::linux::Facts { tools: facts(&probe, &mut Vec::new()).unwrap(), ..Default::default() };
    let root = crate::fixtures::root(DeviceName("/dev/sda1".into()), linux.clone());
    let facts = crate::inspect::facts(layout, vec![root.clone()], Vec::new());
    let (choices, options) = (Choices::default(), PlanOptions::default());
    let target = crate::knowledge::target("kvm").unwrap();
    let context =
        Context { facts: &facts, root: &root, root_index: 0, target, choices: &choices, options: &options };
    let mut draft = Draft::default();
    plan(&context, &linux.tools, &mut draft);
    draft.finish().unwrap()
}

fn link(tree: &mut MemTree, path: &str, to: &str) {
    tree.insert(path, Entry::Link(to.to_owned()));
}

fn removed(path: &'static str, to: &str) -> Change {
    Change::Remove { path: guest_path(path), before: Before::Link(to.to_owned()) }
}

fn linked(path: &'static str, to: &str) -> Change {
    Change::Link { path: guest_path(path), before: None, to: to.to_owned() }
}

/// Carries out links and removals, so that the tree can be planned for again.
fn apply(tree: &mut MemTree, steps: &[Step]) {
    for change in steps.iter().flat_map(|step| &step.changes) {
        match change {
            Change::Remove { path, .. } => tree.remove(path.as_str()),
            Change::Link { path, to, .. } => link(tree, path.as_str(), to),
            Change::Write { path, after, .. } => {
                tree.insert(path.as_str(), Entry::File(after.clone().into_bytes()));
            }
            change => panic!("not of tools: {change:?}"),
        }
    }
}

#[test]
fn rules_of_udev_are_read_no_more() {
    const NAME: &str = "53-ec2-network-interfaces.rules";
    let own = format!("/etc/udev/rules.d/{NAME}");
    let text = "# cards\n\nACTION==\"add\", SUBSYSTEM==\"net\", RUN+=\"/etc/network/ec2net.hotplug\"\n";
    let commented = text.replace("ACTION", "# ACTION");
    let mut etc = MemTree::of(&[(own.as_str(), text)]);
    let mut vendor = MemTree::of(&[(format!("/usr/lib/udev/rules.d/{NAME}").as_str(), text)]);
    let path = || guest_path("/etc/udev/rules.d/53-ec2-network-interfaces.rules");
    let written = Change::Write { path: path(), before: Some(text.into()), after: commented, mode: None };
    let masked = Change::Link { path: path(), before: None, to: "/dev/null".into() };
    for (tree, expected) in [(&mut etc, written), (&mut vendor, masked)] {
        let (steps, _) = planned(tree);
        let changes: Vec<_> = steps.iter().map(|step| (step.id.as_str(), step.changes.as_slice())).collect();
        assert_eq!(changes, [("tools/ec2", [expected].as_slice())]);
        apply(tree, &steps);
        assert_eq!(planned(tree).0, []);
    }
}

#[test]
fn whatever_starts_a_tool_is_disabled_once() {
    let unit = "/lib/systemd/system/open-vm-tools.service";
    let (wants, vgauth) = (
        "/etc/systemd/system/multi-user.target.wants/open-vm-tools.service",
        "/etc/systemd/system/open-vm-tools.service.requires/vgauth.service",
    );
    let mut debian = MemTree::of(&[("/usr/bin/vmtoolsd", ""), ("/etc/init.d/open-vm-tools", "")]);
    link(&mut debian, wants, unit);
    link(&mut debian, vgauth, "/lib/systemd/system/vgauth.service");
    link(&mut debian, "/etc/systemd/system/vmtoolsd.service", unit);
    link(
        &mut debian,
        "/etc/systemd/system/multi-user.target.wants/cron.service",
        "/lib/systemd/system/cron.service",
    );
    link(&mut debian, "/etc/rc2.d/S03open-vm-tools", "../init.d/open-vm-tools");
    link(&mut debian, "/etc/rc6.d/K01open-vm-tools", "../init.d/open-vm-tools");
    let mut masked = MemTree::of(&[("/usr/bin/vmtoolsd", "")]);
    link(&mut masked, wants, unit);
    link(&mut masked, "/etc/systemd/system/open-vm-tools.service", "/dev/null");
    let mut vendor = MemTree::of(&[]);
    link(
        &mut vendor,
        "/usr/lib/systemd/system/multi-user.target.wants/vboxservice.service",
        "../vboxservice.service",
    );
    let openrc = "/etc/runlevels/default/open-vm-tools";
    let mut alpine = MemTree::of(&[]);
    link(&mut alpine, openrc, "/etc/init.d/open-vm-tools");
    let job = "description \"x\"\nstart on (stopped rc)\nexec y\n";
    let upstart = MemTree::of(&[("/etc/init/vmware-tools.conf", job)]);
    let modules = MemTree::of(&[
        ("/etc/modules", "loop\nvboxsf\n"),
        ("/etc/fstab", "/dev/sda1 / ext4 rw 0 1\nshare /mnt vboxsf rw 0 0\n"),
    ]);
    let write = |path: &'static str, before: &str, after: &str| Change::Write {
        path: guest_path(path),
        before: Some(before.to_owned()),
        after: after.to_owned(),
        mode: None,
    };
    for (name, mut tree, id, changes) in [
        (
            "debian",
            debian,
            "tools/vmware",
            vec![
                removed(wants, unit),
                removed(vgauth, "/lib/systemd/system/vgauth.service"),
                removed("/etc/systemd/system/vmtoolsd.service", unit),
                removed("/etc/rc2.d/S03open-vm-tools", "../init.d/open-vm-tools"),
                linked("/etc/rc2.d/K97open-vm-tools", "../init.d/open-vm-tools"),
            ],
        ),
        ("masked", masked, "", vec![]),
        (
            "vendor",
            vendor,
            "tools/virtualbox",
            vec![linked("/etc/systemd/system/vboxservice.service", "/dev/null")],
        ),
        ("openrc", alpine, "tools/vmware", vec![removed(openrc, "/etc/init.d/open-vm-tools")]),
        (
            "upstart",
            upstart,
            "tools/vmware",
            vec![write(
                "/etc/init/vmware-tools.conf",
                job,
                "description \"x\"\n# start on (stopped rc)\nexec y\n",
            )],
        ),
        (
            "modules",
            modules,
            "tools/virtualbox",
            vec![
                write("/etc/modules", "loop\nvboxsf\n", "loop\n# vboxsf\n"),
                write(
                    "/etc/fstab",
                    "/dev/sda1 / ext4 rw 0 1\nshare /mnt vboxsf rw 0 0\n",
                    "/dev/sda1 / ext4 rw 0 1\nshare /mnt vboxsf rw,noauto 0 0\n",
                ),
            ],
        ),
        ("nothing", MemTree::of(&[("/etc/hostname", "a")]), "", vec![]),
    ] {
        let (steps, _) = planned(&tree);
        let ids: Vec<_> = steps.iter().map(|step| (step.id.as_str(), step.changes.clone())).collect();
        let expected = if changes.is_empty() { vec![] } else { vec![(id, changes)] };
        assert_eq!(ids, expected, "{name}");
        apply(&mut tree, &steps);
        assert_eq!(planned(&tree).0, [], "{name}, again");
    }
}

#[test]
fn what_stays_and_what_is_missing_is_told() {
    for (files, codes) in [
        (&["/usr/bin/vmtoolsd", "/usr/sbin/qemu-ga"][..], &["guest-tools-left"][..]),
        (&["/usr/sbin/VBoxService"], &["guest-tools-left", "guest-agent-missing"]),
        (&["/usr/sbin/qemu-ga"], &[]),
    ] {
        let files: Vec<(&str, &str)> = files.iter().map(|path| (*path, "")).collect();
        let (_, findings) = planned(&MemTree::of(&files));
        let found: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!(found, codes, "{files:?}");
    }
}
