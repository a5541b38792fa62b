//! The arguments. Manual pages and completions are made from these texts.

use crate::manual;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::IpAddr;
use std::path::PathBuf;

/// Makes a guest boot on another hypervisor.
///
/// It looks at the disks of a guest, says what it is and which devices it can have on the target, and converts it in
/// place. All writes go to overlays; the disks change only when a second look agrees. It needs neither root nor KVM.
#[derive(Debug, Parser)]
#[command(name = "guestconv", version, max_term_width = 100, propagate_version = true, after_help = manual::statuses())]
pub(crate) struct Arguments {
    /// When to colour what is written.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl From<Color> for anstream::ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what is on the disks and which devices the guest can have on the target; writes nothing.
    Inspect(Inspect),
    /// Show every change that a conversion would make, with its reason; writes nothing.
    Plan(Plan),
    /// Convert the guest in place: on overlays first, looked at again, then committed.
    Convert(Convert),
    /// Put back what the last conversion changed: the disks are bit for bit what they were.
    Undo(Undo),
    /// Give up the originals that a conversion has kept: it cannot be undone any more.
    DiscardUndo(DiscardUndo),
    /// Finish or clear away what a conversion left that was killed; every other command does so first, too.
    Recover(Recover),
    /// Look at a converted guest and say what is still missing; writes nothing.
    Verify(Verify),
    /// Boot the guest under QEMU on a throw-away overlay and say what came up; writes nothing.
    Prove(Prove),
    /// List the hypervisors that a guest can be converted for.
    Targets(Targets),
    /// Print the schema of a document.
    Schema(Schema),
}

impl Command {
    /// Returns whether documents, and errors with them, are JSON.
    pub(crate) fn is_json(&self) -> bool {
        match self {
            Self::Inspect(command) => command.json,
            Self::Plan(command) => command.json,
            Self::Convert(command) => command.json,
            Self::Undo(_) | Self::DiscardUndo(_) => false,
            Self::Recover(command) => command.json,
            Self::Verify(command) => command.json,
            Self::Prove(command) => command.json,
            Self::Targets(command) => command.json,
            Self::Schema(_) => false,
        }
    }
}

/// The disks, and how they are looked at.
#[derive(Debug, Args)]
pub(crate) struct Guest {
    /// The disks of the guest, in the order in which it has them: image files, block devices, or
    /// disks on a server of NBD (nbd://HOST[:PORT]/EXPORT, nbd+unix:///EXPORT?socket=PATH), which are only read.
    #[arg(required = true, value_name = "DISK")]
    pub(crate) disks: Vec<PathBuf>,
    /// The format of the disks. Say it for disks from an untrusted source: a guest can write what auto looks at.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Disks")]
    pub(crate) format: DiskFormat,
    /// Open the files that an image names: what it is based on, the extents of a VMDK. Only for images from a trusted source.
    #[arg(long, help_heading = "Disks")]
    pub(crate) allow_backing: bool,
    /// What opens an encrypted device: SELECTOR:key:PASSPHRASE or SELECTOR:file:FILE. The selector is a device as the
    /// documents name it (/dev/sda2, /dev/VG/LV), its UUID, or "all". A passphrase on the command line can be seen by other
    /// users of this host; a file need not.
    #[arg(long = "key", value_name = "SELECTOR", help_heading = "Disks")]
    pub(crate) keys: Vec<String>,
    /// Read passphrases from the standard input, one per line; each is tried for every encrypted device.
    #[arg(long, help_heading = "Disks")]
    pub(crate) keys_from_stdin: bool,
    /// Where overlays are while a conversion runs [default: beside each disk].
    #[arg(long, value_name = "DIR", help_heading = "Disks")]
    pub(crate) overlay_dir: Option<PathBuf>,
    /// The directory of the appliance [default: GUESTCONV_APPLIANCE, or beside the program].
    #[arg(long, value_name = "DIR", help_heading = "Running")]
    pub(crate) appliance: Option<PathBuf>,
    /// What runs the appliance: its own kernel, or a distribution's under QEMU [default: GUESTCONV_RUNNER, or whichever can].
    #[arg(long, value_enum, value_name = "RUNNER", help_heading = "Running")]
    pub(crate) runner: Option<Runner>,
    /// The directory of the GRUB 2 that a disk without boot loader is given, with its i386-pc and x86_64-efi
    /// [default: where the packages of this host put them].
    #[arg(long, value_name = "DIR", help_heading = "Running")]
    pub(crate) grub_dir: Option<PathBuf>,
    /// How long one run of the appliance may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, help_heading = "Running",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) time_limit: u32,
    /// Stop before anything is run if this host cannot confine completely what meets the guest.
    #[arg(long, help_heading = "Running")]
    pub(crate) require_confinement: bool,
    /// How progress is shown, on the standard error.
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = "Running")]
    pub(crate) progress: Progress,
    /// Show where the time went, on the standard error; beside --json as one JSON object.
    #[arg(long, help_heading = "Running")]
    pub(crate) timings: bool,
    /// Show what the appliance says, on the standard error.
    #[arg(short, long, help_heading = "Running")]
    pub(crate) verbose: bool,
}

/// What runs the appliance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runner {
    /// The appliance's own kernel, as a process.
    Uml,
    /// A distribution's kernel, under QEMU: slower.
    Qemu,
}

/// The format of a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiskFormat {
    /// What the bytes say; other files are never followed.
    #[default]
    Auto,
    /// The bytes of the disk.
    Raw,
    /// QEMU's copy-on-write format.
    Qcow2,
    /// VMware's format, which is only read.
    Vmdk,
    /// Virtual PC's format, which is only read.
    #[value(alias = "vpc")]
    Vhd,
    /// Hyper-V's format, which is only read.
    Vhdx,
    /// VirtualBox's format, which is only read.
    Vdi,
}

/// The format of a new image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// The bytes of the disk, with holes.
    Raw,
    /// QEMU's copy-on-write format.
    Qcow2,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// A bar on a terminal, for what takes long.
    #[default]
    Auto,
    /// One JSON object per line.
    Json,
    /// Not at all.
    None,
}

/// The network cards that the target will give.
#[derive(Debug, Args)]
pub(crate) struct Nics {
    /// A network card that the target gives the guest, by its MAC address; repeat it in the source's order, or name the
    /// interface.
    #[arg(long = "nic", value_name = "[NAME=]MAC", help_heading = "Conversion")]
    pub(crate) nics: Vec<String>,
    /// A libvirt domain XML: its network cards, in its order.
    #[arg(long, value_name = "FILE", conflicts_with = "nics", help_heading = "Conversion")]
    pub(crate) libvirt_xml: Option<PathBuf>,
}

/// What the guest shall become.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// The hypervisor that the guest shall boot on; "guestconv targets" lists them.
    #[arg(short, long, value_name = "TARGET", required_unless_present = "plan", help_heading = "Conversion")]
    pub(crate) target: Option<String>,
    /// A plan that plan --json wrote: target, drivers and network cards are those that it was made with. convert does
    /// exactly what it says, or refuses; "-" is the standard input.
    #[arg(long, value_name = "FILE", help_heading = "Conversion",
          conflicts_with_all = ["target", "description", "nics", "libvirt_xml", "rebuild"])]
    pub(crate) plan: Option<PathBuf>,
    /// The description that inspect --xml wrote, edited or not; "-" is the standard input.
    #[arg(short, long, value_name = "FILE", help_heading = "Conversion")]
    pub(crate) description: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) nics: Nics,
    /// How initramfs images get drivers that they lack.
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = "Conversion")]
    pub(crate) rebuild: Rebuild,
}

/// How initramfs images get drivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rebuild {
    /// A segment is appended; nothing of the guest is run.
    #[default]
    Append,
    /// The guest's own tool is run, inside the appliance.
    Guest,
}

/// Who reads the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HardwareFormat {
    /// A libvirt domain, for virsh define. Name, memory, processors and network may be changed.
    Libvirt,
    /// A command that starts QEMU with KVM.
    Qemu,
}

/// guestconv inspect
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    pub(crate) guest: Guest,
    /// The hypervisor that the guest shall boot on; without it, only what the guest is is said.
    #[arg(short, long, value_name = "TARGET", help_heading = "Conversion")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) nics: Nics,
    /// Look into the initramfs images too, for their modules; it takes longer than all else, and plan and convert do it
    /// by themselves.
    #[arg(long, help_heading = "Output")]
    pub(crate) initramfs: bool,
    /// Write JSON: the description, or without --target the facts.
    #[arg(long, conflicts_with = "xml", help_heading = "Output")]
    pub(crate) json: bool,
    /// Write the description as XML, which may be edited and handed back to --description.
    #[arg(long, requires = "target", help_heading = "Output")]
    pub(crate) xml: bool,
}

/// guestconv plan
#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) guest: Guest,
    #[command(flatten)]
    pub(crate) wish: Wish,
    /// Write the plan as JSON; its steps are empty if nothing is to do.
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// Write the machine that the target must give the guest, with its disks, instead of the plan.
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with = "json", help_heading = "Output")]
    pub(crate) hardware: Option<HardwareFormat>,
}

/// guestconv convert
#[derive(Debug, Args)]
pub(crate) struct Convert {
    #[command(flatten)]
    pub(crate) guest: Guest,
    #[command(flatten)]
    pub(crate) wish: Wish,
    /// Do not keep the originals of what changes: the conversion cannot be undone.
    #[arg(long, help_heading = "Conversion")]
    pub(crate) no_undo: bool,
    /// Write the result into this new image and leave the disk alone; repeat it for each disk, in their order.
    #[arg(long, value_name = "FILE", help_heading = "Conversion", conflicts_with_all = ["no_undo", "overlay_dir", "hardware"])]
    pub(crate) output: Vec<PathBuf>,
    /// The format of the new images [default: that of each disk].
    #[arg(long, value_enum, value_name = "FORMAT", requires = "output", help_heading = "Conversion")]
    pub(crate) output_format: Option<OutputFormat>,
    /// Write a record of the conversion into this new file: versions, the plan's hash, hashes of every changed file.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) record: Option<PathBuf>,
    /// Have the hashes of whole disks in the record, before and after; takes as long as reading them twice.
    #[arg(long, requires = "record", help_heading = "Output")]
    pub(crate) hash_disks: bool,
    /// Write the outcome as JSON.
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// Write the machine that the target must give the guest, with its disks, instead of what was done.
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with = "json", help_heading = "Output")]
    pub(crate) hardware: Option<HardwareFormat>,
}

/// guestconv undo
#[derive(Debug, Args)]
pub(crate) struct Undo {
    #[command(flatten)]
    pub(crate) guest: Guest,
    /// Put the originals back even if a disk was written since: only for disks that were touched and not changed.
    #[arg(long, help_heading = "Undo")]
    pub(crate) force: bool,
}

/// guestconv discard-undo
#[derive(Debug, Args)]
pub(crate) struct DiscardUndo {
    #[command(flatten)]
    pub(crate) guest: Guest,
}

/// guestconv recover
#[derive(Debug, Args)]
pub(crate) struct Recover {
    #[command(flatten)]
    pub(crate) guest: Guest,
    /// Write what was repaired as JSON.
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// guestconv verify
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) guest: Guest,
    #[command(flatten)]
    pub(crate) wish: Wish,
    /// Write the report as JSON.
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// guestconv prove
#[derive(Debug, Args)]
pub(crate) struct Prove {
    #[command(flatten)]
    pub(crate) guest: Guest,
    #[command(flatten)]
    pub(crate) wish: Wish,
    /// Boot on another machine than the plan's: vmware, vmware-old, virtio, virtio-scsi, ide, ahci, nvme, e1000.
    #[arg(long, value_name = "NAME", help_heading = "Proof",
          conflicts_with_all = ["plan", "description", "nics", "libvirt_xml", "rebuild"])]
    pub(crate) machine: Option<String>,
    /// How long the guest may take to come up.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, help_heading = "Proof",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) boot_limit: u32,
    /// An address that the guest must answer by; NIC is the card's id. Repeat it for more.
    #[arg(long, value_name = "NIC=ADDRESS", value_parser = expectation, help_heading = "Proof")]
    pub(crate) expect: Vec<(String, IpAddr)>,
    /// Log in as this user, to ask the guest itself.
    #[arg(long, value_name = "USER", requires = "password_file", help_heading = "Proof")]
    pub(crate) login: Option<String>,
    /// The file with the password of --login in its first line.
    #[arg(long, value_name = "FILE", requires = "login", help_heading = "Proof")]
    pub(crate) password_file: Option<PathBuf>,
    /// Run this in the guest when logged in, and show what it prints.
    #[arg(long, value_name = "COMMAND", requires = "login", help_heading = "Proof")]
    pub(crate) command: Option<String>,
    /// Leave the serial log and a screenshot in this directory.
    #[arg(long, value_name = "DIR", help_heading = "Proof")]
    pub(crate) evidence: Option<PathBuf>,
    /// The guest's memory.
    #[arg(long, value_name = "MIB", default_value_t = 1024, help_heading = "Proof",
          value_parser = clap::value_parser!(u32).range(64..))]
    pub(crate) memory: u32,
    /// The guest's processors.
    #[arg(long, value_name = "COUNT", default_value_t = 1, help_heading = "Proof",
          value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) cpus: u32,
    /// Do not use KVM, even if it works.
    #[arg(long, help_heading = "Proof")]
    pub(crate) tcg: bool,
    /// Write the proof as JSON.
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

fn expectation(text: &str) -> Result<(String, IpAddr), String> {
    let (nic, address) = text.split_once('=').ok_or("write the card's id and the address: eth0=192.0.2.7")?;
    let address = address.parse().map_err(|_| format!("{address:?} is no IP address"))?;
    Ok((nic.to_owned(), address))
}

/// guestconv targets
#[derive(Debug, Args)]
pub(crate) struct Targets {
    /// Show all of these, with their reservations, instead of a table of all.
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Write JSON.
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// guestconv schema
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Which document.
    #[arg(value_enum, value_name = "DOCUMENT")]
    pub(crate) document: Document,
}

/// The documents that have a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Document {
    /// What inspect --xml writes and --description reads: RELAX NG. All others are JSON schemas.
    DescriptionXml,
    /// What inspect --json writes with --target.
    Description,
    /// What inspect --json writes without --target.
    Facts,
    /// What plan --json writes.
    Plan,
    /// What convert --json writes.
    Outcome,
    /// What verify --json writes.
    Report,
    /// What convert --record writes.
    Record,
    /// What recover --json writes.
    Recovery,
    /// What prove --json writes.
    Proof,
    /// What targets --json writes.
    Targets,
    /// A line that --progress json writes to the standard error, and --timings beside --json.
    Event,
    /// What any command writes to the standard error when it fails with --json.
    Error,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;

    #[test]
    fn nothing_is_silently_ignored() {
        for (arguments, expected) in [
            ("prove a --target kvm --machine vmware", None),
            (
                "prove a --target kvm --machine vmware --nic 52:54:00:00:00:01",
                Some(ErrorKind::ArgumentConflict),
            ),
            ("prove a --target kvm --machine vmware --libvirt-xml x", Some(ErrorKind::ArgumentConflict)),
            ("prove a --target kvm --machine vmware --description x", Some(ErrorKind::ArgumentConflict)),
            ("prove a --target kvm --machine vmware --rebuild append", Some(ErrorKind::ArgumentConflict)),
            ("prove a --target kvm --command id", Some(ErrorKind::MissingRequiredArgument)),
            (
                "plan a --target kvm --nic 52:54:00:00:00:01 --libvirt-xml x",
                Some(ErrorKind::ArgumentConflict),
            ),
            ("inspect a --xml", Some(ErrorKind::MissingRequiredArgument)),
            ("inspect a --target kvm --xml --json", Some(ErrorKind::ArgumentConflict)),
            ("inspect a --format qed", Some(ErrorKind::InvalidValue)),
            ("plan a --target kvm --hardware qemu --json", Some(ErrorKind::ArgumentConflict)),
            ("convert a --target kvm --hardware libvirt --json", Some(ErrorKind::ArgumentConflict)),
            ("verify a --target kvm --no-undo", Some(ErrorKind::UnknownArgument)),
            ("convert a --target kvm --output b --no-undo", Some(ErrorKind::ArgumentConflict)),
            ("convert a --target kvm --output b --overlay-dir c", Some(ErrorKind::ArgumentConflict)),
            ("convert a --target kvm --output b --hardware qemu", Some(ErrorKind::ArgumentConflict)),
            ("convert a --target kvm --output-format raw", Some(ErrorKind::MissingRequiredArgument)),
            ("convert a --target kvm --hash-disks", Some(ErrorKind::MissingRequiredArgument)),
            ("convert a --target kvm --plan p", Some(ErrorKind::ArgumentConflict)),
            ("convert a --plan p --description d", Some(ErrorKind::ArgumentConflict)),
            ("verify a --plan p --rebuild append", Some(ErrorKind::ArgumentConflict)),
            ("convert a --plan p", None),
            ("undo", Some(ErrorKind::MissingRequiredArgument)),
            ("undo a --target kvm", Some(ErrorKind::UnknownArgument)),
            ("discard-undo a --force", Some(ErrorKind::UnknownArgument)),
            ("plan a", Some(ErrorKind::MissingRequiredArgument)),
            ("convert --target kvm", Some(ErrorKind::MissingRequiredArgument)),
        ] {
            let parsed = Arguments::try_parse_from(format!("guestconv {arguments}").split(' '));
            assert_eq!(parsed.err().map(|error| error.kind()), expected, "{arguments}");
        }
    }
}
