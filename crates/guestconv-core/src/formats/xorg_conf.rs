//! The X server's configuration, as far as graphics cards go: `Section "Device"` with `Driver "NAME"` (xorg.conf(5)).
//! Keywords are read without regard to case and underscores.

/// Returns the drivers that `Device` sections name, in order.
pub fn drivers(text: &str) -> Vec<&str> {
    let mut is_device = false;
    text.lines()
        .filter_map(|line| {
            is_device = follows(line, is_device);
            value(line, "driver").filter(|_| is_device)
        })
        .collect()
}

/// Returns the text with another driver in every `Device` section whose driver is not `fitting`. What such a section says
/// of its old card (slot, vendor, board) becomes a comment.
pub fn with_driver(text: &str, fitting: &[&str], driver: &str) -> String {
    let mut result = String::new();
    let mut section: Vec<&str> = Vec::new();
    let mut is_device = false;
    for line in text.split_inclusive('\n') {
        let was_device = is_device;
        is_device = follows(line, is_device);
        if was_device && !is_device {
            result.push_str(&edited(&section, fitting, driver));
            section.clear();
        }
        if is_device {
            section.push(line);
        } else {
            result.push_str(line);
        }
    }
    // A section that does not end is none that the server would take.
    result + &section.concat()
}

fn edited(section: &[&str], fitting: &[&str], driver: &str) -> String {
    let named = section.iter().find_map(|line| value(line, "driver"));
    let Some(named) = named.filter(|named| !fitting.contains(named)) else { return section.concat() };
    let is_of_card =
        |line: &str| ["busid", "vendorname", "boardname"].iter().any(|k| value(line, k).is_some());
    let line = |line: &&str| match (value(line, "driver"), is_of_card(line)) {
        (Some(_), _) => line.replace(&format!("\"{named}\""), &format!("\"{driver}\"")),
        (None, true) => format!("#{line}"),
        (None, false) => (*line).to_owned(),
    };
    section.iter().map(line).collect()
}

/// Returns whether a `Device` section goes on behind a line.
fn follows(line: &str, is_device: bool) -> bool {
    if let Some(name) = value(line, "section") {
        return name.eq_ignore_ascii_case("device");
    }
    is_device && !keyword(line).eq_ignore_ascii_case("endsection")
}

/// Returns the quoted value of a line that starts with that keyword.
fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    if !keyword(line).replace('_', "").eq_ignore_ascii_case(name) {
        return None;
    }
    line.split('"').nth(1)
}

fn keyword(line: &str) -> &str {
    line.split(|c: char| c.is_whitespace() || c == '"').find(|word| !word.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VMWARE: &str = "# made by setup\nSection \"ServerLayout\"\n\tScreen 0 \"s\"\nEndSection\nSection \"Device\"\n\tIdentifier \"Videocard0\"\n\tDriver      \"vmware\"\n\tVendorName \"VMware\"\n\tBus_ID \"PCI:0:15:0\"\nEndSection\nSection \"InputDevice\"\n\tDriver \"vmmouse\"\nEndSection\n";

    #[test]
    fn only_what_does_not_fit_is_changed() {
        assert_eq!(drivers(VMWARE), ["vmware"]);
        let expected = VMWARE
            .replace("\"vmware\"", "\"qxl\"")
            .replace("\tVendorName", "#\tVendorName")
            .replace("\tBus_ID", "#\tBus_ID");
        let fitting = ["qxl", "vesa"];
        let once = with_driver(VMWARE, &fitting, "qxl");
        assert_eq!(once, expected);
        assert_eq!(with_driver(&once, &fitting, "qxl"), expected);
        let vesa = "section \"DEVICE\"\r\n driver \"vesa\"\r\n busid \"PCI:1:0:0\"\r\nENDSECTION\r\n";
        assert_eq!((drivers(vesa), with_driver(vesa, &fitting, "qxl").as_str()), (vec!["vesa"], vesa));
        let cut = "Section \"Device\"\n Driver \"vmware\"\n";
        assert_eq!(with_driver(cut, &fitting, "qxl"), cut);
    }
}
