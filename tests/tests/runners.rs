//! What runs the appliance makes no difference: the same facts, the same plan, the same files, and a guest that boots.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "it is a test: what fails here fails the test")]

use guestconv::prove::Accelerator;
use guestconv::{ConvertOptions, Options, RunnerKind};
use guestconv_system_tests::{Copy, assert_as_before, copy};
use std::env;
use std::time::Duration;

/// Returns the options for a runner, without KVM.
fn by(runner: RunnerKind) -> Options {
    Options {
        runner: Some(runner),
        accelerator: Accelerator::Tcg,
        time_limit: Duration::from_secs(900),
        ..Options::default()
    }
}

/// Returns whether there are QEMU and a kernel for the second runner; says so if not and none is required.
fn can_run_under_qemu(copy: &Copy) -> bool {
    let looked = copy.open_with(by(RunnerKind::Qemu)).inspect().map(drop);
    let missing = looked.err().filter(|error| error.code() == "second-runner-missing");
    if let Some(error) = &missing {
        assert!(env::var_os("GUESTCONV_REQUIRE_GUESTS").is_none(), "{error}; run: cargo xtask test");
        eprintln!("skipped: {error}");
    }
    missing.is_none()
}

#[test]
fn what_runs_the_appliance_makes_no_difference() {
    let (Some(first), Some(second)) = (copy("debian-12-dep"), copy("debian-12-dep")) else { return };
    if !can_run_under_qemu(&second) {
        return;
    }
    let target = second.subject.target;
    let options = second.plan_options();
    let converted = [(&first, RunnerKind::Uml), (&second, RunnerKind::Qemu)].map(|(copy, runner)| {
        let mut guest = copy.open(by(runner));
        let facts = guest.inspect().unwrap().clone();
        let choices = guest.describe(target, &options.nics).unwrap().choices();
        let plan = guest.plan(target, &choices, &options).unwrap();
        let outcome = guest.convert(&plan, &ConvertOptions::default()).unwrap();
        assert!(!copy.is_pristine(), "{runner:?} converted");
        assert_eq!(
            guest.verify(target, &choices, &options).unwrap().missing,
            [],
            "{runner:?}: a second plan"
        );
        copy.assert_sound();
        (facts, plan, outcome)
    });
    let [by_uml, by_qemu] = converted;
    let hardware = by_qemu.1.hardware.clone();
    assert_eq!(by_uml, by_qemu);
    // To hash all files takes minutes under QEMU.
    let [by_uml, by_qemu] = [&first, &second].map(|copy| copy.open(by(RunnerKind::Uml)).manifest().unwrap());
    assert_eq!(by_uml, by_qemu);
    let proof = second.boot(&hardware);
    assert_as_before(second.subject, second.subject.root, &proof);
}
