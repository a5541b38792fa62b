//! A guest that runs and keeps what it writes, by the command that the library tells its users, with somebody at its
//! console. A proof writes nothing, so it cannot show what a guest does to itself.

use crate::Copy;
use guestconv::core::hardware::host::{Host, HostDisk, HostDiskKind, HostFormat};
use guestconv::core::hardware::{Hardware, qemu};
use guestconv::prove::ProofFormat;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A guest that runs; it ends with this.
pub struct Running {
    machine: Child,
    console: Receiver<Vec<u8>>,
    heard: String,
}

impl Running {
    /// Starts a copy by QEMU's emulation, on a plan's hardware and without network.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(copy: &Copy, hardware: &Hardware) -> Self {
        let format = match copy.format {
            ProofFormat::Raw => HostFormat::Raw,
            ProofFormat::Qcow2 => HostFormat::Qcow2,
        };
        let disk = |(path, _): (std::path::PathBuf, _)| HostDisk {
            path: path.to_str().unwrap().to_owned(),
            format,
            kind: HostDiskKind::File,
        };
        let host = Host {
            name: copy.subject.name.to_owned(),
            memory_mib: 1024,
            cpus: 1,
            disks: copy.disks().into_iter().map(disk).collect(),
            firmware: None,
        };
        let mut command = qemu::command(hardware, &host).unwrap();
        for (given, emulated) in [("kvm", "tcg"), ("host", "max")] {
            *command.iter_mut().find(|word| *word == given).unwrap() = emulated.to_owned();
        }
        let [program, arguments @ ..] = command.as_slice() else { panic!("a command has a program") };
        let mut machine = Command::new(program)
            .args(arguments)
            .args(["-display", "none", "-no-reboot"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = machine.stdout.take().unwrap();
        let (said, console) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count) = output.read(&mut bytes) {
                if count == 0 || said.send(bytes.get(..count).unwrap().to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { machine, console, heard: String::new() }
    }

    /// Logs in as root, to a shell that neither echoes nor prompts.
    ///
    /// # Panics
    /// If nobody is let in.
    pub fn log_in(&mut self) {
        self.hear(" login: ", Duration::from_secs(600));
        self.say("root");
        self.hear("assword: ", Duration::from_secs(90));
        self.say("guestconv");
        self.hear("# ", Duration::from_secs(90));
        // bash's line editor would write escape codes among what is heard.
        self.say("stty -echo; dmesg -n 1; exec sh");
        self.say("PS1=; PS2=; echo \"@re\"\"ady\"");
        self.hear("@ready", Duration::from_secs(90));
    }

    /// Runs a command of the shell; returns what it printed.
    ///
    /// # Panics
    /// If it fails, or does not end within `limit`.
    pub fn run(&mut self, command: &str, limit: Duration) -> String {
        self.say(&format!("{{ {command}\n}} 2>&1; echo \"@sta\"\"tus $?\""));
        let mut output = self.hear("@status ", limit);
        let status = self.hear("\n", Duration::from_secs(90));
        assert_eq!(status.trim(), "0", "{command}: {output}");
        output.truncate(output.len() - "@status ".len());
        output
    }

    /// Ends the guest in good order.
    ///
    /// # Panics
    /// If it does not end.
    pub fn power_off(mut self) {
        self.say("systemctl poweroff");
        let (mut rest, since) = (Vec::new(), Instant::now());
        while since.elapsed() < Duration::from_secs(180) {
            match self.console.recv_timeout(Duration::from_secs(1)) {
                Ok(bytes) => rest.extend(bytes),
                Err(RecvTimeoutError::Timeout) => {}
                // QEMU has closed its end.
                Err(RecvTimeoutError::Disconnected) => {
                    assert!(self.machine.wait().unwrap().success());
                    return;
                }
            }
        }
        panic!("the guest does not end: {}", String::from_utf8_lossy(&rest));
    }

    /// Types a line.
    fn say(&mut self, line: &str) {
        let keyboard = self.machine.stdin.as_mut().unwrap();
        keyboard.write_all(line.as_bytes()).and_then(|()| keyboard.write_all(b"\n")).unwrap();
        keyboard.flush().unwrap();
    }

    /// Waits for a text; returns what was heard since the last that was waited for, up to its end.
    fn hear(&mut self, text: &str, limit: Duration) -> String {
        let since = Instant::now();
        loop {
            if let Some(at) = self.heard.find(text) {
                let rest = self.heard.split_off(at + text.len());
                return std::mem::replace(&mut self.heard, rest);
            }
            let left = limit.saturating_sub(since.elapsed());
            let Ok(bytes) = self.console.recv_timeout(left) else {
                panic!("{text:?} was not heard within {limit:?}: {}", self.heard)
            };
            self.heard.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.machine.kill());
        drop(self.machine.wait());
    }
}
