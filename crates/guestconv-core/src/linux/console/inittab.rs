//! `/etc/inittab` of SysV's init (`ID:RUNLEVELS:ACTION:PROCESS`, inittab(5)) and of busybox, where the id is the terminal.

use super::is_serial;
use crate::path::GuestPath;

/// Returns inittab with a login on `terminal` and on no other serial terminal.
pub(super) fn edited(text: &str, getty: Option<&GuestPath>, terminal: Option<&str>) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is_active = |line: &&&str| !line.trim_start().starts_with('#');
    let of = |line: &str| serial_of(line).map(str::to_owned);
    let mut has =
        lines.iter().filter(is_active).any(|line| terminal.is_some() && of(line).as_deref() == terminal);
    let mut result = String::new();
    for line in &lines {
        let foreign = of(line).filter(|name| is_active(&line) && Some(name.as_str()) != terminal);
        match (foreign, terminal) {
            (Some(foreign), Some(terminal)) if !has => {
                has = true;
                result.push_str(&line.replace(&foreign, terminal));
            }
            (Some(_), _) => result.push_str(&format!("#{line}")),
            (None, _) => result.push_str(line),
        }
    }
    let Some(terminal) = terminal.filter(|_| !has) else { return result };
    // Distributions bring the line commented out.
    let is_offer = |line: &&&str| line.starts_with('#') && of(line).as_deref() == Some(terminal);
    let offer =
        lines.iter().find(is_offer).copied().filter(|line| is_entry(line.trim_start_matches(['#', ' '])));
    if let Some(offer) = offer {
        return result.replacen(offer, offer.trim_start_matches(['#', ' ']), 1);
    }
    let newline = if result.is_empty() || result.ends_with('\n') { "" } else { "\n" };
    match getty {
        Some(getty) if lines.iter().filter(is_active).any(|line| is_entry(line)) => {
            let id = terminal.get(terminal.len().saturating_sub(2)..).unwrap_or(terminal);
            format!("{result}{newline}{id}:2345:respawn:{getty} -L 115200 {terminal} vt100\n")
        }
        _ => result,
    }
}

/// Returns whether a line starts a program over and over.
fn is_entry(line: &str) -> bool {
    let mut fields = line.splitn(4, ':');
    let action = fields.nth(2);
    matches!(action, Some("respawn" | "ondemand" | "askfirst")) && fields.next().is_some()
}

/// Returns the serial terminal that an entry starts a login on, also of one that is commented out.
fn serial_of(line: &str) -> Option<&str> {
    let entry = line.trim_start_matches(['#', ' ']);
    let (id, process) = (entry.split(':').next()?, entry.splitn(4, ':').nth(3)?);
    let terminal = |word: &&str| is_serial(word.trim_start_matches("/dev/"));
    let named = process.split_ascii_whitespace().find(terminal).map(|word| word.trim_start_matches("/dev/"));
    named.or_else(|| Some(id).filter(|id| is_serial(id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::guest_path;

    #[test]
    fn a_login_waits_on_the_targets_console_alone() {
        let agetty = guest_path("/sbin/agetty");
        for (before, terminal, after) in [
            (
                "co:2345:respawn:/sbin/agetty xvc0 9600 vt100-nav\n",
                Some("ttyS0"),
                "co:2345:respawn:/sbin/agetty ttyS0 9600 vt100-nav\n",
            ),
            (
                "T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100\nh0:2345:respawn:/sbin/getty hvc0\n",
                Some("ttyS0"),
                "T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100\n#h0:2345:respawn:/sbin/getty hvc0\n",
            ),
            (
                "1:2345:respawn:/sbin/getty 38400 tty1\n#T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100\n",
                Some("ttyS0"),
                "1:2345:respawn:/sbin/getty 38400 tty1\nT0:23:respawn:/sbin/getty -L ttyS0 9600 vt100\n",
            ),
            (
                "# Put a getty on the serial port\n#ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100\ntty1::respawn:/sbin/getty 38400 tty1\n",
                Some("ttyS0"),
                "# Put a getty on the serial port\nttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100\ntty1::respawn:/sbin/getty 38400 tty1\n",
            ),
            (
                "1:2345:respawn:/sbin/mingetty tty1",
                Some("ttyS0"),
                "1:2345:respawn:/sbin/mingetty tty1\nS0:2345:respawn:/sbin/agetty -L 115200 ttyS0 vt100\n",
            ),
            ("id:5:initdefault:\n", Some("ttyS0"), "id:5:initdefault:\n"),
            ("S0:2345:respawn:/sbin/agetty ttyS0 9600\n", None, "#S0:2345:respawn:/sbin/agetty ttyS0 9600\n"),
        ] {
            let once = edited(before, Some(&agetty), terminal);
            assert_eq!(once, after, "{before:?}");
            assert_eq!(edited(&once, Some(&agetty), terminal), after, "twice {before:?}");
        }
    }
}
