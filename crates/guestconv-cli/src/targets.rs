//! `guestconv targets`: the hypervisors that are known.

use crate::arguments;
use crate::failure::{DONE, Done};
use crate::output::{BOLD, DIM, Output};
use crate::table;
use guestconv::core::description::Class;
use guestconv::core::knowledge::{Target, targets};

/// Writes the targets.
pub(crate) fn run(arguments: &arguments::Targets, output: &mut Output) -> Done {
    match arguments.json {
        true => output.json(&targets())?,
        false => output.text(&targets().iter().map(page).collect::<Vec<_>>().join("\n"))?,
    }
    Ok(DONE)
}

fn page(target: &Target) -> String {
    let machine = format!(
        "{} {}, {}",
        target.arch.join(" or "),
        target.machine,
        target.firmware.join(" or ").to_uppercase()
    );
    let mut rows = vec![vec![format!("{DIM}machine{DIM:#}"), machine.replace(" OR ", " or ")]];
    for class in Class::ALL {
        rows.push(vec![format!("{DIM}{}{DIM:#}", class.name()), target.drivers(class).join(", ")]);
    }
    format!("{BOLD}{}{BOLD:#} {}\n{}", target.id, target.name, table::lines(&rows, "  "))
}
