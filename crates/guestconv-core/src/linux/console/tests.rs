use super::*;
use crate::description::Choices;
use crate::fixtures::{Entry, MemTree};
use crate::layout::{DeviceName, Layout};
use crate::plan::{PlanOptions, Step};

/// Returns the steps of a root whose document says this console.
fn planned(tree: &MemTree, choice: Choice) -> Vec<Step> {
    let layout = Layout::default();
    let probe = Probe { tree, layout: &layout, mounts: &[], known: Some(&[]) };
    let console = facts(&probe, &mut Vec::new()).unwrap();
    let bootloader = bootloader::facts(&probe, &mut Vec::new()).unwrap();
    let linux = crate::linux::Facts { console, bootloader, ..Default::default() };
    let root = crate::fixtures::root(DeviceName("/dev/sda1".into()), linux.clone());
    let facts = crate::inspect::facts(layout, vec![root.clone()], Vec::new());
    let choices =
        Choices { devices: [((Class::Console, CONSOLE_ID.to_owned()), choice)].into_iter().collect() };
    let (options, target) = (PlanOptions::default(), knowledge::target("kvm").unwrap());
    let context =
        Context { facts: &facts, root: &root, root_index: 0, target, choices: &choices, options: &options };
    let mut draft = Draft::default();
    plan(&context, &linux, &mut draft);
    draft.finish().unwrap().0
}

fn shown(steps: &[Step]) -> Vec<String> {
    let show = |change: &crate::change::Change| match change {
        crate::change::Change::Write { path, after, .. } => format!("{path}: {after}"),
        crate::change::Change::Remove { path, .. } => format!("- {path}"),
        crate::change::Change::Link { path, to, .. } => format!("{path} -> {to}"),
        change => panic!("not of consoles: {change:?}"),
    };
    steps
        .iter()
        .flat_map(|step| step.changes.iter().map(move |change| format!("{} {}", step.id, show(change))))
        .collect()
}

#[test]
fn the_login_follows_the_console() {
    let serial = || Choice::Driver("isa-serial".to_owned());
    let getty = "/etc/systemd/system/getty.target.wants/serial-getty@hvc0.service";
    let template = "/lib/systemd/system/serial-getty@.service";
    let mut xen = MemTree::of(&[("/lib/systemd/systemd", ""), ("/etc/securetty", "tty1\nhvc0\n")]);
    xen.insert("/sbin/init", Entry::Link("../lib/systemd/systemd".into()));
    xen.insert(getty, Entry::Link(template.into()));
    let defaults = ("/etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"\"\n");
    let menu = "menuentry 'x' {\n linux /vmlinuz root=UUID=1 ro quiet\n}\n";
    let grub = MemTree::of(&[defaults, ("/boot/grub/grub.cfg", menu)]);
    let job = "start on x\nexec /sbin/getty -L 9600 hvc0\n";
    let upstart = |files: &[(&str, &str)]| {
        let common =
            [("/sbin/init", ""), ("/sbin/initctl", ""), ("/sbin/getty", ""), ("/etc/init/tty1.conf", "")];
        MemTree::of(&[&common, files].concat())
    };
    for (name, tree, choice, expected) in [
        (
            "xen",
            &xen,
            serial(),
            vec![
                format!("console/login - {getty}"),
                format!("console/login {} -> {template}", getty.replace("hvc0", "ttyS0")),
                "console/securetty /etc/securetty: tty1\nhvc0\nttyS0\n".to_owned(),
            ],
        ),
        ("removed", &xen, Choice::Removed, vec![format!("console/login - {getty}")]),
        ("virtio", &xen, Choice::Driver("virtconsole".into()), vec![]),
        (
            "grub",
            &grub,
            serial(),
            vec![
                format!("console/command-line /boot/grub/grub.cfg: {}", menu.replace("quiet", "quiet console=tty0 console=ttyS0")),
                "console/command-line /etc/default/grub: GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"console=tty0 console=ttyS0\"\n".to_owned(),
            ],
        ),
        ("grub, removed", &grub, Choice::Removed, vec![]),
        ("el6", &upstart(&[("/etc/init/serial.conf", "")]), serial(), vec![]),
        (
            "upstart of xen",
            &upstart(&[("/etc/init/hvc0.conf", job)]),
            serial(),
            vec![
                "console/login - /etc/init/hvc0.conf".to_owned(),
                format!("console/login /etc/init/ttyS0.conf: {}", job.replace("hvc0", "ttyS0")),
            ],
        ),
        (
            "upstart",
            &upstart(&[]),
            serial(),
            vec!["console/login /etc/init/ttyS0.conf: # ttyS0: a login on the serial console\n\nstart on stopped rc \
                  RUNLEVEL=[2345]\nstop on runlevel [!2345]\n\nrespawn\nexec /sbin/getty -L 115200 ttyS0 vt102\n".to_owned()],
        ),
    ] {
        assert_eq!(shown(&planned(tree, choice)), expected, "{name}");
    }
}
