//! The table: each case with how its commands ended, the worst time and the most memory; then what is not as it must be.

use super::case::Case;
use super::run::Outcome;
use anyhow::{Result, bail};

/// What became of all cases so far.
#[derive(Default)]
pub(super) struct Report {
    cases: usize,
    commands: usize,
    worst_seconds: f64,
    worst_cpu_seconds: f64,
    worst_bytes: u64,
    violations: Vec<String>,
}

impl Report {
    /// Adds a case and prints its line.
    pub(super) fn add(&mut self, case: &Case, outcome: Outcome) {
        if self.cases == 0 {
            println!("{:34} {:>6} {:>6} {:>5}  how the commands end", "case", "s", "CPU s", "MiB");
        }
        let seconds = outcome.commands.iter().map(|command| command.wall_seconds).fold(0.0, f64::max);
        let cpu_seconds = outcome.commands.iter().map(|command| command.cpu_seconds).fold(0.0, f64::max);
        let bytes = outcome.commands.iter().map(|command| command.memory_bytes).max().unwrap_or(0);
        let mut ends: Vec<(String, Vec<&str>)> = Vec::new();
        for command in &outcome.commands {
            match ends.iter_mut().find(|(end, _)| *end == command.end) {
                Some((_, names)) => names.push(&command.name),
                None => ends.push((command.end.clone(), vec![&command.name])),
            }
        }
        ends.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
        let shown: Vec<String> = ends
            .iter()
            .enumerate()
            .map(
                |(at, (end, names))| {
                    if at == 0 { end.clone() } else { format!("{end} ({})", names.join(", ")) }
                },
            )
            .collect();
        println!("{:34} {seconds:6.2} {cpu_seconds:6.2} {:5}  {}", case.name, bytes >> 20, shown.join("; "));
        for violation in &outcome.violations {
            println!("    VIOLATION {violation}");
        }
        self.cases += 1;
        self.commands += outcome.commands.len();
        self.worst_seconds = self.worst_seconds.max(seconds);
        self.worst_cpu_seconds = self.worst_cpu_seconds.max(cpu_seconds);
        self.worst_bytes = self.worst_bytes.max(bytes);
        self.violations.extend(outcome.violations.into_iter().map(|what| format!("{}: {what}", case.name)));
    }

    /// Prints the sum.
    ///
    /// # Errors
    /// If anything was not as it must be.
    pub(super) fn close(self) -> Result<()> {
        println!(
            "{} cases, {} commands: at most {:.2} s ({:.2} s of processor time) and {} MiB; {} violations",
            self.cases,
            self.commands,
            self.worst_seconds,
            self.worst_cpu_seconds,
            self.worst_bytes >> 20,
            self.violations.len()
        );
        if self.violations.is_empty() { Ok(()) } else { bail!("{} violations", self.violations.len()) }
    }
}
