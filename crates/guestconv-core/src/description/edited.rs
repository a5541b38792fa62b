//! Reading a document that the caller may have edited. What may be edited: the selected driver of a device (to one on
//! offer), and whole devices may be deleted. White space between elements and comments are free. All else must be as
//! inspection said it; nothing is silently ignored.
//!
//! A document stays good when the guest has been converted by it: verify and prove take the same one. So what converting
//! changes is not compared: what the findings say, and a MAC address that the guest now tells and did not then.
//!
//! The document is compared with the [`Element`] that inspection would write, so each rule of the shape is said once.
//! It is hostile input: its size and its nodes are capped, and a DTD (entities) is refused.

use super::refusal::Refusal;
use super::xml;
use super::{Choice, Choices, Class, Description};
use crate::xml::Element;
use roxmltree::{Document, Node, ParsingOptions};

/// The most that a document may hold, in bytes.
pub const SIZE_CAP_BYTES: usize = 4 << 20;

/// The most elements, attributes and texts that a document may hold.
const NODE_CAP: u32 = 200_000;

/// Returns what the document chooses, given what inspection described.
///
/// # Errors
/// [`Refusal`] if it is not XML, or differs from `described` in more than drivers and deleted devices.
pub fn choices(document: &str, described: &Description) -> Result<Choices, Refusal> {
    let parsed = parsed(document)?;
    let reader = Reader { document: &parsed };
    reader.document(&xml::document(described), described)
}

/// Fails if a text is no description, whatever guest it is held against.
///
/// # Errors
/// [`Refusal`] if it is too large, or not XML, or another document.
pub fn require_description(document: &str) -> Result<(), Refusal> {
    let parsed = parsed(document)?;
    Reader { document: &parsed }.root().map(|_| ())
}

fn parsed(document: &str) -> Result<Document<'_>, Refusal> {
    let text = document.strip_prefix('\u{feff}').unwrap_or(document);
    if text.len() > SIZE_CAP_BYTES {
        let message =
            format!("the description is larger than {SIZE_CAP_BYTES} bytes; pass the one that inspect wrote");
        return Err(whole("description-too-large", message));
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODE_CAP, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| unreadable(&error))
}

fn unreadable(error: &roxmltree::Error) -> Refusal {
    match error {
        roxmltree::Error::DtdDetected => whole(
            "description-dtd",
            "the description has a document type declaration, which is not accepted; remove it".into(),
        ),
        roxmltree::Error::NodesLimitReached => whole(
            "description-too-large",
            format!("the description has more than {NODE_CAP} parts; pass the one that inspect wrote"),
        ),
        error => {
            let (line, column) = (error.pos().row, error.pos().col);
            let message =
                format!("the description is not XML: {error}; correct it, or let inspect write it anew");
            Refusal { line, column, ..whole("description-not-xml", message) }
        }
    }
}

fn whole(code: &str, message: String) -> Refusal {
    Refusal { code: code.to_owned(), element: "/".to_owned(), line: 0, column: 0, message }
}

/// What may stand where: element, its attributes, its children.
const VOCABULARY: &[(&str, &[&str], &[&str])] = &[
    ("guestconv", &["version", "target"], &["info", "boot", "devices", "findings"]),
    ("info", &["root"], &["hostname", "os", "distribution", "version", "arch", "osinfo", "product"]),
    ("version", &[], &["major", "minor"]),
    ("boot", &["firmware"], &["loader"]),
    ("loader", &["disk", "name"], &[]),
    ("devices", &[], &["graphics", "network", "block", "console"]),
    ("graphics", &["id", "driver", "updatable"], &["driver"]),
    ("network", &["id", "driver", "mac", "updatable"], &["driver"]),
    ("block", &["id", "driver", "updatable"], &["driver"]),
    ("console", &["id", "driver", "updatable"], &["driver"]),
    ("findings", &[], &["finding"]),
    ("finding", &["code", "severity", "subject"], &[]),
];

/// Returns the attributes and children that an element may have.
fn known(name: &str) -> (&'static [&'static str], &'static [&'static str]) {
    let row = VOCABULARY.iter().find(|(element, ..)| *element == name);
    row.map_or((&[], &[]), |(_, attributes, children)| (attributes, children))
}

struct Reader<'a, 'input> {
    document: &'a Document<'input>,
}

impl<'a, 'input> Reader<'a, 'input> {
    /// Returns the document's element.
    fn root(&self) -> Result<Node<'a, 'input>, Refusal> {
        let root = self.document.root_element();
        if name_of(root) != "guestconv" {
            let message = "the document's element must be guestconv; pass the document that inspect wrote";
            return Err(self.refusal(root, "description-unknown-element", message.into()));
        }
        Ok(root)
    }

    fn document(&self, expected: &Element, described: &Description) -> Result<Choices, Refusal> {
        let root = self.root()?;
        self.words(root)?;
        self.attribute(root, expected, "version", "description-version")?;
        self.attribute(root, expected, "target", "description-target")?;
        let mut children = elements(root);
        for part in &expected.children {
            let code = match part.name.as_str() {
                "info" => "description-info-changed",
                "boot" => "description-boot-changed",
                "devices" => "description-devices-missing",
                _ => "description-findings-changed",
            };
            let found = children.next();
            let Some(node) = found.filter(|node| name_of(*node) == part.name) else {
                let surplus = found.filter(|node| name_of(*node) == "info");
                let (node, code) = surplus.map_or((root, code), |node| (node, "description-info-changed"));
                let message = format!("{} is missing or not in its place; {}", part.name, advice(code));
                return Err(self.refusal(node, code, message));
            };
            match part.name.as_str() {
                "devices" => {}
                "findings" => self.all_words(node)?,
                _ => self.same(node, part, code)?,
            }
        }
        if let Some(node) = children.next() {
            let message =
                format!("there is one {} too many; leave the document as inspect wrote it", name_of(node));
            let code =
                if name_of(node) == "info" { "description-info-changed" } else { "description-duplicate" };
            return Err(self.refusal(node, code, message));
        }
        let devices = elements(root).find(|node| name_of(*node) == "devices");
        let expected = expected.children.iter().find(|part| part.name == "devices");
        match (devices, expected) {
            (Some(node), Some(part)) => self.devices(node, part, described),
            _ => Ok(Choices::default()),
        }
    }

    /// Reads the devices: those of the description in its order, each unchanged but for its driver, or not there.
    fn devices(
        &self,
        node: Node<'_, '_>,
        part: &Element,
        described: &Description,
    ) -> Result<Choices, Refusal> {
        self.words(node)?;
        let mut choices = Choices::default();
        let mut seen: Vec<usize> = Vec::new();
        for device in elements(node) {
            let id = device.attribute("id").unwrap_or_default();
            let is_it =
                |expected: &&Element| expected.name == name_of(device) && expected.value("id") == Some(id);
            let found = part.children.iter().position(|expected| is_it(&expected));
            let Some((at, expected)) = found.and_then(|at| Some((at, part.children.get(at)?))) else {
                let message = "the guest has no such device; devices cannot be added here, give them to the guest on \
                               the target and inspect again";
                return Err(self.refusal(device, "description-new-device", message.into()));
            };
            if seen.contains(&at) {
                let message = "the device is there twice; delete one";
                return Err(self.refusal(device, "description-duplicate", message.into()));
            }
            if seen.last().is_some_and(|last| *last > at) {
                let message = "the devices are in another order; leave them as inspect wrote them";
                return Err(self.refusal(device, "description-order-changed", message.into()));
            }
            seen.push(at);
            let driver = self.device(device, expected)?;
            if let Some(described) = described.devices.get(at) {
                let key = (described.class, described.id.clone());
                choices.devices.insert(key, Choice::Driver(driver));
            }
        }
        for (at, device) in described.devices.iter().enumerate() {
            if !seen.contains(&at) {
                choices.devices.insert((device.class, device.id.clone()), Choice::Removed);
            }
        }
        Ok(choices)
    }

    /// Returns the driver that is selected for a device, if all else of it is unchanged.
    fn device(&self, node: Node<'_, '_>, expected: &Element) -> Result<String, Refusal> {
        self.words(node)?;
        self.mac(node, expected)?;
        self.attribute(node, expected, "updatable", "description-device-changed")?;
        let offers = |elements: &[Element]| -> Vec<String> {
            elements.iter().map(|element| element.text.clone()).collect()
        };
        let (offered, listed) = (offers(&expected.children), elements(node).map(text_of).collect::<Vec<_>>());
        for driver in elements(node) {
            self.words(driver)?;
        }
        if listed != offered {
            let message = format!(
                "the list of drivers on offer was changed; select a driver by the attribute driver and leave the list: {}",
                offered.join(", ")
            );
            return Err(self.refusal(node, "description-offers-changed", message));
        }
        match node.attribute("driver") {
            Some(driver) if offered.iter().any(|offer| offer == driver) => Ok(driver.to_owned()),
            Some(driver) => {
                let message =
                    format!("the driver {driver} is not on offer; choose one of: {}", offered.join(", "));
                Err(self.refusal(node, "driver-not-offered", message))
            }
            None => {
                let message =
                    format!("the attribute driver is missing; choose one of: {}", offered.join(", "));
                Err(self.refusal(node, "description-device-changed", message))
            }
        }
    }

    /// Checks that an element is exactly what inspection wrote.
    fn same(&self, node: Node<'_, '_>, expected: &Element, code: &str) -> Result<(), Refusal> {
        self.words(node)?;
        for name in known(&expected.name).0 {
            self.attribute(node, expected, name, code)?;
        }
        let text = text_of(node);
        if expected.children.is_empty() && text != expected.text {
            let message = format!("it says {text:?} where {:?} is expected; {}", expected.text, advice(code));
            return Err(self.refusal(node, code, message));
        }
        let mut parts = expected.children.iter();
        for child in elements(node) {
            match parts.next() {
                Some(part) if part.name == name_of(child) => self.same(child, part, code)?,
                _ => {
                    let message =
                        format!("inspect writes no {} in this place; {}", name_of(child), advice(code));
                    return Err(self.refusal(child, code, message));
                }
            }
        }
        match parts.next() {
            Some(part) => {
                let message = format!("{} is missing; {}", part.name, advice(code));
                Err(self.refusal(node, code, message))
            }
            None => Ok(()),
        }
    }

    /// Checks that a card's MAC address, if the document says one, is what the guest or the caller says.
    fn mac(&self, node: Node<'_, '_>, expected: &Element) -> Result<(), Refusal> {
        let Some(mac) = node.attribute("mac").filter(|mac| Some(*mac) != expected.value("mac")) else {
            return Ok(());
        };
        let known = expected.value("mac").unwrap_or("not known");
        let message = format!(
            "the MAC address says {mac:?}, and that of the card is {known}; leave it, and name the cards as for inspect"
        );
        Err(self.refusal(node, "description-mac-changed", message))
    }

    /// Checks that an attribute is what inspection wrote.
    fn attribute(
        &self,
        node: Node<'_, '_>,
        expected: &Element,
        name: &str,
        code: &str,
    ) -> Result<(), Refusal> {
        let (is, was) = (node.attribute(name), expected.value(name));
        if is == was {
            return Ok(());
        }
        let quoted = |value: Option<&str>| value.map_or("nothing".to_owned(), |value| format!("{value:?}"));
        let message = format!(
            "the attribute {name} says {} where {} is expected; {}",
            quoted(is),
            quoted(was),
            advice(code)
        );
        Err(self.refusal(node, code, message))
    }

    /// Checks an element and all in it by [`Self::words`].
    fn all_words(&self, node: Node<'_, '_>) -> Result<(), Refusal> {
        self.words(node)?;
        elements(node).try_for_each(|child| self.all_words(child))
    }

    /// Checks that an element has only attributes, elements and texts that the document knows.
    fn words(&self, node: Node<'_, '_>) -> Result<(), Refusal> {
        // A driver on offer is a leaf; only an element of a device shares the name of that attribute.
        let (attributes, children) = known(node.tag_name().name());
        for attribute in node.attributes() {
            if attribute.namespace().is_some() || !attributes.contains(&attribute.name()) {
                let message = format!("the attribute {} is not known; remove it", attribute.name());
                return Err(self.refusal(node, "description-unknown-attribute", message));
            }
        }
        for child in node.children() {
            if child.is_element() && !children.contains(&name_of(child).as_str()) {
                let message = format!("the element {} is not known here; remove it", name_of(child));
                return Err(self.refusal(child, "description-unknown-element", message));
            }
            if child.is_pi() {
                let message = "a processing instruction is not accepted; remove it";
                return Err(self.refusal(node, "description-unknown-element", message.into()));
            }
            let is_text = child.text().is_some_and(|text| child.is_text() && !text.trim().is_empty());
            if is_text && !children.is_empty() {
                let message = format!("the text {:?} has no meaning here; remove it", text_of(node));
                return Err(self.refusal(node, "description-unexpected-text", message));
            }
        }
        Ok(())
    }

    fn refusal(&self, node: Node<'_, '_>, code: &str, message: String) -> Refusal {
        let at = self.document.text_pos_at(node.range().start);
        Refusal { code: code.to_owned(), element: path_of(node), line: at.row, column: at.col, message }
    }
}

/// Returns what to do about a refusal of that code.
fn advice(code: &str) -> &'static str {
    match code {
        "description-target" => "inspect for that target",
        "description-version" => "inspect with this program",
        "description-info-changed" => {
            "leave it as inspect wrote it, and check that the description is of this guest"
        }
        _ => "leave it as inspect wrote it",
    }
}

impl Element {
    fn value(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(attribute, _)| attribute == name).map(|(_, value)| value.as_str())
    }
}

fn elements<'a, 'input>(node: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(|child| child.is_element())
}

/// Returns the name of an element; one in a namespace has the namespace before its name, so it equals none of ours.
fn name_of(node: Node<'_, '_>) -> String {
    match node.tag_name().namespace() {
        Some(namespace) => format!("{{{namespace}}}{}", node.tag_name().name()),
        None => node.tag_name().name().to_owned(),
    }
}

/// Returns the text of an element, its comments left out, trimmed.
fn text_of(node: Node<'_, '_>) -> String {
    let texts = node.children().filter(|child| child.is_text()).filter_map(|child| child.text());
    texts.collect::<String>().trim().to_owned()
}

/// Returns where an element is: names from the top, with `id`, or a number where several of one name stand.
fn path_of(node: Node<'_, '_>) -> String {
    let part = |node: Node<'_, '_>| {
        let name = name_of(node);
        let is_device = Class::ALL.iter().any(|class| class.name() == name);
        if let Some(id) = node.attribute("id").filter(|_| is_device) {
            return format!("/{name}[@id='{id}']");
        }
        let namesakes = |sibling: &Node<'_, '_>| sibling.is_element() && name_of(*sibling) == name;
        let before = node.prev_siblings().skip(1).filter(namesakes).count();
        let after = node.next_siblings().skip(1).filter(namesakes).count();
        if before + after == 0 { format!("/{name}") } else { format!("/{name}[{}]", before + 1) }
    };
    let mut parts: Vec<String> = node.ancestors().filter(Node::is_element).map(part).collect();
    parts.reverse();
    parts.concat()
}

#[cfg(test)]
mod tests;
