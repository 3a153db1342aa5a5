//! Circuit breakers: a caller that has seen many failures stops calling for a while.
//!
//! Model: closed, it counts the calls that ended in a sliding window of ten slices. When at least so many ended and at
//! least that share of them badly, it opens: calls are refused at once. After a while it is half open: so many calls
//! may try, and when all of them have ended their share of failures opens or closes it. Calls that began before a
//! change do not count after it. If probes do not end within the same while, others may try.
//! Not modelled: slow calls as failures (a time-out is one), windows that count calls instead of time.
//! Units: windows in nanoseconds, which slices divide from the start of the run.
//! Sources: Hystrix wiki, "Configuration" (defaults) and "How it works"; Polly v8 and resilience4j documentation,
//! "Circuit breaker" (several probes, judged together).
//! Validated by: a trace by hand below and in tests/theory.

use crate::kernel::number::place;
use crate::kernel::{Duration, Instant};
use crate::scenario::{Block, Field, Kind, Table};

/// Slices of the window.
const SLICES: usize = 10;

/// The fields of a breaker.
pub const TABLE: Table = Table {
    name: "breaker",
    doc: "A circuit breaker: after many failures calls are refused at once for a while (status `breaker_open`).",
    fields: &[
        Field::default(
            "failure_ratio",
            Kind::Share,
            "50%",
            "It opens when this share of the calls in the window ended badly, time-outs included.",
        )
        .within(0.001, 1.0)
        .source("Hystrix wiki, Configuration: circuitBreaker.errorThresholdPercentage"),
        Field::default("window", Kind::Duration, "10 s", "How far back it looks.")
            .within(1e6, 1e14)
            .source("Hystrix wiki, Configuration: metrics.rollingStats"),
        Field::default(
            "minimum_calls",
            Kind::Count,
            "20",
            "It stays closed if fewer calls ended in the window.",
        )
        .within(1.0, 1e9)
        .source("Hystrix wiki, Configuration: circuitBreaker.requestVolumeThreshold"),
        Field::default(
            "open",
            Kind::Duration,
            "5 s",
            "How long it refuses calls before some may try.",
        )
        .positive()
        .source("Hystrix wiki, Configuration: circuitBreaker.sleepWindowInMilliseconds"),
        Field::default(
            "probes",
            Kind::Count,
            "1",
            "How many calls may try before it closes or opens again.",
        )
        .within(1.0, 1e6)
        .source("Hystrix wiki, How it works: a single request"),
        Field::default(
            "scope",
            Kind::Choice(&["instance", "component"]),
            "instance",
            "Who shares it: the calls of one instance, as with a library that keeps it in memory, or those of all \
             instances. A client is one instance.",
        ),
    ],
};

/// A breaker, checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerPlan {
    /// The share of failures that opens it.
    pub failure_ratio: f64,
    /// How far back it looks.
    pub window: Duration,
    /// Calls that must have ended in the window.
    pub minimum_calls: u64,
    /// How long it refuses.
    pub open: Duration,
    /// Calls that may try.
    pub probes: u64,
    /// Whether each instance of the caller has one of its own.
    pub per_instance: bool,
}

impl BreakerPlan {
    /// Reads a breaker.
    pub fn read(block: &Block) -> Self {
        Self {
            failure_ratio: block.share("failure_ratio"),
            window: block.duration("window"),
            minimum_calls: block.count("minimum_calls"),
            open: block.duration("open"),
            probes: block.count("probes"),
            per_instance: block.choice("scope") == 0,
        }
    }

    /// Whether so many failures of so many calls are too many.
    fn too_many(&self, failed: u64, calls: u64) -> bool {
        failed as f64 >= self.failure_ratio * calls as f64
    }
}

/// How calls ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    calls: u64,
    failed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Closed,
    Open { until: Instant },
    HalfOpen { since: Instant, sent: u64, ended: Tally },
}

/// One breaker while the simulation runs.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    stage: Stage,
    /// Counts changes of the stage.
    epoch: u8,
    slices: [Tally; SLICES],
    /// The slice of time that was counted last, since the start of the run.
    slice: u64,
    /// When it was last asked or told.
    pub(super) used: Instant,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Closed,
            epoch: 0,
            slices: [Tally::default(); SLICES],
            slice: 0,
            used: Instant::ZERO,
        }
    }

    fn go(&mut self, stage: Stage) {
        self.stage = stage;
        self.epoch = self.epoch.wrapping_add(1);
        self.slices = [Tally::default(); SLICES];
    }

    /// Asks whether a call may be made now; the answer is what it must show when it has ended.
    pub(super) fn admit(&mut self, plan: &BreakerPlan, now: Instant) -> Option<u8> {
        self.used = now;
        let half_open = Stage::HalfOpen {
            since: now,
            sent: 0,
            ended: Tally::default(),
        };
        match self.stage {
            Stage::Open { until } if until <= now => self.go(half_open),
            Stage::HalfOpen { since, sent, .. } if sent >= plan.probes && since + plan.open <= now => {
                self.go(half_open);
            }
            _ => {}
        }
        match &mut self.stage {
            Stage::Closed => Some(self.epoch),
            Stage::HalfOpen { sent, .. } if *sent < plan.probes => {
                *sent += 1;
                Some(self.epoch)
            }
            _ => None,
        }
    }

    /// A call has ended that was admitted with this permit. Says whether that opened the breaker.
    pub(super) fn ended(&mut self, plan: &BreakerPlan, now: Instant, permit: u8, ok: bool) -> bool {
        self.used = now;
        if permit != self.epoch {
            return false;
        }
        let opens = match &mut self.stage {
            Stage::Open { .. } => false,
            Stage::Closed => {
                let all = self.count(plan, now, ok);
                all.calls >= plan.minimum_calls && plan.too_many(all.failed, all.calls)
            }
            Stage::HalfOpen { ended, .. } => {
                ended.calls += 1;
                ended.failed += u64::from(!ok);
                let Tally { calls, failed } = *ended;
                if calls < plan.probes {
                    return false;
                }
                let opens = plan.too_many(failed, calls);
                if !opens {
                    self.go(Stage::Closed);
                }
                opens
            }
        };
        if opens {
            self.go(Stage::Open { until: now + plan.open });
        }
        opens
    }

    /// Counts a call and says how those in the window ended.
    fn count(&mut self, plan: &BreakerPlan, now: Instant, ok: bool) -> Tally {
        let slice = now.0 / (plan.window.0 / SLICES as u64).max(1);
        for passed in (self.slice + 1..=slice).take(SLICES) {
            self.slices[place(passed) % SLICES] = Tally::default();
        }
        if slice >= self.slice + SLICES as u64 {
            self.slices = [Tally::default(); SLICES];
        }
        self.slice = slice;
        let mine = &mut self.slices[place(slice) % SLICES];
        mine.calls += 1;
        mine.failed += u64::from(!ok);
        self.slices.iter().fold(Tally::default(), |sum, slice| Tally {
            calls: sum.calls + slice.calls,
            failed: sum.failed + slice.failed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: BreakerPlan = BreakerPlan {
        failure_ratio: 0.5,
        window: Duration::from_secs(10),
        minimum_calls: 4,
        open: Duration::from_secs(5),
        probes: 2,
        per_instance: false,
    };

    fn at(ms: u64) -> Instant {
        Instant(ms * 1_000_000)
    }

    #[test]
    fn it_opens_tries_and_closes() {
        let mut breaker = Breaker::new();
        let permit = breaker.admit(&PLAN, at(0)).unwrap();
        for (ms, ok, opens) in [
            (100, false, false),
            (200, true, false),
            (300, true, false),
            (400, false, true),
        ] {
            assert_eq!(breaker.ended(&PLAN, at(ms), permit, ok), opens, "after {ms} ms");
        }
        assert_eq!(breaker.admit(&PLAN, at(5_399)), None);
        // Two probes at once, and no third one; what began before does not count.
        let probe = breaker.admit(&PLAN, at(5_400)).unwrap();
        assert!(!breaker.ended(&PLAN, at(5_400), permit, false));
        assert_eq!(breaker.admit(&PLAN, at(5_500)), Some(probe));
        assert_eq!(breaker.admit(&PLAN, at(5_600)), None);
        assert!(!breaker.ended(&PLAN, at(5_700), probe, true));
        assert!(
            breaker.ended(&PLAN, at(5_800), probe, false),
            "half of the probes failed"
        );
        let probe = breaker.admit(&PLAN, at(10_800)).unwrap();
        assert_eq!(breaker.admit(&PLAN, at(10_800)), Some(probe));
        assert!(!breaker.ended(&PLAN, at(10_900), probe, true));
        assert!(!breaker.ended(&PLAN, at(11_000), probe, true));
        assert!(breaker.admit(&PLAN, at(11_000)).is_some_and(|closed| closed != probe));
    }

    #[test]
    fn probes_that_never_end_make_room_for_others() {
        let mut breaker = Breaker::new();
        breaker.go(Stage::Open { until: at(1_000) });
        let lost = breaker.admit(&PLAN, at(1_000)).unwrap();
        assert_eq!(breaker.admit(&PLAN, at(2_000)), Some(lost));
        assert_eq!(breaker.admit(&PLAN, at(5_999)), None);
        assert!(breaker.admit(&PLAN, at(6_000)).is_some_and(|next| next != lost));
    }

    #[test]
    fn the_window_forgets_slice_by_slice() {
        let mut breaker = Breaker::new();
        let seen = |breaker: &mut Breaker, ms| {
            let Tally { calls, failed } = breaker.count(&PLAN, at(ms), false);
            assert_eq!(calls, failed);
            calls
        };
        assert_eq!([seen(&mut breaker, 0), seen(&mut breaker, 1_500)], [1, 2]);
        assert_eq!(seen(&mut breaker, 9_999), 3);
        assert_eq!(seen(&mut breaker, 10_000), 3, "the slice from 0 to 1 s is gone");
        assert_eq!(seen(&mut breaker, 11_000), 3, "and that from 1 to 2 s");
        assert_eq!(seen(&mut breaker, 60_000), 1);
    }
}
