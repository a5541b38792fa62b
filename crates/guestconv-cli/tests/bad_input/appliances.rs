//! Appliances that are not there, not whole, or of another version.

use crate::case::{ALL, case};
use crate::images;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

#[test]
fn an_appliance_that_cannot_be_used_is_told() {
    let directory = TempDir::new().unwrap();
    images::make(directory.path());
    let ours = guestconv::core::protocol::VERSION;
    for (appliance, files, code, message) in [
        ("no-appliance", &[][..], "appliance-not-found", "no appliance in no-appliance; set GUESTCONV_APPLIANCE to its directory".to_owned()),
        ("older", &[("kernel", "x"), ("agent", "x"), ("VERSION", "0.0.9\n")], "appliance-version", format!("the appliance in older is of version \"0.0.9\", this library of {ours}; install both from one release")),
        ("no-agent", &[("kernel", "x"), ("VERSION", ours)], "appliance-incomplete", "the appliance in no-agent is incomplete: cannot read agent: No such file or directory (os error 2); install it again".to_owned()),
    ] {
        let place = directory.path().join(appliance);
        for (name, text) in files {
            fs::create_dir_all(&place).unwrap();
            fs::write(place.join(name), text).unwrap();
        }
        case("blank.img", 1, "appliance", code, message.leak()).check(ALL, directory.path(), Path::new(appliance));
    }
}
