//! Progress on the standard error: on a terminal a line that comes only if a stage takes long and goes when it ends;
//! or one JSON object per line; or nothing.

use crate::arguments::Progress;
use crate::event::EventDocument;
use guestconv::{Event, Observer, Stage};
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a stage may take before anything is drawn.
const PATIENCE: Duration = Duration::from_millis(700);
/// How often the line is drawn.
const BEAT: Duration = Duration::from_millis(200);
/// How wide the bar is.
const WIDTH: u64 = 30;

/// What is shown of the work. It is the library's observer.
pub(crate) struct Shown {
    how: How,
    verbose: bool,
    state: Mutex<State>,
    changed: Condvar,
}

enum How {
    Bar,
    Json,
    Nothing,
}

#[derive(Default)]
struct State {
    stage: Option<(Stage, Instant)>,
    share: Option<(u64, u64)>,
    is_drawn: bool,
    is_closed: bool,
}

impl Shown {
    /// Returns what shows progress so.
    pub(crate) fn new(progress: Progress, verbose: bool) -> Arc<Self> {
        let how = match progress {
            Progress::Auto if std::io::stderr().is_terminal() => How::Bar,
            Progress::Json => How::Json,
            Progress::Auto | Progress::None => How::Nothing,
        };
        let is_bar = matches!(how, How::Bar);
        let shown = Arc::new(Self { how, verbose, state: Mutex::default(), changed: Condvar::new() });
        if is_bar {
            let drawn = Arc::clone(&shown);
            std::thread::spawn(move || drawn.draw());
        }
        shown
    }

    /// Ends it: nothing is drawn any more.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_closed = true;
        state.clear();
        self.changed.notify_all();
    }

    fn draw(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.is_closed {
            if let Some((stage, begun)) = state.stage.filter(|(_, begun)| begun.elapsed() >= PATIENCE) {
                state.is_drawn = true;
                say(&format!("\r\u{1b}[K{}", line(stage, begun.elapsed(), state.share)));
            }
            (state, _) = self.changed.wait_timeout(state, BEAT).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn json(&self, event: &Event<'_>) {
        let document = match event {
            Event::Started(stage) => EventDocument::Started { stage: stage.name() },
            Event::Progress { stage, done, total } => {
                EventDocument::Progress { stage: stage.name(), done: *done, total: *total }
            }
            Event::Finished(stage, took) => {
                EventDocument::Finished { stage: stage.name(), seconds: took.as_secs_f64() }
            }
            Event::Log(text) => EventDocument::Log { text },
            _ => return,
        };
        say(&document.line());
    }
}

impl Observer for Shown {
    fn event(&self, event: &Event<'_>) {
        if matches!(self.how, How::Json) {
            return self.json(event);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started(stage) => (state.stage, state.share) = (Some((*stage, Instant::now())), None),
            Event::Progress { done, total, .. } => state.share = Some((*done, *total)),
            Event::Finished(..) => {
                state.stage = None;
                state.clear();
            }
            Event::Log(text) if self.verbose => {
                state.clear();
                say(&format!("{}\n", guestconv::core::text::visible(text)));
            }
            _ => {}
        }
    }
}

impl State {
    fn clear(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            say("\r\u{1b}[K");
        }
    }
}

/// Writes to the standard error; progress that cannot be shown is no error.
fn say(text: &str) {
    drop(std::io::stderr().write_all(text.as_bytes()));
}

fn line(stage: Stage, elapsed: Duration, share: Option<(u64, u64)>) -> String {
    let seconds = elapsed.as_secs();
    match share {
        Some((done, total)) if total > 0 => {
            let done = done.min(total);
            let filled =
                usize::try_from(u128::from(done) * u128::from(WIDTH) / u128::from(total)).unwrap_or(0);
            let percent = u128::from(done) * 100 / u128::from(total);
            let width = usize::try_from(WIDTH).unwrap_or(0);
            format!("{stage} [{}{}] {percent}% {seconds} s", "#".repeat(filled), ".".repeat(width - filled))
        }
        _ => format!("{stage} … {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_shows_stage_share_and_time() {
        for (share, expected) in [
            (None, "commit … 2 s".to_owned()),
            (Some((0, 0)), "commit … 2 s".to_owned()),
            (Some((1, 2)), format!("commit [{}{}] 50% 2 s", "#".repeat(15), ".".repeat(15))),
            (Some((9, 3)), format!("commit [{}] 100% 2 s", "#".repeat(30))),
        ] {
            assert_eq!(line(Stage::Commit, Duration::from_secs(2), share), expected, "{share:?}");
        }
    }
}
