//! Where the time goes: each part of the work by name with its end, in microseconds since `/init` started.

use std::time::Instant;

/// The parts that have ended.
pub(crate) struct Clock {
    begun: Instant,
    ends: Vec<(String, u64)>,
}

impl Clock {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Self { begun: Instant::now(), ends: Vec::new() }
    }

    /// Says that a part has ended.
    pub(crate) fn ended(&mut self, part: impl Into<String>) {
        let microseconds = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.ends.push((part.into(), microseconds));
    }

    /// Returns the parts, in order.
    pub(crate) fn timings(self) -> Vec<(String, u64)> {
        self.ends
    }
}
