//! What each device can have: the target's drivers that every root of the guest has, in the target's order.

use crate::description::Class;
use crate::facts::{Facts, Root};
use crate::finding::Finding;
use crate::knowledge::{self, Target};
use crate::linux::kernels::Driver;

/// Returns the drivers that a target offers and every root can have. A driver that is left out gets the finding
/// `driver-not-available`; a class for which none is left gets `no-driver`; a driver that the target offers with a
/// reservation gets `driver-caution`.
pub fn offers(facts: &Facts, target: &Target, class: Class, findings: &mut Vec<Finding>) -> Vec<String> {
    let mut offers = Vec::new();
    for driver in target.drivers(class) {
        let obstacle = facts.roots.iter().find_map(|root| Some((root, obstacle(root, target, driver)?)));
        match obstacle {
            None => offers.push(driver.clone()),
            Some((root, why)) => {
                let text = format!("the driver {driver} is not on offer for {}: {why}", class.name());
                findings.push(Finding::info("driver-not-available", text).about(root.device.0.as_str()));
            }
        }
    }
    for driver in &offers {
        findings.extend(caution(target, driver));
    }
    if offers.is_empty() {
        let text =
            format!("the guest has none of the drivers for {} that {} offers", class.name(), target.name);
        findings.push(Finding::error("no-driver", text).about(class.name()));
    }
    offers
}

/// Returns what a person should know before choosing a driver on a target; `None` if nothing.
pub fn caution(target: &Target, driver: &str) -> Option<Finding> {
    let text = target.cautions.get(driver)?;
    Some(Finding::info("driver-caution", format!("{driver} on {}: {text}", target.name)).about(driver))
}

/// Returns why a root cannot have a driver; `None` if it can, or if no kernel of it is known.
fn obstacle(root: &Root, target: &Target, driver: &str) -> Option<String> {
    if knowledge::device(driver).is_none_or(|device| device.optional) {
        return None;
    }
    let kernel = root.linux()?.kernels.first()?;
    let is_absent = |module: &&str| matches!(kernel.drivers.get(*module), None | Some(Driver::Absent));
    let module = target.modules_for(driver).into_iter().find(is_absent)?;
    Some(format!("its kernel {} has no module {module}", kernel.version))
}
