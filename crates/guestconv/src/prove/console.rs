//! What a guest's console tells: how far it came, which kernel runs, what its root is, what its interfaces are called.
//!
//! Pure: bytes in, values out. Escape sequences of firmware, boot loaders and getty are taken out first. The patterns are
//! those of SeaBIOS, OVMF, GRUB, initramfs-tools, dracut, systemd and the kernel.

use super::State;

/// The text of a console so far.
#[derive(Debug, Default)]
pub(super) struct Console {
    text: String,
    /// How much of the text's beginning is no longer kept, in bytes.
    dropped: usize,
    strip: Strip,
}

/// Where in an escape sequence the last byte left us (ECMA-48).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Strip {
    #[default]
    Text,
    Escape,
    /// A sequence of one more byte: a character set.
    OneMore,
    Control,
    /// A string that ends with BEL or ESC \.
    System,
}

/// How much of the console is searched and kept.
const TEXT_CAP_BYTES: usize = 4 << 20;

/// What ends a boot that went wrong, the most telling first: dracut's shell is systemd's emergency mode, too.
const ENDS: &[(&str, State)] = &[
    ("Kernel panic - not syncing", State::Panic),
    ("No bootable device", State::NoBootDevice),
    ("BdsDxe: No bootable option", State::NoBootDevice),
    ("\nShell> ", State::NoBootDevice),
    ("grub rescue>", State::GrubRescue),
    ("\ngrub> ", State::GrubRescue),
    ("(initramfs)", State::InitramfsShell),
    ("Gave up waiting for root", State::InitramfsShell),
    ("rdsosreport.txt", State::DracutEmergency),
    ("dracut:/#", State::DracutEmergency),
    ("Entering emergency mode. Exit the shell to continue", State::DracutEmergency),
    ("You are in emergency mode", State::Emergency),
    ("You are in rescue mode", State::Emergency),
    ("Cannot open access to console, the root account is locked", State::Emergency),
    ("Give root password for maintenance", State::Emergency),
];

/// Stages that a console shows, by the text that shows them.
const MILESTONES: &[(&str, &[&str])] = &[
    ("loader", &["Welcome to GRUB", "GNU GRUB", "GRUB loading", "systemd-boot", "Loading Linux"]),
    ("kernel", &["Linux version "]),
    ("init", &["systemd[1]: ", "INIT: version", "Loading, please wait", "OpenRC"]),
];

impl Console {
    /// Takes in what came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut plain = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            let (next, shown) = self.strip.after(byte);
            self.strip = next;
            plain.extend(shown.then_some(byte));
        }
        self.text.push_str(&String::from_utf8_lossy(&plain));
        if self.text.len() > TEXT_CAP_BYTES {
            let excess = self.text.len() - TEXT_CAP_BYTES / 2;
            let at = (excess..self.text.len()).find(|at| self.text.is_char_boundary(*at));
            let at = at.unwrap_or(0);
            self.text.drain(..at);
            self.dropped += at;
        }
    }

    /// Returns how much was said, to be given to [`Console::since`].
    pub(super) fn len(&self) -> usize {
        self.dropped + self.text.len()
    }

    /// Returns what was said since.
    pub(super) fn since(&self, from: usize) -> &str {
        self.text.get(from.saturating_sub(self.dropped)..).unwrap_or("")
    }

    /// Returns the last lines that are not empty.
    pub(super) fn tail(&self, count: usize) -> Vec<String> {
        let lines = self.text.lines().map(str::trim_end).filter(|line| !line.is_empty());
        let mut tail: Vec<String> = lines.rev().take(count).map(str::to_owned).collect();
        tail.reverse();
        tail
    }

    /// Returns the state that ends the boot, with the line that shows it.
    pub(super) fn state(&self) -> Option<(State, String)> {
        state_of(&self.text)
    }

    /// Returns the milestones that the text shows.
    pub(super) fn milestones(&self) -> impl Iterator<Item = &'static str> {
        let is_shown = |texts: &[&str]| texts.iter().any(|text| self.text.contains(text));
        MILESTONES.iter().filter(move |(_, texts)| is_shown(texts)).map(|(name, _)| *name)
    }

    /// Returns the version of the kernel that ran last.
    pub(super) fn kernel(&self) -> Option<String> {
        let (_, rest) = self.text.rsplit_once("Linux version ")?;
        rest.split_whitespace().next().map(str::to_owned)
    }

    /// Returns the device of the root file system as the kernel's log names it: the first that was mounted, else what the
    /// command line says.
    pub(super) fn root_device(&self) -> Option<String> {
        self.text.lines().find_map(mounted).or_else(|| {
            let line = self.text.lines().rfind(|line| line.contains("ommand line: "))?;
            let root = line.split_whitespace().rfind(|word| word.starts_with("root="))?;
            root.strip_prefix("root=").map(str::to_owned)
        })
    }

    /// Returns the names that udev gave to interfaces: the kernel's own name and the new one.
    pub(super) fn renamed(&self) -> Vec<(String, String)> {
        let mut names = Vec::new();
        for line in self.text.lines() {
            let Some((before, old)) = line.split_once(": renamed from ") else { continue };
            let new = before.split_whitespace().next_back().unwrap_or("");
            let old = old.split_whitespace().next().unwrap_or("");
            if !new.is_empty() && !old.is_empty() {
                names.push((old.to_owned(), new.to_owned()));
            }
        }
        names
    }
}

impl Strip {
    /// Returns where the byte leads and whether it is text.
    fn after(self, byte: u8) -> (Self, bool) {
        match (self, byte) {
            (Self::Text | Self::Escape, 0x1b) => (Self::Escape, false),
            (Self::Text, b'\n' | b'\t' | 0x20..=0x7e | 0x80..=0xff) => (Self::Text, true),
            (Self::Text, _) => (Self::Text, false),
            (Self::Escape, b'[') => (Self::Control, false),
            (Self::Escape, b']' | b'P' | b'X' | b'^' | b'_') => (Self::System, false),
            (Self::Escape, b'(' | b')' | b'*' | b'+' | b'#' | b'%' | b' ') => (Self::OneMore, false),
            (Self::Escape | Self::OneMore, _) => (Self::Text, false),
            (Self::Control, 0x40..=0x7e) => (Self::Text, false),
            (Self::Control, 0x1b) | (Self::System, 0x1b) => (Self::Escape, false),
            (Self::Control, _) => (Self::Control, false),
            (Self::System, 0x07) => (Self::Text, false),
            (Self::System, _) => (Self::System, false),
        }
    }
}

/// Returns the state that a console or a screen shows, with the line that shows it.
pub(super) fn state_of(text: &str) -> Option<(State, String)> {
    let failed = ENDS.iter().find_map(|(pattern, state)| {
        let at = text.find(pattern)?;
        let at = if pattern.starts_with('\n') { at + 1 } else { at };
        let start = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text.get(start..)?.lines().next()?;
        Some((*state, line.trim().to_owned()))
    });
    let prompt = || text.lines().find(|line| is_login(line));
    failed.or_else(|| prompt().map(|line| (State::Login, line.trim().to_owned())))
}

/// Returns whether a line is getty's prompt: `HOST login:`. The kernel may have written behind it.
fn is_login(line: &str) -> bool {
    let Some((host, rest)) = line.split_once(" login:") else { return false };
    let is_host = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let host = host.trim_start();
    let is_end = rest.trim().is_empty() || rest.trim_start().starts_with('[');
    !host.is_empty() && host.chars().all(is_host) && is_end
}

/// Returns the device of a line in which a file system says that it was mounted.
fn mounted(line: &str) -> Option<String> {
    let (_, rest) = if line.contains("EXT4-fs (") || line.contains("EXT3-fs (") {
        line.contains("): mounted filesystem").then(|| line.split_once("-fs ("))??
    } else if line.contains("): Ending clean mount") || line.contains("): Ending recovery") {
        line.split_once("XFS (")?
    } else if line.contains("): first mount of filesystem") {
        line.split_once("BTRFS info (device ")?
    } else {
        return None;
    };
    let name = rest.split([')', ' ']).next()?;
    Some(format!("/dev/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_of_a_boot_is_told() {
        for (text, expected) in [
            ("Debian 12 host ttyS0\n\nhost login: ", Some((State::Login, "host login:"))),
            (
                "host-1.example login: [   31.4] eth0: up\n",
                Some((State::Login, "host-1.example login: [   31.4] eth0: up")),
            ),
            ("Last login: Thu Nov 26\n", None),
            ("Started serial-getty login: x\n", None),
            (
                "Booting from Hard Disk...\nNo bootable device.\n",
                Some((State::NoBootDevice, "No bootable device.")),
            ),
            (
                "BdsDxe: No bootable option or device was found.",
                Some((State::NoBootDevice, "BdsDxe: No bootable option or device was found.")),
            ),
            ("error: no such device: 1234.\ngrub rescue> ", Some((State::GrubRescue, "grub rescue>"))),
            ("Minimal BASH-like\n\ngrub> ", Some((State::GrubRescue, "grub>"))),
            (
                "Gave up waiting for root file system device.  Common problems:\n(initramfs) ",
                Some((State::InitramfsShell, "(initramfs)")),
            ),
            (
                "Warning: dracut-initqueue: timeout, still waiting\nEntering emergency mode. Exit the shell to continue.\n",
                Some((State::DracutEmergency, "Entering emergency mode. Exit the shell to continue.")),
            ),
            (
                "You are in emergency mode. After logging in\nsave \"/run/initramfs/rdsosreport.txt\" to",
                Some((State::DracutEmergency, "save \"/run/initramfs/rdsosreport.txt\" to")),
            ),
            (
                "You are in emergency mode. After\n",
                Some((State::Emergency, "You are in emergency mode. After")),
            ),
            (
                "[    1.1] Kernel panic - not syncing: VFS: Unable\n[    1.2] CPU: 0",
                Some((State::Panic, "[    1.1] Kernel panic - not syncing: VFS: Unable")),
            ),
            ("[    0.0] Linux version 6.1\n", None),
        ] {
            let state = state_of(text);
            let state = state.as_ref().map(|(state, line)| (*state, line.as_str()));
            assert_eq!(state, expected, "{text:?}");
        }
    }

    #[test]
    fn escape_sequences_are_no_text_wherever_they_are_cut() {
        let bytes =
            b"\x1b[2J\x1b[01;01Ha\x1b(Bb\x1b]0;title\x07c\x1b]0;t\x1b\\d\r\n\x1b[?7h\xc3\xa4\x00e\x1b=f";
        for cut in 0..bytes.len() {
            let mut console = Console::default();
            let (before, after) = bytes.split_at(cut);
            // A character that is cut in two is the only thing that a cut may spoil.
            if after.first() == Some(&0xa4) {
                continue;
            }
            console.push(before);
            console.push(after);
            assert_eq!(console.text, "abcd\n\u{e4}ef", "cut at {cut}");
        }
    }

    #[test]
    fn the_kernels_log_tells_kernel_root_and_names() {
        let mut console = Console::default();
        console.push(
            b"Welcome to GRUB!\r\n[    0.000000] Linux version 6.1.0-56-amd64 (debian) #1\r\n\
              [    0.00] Kernel command line: BOOT_IMAGE=/vmlinuz root=/dev/mapper/vg-root ro console=ttyS0\r\n\
              [    3.1] vmxnet3 0000:03:00.0 ens192: renamed from eth0\r\n\
              [    4.1] EXT4-fs (dm-0): mounted filesystem with ordered data mode.\r\n\
              [    5.1] EXT4-fs (sda1): mounted filesystem with ordered data mode.\r\n",
        );
        assert_eq!(console.kernel().as_deref(), Some("6.1.0-56-amd64"));
        assert_eq!(console.root_device().as_deref(), Some("/dev/dm-0"));
        assert_eq!(console.renamed(), [("eth0".to_owned(), "ens192".to_owned())]);
        assert_eq!(console.milestones().collect::<Vec<_>>(), ["loader", "kernel"]);
        for (line, expected) in [
            ("[ 1.0] XFS (vda2): Ending clean mount", Some("/dev/vda2")),
            ("[ 1.0] BTRFS info (device vda3): first mount of filesystem 1-2", Some("/dev/vda3")),
            ("[ 1.0] Command line: ro root=UUID=1-2 quiet", Some("UUID=1-2")),
            ("[ 1.0] EXT4-fs (vda1): re-mounted", None),
        ] {
            let mut console = Console::default();
            console.push(line.as_bytes());
            assert_eq!(console.root_device().as_deref(), expected, "{line}");
        }
    }
}
