//! Start and end of `/init`: kernel file systems, the request, the task, and power off. A panic becomes a failure.

use crate::clock::Clock;
use crate::{apply, inspect, layout, locks, manifest, modules};
use guestconv_core::protocol::{Answer, REQUEST_FILE, Request, Task, VERSION};
use guestconv_core::report::Failure;
use rustix::mount::{MountFlags, mount};
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, PoisonError};

/// Returns the answer to the request in the initramfs, whatever happens.
pub(crate) fn answer(clock: &mut Clock) -> Answer {
    let said = Arc::new(Mutex::new(String::new()));
    let hook = Arc::clone(&said);
    panic::set_hook(Box::new(move |info| {
        *hook.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string();
    }));
    let result = panic::catch_unwind(AssertUnwindSafe(|| work(clock)));
    let message = || said.lock().unwrap_or_else(PoisonError::into_inner).replace('\n', " ");
    let result = result
        .unwrap_or_else(|_| Err(failure("agent-panicked", format!("a fault of guestconv: {}", message()))));
    result.unwrap_or_else(Answer::Failure)
}

fn work(clock: &mut Clock) -> Result<Answer, Failure> {
    kernel_filesystems()?;
    modules::begin();
    let name = format!("/{REQUEST_FILE}");
    let text = fs::read(&name).map_err(|error| failure("request-failed", format!("{name}: {error}")))?;
    // Another version's request may have another shape: its version is looked at first.
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| failure("request-failed", error.to_string()))?;
    let version = value.get("version").and_then(serde_json::Value::as_str).unwrap_or("none");
    if version != VERSION {
        let message = format!("the library is of version {version:?}, the agent of {VERSION}");
        return Err(failure("appliance-version", message));
    }
    let request: Request =
        serde_json::from_value(value).map_err(|error| failure("request-failed", error.to_string()))?;
    clock.ended("request");
    let Request { disks, keys, task, .. } = request;
    match task {
        Task::Inspect { known } => {
            inspect::facts(&disks, &keys, known.as_deref(), clock).map(|facts| Answer::Facts(Box::new(facts)))
        }
        Task::Locks => layout::scan(&disks, &keys).map(|scan| Answer::Locks(locks::of(&scan))),
        Task::Apply(plan) => apply::outcome(&disks, &keys, &plan, clock).map(Answer::Outcome),
        Task::Manifest => manifest::lines(&disks, &keys, clock).map(Answer::Manifest),
        _ => Err(failure("request-failed", "the agent does not know this task")),
    }
}

fn kernel_filesystems() -> Result<(), Failure> {
    let places = [("devtmpfs", "/dev"), ("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run")];
    for (kind, place) in places {
        mount(kind, place, kind, MountFlags::NOSUID | MountFlags::NOEXEC, None)
            .map_err(|error| failure("appliance-damaged", format!("cannot mount {place}: {error}")))?;
    }
    Ok(())
}

/// Ends the machine. File systems that were written are unmounted by now, the others do not matter.
pub(crate) fn power_off() {
    // If it fails there is nothing left to do: `/init` ends, and the kernel with it.
    let _ = rustix::system::reboot(rustix::system::RebootCommand::PowerOff);
}

/// Returns a failure of that code.
pub(crate) fn failure(code: &str, message: impl Into<String>) -> Failure {
    Failure { code: code.to_owned(), message: message.into() }
}
