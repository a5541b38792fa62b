//! The architecture of a root's programs, from the ELF header of a program that every system has.

use crate::path::guest_path;
use crate::tree::{GuestTree, ReadError};
use std::io::Read;

/// Programs that every system has, in the order in which they are tried.
const PROGRAMS: [&str; 8] = [
    "/bin/sh",
    "/usr/bin/sh",
    "/sbin/init",
    "/usr/sbin/init",
    "/usr/lib/systemd/systemd",
    "/bin/bash",
    "/bin/busybox",
    "/bin/ls",
];

/// Returns the architecture by libosinfo's name; `unknown` if no program tells.
///
/// # Errors
/// [`ReadError`] if a program that is there cannot be read.
pub(super) fn facts(tree: &dyn GuestTree) -> Result<String, ReadError> {
    for program in PROGRAMS {
        let path = guest_path(program);
        let Some(mut file) = tree.open(&path)? else { continue };
        let mut header = [0; 20];
        match file.read_exact(&mut header) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => continue,
            Err(error) => return Err(ReadError { path, reason: error.to_string() }),
        }
        if let Some(arch) = of_header(&header) {
            return Ok(arch.to_owned());
        }
    }
    Ok("unknown".to_owned())
}

/// Reads the first bytes of an ELF file: magic, class, byte order, and the machine at offset 18.
fn of_header(header: &[u8; 20]) -> Option<&'static str> {
    let [0x7f, b'E', b'L', b'F', class, order, .., low, high] = *header else { return None };
    let machine = if order == 2 { u16::from_be_bytes([low, high]) } else { u16::from_le_bytes([low, high]) };
    Some(match (machine, class, order) {
        (3, _, _) => "i686",
        (8, _, _) => "mips",
        (20, _, _) => "ppc",
        (21, _, 1) => "ppc64le",
        (21, _, _) => "ppc64",
        (22, 2, _) => "s390x",
        (22, _, _) => "s390",
        (40, _, _) => "armv7l",
        (62, _, _) => "x86_64",
        (183, _, _) => "aarch64",
        (243, 2, _) => "riscv64",
        (258, _, _) => "loongarch64",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{Entry, MemTree};

    #[test]
    fn the_header_of_the_first_program_tells() {
        for (class, order, machine, arch) in [
            (2, 1, [62, 0], "x86_64"),
            (1, 1, [3, 0], "i686"),
            (2, 1, [183, 0], "aarch64"),
            (2, 1, [21, 0], "ppc64le"),
            (2, 2, [0, 22], "s390x"),
            (2, 1, [0, 7], "unknown"),
        ] {
            let mut header = vec![0x7f, b'E', b'L', b'F', class, order, 1];
            header.resize(18, 0);
            header.extend(machine);
            let mut tree = MemTree::of(&[("/bin/sh", "#!"), ("/usr/bin/sh", "")]);
            tree.insert("/usr/lib/systemd/systemd", Entry::File(header));
            tree.insert("/sbin/init", Entry::Link("../usr/lib/systemd/systemd".into()));
            assert_eq!(facts(&tree).unwrap(), arch);
        }
    }
}
