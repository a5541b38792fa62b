//! Kernels that only Xen can start: built for its paravirtual machine, with no way in for BIOS or UEFI.
//!
//! Two marks. Distributions that had them said so in the version: `2.6.18-398.el5xen`, `2.6.16.60-0.54.5-xen`, `2.6.21.7-2.fc8xen`,
//! `2.6.16-xenU`. And an ELF file for x86 in place of a bzImage, which has `HdrS` at 0x202 (Linux's
//! `Documentation/arch/x86/boot.rst`): boot loaders load none. A kernel with native entry that knows Xen, too (2.6.24 and
//! later, all of today) has neither.

use super::Kernel;
use crate::formats::block::{has, le16};
use crate::linux::Probe;
use crate::path::GuestPath;
use crate::plan::PlanError;
use crate::tree::ReadError;
use std::io::Read;

/// How much of an image is looked at, in bytes.
const HEAD_BYTES: u64 = 0x206;
/// ELF's numbers of x86, 32 and 64 bits.
const X86: [u16; 2] = [3, 62];

/// Returns whether only Xen can start a kernel.
pub(super) fn is_paravirtual(probe: &Probe<'_>, version: &str, image: &GuestPath) -> Result<bool, ReadError> {
    if version.ends_with("xen") || version.ends_with("xenU") {
        return Ok(true);
    }
    let Some(file) = probe.tree.open(image)? else { return Ok(false) };
    let mut head = Vec::new();
    file.take(HEAD_BYTES)
        .read_to_end(&mut head)
        .map_err(|error| ReadError { path: image.clone(), reason: error.to_string() })?;
    Ok(is_plain_elf(&head))
}

fn is_plain_elf(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF")
        && le16(head, 18).is_some_and(|machine| X86.contains(&machine))
        && !has(head, 0x202, b"HdrS")
}

/// Fails if the kernel that boots by default is one that only Xen can start.
///
/// # Errors
/// `kernel-paravirtual-only`, with the kernel that could boot if there is one.
pub fn require_native(kernels: &[Kernel]) -> Result<(), PlanError> {
    let mut bootable = kernels.iter().filter(|kernel| kernel.image.is_some());
    let Some(first) = bootable.next().filter(|kernel| kernel.paravirtual) else { return Ok(()) };
    let advice = match bootable.find(|kernel| !kernel.paravirtual) {
        Some(other) => format!("make the kernel {} the default of the guest's boot menu", other.version),
        None => "install a kernel for real machines in the guest and make it the default of the boot menu"
            .to_owned(),
    };
    let message = format!(
        "the kernel {} is made for Xen's paravirtual machine alone, which no other hypervisor is: {advice} first",
        first.version
    );
    Err(PlanError::new("kernel-paravirtual-only", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::guest_path;
    use std::collections::BTreeMap;

    #[test]
    fn an_elf_file_for_x86_is_no_kernel_for_a_boot_loader() {
        let head = |start: &[u8], machine: u8, magic: &[u8]| {
            let mut head = vec![0; 0x206];
            head[..start.len()].copy_from_slice(start);
            head[18] = machine;
            head[0x202..0x202 + magic.len()].copy_from_slice(magic);
            head
        };
        for (name, head, expected) in [
            ("vmlinux of x86_64", head(b"\x7fELF", 62, b""), true),
            ("vmlinux of i686", head(b"\x7fELF", 3, b""), true),
            ("vmlinux of ppc64", head(b"\x7fELF", 21, b""), false),
            ("bzImage", head(b"MZ", 0, b"HdrS"), false),
            ("a short file", b"\x7fELF".to_vec(), false),
        ] {
            assert_eq!(is_plain_elf(&head), expected, "{name}");
        }
    }

    #[test]
    fn the_default_kernel_must_be_native() {
        let kernel = |version: &str, paravirtual: bool| Kernel {
            version: version.into(),
            default: false,
            image: Some(guest_path("/boot/vmlinuz")),
            paravirtual,
            initramfs: None,
            module_dir: guest_path("/lib/modules"),
            drivers: BTreeMap::new(),
            files: BTreeMap::new(),
        };
        let (xen, native) = (kernel("2.6.18-398.el5xen", true), kernel("2.6.18-398.el5", false));
        let unusable = Kernel { image: None, ..native.clone() };
        let install =
            "install a kernel for real machines in the guest and make it the default of the boot menu";
        let choose = "make the kernel 2.6.18-398.el5 the default of the guest's boot menu";
        for (kernels, advice) in [
            (vec![xen.clone(), native.clone()], Some(choose)),
            (vec![xen.clone(), unusable], Some(install)),
            (vec![native, xen], None),
            (vec![], None),
        ] {
            let message = |advice: &str| {
                format!(
                    "the kernel 2.6.18-398.el5xen is made for Xen's paravirtual machine alone, which no other hypervisor \
                     is: {advice} first"
                )
            };
            let expected = advice.map(|advice| PlanError::new("kernel-paravirtual-only", message(advice)));
            assert_eq!(require_native(&kernels).err(), expected);
        }
    }
}
