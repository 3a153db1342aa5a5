//! How far a study has come, on a terminal: a line with a bar for the phase that is under way, gone when it is over.

use crate::model::parts::budget;
use crate::report::format;
use crate::run::summary::Unit;
use crate::run::{Phase, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the line is renewed; a phase that is over before is hardly seen.
const TICK: Duration = Duration::from_millis(200);

/// A line on standard error, if that is a terminal.
pub struct Display {
    bar: ProgressBar,
}

/// What a phase is called.
fn words(phase: Phase) -> &'static str {
    match phase {
        Phase::Reading => "reading cells",
        Phase::WarmingUp => "finding the warm-up",
        Phase::Sizing => "preparing cells",
        Phase::Running => "runs",
        Phase::Judging => "judging expectations",
        Phase::Writing => "writing files",
    }
}

/// The line of a phase: with a bar where its steps are known.
fn template(phase: Phase, steps: u64) -> &'static str {
    match (phase, steps) {
        (Phase::Running, _) => "{bar:40} {pos}/{len} runs, {msg}, {eta} left",
        (_, 0) => "{spinner} {msg}, {elapsed}",
        _ => "{bar:40} {pos}/{len} {msg}, {elapsed}",
    }
}

impl Display {
    /// One that shows nothing yet.
    pub fn new() -> Self {
        Self::on(ProgressDrawTarget::stderr())
    }

    fn on(target: ProgressDrawTarget) -> Self {
        Self {
            bar: ProgressBar::with_draw_target(Some(0), target),
        }
    }

    /// Takes the line away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Does the work while the line says how much time has been simulated, of so many seconds in `all`.
    pub fn watch<T>(&self, all: f64, work: impl FnOnce() -> T) -> T {
        let (over, before) = (AtomicBool::new(false), budget::simulated_ns());
        std::thread::scope(|scope| {
            let shown = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) && !self.bar.is_hidden() {
                    let simulated = budget::simulated_ns().saturating_sub(before) as f64 / 1e9;
                    let seconds = |s| format::value(Unit::Seconds, s);
                    if self.bar.length().unwrap_or(0) > 0 && self.bar.prefix() == RUNNING {
                        self.bar
                            .set_message(format!("{} of {} simulated", seconds(simulated.min(all)), seconds(all)));
                    }
                    std::thread::park_timeout(TICK);
                }
            });
            let done = work();
            over.store(true, Ordering::Relaxed);
            shown.thread().unpark();
            done
        })
    }
}

/// Prefix of the bar while runs are under way; no template shows it.
const RUNNING: &str = "running";

impl Progress for Display {
    fn begin(&self, phase: Phase, steps: u64) {
        if let Ok(style) = ProgressStyle::with_template(template(phase, steps)) {
            self.bar.set_style(style);
        }
        self.bar.reset();
        self.bar.set_length(steps);
        self.bar.set_message(words(phase));
        self.bar.set_prefix(if phase == Phase::Running { RUNNING } else { "" });
        self.bar.enable_steady_tick(TICK);
    }

    fn step(&self, _: Phase) {
        self.bar.inc(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_a_line_that_can_be_drawn() {
        for phase in [
            Phase::Reading,
            Phase::WarmingUp,
            Phase::Sizing,
            Phase::Running,
            Phase::Judging,
            Phase::Writing,
        ] {
            for steps in [0, 7] {
                assert!(ProgressStyle::with_template(template(phase, steps)).is_ok());
                let display = Display::on(ProgressDrawTarget::hidden());
                display.begin(phase, steps);
                display.step(phase);
                assert_eq!((display.bar.position(), display.bar.length()), (1, Some(steps)));
                assert_eq!(display.bar.message(), words(phase));
                display.end();
            }
        }
    }
}
