//! The one processor that a run of the appliance is pinned to: its kernel and its processes wake each other all the time,
//! and across processors that costs ten times as much. A fresh choice per run spreads many runs.

use rustix::thread::{CpuSet, sched_getaffinity};
use std::hash::{BuildHasher, RandomState};

/// Returns one processor of those that this thread may use, by chance; `None` if the system does not tell them.
pub(crate) fn choose() -> Option<CpuSet> {
    let allowed = sched_getaffinity(None).ok()?;
    let numbers: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    let count = u64::try_from(numbers.len()).ok().filter(|count| *count > 0)?;
    // The standard library seeds its hasher from the system's random numbers: enough to spread runs.
    let chance = RandomState::new().hash_one(0) % count;
    let mut one = CpuSet::new();
    one.set(*numbers.get(usize::try_from(chance).ok()?)?);
    Some(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_allowed_processor_is_chosen() {
        let allowed = sched_getaffinity(None).unwrap();
        for _ in 0..20 {
            let one = choose().unwrap();
            let chosen: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| one.is_set(*cpu)).collect();
            assert!(matches!(chosen.as_slice(), [cpu] if allowed.is_set(*cpu)), "{chosen:?}");
        }
    }
}
