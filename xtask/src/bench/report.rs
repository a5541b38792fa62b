//! The document: what it ran on, times and ratios, costs, where the time goes. The same on the terminal and in the file.

use super::figures::{mib, milliseconds, seconds};
use super::growth::{self, Growth};
use super::machine::Machine;
use super::ours::Job;
use super::parts::Part;
use super::peers::Peer;
use super::subject::{OurFigures, Subject};
use super::table::Table;
use std::fmt::Write as _;

/// Returns the whole document. It says what it lacks, the gap, if it is not of a whole benchmark.
pub(super) fn document(
    machine: &Machine,
    subjects: &[Subject],
    growth: &[Growth],
    gap: Option<&str>,
) -> String {
    let mut text = String::from(
        "# Benchmarks\n\n\
         guestconv beside virt-inspector and virt-v2v-in-place: one run of `cargo xtask bench`, which wrote this page.\n\
         All on the same machine, on copies of the same guests. Times are medians (smallest–largest).\n\n",
    );
    if let Some(gap) = gap {
        // Writing to a String cannot fail, here and below.
        let _written = writeln!(text, "**Not the whole benchmark: {gap}.**\n");
    }
    for (name, line) in &machine.lines {
        let _written = writeln!(text, "- {name}: {line}");
    }
    let _written = write!(text, "\n## Time\n\n{}", times(subjects).text());
    let failures: Vec<String> = subjects.iter().flat_map(Subject::failures).collect();
    if !failures.is_empty() {
        text.push_str("\nWho failed said last:\n\n");
        for failure in failures {
            let _written = writeln!(text, "- {failure}");
        }
    }
    if !growth.is_empty() {
        let _written = write!(
            text,
            "\n## What costs do not grow with\n\nOne small guest without and with much more of something, by turns in the same run.\n\n{}",
            growth::table(growth).text()
        );
    }
    let _written = write!(text, "\n## Cost\n\n{}", costs(subjects).text());
    let _written = write!(
        text,
        "\n## Where the time goes\n\nIn milliseconds, of the run that is nearest to the median: by guestconv's own clock, all \
         stages together.\nA conversion reads the guest twice: before it is changed, and after. The rest is the start \
         and end of guestconv's\nprocess, planning and writing what it says.\n\n{}",
        parts(subjects).text()
    );
    let _written = write!(text, "\n## What the disks see\n\n{}", disks(subjects).text());
    text.push_str(NOTES);
    text
}

const NOTES: &str = "\n## How it is measured\n\n\
- Each program is one process tree, measured from its start to its end. Processor time and bytes are the kernel's count \
over all its processes, those of the virtual machine and of the appliance with them.\n\
- Memory is the most that all processes of a tree had at one time, a page that several share counted once; sampled, for \
guestconv in a run of its own whose time does not count. Largest process: the most that any one of them ever had.\n\
- Bytes read and written are those of system calls, pipes and sockets with them; what a guest's disk saw is in a table \
of its own.\n\
- Every disk is a copy, synced and in the page cache; whoever writes gets a fresh one. A conversion of guestconv ends \
when the disk is synced. libguestfs had made its appliance and started it once before anything was measured.\n\
- virt-inspector lists no packages and finds no icon (`--no-applications --no-icon`), since guestconv does neither. \
virt-v2v-in-place converts the first system of a guest with several; guestconv converts all. Guests with several disks or with \
keys are measured without the peers, since virt-v2v-in-place takes one disk. In the times of debian-12-luks is what makes its keys \
slow to guess.\n\
- A run of guestconv counts only if it found a system, had something to do, and found nothing to do when asked again.\n";

fn times(subjects: &[Subject]) -> Table {
    let mut table = Table::with_head(&[
        "guest",
        "inspect",
        "virt-inspector",
        "ratio",
        "plan",
        "convert",
        "virt-v2v-in-place",
        "ratio",
        "convert again",
        "undo",
    ]);
    for subject in subjects {
        table.add(vec![
            subject.name.clone(),
            subject.our_cell(Job::Inspect),
            subject.peer_cell(Peer::Inspector),
            subject.ratio_cell(Job::Inspect, Peer::Inspector),
            subject.our_cell(Job::Plan),
            subject.our_cell(Job::Convert),
            subject.peer_cell(Peer::InPlace),
            subject.ratio_cell(Job::Convert, Peer::InPlace),
            subject.our_cell(Job::ConvertAgain),
            subject.our_cell(Job::Undo),
        ]);
    }
    table
}

fn costs(subjects: &[Subject]) -> Table {
    let mut table = Table::with_head(&[
        "guest",
        "program",
        "processor time",
        "peak memory",
        "largest process",
        "processes",
        "read",
        "written",
    ]);
    for subject in subjects {
        for (program, cost) in subject.costs() {
            table.add(vec![
                subject.name.clone(),
                program,
                seconds(cost.cpu_seconds),
                mib(cost.peak.memory_bytes),
                mib(cost.peak.largest_process_bytes),
                cost.peak.processes.to_string(),
                mib(cost.traffic.read_bytes),
                mib(cost.traffic.written_bytes),
            ]);
        }
    }
    table
}

fn parts(subjects: &[Subject]) -> Table {
    let head = ["guest", "command"].into_iter().chain(Part::ALL.map(Part::name)).chain(["rest", "all"]);
    let mut table = Table::with_head(&head.collect::<Vec<_>>());
    for subject in subjects {
        for (job, figures) in subject.looks() {
            let Ok(figures) = figures else { continue };
            let all = figures.typical_seconds;
            let rest = all - figures.parts.iter().sum::<f64>();
            let cells = figures.parts.iter().copied().chain([rest, all]).map(milliseconds);
            table.add([subject.name.clone(), job.name().to_owned()].into_iter().chain(cells).collect());
        }
    }
    table
}

fn disks(subjects: &[Subject]) -> Table {
    let mut table = Table::with_head(&[
        "guest",
        "command",
        "read by the appliance",
        "written to overlays",
        "requests",
        "committed",
    ]);
    for subject in subjects {
        for (job, figures) in subject.looks() {
            let Ok(OurFigures { disks, .. }) = figures else { continue };
            table.add(vec![
                subject.name.clone(),
                job.name().to_owned(),
                mib(disks.read_bytes),
                mib(disks.written_bytes),
                disks.requests.to_string(),
                mib(disks.committed_bytes),
            ]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::growth::tests::growth;
    use super::super::subject::tests::subjects;
    use super::*;

    fn rows(table: &Table) -> Vec<String> {
        let text = table.text();
        let squeezed = |line: &str| line.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        text.lines().skip(2).map(squeezed).collect()
    }

    #[test]
    fn there_is_a_ratio_only_if_both_did_it() {
        assert_eq!(
            rows(&times(&subjects())),
            [
                "| one | 0.100 s | 20.00 s | ×200 | not run | 0.250 s | failed | | not run | not run |",
                "| two | 0.100 s | not run | | not run | failed | not run | | not run | not run |",
            ]
        );
    }

    #[test]
    fn costs_parts_and_disks_have_a_row_per_run_that_did_it() {
        assert_eq!(
            rows(&costs(&subjects())),
            [
                "| one | guestconv inspect | 0.500 s | 3.0 MiB | 4.0 MiB | 5 | 1.0 MiB | 2.0 MiB |",
                "| one | guestconv convert | 0.500 s | 3.0 MiB | 4.0 MiB | 5 | 1.0 MiB | 2.0 MiB |",
                "| one | virt-inspector | 0.500 s | 3.0 MiB | 4.0 MiB | 5 | 1.0 MiB | 2.0 MiB |",
                "| two | guestconv inspect | 0.500 s | 3.0 MiB | 4.0 MiB | 5 | 1.0 MiB | 2.0 MiB |",
            ]
        );
        assert_eq!(
            rows(&parts(&subjects())),
            [
                "| one | inspect | 10.0 | 20.0 | 30.0 | 10.0 | 10.0 | 10.0 | 10.0 | 100.0 |",
                "| one | convert | 10.0 | 20.0 | 30.0 | 10.0 | 10.0 | 10.0 | 160.0 | 250.0 |",
                "| two | inspect | 10.0 | 20.0 | 30.0 | 10.0 | 10.0 | 10.0 | 10.0 | 100.0 |",
            ]
        );
        assert_eq!(
            rows(&disks(&subjects())),
            [
                "| one | inspect | 6.0 MiB | 7.0 MiB | 8 | 0.0 MiB |",
                "| one | convert | 6.0 MiB | 7.0 MiB | 8 | 0.0 MiB |",
                "| two | inspect | 6.0 MiB | 7.0 MiB | 8 | 0.0 MiB |",
            ]
        );
    }

    #[test]
    fn a_part_of_the_benchmark_says_so() {
        let machine = Machine { lines: vec![("date", "today".into())] };
        let whole = document(&machine, &subjects(), &growth(), None);
        let part = document(&machine, &subjects(), &growth(), Some("without peers"));
        assert_eq!(whole, part.replace("**Not the whole benchmark: without peers.**\n\n", ""));
        assert_ne!(whole, part);
        let heads: Vec<&str> = whole.lines().filter(|line| line.starts_with('#')).collect();
        let expected = [
            "Time",
            "What costs do not grow with",
            "Cost",
            "Where the time goes",
            "What the disks see",
            "How it is measured",
        ];
        assert_eq!(heads[0], "# Benchmarks");
        assert_eq!(heads[1..], expected.map(|head| format!("## {head}")));
    }
}
