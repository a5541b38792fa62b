//! Logging in on the guest's console, to hear from itself what its root device, its interfaces and addresses are.
//!
//! The questions are one line of POSIX shell; each answer is a line with a mark in front, so that what the kernel or
//! systemd writes in between does no harm. The marks are typed in two halves: an echo of the question is no answer.

use super::line::Line;
use super::{CommandOutput, Login, ProveError};
use std::time::Duration;

/// How long a step of the dialogue may take: emulated guests are slow.
const STEP_LIMIT: Duration = Duration::from_secs(90);

const QUESTIONS: &str = concat!(
    r#"echo "@ro""ot $(findmnt -nvo SOURCE / 2>/dev/null || awk '$2=="/"{r=$1} END{print r}' /proc/mounts)"; "#,
    r#"echo "@ker""nel $(uname -r)"; "#,
    r#"for n in /sys/class/net/*; do d=virtual; [ -e $n/device ] && d=physical; "#,
    r#"echo "@n""ic ${n##*/} $(cat $n/address) $(cat $n/operstate 2>/dev/null || echo unknown) $d"; done; "#,
    r#"ip -o addr show 2>/dev/null | while read x i f a r; do echo "@ad""dress $i $a"; done; echo "@en""d""#
);

/// What a guest said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answers {
    /// The device of the root file system.
    pub(super) root_device: Option<String>,
    /// The version of the kernel.
    pub(super) kernel: Option<String>,
    /// Its interfaces but the loopback.
    pub(super) interfaces: Vec<Interface>,
}

/// An interface as the guest has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    /// Its name.
    pub(super) name: String,
    /// Its MAC address.
    pub(super) mac: String,
    /// `up`, `down`, `unknown` …
    pub(super) state: String,
    /// Whether it is a card: a bridge or a bond has a card's MAC address, too.
    pub(super) is_card: bool,
    /// Its addresses, without prefix lengths.
    pub(super) addresses: Vec<String>,
}

/// Logs in at the prompt that the console shows. Returns why nobody could, if so.
///
/// # Errors
/// [`ProveError::Cancelled`].
pub(super) fn log_in(line: &mut Line, login: &Login) -> Result<Result<(), String>, ProveError> {
    let user = &login.user;
    let from = line.console.len();
    line.type_line(user);
    let asked = line.until(from, STEP_LIMIT, |text| text.contains("assword:").then_some(()))?;
    if asked.is_none() {
        return Ok(Err(format!("nobody could log in as {user}: the guest did not ask for a password")));
    }
    let from = line.console.len();
    line.type_line(&login.password);
    let is_in = |text: &str| {
        let refused = ["Login incorrect", "incorrect password", "Authentication failure", "locked"];
        if refused.iter().any(|refusal| text.contains(refusal)) {
            return Some(false);
        }
        text.trim_end().ends_with(['#', '$', '%']).then_some(true)
    };
    match line.until(from, STEP_LIMIT, is_in)? {
        Some(true) => {}
        Some(false) => return Ok(Err(format!("nobody could log in as {user}: the guest refused"))),
        None => return Ok(Err(format!("nobody could log in as {user}: no shell answered"))),
    }
    let from = line.console.len();
    line.type_line(
        "stty -echo cols 500; dmesg -n 1 2>/dev/null; exec 2>/dev/null; PS1=; PS2=; echo \"@re\"\"ady\"",
    );
    let ready = line.until(from, STEP_LIMIT, |text| text.contains("@ready").then_some(()))?;
    Ok(ready.ok_or_else(|| format!("{user} logged in, and the shell does not answer")))
}

/// Asks the shell that was logged in to; `None` if it does not answer.
///
/// # Errors
/// [`ProveError::Cancelled`].
pub(super) fn ask(line: &mut Line) -> Result<Option<Answers>, ProveError> {
    let from = line.console.len();
    line.type_line(QUESTIONS);
    line.until(from, STEP_LIMIT, |text| text.contains("@end").then(|| answers(text)))
}

/// Runs a command in the shell that was logged in to; `None` if it did not end within the time.
///
/// # Errors
/// [`ProveError::Cancelled`].
pub(super) fn run(
    line: &mut Line,
    command: &str,
    limit: Duration,
) -> Result<Option<CommandOutput>, ProveError> {
    let from = line.console.len();
    line.type_line(&format!("echo \"@be\"\"gin\"; {{ {command}\n}} 2>&1; echo \"@sta\"\"tus $?\""));
    line.until(from, limit, output)
}

pub(super) fn answers(text: &str) -> Answers {
    let mut answers = Answers::default();
    let is_said = |word: &str| !word.is_empty();
    for line in text.lines() {
        // A kernel message may stand before the mark on the same line.
        let Some(at) = line.find('@') else { continue };
        let mut words = line.get(at + 1..).unwrap_or("").split_whitespace();
        let (mark, rest): (_, Vec<&str>) = (words.next().unwrap_or(""), words.collect());
        match (mark, rest.as_slice()) {
            ("root", [device, ..]) => answers.root_device = Some((*device).to_owned()).filter(|d| is_said(d)),
            ("kernel", [version, ..]) => answers.kernel = Some((*version).to_owned()),
            ("nic", [name, mac, state, kind]) if *name != "lo" => answers.interfaces.push(Interface {
                name: (*name).to_owned(),
                mac: mac.to_lowercase(),
                state: (*state).to_owned(),
                is_card: *kind == "physical",
                addresses: Vec::new(),
            }),
            ("address", [name, address, ..]) => {
                let address = address.split('/').next().unwrap_or(address);
                if let Some(known) = answers.interfaces.iter_mut().find(|known| known.name == *name) {
                    known.addresses.push(address.to_owned());
                }
            }
            _ => {}
        }
    }
    answers
}

pub(super) fn output(text: &str) -> Option<CommandOutput> {
    let (_, rest) = text.split_once("@begin\n")?;
    let (output, status) = rest.rsplit_once("@status ")?;
    let (status, _) = status.split_once('\n')?;
    Some(CommandOutput { status: status.trim().parse().ok()?, output: output.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Cancel;
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixStream;

    /// A guest's getty and shell, which answer each line that is typed.
    fn guest(answers: &'static [&'static str]) -> Line {
        let (ours, theirs) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            let mut typed = BufReader::new(theirs.try_clone().unwrap());
            let mut theirs = theirs;
            for answer in answers {
                let mut line = String::new();
                typed.read_line(&mut line).unwrap();
                theirs.write_all(line.as_bytes()).unwrap();
                theirs.write_all(answer.as_bytes()).unwrap();
            }
            let mut rest = String::new();
            let _ = typed.read_line(&mut rest);
        });
        Line::new(Some(ours), Cancel::default())
    }

    fn root() -> Login {
        Login { user: "root".into(), password: "secret".into() }
    }

    #[test]
    fn a_guest_that_lets_in_is_asked() {
        let mut line = guest(&[
            "Password: ",
            "Linux host 6.1\r\n\x1b[?2004hroot@host:~# ",
            "@ready\r\n",
            "@root /dev/mapper/vg-root\r\n@kernel 6.1.0-56-amd64\r\n[   40.1] noise @nic br0 52:54:00:c0:00:01 up virtual\r\n\
             @nic ens192 52:54:00:C0:00:01 up physical\r\n@nic lo 00:00:00:00:00:00 unknown virtual\r\n\
             @address lo 127.0.0.1/8\r\n@address ens192 10.0.2.77/24\r\n@address ens192 fe80::1/64\r\n@end\r\n",
            "",
            "@begin\r\none\r\ntwo\r\n@status 3\r\n",
        ]);
        assert_eq!(log_in(&mut line, &root()).unwrap(), Ok(()));
        let interface = |name: &str, is_card, addresses: &[&str]| Interface {
            name: name.to_owned(),
            mac: "52:54:00:c0:00:01".to_owned(),
            state: "up".to_owned(),
            is_card,
            addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
        };
        let expected = Answers {
            root_device: Some("/dev/mapper/vg-root".to_owned()),
            kernel: Some("6.1.0-56-amd64".to_owned()),
            interfaces: vec![
                interface("br0", false, &[]),
                interface("ens192", true, &["10.0.2.77", "fe80::1"]),
            ],
        };
        assert_eq!(ask(&mut line).unwrap(), Some(expected));
        let output = run(&mut line, "echo one; echo two; false", STEP_LIMIT).unwrap();
        assert_eq!(output, Some(CommandOutput { status: 3, output: "one\ntwo\n".to_owned() }));
    }

    #[test]
    fn a_guest_that_refuses_is_told() {
        let mut line = guest(&["Password: ", "\r\nLogin incorrect\r\nhost login: "]);
        assert_eq!(
            log_in(&mut line, &root()).unwrap(),
            Err("nobody could log in as root: the guest refused".to_owned())
        );
    }
}
