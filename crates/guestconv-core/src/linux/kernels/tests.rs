use super::*;
use crate::fixtures::MemTree;
use crate::layout::Layout;
use crate::tree::hex;
use sha2::{Digest, Sha256};

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
    let probe = Probe { tree: &tree, layout: &Layout::default(), mounts: &[] };
    let mut findings = Vec::new();
    let kernels = facts(&probe, &bootloader::Facts::default(), &mut findings).unwrap();
    let kernel = &kernels[0];
    assert_eq!(
        kernels.iter().map(|kernel| (kernel.version.as_str(), kernel.image.is_some())).collect::<Vec<_>>(),
        [("6.1", true), ("5.10", false)]
    );
    assert_eq!(kernel.initramfs, Some(guest_path("/boot/initrd.img-6.1")));
    let load = ["virtio", "virtio_ring", "virtio_blk"].map(str::to_owned).to_vec();
    for (name, expected) in
        [("virtio_blk", Driver::Module { load }), ("sd_mod", Driver::Builtin), ("virtio_net", Driver::Absent)]
    {
        assert_eq!(kernel.drivers[name], expected, "{name}");
    }
    let file = |path: &str, content: &str| ModuleFile {
        path: path.to_owned(),
        file: FileHash { size_bytes: content.len() as u64, sha256: hex(&Sha256::digest(content)) },
    };
    let expected = [
        ("virtio", file("kernel/virtio.ko", "virtio")),
        ("virtio_blk", file("kernel/virtio_blk.ko", "blk")),
        ("virtio_ring", file("kernel/virtio_ring.ko", "ring")),
    ];
    assert_eq!(kernel.files, expected.map(|(name, file)| (name.to_owned(), file)).into());
    let text = "the kernel 5.10 has modules but no image and is left alone";
    assert_eq!(findings, [Finding::info("kernel-without-image", text).about("/lib/modules/5.10")]);
}
