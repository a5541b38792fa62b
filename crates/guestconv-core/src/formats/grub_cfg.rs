//! GRUB 2's menu, `grub.cfg`: a small shell language (GRUB manual, "Writing full configuration files directly"). Read as a
//! flat list of commands and of the braces around them, with the place of every word, so that an edit of one word leaves
//! all else byte for byte. What a command does is not known here.

use std::ops::Range;

/// A piece of the script, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A command with its words; `if`, `then`, `else`, `fi` and their like are commands too.
    Command(Vec<Word>),
    /// `{` with the words before it: `menuentry 'title' --id x`, `function f`.
    Open(Vec<Word>),
    /// `}`.
    Close,
}

/// One word and where it is in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its parts without quotes.
    pub parts: Vec<Part>,
    /// Place with its quotes.
    pub range: Range<usize>,
}

/// Where expansion of a word stops, in bytes.
const EXPANDED_CAP_BYTES: usize = 64 << 10;

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text as it is.
    Text(String),
    /// A variable that GRUB puts in: its name.
    Variable(String),
}

impl Word {
    /// Returns the word as text; a variable that `known` does not know stays as `$name`.
    /// What is longer than 64 KiB is cut: variables in variables could make it grow without end.
    pub fn expanded(&self, known: impl Fn(&str) -> Option<String>) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Variable(name) => text.push_str(&known(name).unwrap_or_else(|| format!("${name}"))),
            }
            if text.len() > EXPANDED_CAP_BYTES {
                break;
            }
        }
        text
    }

    /// Returns the word as text, variables as `$name`.
    pub fn text(&self) -> String {
        self.expanded(|_| None)
    }

    /// Returns the variables in the word.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }
}

/// Words after which a new command begins on the same line.
const OPENERS: [&str; 4] = ["then", "else", "do", "!"];

/// Reads a script, item by item: one of megabytes takes no more memory than its longest.
pub fn items(text: &str) -> Items<'_> {
    Items { text, at: 0, words: Vec::new(), read: Vec::new() }
}

/// The items of a script.
#[derive(Debug)]
pub struct Items<'a> {
    text: &'a str,
    at: usize,
    /// The words of the command that is read.
    words: Vec<Word>,
    /// What was read and not handed out: two at most. The last may yet turn out to open a block.
    read: Vec<Item>,
}

impl Iterator for Items<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        while self.read.len() < 2 && self.step() {}
        if self.read.is_empty() { None } else { Some(self.read.remove(0)) }
    }
}

impl Items<'_> {
    /// Reads on by a word or a character; returns whether there was one.
    fn step(&mut self) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(c) = rest.chars().next() else {
            self.end_command();
            return false;
        };
        match c {
            ' ' | '\t' | '\r' => self.at += 1,
            '\\' if rest.starts_with("\\\n") => self.at += 2,
            '#' => self.at += rest.find('\n').unwrap_or(rest.len()),
            '\n' | ';' | '|' | '&' | '<' | '>' => {
                self.end_command();
                self.at += 1;
            }
            '{' => {
                // The brace of a block may stand on the next line.
                if self.words.is_empty()
                    && let Some(Item::Command(before)) = self.read.pop_if(|item| takes_block(item))
                {
                    self.words = before;
                }
                self.read.push(Item::Open(std::mem::take(&mut self.words)));
                self.at += 1;
            }
            '}' => {
                self.end_command();
                self.read.push(Item::Close);
                self.at += 1;
            }
            _ => {
                let word = word(self.text, self.at);
                // A word takes at least one byte, or this would not end.
                self.at = word.range.end.max(self.at + c.len_utf8());
                let opens = self.words.is_empty() && OPENERS.contains(&word.text().as_str());
                self.words.push(word);
                if opens {
                    self.end_command();
                }
            }
        }
        true
    }

    fn end_command(&mut self) {
        if !self.words.is_empty() {
            self.read.push(Item::Command(std::mem::take(&mut self.words)));
        }
    }
}

fn takes_block(item: &Item) -> bool {
    let Item::Command(words) = item else { return false };
    words.first().is_some_and(|word| ["menuentry", "submenu", "function"].contains(&word.text().as_str()))
}

/// Reads the word at `start`: quotes may begin and end inside it.
fn word(text: &str, start: usize) -> Word {
    let mut reader = Reader { text, at: start, parts: Vec::new(), literal: String::new() };
    let mut quoted = false;
    while let Some(c) = reader.peek() {
        match c {
            '\'' if !quoted => reader.single_quoted(),
            '"' => {
                quoted = !quoted;
                reader.at += 1;
            }
            '\\' => reader.escape(quoted),
            '$' => reader.variable(),
            ' ' | '\t' | '\r' | '\n' | ';' | '|' | '&' | '<' | '>' | '{' | '}' if !quoted => break,
            c => {
                reader.literal.push(c);
                reader.at += c.len_utf8();
            }
        }
    }
    reader.end_text();
    Word { parts: reader.parts, range: start..reader.at }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    parts: Vec<Part>,
    literal: String,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn end_text(&mut self) {
        if !self.literal.is_empty() {
            self.parts.push(Part::Text(std::mem::take(&mut self.literal)));
        }
    }

    fn single_quoted(&mut self) {
        let inner = self.rest().get(1..).unwrap_or("");
        let len = inner.find('\'');
        let inner = inner.get(..len.unwrap_or(inner.len())).unwrap_or("").to_owned();
        self.at += 1 + inner.len() + usize::from(len.is_some());
        self.literal.push_str(&inner);
    }

    /// Between double quotes a backslash means something only before `$`, `"`, `\` and the end of the line.
    fn escape(&mut self, quoted: bool) {
        let Some(next) = self.rest().chars().nth(1) else {
            self.at += 1;
            return;
        };
        if next != '\n' {
            if quoted && !matches!(next, '$' | '"' | '\\') {
                self.literal.push('\\');
            }
            self.literal.push(next);
        }
        self.at += 1 + next.len_utf8();
    }

    /// `$name`, `${name}`, `$1`, `$?`; a `$` before anything else is just that.
    fn variable(&mut self) {
        let rest = self.rest().get(1..).unwrap_or("");
        let braced = rest.strip_prefix('{');
        let body = braced.unwrap_or(rest);
        let mut len = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len());
        if len == 0 && body.starts_with(['?', '#', '*', '@']) {
            len = 1;
        }
        let name = body.get(..len).unwrap_or("").to_owned();
        let closed = braced.is_none() || body.get(len..).is_some_and(|rest| rest.starts_with('}'));
        if name.is_empty() || !closed {
            self.literal.push('$');
            self.at += 1;
            return;
        }
        self.at += 1 + len + if braced.is_some() { 2 } else { 0 };
        self.end_text();
        self.parts.push(Part::Variable(name));
    }
}

/// Returns an argument as a word of the script; variables are none: `$` stands for itself.
pub fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,=@%+".contains(c);
    match argument.chars().all(plain) {
        true if !argument.is_empty() => argument.to_owned(),
        _ => format!("'{}'", argument.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let line = |words: &[Word]| words.iter().map(Word::text).collect::<Vec<_>>().join("|");
        let show = |item: &Item| match item {
            Item::Command(words) => line(words),
            Item::Open(words) => format!("{}{{", line(words)),
            Item::Close => "}".to_owned(),
        };
        items(text).map(|item| show(&item)).collect()
    }

    #[test]
    fn commands_blocks_and_quotes_are_read() {
        for (text, items) in [
            (
                "set root='hd0,msdos1' # no\nlinux\t/vmlinuz \\\n ro",
                vec!["set|root=hd0,msdos1", "linux|/vmlinuz|ro"],
            ),
            (
                "if [ x$f = xy ]; then insmod a; else\n b; fi",
                vec!["if|[|x$f|=|xy|]", "then", "insmod|a", "else", "b", "fi"],
            ),
            (
                "menuentry 'A '\"b\" --id $x 'y' {\n\tlinux /k\n}\n",
                vec!["menuentry|A b|--id|$x|y{", "linux|/k", "}"],
            ),
            ("menuentry 'A'\n {load_video\ninsmod x}", vec!["menuentry|A{", "load_video", "insmod|x", "}"]),
            ("a \"x ${v}\\\"\\$\\n\" ($root)/x#y", vec!["a|x $v\"$\\n|($root)/x#y"]),
            ("a 'open", vec!["a|open"]),
            ("$ ${ \\", vec!["$|${", ""]),
            ("a=\"1\" b\\ c", vec!["a=1|b c"]),
        ] {
            assert_eq!(shown(text), items, "{text:?}");
        }
    }

    #[test]
    fn a_word_knows_its_place() {
        let text = "linux /k root='/dev/sda1' $x";
        let [Item::Command(words)] = &items(text).collect::<Vec<_>>()[..] else { panic!("one command") };
        let places: Vec<_> = words.iter().map(|word| &text[word.range.clone()]).collect();
        assert_eq!(places, ["linux", "/k", "root='/dev/sda1'", "$x"]);
        assert_eq!(words[3].variables().collect::<Vec<_>>(), ["x"]);
        assert_eq!(words[3].expanded(|name| Some(name.to_uppercase())), "X");
    }

    #[test]
    fn a_quoted_argument_comes_back() {
        for argument in ["root=UUID=1", "console=ttyS0,115200n8", "a b", "it's", "$x;{", ""] {
            let text = format!("linux {}", quoted(argument));
            let [Item::Command(words)] = &items(&text).collect::<Vec<_>>()[..] else { panic!("one command") };
            assert_eq!(words[1].text(), argument);
        }
    }
}
