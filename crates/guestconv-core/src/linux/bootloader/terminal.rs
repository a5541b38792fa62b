//! GRUB 2's terminal on a machine that has no graphics. A menu that says `terminal_output gfxterm` sets a mode of the VGA
//! card and waits for its beam; where BIOS starts a machine without one it waits for ever (grub-core/video/i386/pc/vga.c),
//! seen with GRUB 2.06 under SeaBIOS. So the menu writes by the firmware's console, which SeaBIOS leads to the serial port.
//!
//! The menu and what later menus are made from (`GRUB_TERMINAL`, grub-mkconfig(8)) are both changed. Under UEFI the
//! firmware says that there are no graphics, and GRUB does without: nothing is changed.

use super::{Facts, LoaderKind, Role};
use crate::describe::GRAPHICS_ID;
use crate::description::Class;
use crate::facts::Firmware;
use crate::formats::shell_vars;
use crate::plan::{Context, Draft};

/// Where GRUB's menu gets its terminal from, the most particular first.
const VARIABLES: [&str; 2] = ["GRUB_TERMINAL_OUTPUT", "GRUB_TERMINAL"];

/// Plans the terminal of GRUB's menu where the caller removed the graphics.
pub fn plan_terminal(context: &Context<'_>, facts: &Facts, draft: &mut Draft) {
    let is_uefi = matches!(context.facts.firmware, Firmware::Uefi { .. });
    if is_uefi || !context.choices.is_removed(Class::Graphics, GRAPHICS_ID) {
        return;
    }
    let why = "GRUB would wait for ever for a graphics card that the target does not give";
    draft.step(context, "grub2/terminal", why, |step| {
        let configs = facts.loaders.iter().filter(|loader| loader.kind == LoaderKind::Grub2);
        for config in configs.flat_map(|loader| &loader.configs) {
            match config.role {
                Role::Menu => step.edit(&config.file, menu),
                Role::Defaults => {
                    let is_main = config.file.path.file_name() == "grub";
                    step.edit(&config.file, |text| defaults(text, is_main));
                }
                _ => {}
            }
        }
    });
}

/// Returns a menu that writes by the firmware's console where it wrote graphics.
fn menu(text: &str) -> String {
    let line = |line: &str| match line.trim_start().starts_with("terminal_output ") {
        true => on_console(line),
        false => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

/// Returns settings that make such a menu; the main file says so even if it said nothing.
fn defaults(text: &str, is_main: bool) -> String {
    let mut text = text.to_owned();
    for name in VARIABLES {
        text = shell_vars::edited(&text, name, on_console);
    }
    let is_said = VARIABLES.iter().any(|name| shell_vars::value(&text, name).is_some());
    if is_main && !is_said { shell_vars::with_value(&text, "GRUB_TERMINAL", "console") } else { text }
}

/// Returns the words with the graphical terminal replaced; the console is said once.
fn on_console(words: &str) -> String {
    let is_there = words.split_whitespace().any(|word| word == "console");
    match (words.contains("gfxterm"), is_there) {
        (false, _) => words.to_owned(),
        (true, false) => words.replace("gfxterm", "console"),
        (true, true) => words.replace("gfxterm ", "").replace(" gfxterm", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_menu_writes_on_the_console() {
        for (before, after) in [
            ("  insmod gfxterm\nterminal_output gfxterm\n", "  insmod gfxterm\nterminal_output console\n"),
            ("  terminal_output gfxterm serial\r\n", "  terminal_output console serial\r\n"),
            ("terminal_output console gfxterm", "terminal_output console"),
            (
                "terminal_output serial\n# terminal_output gfxterm\n",
                "terminal_output serial\n# terminal_output gfxterm\n",
            ),
        ] {
            assert_eq!(menu(before), after, "{before:?}");
            assert_eq!(menu(after), after, "again: {before:?}");
        }
    }

    #[test]
    fn later_menus_do_so_too() {
        for (before, is_main, after) in [
            ("GRUB_TIMEOUT=1\n", true, "GRUB_TIMEOUT=1\nGRUB_TERMINAL=console\n"),
            ("GRUB_TIMEOUT=1\n", false, "GRUB_TIMEOUT=1\n"),
            ("GRUB_TERMINAL_OUTPUT=\"gfxterm\"\n", false, "GRUB_TERMINAL_OUTPUT=\"console\"\n"),
            ("GRUB_TERMINAL=\"serial gfxterm\"\n", true, "GRUB_TERMINAL=\"serial console\"\n"),
            ("GRUB_TERMINAL=\"serial console\"\n", true, "GRUB_TERMINAL=\"serial console\"\n"),
        ] {
            assert_eq!(defaults(before, is_main), after, "{before:?}");
            assert_eq!(defaults(after, is_main), after, "again: {before:?}");
        }
    }
}
