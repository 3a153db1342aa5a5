//! One budget of memory for everything that waits in all runs of the process, and how what waits grows.
//!
//! What grows without end (a backlog, a loop that sends more than it gets) must end in words and not in an abort, and
//! whether it does must not depend on how many runs happen to go on side by side. So half of the budget is shared by
//! all runs, and the other half belongs to one run at a time: a run that finds the shared half used up by its siblings
//! lets go of all it has and starts over, alone. A run is refused if it alone needs more than half of the budget, which
//! is a property of the run and not of the number of threads.
//!
//! Units: bytes, of entries and not of what the allocator makes of them. Looked at every 65,536 events.

use crate::kernel::number::whole;
use crate::kernel::{Duration, Instant};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The budget of a process that was not told otherwise, in bytes: 4 GiB. The same everywhere, so that the same study
/// ends in the same way on every machine.
pub const DEFAULT: u64 = 4 << 30;

static BUDGET: AtomicU64 = AtomicU64::new(DEFAULT);
static HELD: AtomicU64 = AtomicU64::new(0);
static SIMULATED_NS: AtomicU64 = AtomicU64::new(0);
static TURN: Mutex<()> = Mutex::new(());

/// Sets the budget of the process, in bytes.
pub fn set(bytes: u64) {
    BUDGET.store(bytes, Ordering::Relaxed);
}

/// What one run may hold, in bytes.
pub fn of_a_run() -> u64 {
    BUDGET.load(Ordering::Relaxed) / 2
}

/// Simulated time that the runs of this process have gone through, in ns, for a progress display.
pub fn simulated_ns() -> u64 {
    SIMULATED_NS.load(Ordering::Relaxed)
}

/// Waits until no other run is alone, and is alone until the guard goes.
pub fn alone() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a run may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It may.
    Enough,
    /// Others have what it needs: it is to start over, alone.
    TakenByOthers,
    /// It holds more than any run may.
    None,
}

/// A run's share of the budget; it goes back when this is dropped.
#[derive(Debug)]
pub struct Share {
    most: u64,
    held: u64,
    simulated_ns: u64,
    alone: bool,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            most: of_a_run(),
            held: 0,
            simulated_ns: 0,
            alone: false,
        }
    }
}

impl Share {
    /// The share of a run that starts over with the half that belongs to one run at a time.
    pub fn alone() -> Self {
        Self {
            alone: true,
            ..Self::default()
        }
    }

    /// A share of at most so many bytes.
    pub fn of(most: u64) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// The run holds so many bytes at this instant.
    pub fn hold(&mut self, bytes: u64, now: Instant) -> Room {
        SIMULATED_NS.fetch_add(now.0 - self.simulated_ns, Ordering::Relaxed);
        self.simulated_ns = now.0;
        if bytes > self.most {
            return Room::None;
        }
        if self.alone {
            return Room::Enough;
        }
        // Wraps where it holds less than before, and so subtracts.
        let change = bytes.wrapping_sub(self.held);
        let all = HELD.fetch_add(change, Ordering::Relaxed).wrapping_add(change);
        self.held = bytes;
        if all > self.most && bytes < all {
            Room::TakenByOthers
        } else {
            Room::Enough
        }
    }

    /// What the run may hold, in bytes.
    pub const fn most(&self) -> u64 {
        self.most
    }

    /// Takes back what was said about progress: the run starts over.
    pub fn forget(&mut self) {
        SIMULATED_NS.fetch_sub(self.simulated_ns, Ordering::Relaxed);
        self.simulated_ns = 0;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        HELD.fetch_sub(self.held, Ordering::Relaxed);
    }
}

/// What waits, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Requests under way.
    Requests,
    /// What is on the agenda.
    Events,
    /// Messages of a queue.
    Messages,
    /// Events of a function that is invoked asynchronously.
    Asynchronous,
    /// Records of a stream.
    Records,
    /// Executions and threads of a workflow.
    Executions,
    /// Deliveries of a topic or a schedule.
    Deliveries,
    /// Keys of what must happen once.
    Keys,
}

/// How much waits in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// What.
    pub holder: Holder,
    /// Whose: its number among all components; of requests and events, nobody's in particular.
    pub component: Option<u32>,
    /// How many.
    pub items: u64,
    /// What each takes, in bytes.
    pub each: u64,
}

impl Holding {
    /// So many entries of type `T`.
    pub fn of<T>(holder: Holder, component: Option<u32>, items: u64) -> Self {
        // Each stands in a line, and has a generation, too.
        let each = size_of::<T>() as u64 + 16;
        Self {
            holder,
            component,
            items,
            each,
        }
    }

    /// What all of them take, in bytes.
    pub fn bytes(&self) -> u64 {
        self.items * self.each
    }
}

/// How what waits has grown of late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// All at once.
    AtOnce,
    /// By so many a second.
    Steady(u64),
    /// It doubles every so often.
    Doubling(Duration),
}

/// Why there was no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// When it was stopped.
    pub at: Instant,
    /// What takes most.
    pub most: Holding,
    /// The component that most of the requests under way are at, if it is requests.
    pub place: Option<u32>,
    /// How that grows.
    pub growth: Growth,
    /// What a run may hold, in bytes.
    pub allowed: u64,
    /// Whether there still was room, but would not have been before the end of the run.
    pub foreseen: bool,
}

/// What waited at some instants: each time that it had doubled.
#[derive(Debug, Default)]
pub struct History {
    points: Vec<(Instant, Vec<u64>)>,
    noted: u64,
}

/// Fewer than these say nothing about growth.
const FEW: u64 = 1 << 10;

impl History {
    /// Looks at what waits; says whether it has doubled since that was last so.
    pub fn note(&mut self, now: Instant, holdings: &[Holding]) -> bool {
        let items: u64 = holdings.iter().map(|holding| holding.items).sum();
        let doubled = items >= (2 * self.noted).max(FEW);
        if doubled {
            self.noted = items;
            self.points.push((now, holdings.iter().map(|h| h.items).collect()));
        }
        doubled
    }

    /// How the holding at `place` of the list has grown, being `items` now.
    pub fn growth(&self, place: usize, now: Instant, items: u64) -> Growth {
        let mut points: Vec<(Instant, u64)> = Vec::new();
        for (at, items) in &self.points {
            let count = items.get(place).copied().unwrap_or(0);
            let doubled = points.last().is_none_or(|last| count * 2 >= last.1 * 3);
            if *at < now && count >= FEW / 4 && doubled {
                points.push((*at, count));
            }
        }
        points.push((now, items));
        // The rate of growth between two points: of a line it halves with each doubling, of doubling it stays.
        let rate = |pair: &[(Instant, u64)]| {
            let ratio = pair[1].1 as f64 / pair[0].1 as f64;
            libm::log(ratio) / pair[1].0.since(pair[0].0).as_secs_f64().max(1e-9)
        };
        let rates: Vec<f64> = points.windows(2).map(rate).collect();
        if let [.., first, _, _, _, _] = rates[..] {
            // The last doubling is not complete, so it does not count.
            let last = &rates[rates.len() - 5..rates.len() - 1];
            let mean = last.iter().sum::<f64>() / last.len() as f64;
            let kept = last[3] / last[0];
            if first > 0.0 && kept > 0.6 && last.iter().all(|rate| (0.6..1.7).contains(&(rate / mean))) {
                return Growth::Doubling(Duration::from_secs_f64(core::f64::consts::LN_2 / mean));
            }
        }
        let half = points.iter().rev().find(|point| point.1 * 2 <= items);
        let (since, before) = half.copied().unwrap_or((Instant::ZERO, 0));
        let seconds = now.since(since).as_secs_f64();
        if seconds <= 0.0 {
            return Growth::AtOnce;
        }
        Growth::Steady(whole((items - before) as f64 / seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(items: impl Fn(f64) -> f64, until: f64) -> Growth {
        let mut history = History::default();
        let (mut t, step) = (0.0, until / 20_000.0);
        let holding = |t: f64| Holding::of::<u64>(Holder::Messages, Some(0), whole(items(t)));
        while t < until {
            history.note(Instant(whole(libm::round(t * 1e9))), &[holding(t)]);
            t += step;
        }
        history.growth(0, Instant(whole(libm::round(t * 1e9))), holding(t).items)
    }

    #[test]
    fn lines_and_doublings_are_told_apart() {
        let Growth::Steady(rate) = grown(|t| 1e6 * t, 14.0) else {
            panic!("a line is steady");
        };
        assert!((990_000..=1_010_000).contains(&rate), "{rate}");
        let Growth::Steady(_) = grown(|t| 1e4 * t * t, 40.0) else {
            panic!("a square does not double");
        };
        let Growth::Doubling(every) = grown(|t| libm::exp2(t / 1.2), 28.0) else {
            panic!("a power doubles");
        };
        assert!((every.as_secs_f64() - 1.2).abs() < 0.06, "{every:?}");
        let at_once = History::default().growth(0, Instant::ZERO, 5_000_000);
        assert_eq!(at_once, Growth::AtOnce);
    }

    #[test]
    fn a_share_goes_back() {
        let most = 1 << 40;
        let mut share = Share::of(most);
        assert_eq!(share.hold(5, Instant(7)), Room::Enough);
        assert_eq!(share.hold(most + 1, Instant(8)), Room::None);
        let mut other = Share::of(6);
        // It alone would have room, but not beside the first, whatever other tests hold.
        assert_eq!(other.hold(4, Instant(1)), Room::TakenByOthers);
        other.forget();
        drop(share);
        let mut alone = Share {
            alone: true,
            ..Share::of(6)
        };
        assert_eq!(alone.hold(6, Instant(1)), Room::Enough);
    }
}
