//! QEMU's monitor (QMP): JSON lines. We ask for the screen, as a picture and as the text of the VGA's text mode.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long QEMU may take to answer; a picture of a busy machine takes a second.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// The longest line that is read: a dump of the text mode has 30 KiB.
const LINE_CAP_BYTES: u64 = 1 << 20;
/// The text mode's memory: 25 lines of 80 cells of two bytes, character and colour.
const SCREEN: &str = "xp /4000bx 0xb8000";
const COLUMNS: usize = 80;
const LINES: usize = 25;

/// The monitor of a running QEMU.
pub(super) struct Monitor {
    reader: BufReader<UnixStream>,
    /// How many questions were asked; the number of the last goes with it.
    asked: u64,
}

impl Monitor {
    /// Reads QEMU's greeting and begins; `None` if QEMU closed it or is not understood.
    pub(super) fn greet(stream: UnixStream) -> Option<Self> {
        stream.set_read_timeout(Some(ANSWER_LIMIT)).ok()?;
        let mut monitor = Self { reader: BufReader::new(stream), asked: 0 };
        monitor.line()?.get("QMP")?;
        monitor.ask(&json!({"execute": "qmp_capabilities"}))?;
        Some(monitor)
    }

    /// Writes a picture of the screen, `png` or `ppm`; returns whether it was written.
    pub(super) fn picture(&mut self, file: &Path, format: &str) -> bool {
        let arguments = json!({"filename": file, "format": format});
        self.ask(&json!({"execute": "screendump", "arguments": arguments})).is_some()
    }

    /// Returns the lines of the screen, if it is in a text mode.
    pub(super) fn screen_text(&mut self) -> Option<Vec<String>> {
        let answer =
            self.ask(&json!({"execute": "human-monitor-command", "arguments": {"command-line": SCREEN}}))?;
        text_of(answer.as_str()?)
    }

    /// Returns what QEMU says next; `None` if it closed the monitor, or says what is none of it.
    fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        (&mut self.reader).take(LINE_CAP_BYTES).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    fn ask(&mut self, question: &Value) -> Option<Value> {
        self.asked += 1;
        let mut question = question.clone();
        question.as_object_mut()?.insert("id".to_owned(), json!(self.asked));
        let mut line = question.to_string();
        line.push('\n');
        self.reader.get_mut().write_all(line.as_bytes()).ok()?;
        loop {
            let answer = self.line()?;
            // Between question and answer there may be events, and answers that came too late for their questions.
            if answer.get("id") != question.get("id") {
                continue;
            }
            if let Some(value) = answer.get("return") {
                return Some(value.clone());
            }
            if answer.get("error").is_some() {
                return None;
            }
        }
    }
}

/// Returns the lines of a text screen from the monitor's dump of its memory; `None` if that is no text.
pub(super) fn text_of(dump: &str) -> Option<Vec<String>> {
    let bytes: Vec<u8> = dump
        .lines()
        .filter_map(|line| line.split_once(": "))
        .flat_map(|(_, cells)| cells.split_whitespace())
        .filter_map(|cell| u8::from_str_radix(cell.trim_start_matches("0x"), 16).ok())
        .collect();
    let cells: Vec<(u8, u8)> =
        bytes.as_chunks::<2>().0.iter().map(|[character, color]| (*character, *color)).collect();
    if cells.len() != COLUMNS * LINES || !is_text(&cells) {
        return None;
    }
    let character = |(byte, _): &(u8, u8)| match *byte {
        0x20..=0x7e => char::from(*byte),
        _ => ' ',
    };
    let lines = cells.chunks(COLUMNS).map(|row| row.iter().map(character).collect::<String>());
    let mut lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    (!lines.is_empty()).then_some(lines)
}

/// In a text mode nearly all cells are blanks and letters of a few colours; elsewhere this memory is a picture, or nothing.
fn is_text(cells: &[(u8, u8)]) -> bool {
    let is_printable = |(byte, color): &&(u8, u8)| matches!(byte, 0 | 0x20..=0x7e) && *color != 0xff;
    let printable = cells.iter().filter(is_printable).count();
    let letters = cells.iter().filter(|(byte, color)| byte.is_ascii_alphanumeric() && *color != 0).count();
    printable * 10 > cells.len() * 8 && letters >= 4
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The monitor's dump of a screen with that text.
    fn dump(text: &str, color: u8) -> String {
        let mut bytes = Vec::new();
        for line in 0..LINES {
            let line = text.lines().nth(line).unwrap_or("");
            bytes.extend(format!("{line:80}").bytes().flat_map(|byte| [byte, color]));
        }
        let row = |(at, row): (usize, &[u8])| {
            let cells: Vec<String> = row.iter().map(|byte| format!("0x{byte:02x}")).collect();
            format!("{:016x}: {}\r\n", 0xb8000 + at * 8, cells.join(" "))
        };
        bytes.chunks(8).enumerate().map(row).collect()
    }

    #[test]
    fn the_text_mode_is_read_and_nothing_else() {
        let screen = "SeaBIOS (version 1.16.3)\n\nNo bootable device.";
        assert_eq!(
            text_of(&dump(screen, 7)),
            Some(vec![
                "SeaBIOS (version 1.16.3)".to_owned(),
                String::new(),
                "No bootable device.".to_owned()
            ])
        );
        for (name, dump) in [
            ("nothing", String::new()),
            ("blank", dump("", 7)),
            ("zeros", dump(screen, 7).replace("0x", "0x00 0x").lines().take(3).collect()),
            ("a picture", dump(&"\u{7f}".repeat(80).repeat(25), 0xff)),
        ] {
            assert_eq!(text_of(&dump), None, "{name}");
        }
    }

    #[test]
    fn an_answer_that_came_too_late_is_not_taken_for_that_of_the_next_question() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let says = std::thread::spawn(move || {
            let mut asked = BufReader::new(theirs.try_clone().unwrap()).lines();
            theirs.write_all(b"{\"QMP\": {}}\n").unwrap();
            for answers in [
                r#"{"return": {}, "id": 1}"#,
                r#"{"event": "RESUME"} {"return": "late", "id": 1} {"return": "own", "id": 2}"#,
                r#"{"return": "late", "id": 2} {"error": {}, "id": 3}"#,
            ] {
                asked.next().unwrap().unwrap();
                theirs.write_all(answers.replace("} {", "}\n{").as_bytes()).unwrap();
                theirs.write_all(b"\n").unwrap();
            }
        });
        let mut monitor = Monitor::greet(ours).unwrap();
        let question = json!({"execute": "query-status"});
        assert_eq!([monitor.ask(&question), monitor.ask(&question)], [Some(json!("own")), None]);
        says.join().unwrap();
    }

    #[test]
    fn a_line_without_end_is_none() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let says = std::thread::spawn(move || {
            // Whoever does not want to hear more hangs up.
            while theirs.write_all(&[b'x'; 64 << 10]).is_ok() {}
        });
        assert!(Monitor::greet(ours).is_none());
        says.join().unwrap();
    }
}
