//! `guestconv inspect`: what the guest is, how it boots, which devices it can have, what a person should know.

use crate::arguments;
use crate::failure::{DONE, Done};
use crate::job::{Job, nics};
use crate::output::{BOLD, DIM, MARK, Output};
use crate::{findings, table, timings};
use guestconv::core::description::{Description, Device};
use guestconv::core::facts::{Facts, Firmware, Root};
use guestconv::core::text::visible;

/// Looks at the guest and writes what it is.
pub(crate) fn run(arguments: &arguments::Inspect, output: &mut Output) -> Done {
    let nics = nics(&arguments.nics)?;
    arguments.target.as_deref().map(guestconv::target).transpose()?;
    let mut job = Job::open(&arguments.guest)?;
    let facts = match arguments.initramfs {
        true => job.guest.inspect_with_initramfs()?.clone(),
        false => job.guest.inspect()?.clone(),
    };
    let described = arguments.target.as_ref().map(|target| job.guest.describe(target, &nics)).transpose()?;
    job.shown.close();
    match &described {
        Some(described) if arguments.xml => output.text(&described.to_xml())?,
        Some(described) if arguments.json => output.json(described)?,
        None if arguments.json => output.json(&facts)?,
        described => output.text(&page(&facts, described.as_ref()))?,
    }
    timings::show(&arguments.guest, &job.guest, arguments.json);
    Ok(DONE)
}

fn page(facts: &Facts, described: Option<&Description>) -> String {
    let mut text = String::new();
    if facts.roots.is_empty() {
        text.push_str(&format!("{BOLD}no installed system{BOLD:#}\n"));
    }
    for root in &facts.roots {
        text.push_str(&system(root));
    }
    text.push_str(&table::lines(
        &[row("firmware", firmware(&facts.firmware)), row("disks", disks(facts))],
        "  ",
    ));
    if let Some(described) = described {
        text.push_str(&format!("\n{BOLD}devices for {}{BOLD:#}\n", visible(&described.target)));
        text.push_str(&table::lines(&described.devices.iter().map(device).collect::<Vec<_>>(), "  "));
    }
    text.push_str(&findings::lines(described.map_or(&facts.findings, |described| &described.findings)));
    text
}

fn row(name: &str, value: String) -> Vec<String> {
    vec![format!("{DIM}{name}{DIM:#}"), value]
}

fn system(root: &Root) -> String {
    let mut text = format!("{BOLD}{}{BOLD:#}\n", visible(&root.product));
    let mut rows = vec![row("root", visible(&root.device.0))];
    if let Some(hostname) = &root.hostname {
        rows.push(row("host", visible(hostname)));
    }
    let mut system = format!("{}, {}", visible(&root.distribution), visible(&root.arch));
    if let Some(osinfo) = &root.osinfo {
        system.push_str(&format!(", {}", visible(osinfo)));
    }
    rows.push(row("system", system));
    if let Some(linux) = root.linux() {
        let kernels: Vec<String> = linux.kernels.iter().map(|kernel| visible(&kernel.version)).collect();
        rows.push(row("kernel", or_none(kernels)));
        let loaders = linux.bootloader.loaders.iter().map(|loader| match &loader.disk {
            Some(disk) => format!("{} on {}", loader.kind.name(), visible(disk)),
            None => loader.kind.name().to_owned(),
        });
        rows.push(row("loader", or_none(loaders.collect())));
    }
    text.push_str(&table::lines(&rows, "  "));
    text
}

fn or_none(values: Vec<String>) -> String {
    if values.is_empty() { "none".to_owned() } else { values.join(", ") }
}

fn firmware(firmware: &Firmware) -> String {
    match firmware {
        Firmware::Bios => "BIOS",
        Firmware::Uefi { .. } => "UEFI",
        Firmware::Both { .. } => "BIOS or UEFI",
        Firmware::None => "none: no boot loader was found",
    }
    .to_owned()
}

fn disks(facts: &Facts) -> String {
    let disk =
        |disk: &guestconv::core::layout::Disk| format!("{} {}", visible(&disk.name), size(disk.size_bytes));
    or_none(facts.layout.disks.iter().map(disk).collect())
}

/// Returns a size for people, in units of 1024.
pub(crate) fn size(size_bytes: u64) -> String {
    let mut value = size_bytes;
    let mut rest = 0;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024 {
            break;
        }
        (rest, value, unit) = (value % 1024, value / 1024, larger);
    }
    match rest * 10 / 1024 {
        tenths if tenths > 0 && value < 100 => format!("{value}.{tenths} {unit}"),
        _ => format!("{value} {unit}"),
    }
}

fn device(device: &Device) -> Vec<String> {
    let others: Vec<String> =
        device.offers.iter().filter(|offer| **offer != device.driver).map(|offer| visible(offer)).collect();
    let others =
        if others.is_empty() { String::new() } else { format!("{DIM}or {}{DIM:#}", others.join(", ")) };
    vec![
        format!("{DIM}{}{DIM:#}", device.class.name()),
        visible(&device.id),
        format!("{MARK}{}{MARK:#}", visible(&device.driver)),
        device.mac.as_deref().map(visible).unwrap_or_default(),
        others,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_at_a_glance() {
        for (size_bytes, expected) in
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 30, "3 GiB"), (u64::MAX, "16777215 TiB")]
        {
            assert_eq!(size(size_bytes), expected, "{size_bytes}");
        }
    }
}
