//! Did the kernel take every option of `appliance/kernel.config`?
//!
//! `make allnoconfig` drops silently what it does not know or what depends on something that is off. What the product
//! needs must then stop the build; what it can do without is listed in `appliance/optional.txt` and is only named.

use std::collections::BTreeMap;

/// Options that the kernel did not take.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct NotTaken {
    /// Those that the product needs.
    pub(crate) needed: Vec<String>,
    /// Those that are listed as optional.
    pub(crate) optional: Vec<String>,
}

/// Compares what was asked with the kernel's `.config`.
pub(crate) fn not_taken(asked: &str, optional: &str, taken: &str) -> NotTaken {
    let taken = values(taken);
    let optional: Vec<&str> = optional.lines().map(str::trim).collect();
    let mut result = NotTaken::default();
    for (option, value) in values(asked) {
        // "n" is written as a comment, and so not there.
        let is = taken.get(option).copied().unwrap_or("n");
        if is == value {
            continue;
        }
        let said = format!("{option}={value} (the kernel has {is})");
        if optional.contains(&option) { result.optional.push(said) } else { result.needed.push(said) }
    }
    result
}

fn values(config: &str) -> BTreeMap<&str, &str> {
    config
        .lines()
        .filter(|line| line.starts_with("CONFIG_"))
        .filter_map(|line| line.split_once('='))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_did_not_take_is_told_apart() {
        let asked = "# text\nCONFIG_A=y\nCONFIG_B=y\nCONFIG_C=n\nCONFIG_D=n\nCONFIG_E=\"x=y\"\nCONFIG_F=y\n";
        let taken = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_D=y\nCONFIG_E=\"x=y\"\n";
        let expected = NotTaken {
            needed: vec![
                "CONFIG_B=y (the kernel has n)".to_owned(),
                "CONFIG_D=n (the kernel has y)".to_owned(),
            ],
            optional: vec!["CONFIG_F=y (the kernel has n)".to_owned()],
        };
        assert_eq!(not_taken(asked, "# text\nCONFIG_F\n", taken), expected);
    }

    #[test]
    fn every_optional_option_is_asked_for() {
        let asked = values(include_str!("../../../appliance/kernel.config"));
        let optional = include_str!("../../../appliance/optional.txt");
        for option in optional.lines().filter(|line| !line.starts_with('#')) {
            assert!(asked.contains_key(option), "{option} is optional and not in kernel.config");
        }
    }
}
