//! Graphics: an X server that is told which driver to use is told one that the target's card has. An X server without such
//! settings finds its card by itself, and kernels do: nothing is to be done for them.

use crate::description::Class;
use crate::finding::Finding;
use crate::formats::xorg_conf;
use crate::linux::Probe;
use crate::path::guest_path;
use crate::plan::{Context, Draft};
use crate::text::TextFile;
use crate::tree::ReadError;
use serde::{Deserialize, Serialize};

/// What is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "GraphicsFacts"))]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Settings of the X server that name a driver for a card.
    pub configs: Vec<TextFile>,
    /// The X server's drivers that are installed and that are of interest: see `DRIVERS`.
    pub drivers: Vec<String>,
}

/// Where the X server's settings are (xorg.conf(5)); a folder ends in `/`.
const CONFIGS: [&str; 4] =
    ["/etc/X11/xorg.conf", "/etc/X11/XF86Config", "/etc/X11/XF86Config-4", "/etc/X11/xorg.conf.d/"];
/// Where its drivers are.
const FOLDERS: [&str; 7] = [
    "/usr/lib64/xorg/modules/drivers",
    "/usr/lib/xorg/modules/drivers",
    "/usr/lib/x86_64-linux-gnu/xorg/modules/drivers",
    "/usr/lib/aarch64-linux-gnu/xorg/modules/drivers",
    "/usr/lib64/xorg/modules",
    "/usr/X11R6/lib64/modules/drivers",
    "/usr/X11R6/lib/modules/drivers",
];
/// Drivers that work on some card of a target. The last three work on any.
const DRIVERS: [&str; 5] = ["qxl", "cirrus", "modesetting", "vesa", "fbdev"];
const ANY_CARD: [&str; 3] = ["modesetting", "vesa", "fbdev"];

/// Reads what is known of it.
///
/// # Errors
/// [`ReadError`] if a folder that is there cannot be read.
pub fn facts(probe: &Probe<'_>, findings: &mut Vec<Finding>) -> Result<Facts, ReadError> {
    let mut facts = Facts::default();
    for place in CONFIGS {
        let path = guest_path(place);
        let paths = if place.ends_with('/') {
            let names = probe.tree.list(&path)?.into_iter().filter(|name| name.ends_with(".conf"));
            names.map(|name| path.join(&name)).collect()
        } else {
            vec![path]
        };
        for path in paths {
            match probe.tree.text(&path) {
                Ok(file) => {
                    facts.configs.extend(file.filter(|file| !xorg_conf::drivers(&file.text).is_empty()))
                }
                Err(error) => {
                    let text = format!("the X server's settings cannot be read: {}", error.reason);
                    findings.push(Finding::warning("x-settings-unreadable", text).about(path.as_str()));
                }
            }
        }
    }
    if !facts.configs.is_empty() {
        for folder in FOLDERS {
            let names = probe.tree.list(&guest_path(folder))?;
            let drivers = names.iter().filter_map(|name| name.strip_suffix("_drv.so"));
            facts.drivers.extend(drivers.filter(|name| DRIVERS.contains(name)).map(str::to_owned));
        }
        facts.drivers.sort();
        facts.drivers.dedup();
    }
    Ok(facts)
}

/// Plans the X server's driver for the card that the target gives.
pub fn plan(context: &Context<'_>, facts: &Facts, draft: &mut Draft) {
    let Some((_, card)) = context.choices.drivers(Class::Graphics).next() else { return };
    let own = match card {
        "qxl-vga" => Some("qxl"),
        "cirrus-vga" => Some("cirrus"),
        _ => None,
    };
    let fitting: Vec<&str> = own.into_iter().chain(ANY_CARD).collect();
    let installed = fitting.iter().find(|name| facts.drivers.iter().any(|driver| driver == *name));
    let foreign =
        |file: &&TextFile| xorg_conf::drivers(&file.text).iter().any(|driver| !fitting.contains(driver));
    let foreign: Vec<&TextFile> = facts.configs.iter().filter(foreign).collect();
    let Some(driver) = installed else {
        for file in foreign {
            let text = format!(
                "the X server is told to use a driver that does not know {card}, and none that does is installed; \
                 the text console works"
            );
            draft.finding(Finding::warning("x-driver-missing", text).about(file.path.as_str()));
        }
        return;
    };
    let why = "the X server would look for the card of the old machine";
    draft.step(context, "graphics/xorg", why, |step| {
        for file in foreign {
            step.edit(file, |text| xorg_conf::with_driver(text, &fitting, driver));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Change;
    use crate::describe::GRAPHICS_ID;
    use crate::description::{Choice, Choices};
    use crate::fixtures::{Entry, MemTree};
    use crate::layout::{DeviceName, Layout};
    use crate::plan::PlanOptions;

    const CONFIG: &str = "Section \"Device\"\n\tDriver \"vmware\"\n\tBusID \"PCI:0:15:0\"\nEndSection\n";

    #[test]
    fn settings_that_name_a_driver_are_found_with_the_drivers_that_are_there() {
        let mut tree = MemTree::of(&[
            ("/etc/X11/xorg.conf", CONFIG),
            ("/etc/X11/xorg.conf.d/10-quirks.conf", "Section \"InputClass\"\nEndSection\n"),
            ("/usr/lib64/xorg/modules/drivers/vmware_drv.so", ""),
            ("/usr/lib64/xorg/modules/drivers/qxl_drv.so", ""),
            ("/usr/lib/xorg/modules/drivers/vesa_drv.so", ""),
        ]);
        tree.insert("/etc/X11/xorg.conf.d/20-latin.conf", Entry::File(vec![0xe4]));
        let probe = Probe { tree: &tree, layout: &Layout::default(), mounts: &[], known: Some(&[]) };
        let mut findings = Vec::new();
        let found = facts(&probe, &mut findings).unwrap();
        let config = TextFile::new(guest_path("/etc/X11/xorg.conf"), CONFIG.to_owned(), 0o644);
        let expected = Facts { configs: vec![config], drivers: vec!["qxl".into(), "vesa".into()] };
        assert_eq!(found, expected);
        let text = "the X server's settings cannot be read: it is not UTF-8 text";
        let about = "/etc/X11/xorg.conf.d/20-latin.conf";
        assert_eq!(findings, [Finding::warning("x-settings-unreadable", text).about(about)]);
    }

    fn planned(facts: Facts, card: &str) -> (Vec<crate::plan::Step>, Vec<Finding>) {
        let choice = ((Class::Graphics, GRAPHICS_ID.to_owned()), Choice::Driver(card.to_owned()));
        let choices = Choices { devices: [choice].into_iter().collect() };
        let linux = crate::linux::Facts { graphics: facts.clone(), ..Default::default() };
        let root = crate::fixtures::root(DeviceName("/dev/sda1".into()), linux);
        let all = crate::inspect::facts(Layout::default(), vec![root.clone()], Vec::new());
        let (options, target) = (PlanOptions::default(), crate::knowledge::target("kvm").unwrap());
        let mut draft = Draft::default();
        let (facts_of_all, choices) = (&all, &choices);
        let context =
            Context { facts: facts_of_all, root: &root, root_index: 0, target, choices, options: &options };
        plan(&context, &facts, &mut draft);
        draft.finish().unwrap()
    }

    #[test]
    fn the_server_gets_a_driver_that_the_card_has_or_a_person_is_told() {
        let config = TextFile::new(guest_path("/etc/X11/xorg.conf"), CONFIG.to_owned(), 0o644);
        let facts = |drivers: &[&str]| Facts {
            configs: vec![config.clone()],
            drivers: drivers.iter().map(|driver| (*driver).to_owned()).collect(),
        };
        for (card, drivers, expected) in [
            ("qxl-vga", &["modesetting", "qxl"][..], Some("qxl")),
            ("virtio-vga", &["modesetting", "qxl"], Some("modesetting")),
            ("VGA", &["qxl", "vesa"], Some("vesa")),
            ("VGA", &["qxl"], None),
        ] {
            let (steps, findings) = planned(facts(drivers), card);
            let written: Vec<_> = steps.iter().flat_map(|step| &step.changes).collect();
            let Some(expected) = expected else {
                let text = "the X server is told to use a driver that does not know VGA, and none that does is installed; \
                            the text console works";
                let finding = Finding::warning("x-driver-missing", text).about("/etc/X11/xorg.conf");
                assert_eq!((written, findings), (Vec::new(), vec![finding]), "{card}");
                continue;
            };
            let after = CONFIG.replace("vmware", expected).replace("\tBusID", "#\tBusID");
            let path = config.path.clone();
            let change = Change::Write { path, before: Some(CONFIG.to_owned()), after, mode: None };
            assert_eq!((written, findings), (vec![&change], Vec::new()), "{card}");
        }
    }
}
