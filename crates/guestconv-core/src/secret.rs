//! Secrets in a guest's text files: facts, plans and reports are shown, stored, mailed and signed, so they carry a token in
//! place of each password, key or hash. The agent, which has the file before it, puts the secrets back when it writes.
//!
//! What is a secret is told by the name that it is given (`password=`, `psk=`, `PrivateKey=`), by the command that takes it
//! (GRUB's `password`), by how it looks (a hash of crypt(5), a private key in PEM), or by its place in a URL. Something
//! concealed that was none costs nothing but a reader's curiosity.

use regex_lite::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// What a token begins with; its number follows, counted from 1 in each file.
const TOKEN: &str = "guestconv-secret-";

/// What a line with a secret has, in lower case. Nothing else is looked at closely.
const HINTS: [&str; 9] = ["pass", "secret", "token", "psk", "key", "private", "$", "://", TOKEN];

/// A name that ends so is given a secret; `(?x)` ignores the white space.
const NAMES: &str = r#"(?x)
    (?: [a-z0-9_.-]* (?: password | passwd | passphrase | secret | token | psk | secret[_-]?string
        | (?: private | preshared | shared | secret | access | api | auth | wep | wireless )[_-]?key[0-9]* )
      | pass | private | key[0-9]? )
"#;

static NAMED: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r#"(?i)(^|[^a-z0-9_.-]){NAMES}["']?\s*[=:]\s*"#)));
/// ifupdown gives a value after white space.
static TOLD: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?i)^\s*(?:wpa-(?:psk|password|passphrase|private-key-passwd)|wireless-key[0-9]*)\s+")
});
/// GRUB 2 and GRUB legacy.
static COMMAND: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^\s*(?:password_pbkdf2\s+\S+|password\s+--(?:md5|encrypted)|password\s+\S+|password)\s+(\S+)")
});
/// crypt(5), and GRUB's own.
static HASH: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"\$(?:[1567y]|2[abxy]|gy|sha1)\$[A-Za-z0-9./$,=]+|grub\.pbkdf2\.sha512\.[0-9A-Fa-f.]+")
});
static URL: LazyLock<Regex> = LazyLock::new(|| regex(r"://[^\s/:@]*:([^\s/@]+)@"));
static EARLIER: LazyLock<Regex> = LazyLock::new(|| regex(&format!("{TOKEN}[0-9]+")));

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are ours, and a test uses each")
}

/// A text without its secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Concealed {
    /// The text, with a token in place of each secret.
    pub text: String,
    secrets: Vec<String>,
}

/// A token that stands for no secret of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{TOKEN}{number} stands for no secret of this file")]
pub struct UnknownSecret {
    number: String,
}

/// Returns the text without its secrets. The same text always gives the same.
pub fn conceal(text: &str) -> Concealed {
    let mut concealed = Concealed { text: String::with_capacity(text.len()), secrets: Vec::new() };
    let mut is_in_key = false;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let is_edge = content.contains("-----BEGIN ") || content.contains("-----END ");
        if is_edge && content.contains("PRIVATE KEY") {
            is_in_key = content.contains("-----BEGIN ");
        }
        let spans = match is_in_key && !is_edge && !content.trim().is_empty() {
            true => std::iter::once(trimmed(content)).collect(),
            false => spans(content),
        };
        concealed.push(line, spans);
    }
    concealed
}

/// Returns where a line is without its white space.
fn trimmed(line: &str) -> Range<usize> {
    line.len() - line.trim_start().len()..line.trim_end().len()
}

impl Concealed {
    fn push(&mut self, line: &str, spans: Vec<Range<usize>>) {
        let mut done = 0;
        for span in spans {
            let secret = line.get(span.clone()).unwrap_or_default();
            self.secrets.push(secret.to_owned());
            self.text.push_str(line.get(done..span.start).unwrap_or_default());
            self.text.push_str(&format!("{TOKEN}{}", self.secrets.len()));
            done = span.end;
        }
        self.text.push_str(line.get(done..).unwrap_or_default());
    }

    /// Returns `text`, which was made from the concealed text, with the secrets in place of their tokens.
    ///
    /// # Errors
    /// [`UnknownSecret`] if it has a token of another file.
    pub fn reveal(&self, text: &str) -> Result<String, UnknownSecret> {
        let (mut revealed, mut done) = (String::with_capacity(text.len()), 0);
        for token in EARLIER.find_iter(text) {
            let number = token.as_str().strip_prefix(TOKEN).unwrap_or_default();
            let index = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let secret = index.and_then(|index| self.secrets.get(index));
            let secret = secret.ok_or_else(|| UnknownSecret { number: number.to_owned() })?;
            revealed.push_str(text.get(done..token.start()).unwrap_or_default());
            revealed.push_str(secret);
            done = token.end();
        }
        revealed.push_str(text.get(done..).unwrap_or_default());
        Ok(revealed)
    }
}

/// Returns where the secrets of a line are, in order.
fn spans(line: &str) -> Vec<Range<usize>> {
    let lower = line.to_ascii_lowercase();
    if !HINTS.iter().any(|hint| lower.contains(hint)) {
        return Vec::new();
    }
    let mut spans: Vec<Range<usize>> = Vec::new();
    for found in NAMED.find_iter(line).chain(TOLD.find(line)) {
        let is_first = line
            .get(..found.start())
            .is_some_and(|before| before.trim_matches([' ', '\t', '#', ';', '-']).is_empty());
        spans.extend(value(line, found.end(), is_first));
    }
    for pattern in [&COMMAND, &URL] {
        let groups = pattern.captures_iter(line).filter_map(|captures| captures.get(1));
        spans.extend(groups.map(|group| group.range()));
    }
    for pattern in [&HASH, &EARLIER] {
        spans.extend(pattern.find_iter(line).map(|found| found.range()));
    }
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let mut apart: Vec<Range<usize>> = Vec::new();
    for span in spans {
        match apart.last_mut().filter(|last| span.start < last.end) {
            Some(last) => last.end = last.end.max(span.end),
            None => apart.push(span),
        }
    }
    apart
}

/// Returns where the value is that begins at `start`; `None` if it is no secret. The value of a line's first name goes to
/// the line's end, that of a later one to the next separator.
fn value(line: &str, start: usize, is_first: bool) -> Option<Range<usize>> {
    let rest = line.get(start..)?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let (start, length) = match quote {
        Some(quote) => {
            let inside = rest.get(1..)?;
            (start + 1, inside.find(quote).unwrap_or(inside.len()))
        }
        None if is_first => (start, rest.trim_end().len()),
        None => {
            (start, rest.find([' ', '\t', ',', ';', '"', '\'', '&', '}', ']', ')']).unwrap_or(rest.len()))
        }
    };
    let value = line.get(start..start + length)?;
    let is_path = value.starts_with('/') || value.starts_with("file:");
    let is_word = matches!(
        value.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "none" | "ask" | "0" | "1"
    );
    // What a shell will put there, or the beginning of a block.
    let is_variable = value.starts_with("${")
        || value.starts_with("$(")
        || matches!(value, "|" | ">" | "{" | "[" | "|-" | ">-");
    (!value.is_empty() && !is_path && !is_word && !is_variable).then(|| start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_concealed_and_nothing_else() {
        for (text, expected) in [
            ("psk=my own = psk\n", "psk=guestconv-secret-1\n"),
            ("psk-flags=1\npassword-flags=0\n", "psk-flags=1\npassword-flags=0\n"),
            ("private-key=/etc/key.pem\n", "private-key=/etc/key.pem\n"),
            ("private-key-password='a b'\n", "private-key-password='guestconv-secret-1'\n"),
            (
                "WPA_PSK=\"ab'c\"\r\nKEY1=s:abcde\n",
                "WPA_PSK=\"guestconv-secret-1\"\r\nKEY1=guestconv-secret-2\n",
            ),
            ("      password: \"a\"\n", "      password: \"guestconv-secret-1\"\n"),
            ("w: {password: abc, dhcp4: true}\n", "w: {password: guestconv-secret-1, dhcp4: true}\n"),
            ("PrivateKey=abc=\nPublicKey=abc=\n", "PrivateKey=guestconv-secret-1\nPublicKey=abc=\n"),
            ("  wpa-psk abc def\n  wpa-ssid x\n", "  wpa-psk guestconv-secret-1\n  wpa-ssid x\n"),
            (
                "//nas/x /x cifs user=u,password=p,uid=0,credentials=/etc/c 0 0\n",
                "//nas/x /x cifs user=u,password=guestconv-secret-1,uid=0,credentials=/etc/c 0 0\n",
            ),
            (
                "password_pbkdf2 root grub.pbkdf2.sha512.10000.AB.CD\n",
                "password_pbkdf2 root guestconv-secret-1\n",
            ),
            (
                "password --md5 $1$x$y/z\npassword abc\n",
                "password --md5 guestconv-secret-1\npassword guestconv-secret-2\n",
            ),
            ("  password user abc\n", "  password user guestconv-secret-1\n"),
            ("x='$6$salt$hash.x'\n", "x='guestconv-secret-1'\n"),
            (
                "linux /v root=/dev/sda1 rd.iscsi.password=abc netroot=http://u:p@h/ ro\n",
                "linux /v root=/dev/sda1 rd.iscsi.password=guestconv-secret-1 netroot=http://u:guestconv-secret-2@h/ ro\n",
            ),
            ("set key=${key}\n# password: x\n", "set key=${key}\n# password: guestconv-secret-1\n"),
            (
                "passwd: files systemd\nbypass=1\nmonkey=2\n",
                "passwd: guestconv-secret-1\nbypass=1\nmonkey=2\n",
            ),
            ("guestconv-secret-7\n", "guestconv-secret-1\n"),
            (
                "k: |\n  -----BEGIN RSA PRIVATE KEY-----\n  abc\n  -----END RSA PRIVATE KEY-----\n  abc\n",
                "k: |\n  -----BEGIN RSA PRIVATE KEY-----\n  guestconv-secret-1\n  -----END RSA PRIVATE KEY-----\n  abc\n",
            ),
            ("UUID=1-2 / ext4 x 0 1\nroot=/dev/sda1\n", "UUID=1-2 / ext4 x 0 1\nroot=/dev/sda1\n"),
            ("vda2_crypt UUID=1 none luks\n", "vda2_crypt UUID=1 none luks\n"),
        ] {
            let concealed = conceal(text);
            assert_eq!(concealed.text, expected, "{text}");
            assert_eq!(concealed.reveal(&concealed.text).as_deref(), Ok(text), "{text}");
        }
    }

    #[test]
    fn an_edited_text_gets_its_secrets_back() {
        let concealed = conceal("psk=one\nx=1\npassword=two\n");
        assert_eq!(
            concealed.reveal("password=guestconv-secret-2\nx=2\npsk=guestconv-secret-1\n").as_deref(),
            Ok("password=two\nx=2\npsk=one\n")
        );
        for number in ["0", "3", "99999999999999999999"] {
            let text = format!("psk={TOKEN}{number}\n");
            assert_eq!(concealed.reveal(&text), Err(UnknownSecret { number: number.to_owned() }));
        }
    }
}
