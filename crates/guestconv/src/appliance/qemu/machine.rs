//! The machines that a distribution's kernel is run on, one for each architecture of hosts, and what runs their processors.

use crate::prove::{Accelerator, kvm_runs};
use std::env;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A machine of QEMU.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Machine {
    /// The architecture, as Rust says it.
    architecture: &'static str,
    /// QEMU's program.
    pub(super) program: &'static str,
    /// Debian's package of it.
    pub(super) package: &'static str,
    /// The machine's kind.
    pub(super) kind: &'static str,
    /// The kernel's name of its first serial line.
    console: &'static str,
}

static MACHINES: [Machine; 2] = [
    Machine {
        architecture: "x86_64",
        program: "qemu-system-x86_64",
        package: "qemu-system-x86",
        kind: "q35",
        console: "ttyS0",
    },
    Machine {
        architecture: "aarch64",
        program: "qemu-system-aarch64",
        package: "qemu-system-arm",
        kind: "virt,gic-version=max",
        console: "ttyAMA0",
    },
];

/// Where else QEMU is: Fedora and RHEL have it outside the path.
const ELSEWHERE: &str = "/usr/libexec/qemu-kvm";
const KVM: &str = "/dev/kvm";
/// How long a halted machine may take to start on it and to end.
const KVM_LIMIT: Duration = Duration::from_secs(5);

/// What runs the machine's processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accelerated {
    /// The host's own.
    Kvm,
    /// QEMU translates.
    Tcg,
}

/// Returns the machine of this host's architecture; `None` if we have none for it.
pub(super) fn of_host() -> Option<&'static Machine> {
    MACHINES.iter().find(|machine| machine.architecture == env::consts::ARCH)
}

impl Machine {
    /// Returns where QEMU is; `None` if it is not installed.
    pub(super) fn program(&self) -> Option<PathBuf> {
        self.program_in(&env::var_os("PATH").unwrap_or_default())
    }

    fn program_in(&self, path: &OsStr) -> Option<PathBuf> {
        let in_path = env::split_paths(path).map(|directory| directory.join(self.program));
        in_path.chain([PathBuf::from(ELSEWHERE)]).find(|file| file.is_file())
    }

    /// Returns what runs the processor: KVM if it was seen to, which is tried once.
    pub(super) fn accelerated(&self, wanted: Accelerator) -> Accelerated {
        static RUNS: OnceLock<bool> = OnceLock::new();
        let runs = || {
            let can_open = OpenOptions::new().read(true).write(true).open(KVM).is_ok();
            // The empty machine that is tried has firmware on x86 only.
            can_open && if self.architecture == "x86_64" { kvm_runs() } else { self.starts_on_kvm() }
        };
        match wanted {
            Accelerator::Probe if *RUNS.get_or_init(runs) => Accelerated::Kvm,
            Accelerator::Probe | Accelerator::Tcg => Accelerated::Tcg,
        }
    }

    /// Returns whether the machine, halted, is seen to start on KVM and to end when it is told.
    fn starts_on_kvm(&self) -> bool {
        let Some(program) = self.program() else { return false };
        let mut command = Command::new(program);
        command.args(["-machine", self.kind]).args(self.processor(Accelerated::Kvm, 0));
        command.args(["-S", "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "stdio"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let ended = command.spawn().and_then(|mut child| {
            // One that is not there any more says more by its status.
            let _told = child.stdin.take().map(|mut line| line.write_all(b"quit\n"));
            let begun = Instant::now();
            while begun.elapsed() < KVM_LIMIT {
                if let Some(status) = child.try_wait()? {
                    return Ok(status.success());
                }
                sleep(Duration::from_millis(5));
            }
            child.kill()?;
            child.wait().map(|_| false)
        });
        ended.unwrap_or(false)
    }

    /// Returns the arguments of the processor.
    pub(super) fn processor(&self, accelerated: Accelerated, translated_mib: u64) -> [String; 4] {
        let (accelerator, processor) = match accelerated {
            Accelerated::Kvm => ("kvm".to_owned(), "host"),
            Accelerated::Tcg => (format!("tcg,tb-size={translated_mib}"), "max"),
        };
        ["-accel", &accelerator, "-cpu", processor].map(str::to_owned)
    }

    /// Returns the kernel's command line: errors only are said, a panic ends the machine, and nothing is guarded or tested
    /// that only a machine of many needs to.
    pub(super) fn kernel_arguments(&self) -> String {
        let console = self.console;
        format!(
            "console={console} quiet panic=-1 oops=panic nokaslr mitigations=off random.trust_cpu=on cryptomgr.notests \
             raid=noautodetect jfs.nTxBlock=128 jfs.nTxLock=1024"
        )
    }
}

impl Accelerated {
    /// Returns the devices that QEMU uses: the first is what it tries locks on.
    pub(super) fn devices(self) -> Vec<&'static Path> {
        let null = Path::new("/dev/null");
        match self {
            Self::Kvm => vec![null, Path::new(KVM)],
            Self::Tcg => vec![null],
        }
    }
}
