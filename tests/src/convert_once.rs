//! A program that converts one disk by the library and says what it is doing, a line each, and what it read and wrote: for
//! tests that kill it, run it as another user, or forbid it something.
//!
//! `convert-once DISK TARGET [--no-ptrace] [--qcow2]`

#![allow(clippy::print_stdout, reason = "it is a program of the tests, which read what it prints")]

use guestconv::core::plan::PlanOptions;
use guestconv::{ConvertOptions, DiskSpec, Event, Format, Guest, Options};
use std::env;
use std::error::Error;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [disk, target, rest @ ..] = arguments.as_slice() else {
        return Err("usage: convert-once DISK TARGET [--no-ptrace] [--qcow2]".into());
    };
    let is_wished = |wish: &str| rest.iter().any(|argument| argument == wish);
    if is_wished("--no-ptrace") {
        forbid_ptrace()?;
    }
    let format = if is_wished("--qcow2") { Format::Qcow2 } else { Format::Raw };
    let told = |event: &Event<'_>| {
        if let Event::Started(stage) = event {
            println!("{stage}");
        }
    };
    let options = Options { observer: Arc::new(told), ..Options::default() };
    let mut guest = Guest::open(vec![DiskSpec { format, ..DiskSpec::new(disk) }], options)?;
    let choices = guest.describe(target, &[])?.choices();
    let plan = guest.plan(target, &choices, &PlanOptions::default())?;
    guest.convert(&plan, &ConvertOptions::default())?;
    println!("converted by {} steps", plan.steps.len());
    // Of all reads and writes, whether they came to the disk or not: proc_pid_io(5).
    std::fs::read_to_string("/proc/self/io")?.lines().take(2).for_each(|line| println!("{line}"));
    Ok(())
}

/// Installs a seccomp filter for this process and all that it starts: ptrace fails with EPERM.
#[allow(unsafe_code, reason = "a seccomp filter can only be installed by a system call with a pointer")]
fn forbid_ptrace() -> Result<(), Box<dyn Error>> {
    rustix::thread::set_no_new_privs(true)?;
    let instruction = |code: u32, jt, jf, k| {
        Ok::<_, std::num::TryFromIntError>(libc::sock_filter { code: u16::try_from(code)?, jt, jf, k })
    };
    let mut filter = [
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)?,
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, u32::try_from(libc::SYS_ptrace)?)?,
        instruction(
            libc::BPF_RET | libc::BPF_K,
            0,
            0,
            libc::SECCOMP_RET_ERRNO | u32::try_from(libc::EPERM)?,
        )?,
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW)?,
    ];
    let program = libc::sock_fprog { len: u16::try_from(filter.len())?, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its instructions live until the call returns; the kernel copies them.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if result != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    // SAFETY: asks for nothing but the error.
    let result = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
    if result != -1 {
        return Err("ptrace is still allowed".into());
    }
    Ok(())
}
