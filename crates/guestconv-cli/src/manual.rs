//! What the manual pages say beside the arguments: exit statuses, environment, files, examples. `cargo xtask man` makes the
//! pages and completions of it and of [`crate::command`]; help shows the exit statuses.

/// Something that a manual page explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is: a status, a variable, a file, a command line.
    pub name: &'static str,
    /// What it means: sentences.
    pub text: &'static str,
    /// The commands on whose page it stands. All are on the page of the program itself, examples apart.
    pub commands: &'static [&'static str],
}

const fn entry(name: &'static str, text: &'static str, commands: &'static [&'static str]) -> Entry {
    Entry { name, text, commands }
}

const DISKS: &[&str] = &["inspect", "plan", "convert", "undo", "discard-undo", "recover", "verify", "prove"];
const ALL: &[&str] = &[
    "inspect",
    "plan",
    "convert",
    "undo",
    "discard-undo",
    "recover",
    "verify",
    "prove",
    "targets",
    "schema",
];

/// The exit statuses, with what each means.
pub const STATUSES: &[Entry] = &[
    entry("0", "What was asked is done.", ALL),
    entry("1", "It failed, and nothing was changed.", ALL),
    entry("2", "The usage is wrong, or a document that was given.", ALL),
    entry("3", "The guest cannot be converted.", &["inspect", "plan", "convert", "verify", "prove"]),
    entry("4", "It failed during a commit, which the next call on the same disks finishes.", DISKS),
    entry("5", "The guest did not boot.", &["prove"]),
    entry(
        "6",
        "A second look found something missing. A conversion that ends so has committed nothing.",
        &["convert", "verify"],
    ),
    entry("7", "A disk cannot be opened.", DISKS),
];

/// The variables of the environment.
pub const ENVIRONMENT: &[Entry] = &[
    entry(
        "GUESTCONV_APPLIANCE",
        "The directory of the appliance, unless --appliance names one. Without both it is ../libexec/guestconv, seen \
         from the program.",
        DISKS,
    ),
    entry(
        "GUESTCONV_RUNNER",
        "What runs the appliance, unless --runner says it: uml or qemu. Without both it is uml, or qemu where that cannot \
         start.",
        DISKS,
    ),
    entry(
        "GUESTCONV_KERNEL",
        "The image of the kernel that runs the appliance under QEMU. Without it: vmlinuz beside the appliance, or a kernel of \
         this host's own, the running one first, then the newest.",
        DISKS,
    ),
    entry(
        "GUESTCONV_MODULES",
        "The directory of the modules of GUESTCONV_KERNEL, with modules.dep in it. Without it: modules beside the image, or \
         what belongs to it in lib/modules.",
        DISKS,
    ),
    entry(
        "PATH",
        "Where qemu-system-x86_64 and qemu-system-aarch64 are looked for, and for a disk without boot loader grub-mkimage \
         or grub2-mkimage.",
        &["plan", "convert", "prove"],
    ),
    entry("TMPDIR", "Where temporary files are if /dev/shm cannot have them [default: /tmp].", DISKS),
    entry("NO_COLOR", "If it is not empty, nothing is coloured, unless --color says always.", ALL),
    entry(
        "CLICOLOR_FORCE",
        "If it is not empty and not 0, output is coloured when it goes to no terminal, too.",
        ALL,
    ),
];

/// The files that are used.
pub const FILES: &[Entry] = &[
    entry(
        "../libexec/guestconv/",
        "The appliance, seen from the program: kernel, agent, VERSION. It must be of the program's own version.",
        DISKS,
    ),
    entry(
        "DISK.guestconv-overlay",
        "What a conversion writes until its commit: beside the disk, or below --overlay-dir. It goes when the \
         conversion ends.",
        &["convert"],
    ),
    entry(
        "DISK.guestconv-commit",
        "It is there while a commit is under way, and after one that was killed. Keep it and the overlay: the next call \
         on the disk finishes the commit.",
        DISKS,
    ),
    entry(
        "DISK.guestconv-undo, DISK.guestconv-undo.json",
        "What a conversion keeps for guestconv undo: the originals of what it changed, and what belongs to them. Beside \
         the disk; of a block device, below --overlay-dir. They are the only way back, and worthless when the guest has \
         been started.",
        &["convert", "undo", "discard-undo"],
    ),
    entry(
        "OUTPUT.guestconv-draft",
        "A new image until it is whole. The next conversion into the same output writes over what a killed one left.",
        &["convert"],
    ),
    entry("/dev/kvm", "Used if a probe shows that it works.", &["prove"]),
    entry(
        "/usr/share/OVMF/, /usr/share/AAVMF/",
        "The firmware of guests that start by UEFI; other usual places are tried too.",
        &["plan", "convert", "prove"],
    ),
    entry(
        "/usr/lib/grub/",
        "GRUB 2 for BIOS (i386-pc) and UEFI (x86_64-efi), unless --grub-dir names another: what a disk without boot loader \
         is given, as one of a paravirtual guest of EC2 or Xen. Such a disk grows by 513 MiB, most of them a hole, and what \
         was on it becomes partition 1; guestconv undo brings back its size, too. Other usual places are tried too.",
        &["plan", "convert"],
    ),
    entry(
        "../share/guestconv/guestconv.rng",
        "The RELAX NG schema of the description, seen from the program.",
        &["inspect", "plan", "convert", "verify", "prove", "schema"],
    ),
    entry("../share/guestconv/schemas/", "The JSON schema of each document that --json writes.", ALL),
];

/// What people do with it: the command line, and what it does.
pub const EXAMPLES: &[Entry] = &[
    entry("guestconv inspect disk.img", "Say what is on a disk:", &["inspect"]),
    entry(
        "guestconv inspect disk.img --target rhev-3.1 --xml",
        "Write the description of a guest, to be edited and handed back to the other commands:",
        &["inspect"],
    ),
    entry(
        "guestconv plan disk.img --target kvm",
        "Show every change that a conversion would make, as diffs with their reasons:",
        &["plan"],
    ),
    entry(
        "guestconv plan disk.img --target kvm --libvirt-xml guest.xml --json",
        "The same as a document, for the network cards of a libvirt domain:",
        &["plan"],
    ),
    entry(
        "guestconv plan disk.img --target kvm --hardware qemu",
        "Show the command that starts a converted guest:",
        &["plan"],
    ),
    entry(
        "guestconv convert disk.img --target libvirt --hardware libvirt",
        "Convert a guest and write the domain that virsh define takes:",
        &["convert"],
    ),
    entry(
        "guestconv convert disk.img --target rhev-3.1 --nic 52:54:00:12:34:56",
        "Convert a guest with one network card, whose address on the target is known:",
        &["convert"],
    ),
    entry(
        "guestconv convert system.qcow2 data.qcow2 --format qcow2 --target kvm --description guest.xml",
        "Convert a guest of two disks as an edited description says:",
        &["convert"],
    ),
    entry(
        "guestconv convert /dev/vg0/guest --format raw --target kvm --overlay-dir /var/tmp",
        "Convert a guest on a block device, beside which no overlay can be:",
        &["convert"],
    ),
    entry(
        "guestconv convert disk.img --target kvm --output converted.qcow2 --output-format qcow2",
        "Convert into a new image, and leave the disk alone:",
        &["convert"],
    ),
    entry(
        "guestconv undo disk.img",
        "Take back a conversion, before the guest has been started on the target:",
        &["undo"],
    ),
    entry(
        "guestconv undo system.qcow2 data.qcow2",
        "The same for a guest of two disks, which go back together:",
        &["undo"],
    ),
    entry(
        "guestconv discard-undo disk.img",
        "Free the room of the originals, when the guest is well on the target:",
        &["discard-undo"],
    ),
    entry(
        "guestconv recover system.qcow2 data.qcow2",
        "Put disks in order after the machine or the program was stopped in the middle of a conversion:",
        &["recover"],
    ),
    entry("guestconv verify disk.img --target rhev-3.1", "See that nothing is missing:", &["verify"]),
    entry(
        "guestconv prove disk.img --target rhev-3.1 --evidence proof",
        "Boot a converted guest, and keep its console's log and a picture of its screen:",
        &["prove"],
    ),
    entry(
        "guestconv prove disk.img --target kvm --expect eth0=192.0.2.7",
        "Boot it, and expect it to answer by an address:",
        &["prove"],
    ),
    entry(
        "guestconv prove disk.img --target kvm --machine vmware",
        "Boot it where it came from:",
        &["prove"],
    ),
    entry("guestconv targets", "List the hypervisors and what each can have:", &["targets"]),
    entry("guestconv targets rhv-4.4", "Say all that is known of one:", &["targets"]),
    entry("guestconv targets --json", "The same of all, as a document:", &["targets"]),
    entry("guestconv schema plan", "Print the JSON schema of what plan --json writes:", &["schema"]),
    entry(
        "guestconv schema description-xml",
        "Print the RELAX NG schema of the description, for xmllint and editors:",
        &["schema"],
    ),
];

/// Returns the exit statuses as help shows them.
pub(crate) fn statuses() -> String {
    let lines = STATUSES.iter().map(|status| format!("\n  {}  {}", status.name, status.text));
    format!("Exit status:{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure;

    #[test]
    fn examples_are_what_the_program_takes() {
        for example in EXAMPLES {
            let words: Vec<&str> = example.name.split(' ').collect();
            let parsed = crate::command().try_get_matches_from(&words);
            let parsed = parsed.unwrap_or_else(|error| panic!("{}: {error}", example.name));
            assert_eq!(parsed.subcommand_name(), example.commands.first().copied(), "{}", example.name);
        }
    }

    #[test]
    fn every_command_has_each_kind_of_entry_and_no_entry_is_of_another() {
        let command = crate::command();
        let commands: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(commands, ALL);
        for entries in [STATUSES, ENVIRONMENT, FILES, EXAMPLES] {
            let named: Vec<&str> = entries.iter().flat_map(|entry| entry.commands).copied().collect();
            assert!(commands.iter().all(|command| named.contains(command)), "{named:?}");
            assert!(named.iter().all(|name| commands.contains(name)), "{named:?}");
        }
    }

    #[test]
    fn statuses_are_those_that_the_program_ends_with() {
        let mut ends: Vec<u8> = guestconv::ErrorKind::ALL
            .map(|kind| failure::status(&guestconv::Error::new(kind, "code", "message")))
            .to_vec();
        ends.extend([failure::DONE, failure::USAGE, failure::NOT_PROVED, failure::MISSING]);
        ends.sort_unstable();
        ends.dedup();
        let told: Vec<u8> = STATUSES.iter().map(|status| status.name.parse().unwrap()).collect();
        assert_eq!(ends, told);
    }
}
