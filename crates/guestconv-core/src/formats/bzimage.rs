//! The head of an x86 kernel image, which says the kernel's version: Arch and Alpine name their images without it.
//!
//! Little-endian (Linux's `Documentation/arch/x86/boot.rst`): `HdrS` at 0x202, the protocol's version at 0x206, and at 0x20e
//! where the version's text is, less 0x200; it ends in NUL and begins with what `uname -r` says.

/// How much of an image the text can be in, in bytes: an offset of 16 bits, and a text.
pub const HEAD_BYTES: u64 = 0x200 + 0xffff + 256;

/// Returns the version of the kernel by the head of its image; `None` if it is no such image or does not say.
pub fn version(head: &[u8]) -> Option<&str> {
    if head.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let &[low, high] = head.get(0x20e..0x210)? else { return None };
    let start = usize::from(u16::from_le_bytes([low, high]));
    let text = head.get(start.checked_add(0x200)?..).filter(|_| start != 0)?;
    let word = text.split(|byte| matches!(byte, 0 | b' ')).next()?;
    std::str::from_utf8(word).ok().filter(|word| !word.is_empty() && word.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_first_word_of_the_text() {
        let image = |magic: &[u8], offset: u16, text: &[u8]| {
            let mut head = vec![0; 0x400];
            head[0x202..0x206].copy_from_slice(magic);
            head[0x20e..0x210].copy_from_slice(&offset.to_le_bytes());
            head.extend_from_slice(text);
            head
        };
        let text = b"6.9.1-arch1-1 (linux@archlinux) #1 SMP\0rest";
        for (name, head, expected) in [
            ("a kernel", image(b"HdrS", 0x200, text), Some("6.9.1-arch1-1")),
            ("another program", image(b"MZMZ", 0x200, text), None),
            ("a kernel that does not say", image(b"HdrS", 0, text), None),
            ("a text behind the end", image(b"HdrS", 0xffff, text), None),
            ("an empty text", image(b"HdrS", 0x200, b"\0"), None),
            ("a short file", b"HdrS".to_vec(), None),
        ] {
            assert_eq!(version(&head), expected, "{name}");
        }
    }
}
