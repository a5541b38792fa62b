use super::*;
use crate::fixtures::MemTree;
use crate::layout::Layout;

#[test]
fn a_kernel_has_its_drivers_builtin_as_files_or_not_at_all() {
    let tree = MemTree::of(&[
        ("/boot/vmlinuz-6.1", ""),
        ("/boot/initrd.img-6.1", ""),
        ("/lib/modules/6.1/modules.builtin", "kernel/drivers/scsi/sd_mod.ko\n"),
        (
            "/lib/modules/6.1/modules.dep",
            "kernel/virtio_blk.ko: kernel/virtio_ring.ko kernel/virtio.ko\nkernel/virtio_ring.ko: kernel/virtio.ko\nkernel/virtio.ko:\n",
        ),
        ("/lib/modules/6.1/modules.softdep", "softdep virtio_blk pre: virtio-pci crc\n"),
        ("/lib/modules/6.1/kernel/virtio_blk.ko", "blk"),
        ("/lib/modules/6.1/kernel/virtio_ring.ko", "ring"),
        ("/lib/modules/6.1/kernel/virtio.ko", "virtio"),
        ("/lib/modules/5.10/modules.dep", ""),
    ]);
    let probe = Probe { tree: &tree, layout: &Layout::default(), mounts: &[], known: Some(&[]) };
    let mut findings = Vec::new();
    let mut kernels = facts(&probe, &bootloader::Facts::default(), &mut findings).unwrap();
    assert_eq!(
        kernels.iter().map(|kernel| (kernel.version.as_str(), kernel.image.is_some())).collect::<Vec<_>>(),
        [("6.1", true), ("5.10", false)]
    );
    let kernel = &kernels[0];
    assert_eq!(kernel.initramfs, Some(guest_path("/boot/initrd.img-6.1")));
    let load = ["virtio", "virtio_ring", "virtio_blk"].map(str::to_owned).to_vec();
    for (name, expected) in
        [("virtio_blk", Driver::Module { load }), ("sd_mod", Driver::Builtin), ("virtio_net", Driver::Absent)]
    {
        assert_eq!(kernel.drivers[name], expected, "{name}");
    }
    let file = |path: &str, content: Option<&str>| ModuleFile {
        path: path.to_owned(),
        file: content.map(|content| FileHash {
            size_bytes: content.len() as u64,
            blake3: blake3::hash(content.as_bytes()).to_hex().to_string(),
        }),
    };
    let files = |ring: ModuleFile, blk: ModuleFile| -> BTreeMap<String, ModuleFile> {
        let virtio = file("kernel/virtio.ko", None);
        [("virtio", virtio), ("virtio_blk", blk), ("virtio_ring", ring)]
            .map(|(name, file)| (name.to_owned(), file))
            .into()
    };
    let unread = files(file("kernel/virtio_ring.ko", None), file("kernel/virtio_blk.ko", None));
    assert_eq!(kernel.files, unread);
    // What the image has need not be read.
    let image: Image = serde_json::from_value(serde_json::json!({
        "path": "/boot/initrd.img-6.1",
        "kernel": "6.1",
        "file": { "size_bytes": 0, "blake3": "" },
        "module_dir": "/lib/modules/6.1",
        "missing_directories": [],
        "modules": ["kernel/virtio.ko"],
        "loader": "index",
        "tail": "none",
        "texts": [],
    }))
    .unwrap();
    read_files(&probe, &mut kernels, &[image]).unwrap();
    let read = files(file("kernel/virtio_ring.ko", Some("ring")), file("kernel/virtio_blk.ko", Some("blk")));
    assert_eq!(kernels[0].files, read);
    let text = "the kernel 5.10 has modules but no image and is left alone";
    assert_eq!(findings, [Finding::info("kernel-without-image", text).about("/lib/modules/5.10")]);
}

#[test]
fn soft_dependencies_are_followed_however_deep_they_go() {
    for depth in [1, 3, 20] {
        let name = |number: usize| match number {
            0 => "virtio_blk".to_owned(),
            _ => format!("m{number}"),
        };
        let dep: String = (0..=depth).map(|number| format!("kernel/{}.ko:\n", name(number))).collect();
        let soft: String = (0..depth)
            .map(|number| format!("softdep {} pre: {}\n", name(number), name(number + 1)))
            .collect();
        let tree = MemTree::of(&[
            ("/lib/modules/6.1/modules.dep", dep.as_str()),
            ("/lib/modules/6.1/modules.softdep", soft.as_str()),
        ]);
        let probe = Probe { tree: &tree, layout: &Layout::default(), mounts: &[], known: None };
        let kernels = facts(&probe, &bootloader::Facts::default(), &mut Vec::new()).unwrap();
        let load = (0..=depth).rev().map(name).collect();
        assert_eq!(kernels[0].drivers["virtio_blk"], Driver::Module { load }, "{depth}");
    }
}

/// A kernel image that says its version.
fn image(version: &str) -> crate::fixtures::Entry {
    let mut head = vec![0; 0x400];
    head[0x202..0x206].copy_from_slice(b"HdrS");
    head[0x20e..0x210].copy_from_slice(&0x200_u16.to_le_bytes());
    head.extend_from_slice(version.as_bytes());
    head.extend_from_slice(b" (builder) #1 SMP\0");
    crate::fixtures::Entry::File(head)
}

#[test]
fn an_image_without_a_version_in_its_name_is_known_by_its_content() {
    let entry = |kernel: &'static str, initrd: &'static str, default: bool| bootloader::Entry {
        loader: bootloader::LoaderKind::Grub2,
        source: guest_path("/boot/grub/grub.cfg"),
        title: String::new(),
        kernel: Some(guest_path(kernel)),
        kernel_text: kernel.to_owned(),
        initrds: vec![guest_path("/boot/intel-ucode.img"), guest_path(initrd)],
        options: String::new(),
        root: None,
        subvolume: None,
        default,
        recovery: false,
    };
    let tree = || {
        let mut tree = MemTree::of(&[
            ("/lib/modules/6.9.1-arch1-1/modules.dep", ""),
            ("/lib/modules/6.6.30-lts/modules.dep", ""),
            ("/boot/initramfs-linux.img", ""),
            ("/boot/initramfs-lts", ""),
        ]);
        tree.insert("/boot/vmlinuz-linux", image("6.9.1-arch1-1"));
        tree.insert("/boot/vmlinuz-lts", image("6.6.30-lts"));
        tree.insert("/boot/vmlinuz-0-rescue-1234", image("6.6.30-lts"));
        tree
    };
    let menu = vec![
        entry("/boot/vmlinuz-0-rescue-1234", "/boot/initramfs-lts", false),
        entry("/boot/vmlinuz-lts", "/boot/initramfs-lts", true),
        entry("/boot/vmlinuz-linux", "/boot/initramfs-linux.img", false),
    ];
    let linux = ("6.9.1-arch1-1", "/boot/vmlinuz-linux", "/boot/initramfs-linux.img", false);
    let lts = |default: bool| ("6.6.30-lts", "/boot/vmlinuz-lts", "/boot/initramfs-lts", default);
    for (name, entries, expected) in
        [("with a menu", menu, [lts(true), linux]), ("without a menu", Vec::new(), [linux, lts(false)])]
    {
        let tree = tree();
        let probe = Probe { tree: &tree, layout: &Layout::default(), mounts: &[], known: Some(&[]) };
        let loaders = bootloader::Facts { entries, ..bootloader::Facts::default() };
        let mut findings = Vec::new();
        let kernels = facts(&probe, &loaders, &mut findings).unwrap();
        let found: Vec<_> = kernels
            .iter()
            .map(|kernel| {
                let path = |path: &Option<GuestPath>| path.as_ref().map(|path| path.as_str().to_owned());
                (kernel.version.as_str(), path(&kernel.image), path(&kernel.initramfs), kernel.default)
            })
            .collect();
        let expected = expected.map(|(version, image, initramfs, default)| {
            (version, Some(image.to_owned()), Some(initramfs.to_owned()), default)
        });
        assert_eq!(found, expected, "{name}");
        assert_eq!(findings, [], "{name}");
    }
}
