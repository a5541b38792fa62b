//! Links that start `serial-getty@TERMINAL.service`. One on a terminal that is not there makes every boot wait for its
//! device for 90 seconds. The template's name is kept: `serial-getty@`, or a distribution's own.

use super::{Getty, is_serial};
use crate::change::{Before, Change};
use crate::path::guest_path;
use crate::plan::StepDraft;
use crate::tree::{GuestTree, ReadError};

/// Returns the links that start a login on a serial terminal.
pub(super) fn gettys(tree: &dyn GuestTree) -> Result<Vec<Getty>, ReadError> {
    let etc = guest_path("/etc/systemd/system");
    let mut gettys = Vec::new();
    for dir in tree.list(&etc)?.iter().filter(|name| name.ends_with(".wants")) {
        for unit in tree.list(&etc.join(dir))? {
            let Some((_, terminal)) = instance(&unit) else { continue };
            let path = etc.join(dir).join(&unit);
            if let Some(to) = tree.read_link(&path)?.filter(|_| is_serial(terminal)) {
                gettys.push(Getty { terminal: terminal.to_owned(), path, to });
            }
        }
    }
    Ok(gettys)
}

/// Returns template and terminal of `serial-getty@ttyS0.service`.
fn instance(unit: &str) -> Option<(&str, &str)> {
    let (template, terminal) = unit.strip_suffix(".service")?.split_once('@')?;
    template.ends_with("getty").then_some((template, terminal))
}

/// Moves logins on other serial terminals to `terminal`; they go if it is `None` or has one already.
pub(super) fn plan(step: &mut StepDraft<'_>, gettys: &[Getty], terminal: Option<&str>) {
    let mut has = gettys.iter().any(|getty| Some(getty.terminal.as_str()) == terminal);
    for getty in gettys.iter().filter(|getty| Some(getty.terminal.as_str()) != terminal) {
        step.push(Change::Remove { path: getty.path.clone(), before: Before::Link(getty.to.clone()) });
        let template = instance(getty.path.file_name()).map(|(template, _)| template);
        if let Some((template, terminal)) = template.zip(terminal).filter(|_| !has) {
            has = true;
            let path = getty.path.parent().join(&format!("{template}@{terminal}.service"));
            let to =
                getty.to.replace(&format!("@{}.service", getty.terminal), &format!("@{terminal}.service"));
            step.push(Change::Link { path, before: None, to });
        }
    }
}
