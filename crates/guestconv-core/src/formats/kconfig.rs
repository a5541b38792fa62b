//! A kernel's configuration as distributions leave it in `/boot/config-VERSION`: `CONFIG_X=y`, `=m`, or a comment that it
//! is not set.

/// How an option is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Built into the kernel.
    BuiltIn,
    /// A module.
    Module,
}

/// Returns how an option (`VIRTIO_BLK`, without `CONFIG_`) is set; `None` if it is not, or has another kind of value.
pub fn setting(config: &str, option: &str) -> Option<Setting> {
    let value = |line: &str| {
        let rest = line.trim_end().strip_prefix("CONFIG_")?.strip_prefix(option)?;
        match rest {
            "=y" => Some(Setting::BuiltIn),
            "=m" => Some(Setting::Module),
            _ => None,
        }
    };
    config.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let config = "CONFIG_VIRTIO=m\nCONFIG_VIRTIO_BLK=y\r\n# CONFIG_NVME is not set\nCONFIG_HZ=250\n";
        for (option, expected) in [
            ("VIRTIO", Some(Setting::Module)),
            ("VIRTIO_BLK", Some(Setting::BuiltIn)),
            ("NVME", None),
            ("HZ", None),
            ("VIRT", None),
        ] {
            assert_eq!(setting(config, option), expected, "{option}");
        }
    }
}
