//! LVM2's text: `name = value`, `name { … }`, lists in brackets, comments from `#` to the end of the line.

/// A section: names and values in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Section(Vec<(String, Value)>);

/// A value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(u64),
    Text(String),
    List(Vec<Value>),
    Section(Section),
    /// A number that no field of ours has: negative or with a fraction.
    Other,
}

/// How deep sections may lie in each other; LVM's own lie four deep.
const CAP_DEPTH: u32 = 16;

impl Section {
    /// Returns the text as one section.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { text: text.as_bytes(), at: 0 };
        let section = parser.section(0)?;
        if parser.at < parser.text.len() { Err(parser.wrong("an end")) } else { Ok(section) }
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        match self.value(name)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self, name: &str) -> Option<&[Value]> {
        match self.value(name)? {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    pub(super) fn section(&self, name: &str) -> Option<&Self> {
        match self.value(name)? {
            Value::Section(section) => Some(section),
            _ => None,
        }
    }

    /// Returns the sections in this one, in their order.
    pub(super) fn sections(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.0.iter().filter_map(|(name, value)| match value {
            Value::Section(section) => Some((name.as_str(), section)),
            _ => None,
        })
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn section(&mut self, depth: u32) -> Result<Section, String> {
        let mut section = Section::default();
        while !matches!(self.peek(), None | Some(b'}')) {
            let name = self.word()?;
            let value = match self.peek() {
                Some(b'=') => {
                    self.at += 1;
                    self.value(depth)?
                }
                Some(b'{') if depth < CAP_DEPTH => {
                    self.at += 1;
                    let inner = self.section(depth + 1)?;
                    self.expect(b'}')?;
                    Value::Section(inner)
                }
                _ => return Err(self.wrong("= or {")),
            };
            section.0.push((name, value));
        }
        Ok(section)
    }

    fn value(&mut self, depth: u32) -> Result<Value, String> {
        match self.peek() {
            Some(b'"') => self.quoted().map(Value::Text),
            Some(b'[') if depth < CAP_DEPTH => {
                self.at += 1;
                let mut list = Vec::new();
                while self.peek() != Some(b']') {
                    list.push(self.value(depth + 1)?);
                    if self.peek() == Some(b',') {
                        self.at += 1;
                    } else if self.peek() != Some(b']') {
                        return Err(self.wrong(", or ]"));
                    }
                }
                self.expect(b']')?;
                Ok(Value::List(list))
            }
            _ => self.word().map(|word| word.parse().map_or(Value::Other, Value::Number)),
        }
    }

    fn quoted(&mut self) -> Result<String, String> {
        self.expect(b'"')?;
        let mut bytes = Vec::new();
        loop {
            let byte = self.next().ok_or_else(|| self.wrong("a closing quote"))?;
            match byte {
                b'"' => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
                b'\\' => bytes.push(self.next().ok_or_else(|| self.wrong("a closing quote"))?),
                byte => bytes.push(byte),
            }
        }
    }

    fn word(&mut self) -> Result<String, String> {
        self.peek();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_part =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'+' | b'-' | b'/');
        let word: Vec<u8> = rest.iter().copied().take_while(is_part).collect();
        if word.is_empty() {
            return Err(self.wrong("a name or a number"));
        }
        self.at += word.len();
        Ok(String::from_utf8_lossy(&word).into_owned())
    }

    /// Returns the next byte that is no space and no comment, without taking it.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at)? {
                byte if byte.is_ascii_whitespace() => self.at += 1,
                b'#' => {
                    let rest = self.text.get(self.at..)?;
                    self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                }
                byte => return Some(*byte),
            }
        }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.text.get(self.at).copied();
        self.at += 1;
        byte
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.peek() != Some(byte) {
            return Err(self.wrong(&char::from(byte).to_string()));
        }
        self.at += 1;
        Ok(())
    }

    fn wrong(&self, wanted: &str) -> String {
        format!("byte {} of the metadata: {wanted} was expected", self.at)
    }
}
