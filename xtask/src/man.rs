//! `man`: manual pages in `docs/man` and completions in `docs/completions`, made from the definition of the command line and
//! `guestconv_cli::manual`. `cargo xtask dist` installs them.

use crate::checkout;
use crate::published::{self, Made};
use anyhow::{Context, Result};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};
use guestconv_cli::manual::{self, Entry};

/// The shells, and the name of the file that each wants.
const SHELLS: [(Shell, &str); 3] =
    [(Shell::Bash, "guestconv.bash"), (Shell::Zsh, "_guestconv"), (Shell::Fish, "guestconv.fish")];

/// The task: writes each page and completion that has changed and prints its file.
pub(crate) fn task(_: &[String]) -> Result<()> {
    published::write(&made()?)
}

fn made() -> Result<Vec<Made>> {
    let mut program = guestconv_cli::command().disable_help_subcommand(true);
    program.build();
    let commands: Vec<clap::Command> = program.get_subcommands().cloned().collect();
    let mut files = Vec::new();
    for command in commands.iter().chain([&program]) {
        let page = Page { command, program: &program };
        let file = checkout().join("docs/man").join(format!("{}.1", page.name()));
        files.push((file, page.text()?));
    }
    for (shell, name) in SHELLS {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut guestconv_cli::command(), "guestconv", &mut text);
        let text = String::from_utf8(text).context("a completion is UTF-8")?;
        files.push((checkout().join("docs/completions").join(name), text));
    }
    Ok(files)
}

/// The manual page of a command, or of the program itself.
struct Page<'a> {
    command: &'a clap::Command,
    program: &'a clap::Command,
}

impl Page<'_> {
    fn is_of_program(&self) -> bool {
        self.command.get_name() == self.program.get_name()
    }

    /// Returns its name: `guestconv-plan`.
    fn name(&self) -> String {
        self.command.get_display_name().unwrap_or(self.command.get_name()).to_owned()
    }

    fn text(&self) -> Result<String> {
        let version = self.program.get_version().unwrap_or_default();
        let man = Man::new(self.command.clone());
        // Without a date, so that the same definition makes the same page; clap_mangen would leave out its place, too.
        let mut text =
            format!(".TH {} 1 \"\" \"guestconv {version}\" \"User Commands\"\n", self.name()).into_bytes();
        man.render_name_section(&mut text)?;
        man.render_synopsis_section(&mut text)?;
        man.render_description_section(&mut text)?;
        man.render_options_section(&mut text)?;
        if self.is_of_program() {
            man.render_subcommands_section(&mut text)?;
        }
        let mut roff = Roff::new();
        for (heading, entries) in [
            ("EXIT STATUS", manual::STATUSES),
            ("ENVIRONMENT", manual::ENVIRONMENT),
            ("FILES", manual::FILES),
        ] {
            roff.control("SH", [heading]);
            for entry in self.of_page(entries) {
                roff.control("TP", []);
                roff.text([bold(entry.name)]);
                roff.text([roman(entry.text)]);
            }
        }
        roff.control("SH", ["EXAMPLES"]);
        for entry in self.of_page(manual::EXAMPLES) {
            roff.control("PP", []);
            roff.text([roman(entry.text)]);
            roff.control("PP", []);
            roff.control("RS", ["4"]);
            roff.control("EX", []);
            roff.text([roman(entry.name)]);
            roff.control("EE", []);
            roff.control("RE", []);
        }
        roff.control("SH", ["SEE ALSO"]);
        roff.text(self.others());
        roff.to_writer(&mut text)?;
        String::from_utf8(text).context("a manual page is UTF-8")
    }

    fn of_page(&self, entries: &'static [Entry]) -> impl Iterator<Item = &'static Entry> {
        let (name, is_of_program) = (self.command.get_name().to_owned(), self.is_of_program());
        entries.iter().filter(move |entry| is_of_program || entry.commands.contains(&name.as_str()))
    }

    /// Returns the names of the other pages, in a line.
    fn others(&self) -> Vec<clap_mangen::roff::Inline> {
        let pages = [self.program].into_iter().chain(self.program.get_subcommands());
        let names = pages.map(|command| Page { command, program: self.program }.name());
        let others: Vec<String> = names.filter(|name| *name != self.name()).collect();
        let mut line = Vec::new();
        for (at, name) in others.iter().enumerate() {
            line.extend([italic(name.clone()), roman(if at + 1 < others.len() { "(1), " } else { "(1)" })]);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_pages_and_completions_are_those_of_the_definition() {
        let made = made().unwrap();
        for directory in ["docs/man", "docs/completions"] {
            published::assert_current(&checkout().join(directory), &made, "man");
        }
    }

    #[test]
    fn every_page_has_all_sections() {
        let made = made().unwrap();
        let is_page = |file: &&Made| file.0.extension().is_some_and(|section| section == "1");
        let pages: Vec<&Made> = made.iter().filter(is_page).collect();
        assert_eq!(pages.len(), guestconv_cli::command().get_subcommands().count() + 1);
        for (path, text) in pages {
            let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
            for heading in [
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "OPTIONS",
                "\"EXIT STATUS\"",
                "ENVIRONMENT",
                "FILES",
                "EXAMPLES",
                "\"SEE ALSO\"",
            ] {
                assert!(headings.contains(&heading), "{}: {heading} is not in {headings:?}", path.display());
            }
        }
    }
}
