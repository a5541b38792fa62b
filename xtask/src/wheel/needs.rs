//! What a binary needs of the machine that it runs on, and so the tag of a wheel that carries it.
//!
//! `manylinux_2_34_x86_64` promises that the wheel runs wherever glibc is 2.34 or newer (PEP 600). The number is read from
//! the binaries, so that it stays true whatever machine builds them.

use anyhow::{Context, Result, bail};

/// The libraries that PEP 600 lets a wheel take from the system, of those that Rust or C may need.
const OF_THE_SYSTEM: [&str; 8] = [
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
];

/// Returns the minor number of the glibc 2 that a binary needs, from what `objdump -p` says of it; `None` if it is static.
///
/// # Errors
/// If it needs another library, or something of glibc that has no number.
pub(super) fn glibc(objdump: &str) -> Result<Option<u32>> {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for line in objdump.lines() {
        if let [tag, library] = words(line).as_slice()
            && tag == "NEEDED"
            && !OF_THE_SYSTEM.contains(&library.as_str())
        {
            bail!("{library} is not on every machine, and a wheel may not need it");
        }
    }
    let versions = objdump.split_whitespace().filter_map(|word| word.strip_prefix("GLIBC_"));
    let minor = |version: &str| -> Result<u32> {
        let number = version.strip_prefix("2.").and_then(|rest| rest.split('.').next());
        number.and_then(|number| number.parse().ok()).with_context(|| {
            format!("GLIBC_{version} has no number, so nobody can say which machines the wheel is for")
        })
    };
    let minors = versions.map(minor).collect::<Result<Vec<u32>>>()?;
    Ok(minors.into_iter().max())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_symbol_counts() {
        let dynamic = "Dynamic Section:\n  NEEDED               libgcc_s.so.1\n  NEEDED               libc.so.6\n\n\
                       Version References:\n  required from libgcc_s.so.1:\n    0x0b792650 0x00 04 GCC_3.0\n  \
                       required from libc.so.6:\n    0x09691a75 0x00 02 GLIBC_2.2.5\n    0x06969190 0x00 10 GLIBC_2.10\n    \
                       0x0d696919 0x00 11 GLIBC_2.9\n";
        assert_eq!(glibc(dynamic).unwrap(), Some(10));
        assert_eq!(glibc("Program Header:\n").unwrap(), None);
    }

    #[test]
    fn what_has_no_number_is_an_error() {
        for (objdump, expected) in [
            (
                "  NEEDED               libzstd.so.1\n",
                "libzstd.so.1 is not on every machine, and a wheel may not need it",
            ),
            (
                "    0x0fd0e42a 0x00 02 GLIBC_ABI_DT_RELR\n",
                "GLIBC_ABI_DT_RELR has no number, so nobody can say which machines the wheel is for",
            ),
        ] {
            assert_eq!(glibc(objdump).unwrap_err().to_string(), expected, "{objdump}");
        }
    }
}
