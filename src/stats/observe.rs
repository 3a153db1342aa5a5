//! What one run ends in: plain data that the model fills and whoever runs it adds up over replications.
//!
//! A [`Gauge`] integrates a level over time, and a [`WindowLatency`] keeps one line per window besides the whole. All
//! sums are integers: adding runs up in any order gives the same bytes.

use super::histogram::Histogram;
use super::levels::Levels;

/// One component's metric over the measured period of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The component: an index into the plan's list.
    pub component: u32,
    /// The metric's name.
    pub metric: &'static str,
    /// What was measured.
    pub value: Value,
}

/// What was measured, in a form that adds up over runs without loss.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number of things in the measured period.
    Count(u64),
    /// A part of a whole, such as cold starts of all invocations.
    Ratio {
        /// How many had the property.
        part: u64,
        /// How many there were.
        whole: u64,
    },
    /// A number of things for each of others, such as attempts per request: no share, it may be above 1.
    PerEach {
        /// The things.
        sum: u64,
        /// The others.
        count: u64,
    },
    /// The time average of a level.
    TimeMean {
        /// The level integrated over time, in level x ns.
        area: u128,
        /// The time it was integrated over, in ns.
        over_ns: u64,
    },
    /// A number of half things, such as the read units of a table.
    Halves(u64),
    /// The highest level seen.
    Peak(u64),
    /// How long a level lasted at each height.
    Levels(Box<Levels>),
    /// A distribution of times, in ns.
    Latency(Box<Histogram>),
}

impl Value {
    /// Adds another run's value of the same metric: counts, parts and areas add, peaks take the maximum, histograms
    /// merge. Panics if the two are of different kinds, which is a programmer's error.
    pub fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Count(a), Self::Count(b)) | (Self::Halves(a), Self::Halves(b)) => *a += b,
            (Self::Levels(a), Self::Levels(b)) => a.merge(b),
            (Self::Ratio { part, whole }, Self::Ratio { part: p, whole: w }) => {
                *part += p;
                *whole += w;
            }
            (Self::PerEach { sum, count }, Self::PerEach { sum: s, count: c }) => {
                *sum += s;
                *count += c;
            }
            (Self::TimeMean { area, over_ns }, Self::TimeMean { area: a, over_ns: o }) => {
                *area += a;
                *over_ns += o;
            }
            (Self::Peak(a), Self::Peak(b)) => *a = (*a).max(*b),
            (Self::Latency(a), Self::Latency(b)) => a.merge(b),
            (a, b) => panic!("one metric, two kinds of value: {a:?} and {b:?}"),
        }
    }

    /// The value as one number: the count, the fraction, the mean level, the peak, or the mean latency in ns. `None`
    /// where that is undefined: a ratio of nothing, an average over no time, a latency of no requests.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Count(n) | Self::Peak(n) => Some(*n as f64),
            Self::Halves(n) => Some(*n as f64 / 2.0),
            Self::Levels(levels) => levels.quantile(0.5).map(|level| level as f64),
            Self::Ratio { whole: 0, .. } | Self::PerEach { count: 0, .. } | Self::TimeMean { over_ns: 0, .. } => None,
            Self::Ratio { part, whole } => Some(*part as f64 / *whole as f64),
            Self::PerEach { sum, count } => Some(*sum as f64 / *count as f64),
            Self::TimeMean { area, over_ns } => Some(*area as f64 / *over_ns as f64),
            Self::Latency(h) => (!h.is_empty()).then(|| h.mean()),
        }
    }
}

/// One component's metric, window by window; the window's length is the run's.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The component: an index into the plan's list.
    pub component: u32,
    /// The metric's name.
    pub metric: &'static str,
    /// What the values are.
    pub unit: SeriesUnit,
    /// One value per window, in the order of time.
    pub values: Vec<f64>,
}

/// What the values of a [`Series`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesUnit {
    /// Times, in ns.
    Nanoseconds,
    /// Numbers of things per window.
    Count,
    /// Rates per second.
    PerSecond,
    /// Levels: how many there were, on average or at most.
    Level,
    /// Fractions, 0..=1.
    Ratio,
}

/// A level that changes over time, with its exact integral and its peak since the last flush.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauge {
    level: u64,
    peak: u64,
    since_ns: u64,
    /// When the last window was closed.
    flushed_ns: u64,
    /// Area (level x ns) of `levels` that windows before this one had: what is beyond it is that of this window, so
    /// that a change of the level adds to one number only.
    before: u128,
    /// Area to be taken back that was larger than what the current window holds.
    debt: u128,
    /// How long each level lasted; area that is taken back is not taken from here.
    levels: Levels,
}

impl Gauge {
    /// Level zero at time zero.
    pub const fn new() -> Self {
        Self {
            level: 0,
            peak: 0,
            since_ns: 0,
            flushed_ns: 0,
            before: 0,
            debt: 0,
            levels: Levels::new(),
        }
    }

    /// How long each level lasted until the last change or flush.
    pub fn levels(&self) -> Value {
        Value::Levels(Box::new(self.levels.clone()))
    }

    /// Forgets how long each level lasted.
    ///
    /// What the current window has so far goes with it, so this belongs right behind a flush.
    pub fn forget_levels(&mut self) {
        debug_assert!(self.levels.area() == self.before, "a window is under way");
        self.levels.clear();
        self.before = 0;
    }

    /// Moves the level to a new record, where its time begins to count anew.
    #[must_use]
    pub fn carry_over(&mut self) -> Self {
        let mut gauge = std::mem::take(self);
        gauge.forget_levels();
        gauge
    }

    /// The level now.
    #[inline]
    pub const fn level(&self) -> u64 {
        self.level
    }

    /// The highest level since the last flush.
    #[inline]
    pub const fn peak(&self) -> u64 {
        self.peak
    }

    /// From `now_ns` on the level is `level`. Time must not run backwards.
    #[inline(always)]
    pub fn set(&mut self, now_ns: u64, level: u64) {
        self.advance(now_ns);
        self.level = level;
        self.peak = self.peak.max(level);
    }

    /// From `now_ns` on the level is higher by `delta`. It must not fall below zero.
    #[inline(always)]
    pub fn add(&mut self, now_ns: u64, delta: i64) {
        let level = self.level.checked_add_signed(delta);
        debug_assert!(level.is_some(), "level {} cannot change by {delta}", self.level);
        self.set(now_ns, level.unwrap_or(0));
    }

    /// Takes back area (level x ns) that was counted but turns out not to have existed, because what held the level had
    /// gone before anyone looked: after finding an instance that expired at `t`, `add(now, -1)` and
    /// `subtract_past(now - t)`.
    ///
    /// Windows that are closed stay as they are: what exceeds the current window's area is taken from the windows to
    /// come, so the sum over windows is right in the end. The peak is not corrected.
    #[inline]
    pub fn subtract_past(&mut self, level_ns: u64) {
        self.debt += u128::from(level_ns);
    }

    /// Closes a window at `now_ns`: its area (level x ns) and its peak. The level stays, and is the peak to start from.
    pub fn flush(&mut self, now_ns: u64) -> (u128, u64) {
        // Where nothing has changed there is one level to add, and not all those that there ever were.
        let area = if self.since_ns == self.flushed_ns {
            let area = u128::from(self.level) * u128::from(now_ns - self.since_ns);
            self.advance(now_ns);
            self.before += area;
            area
        } else {
            self.advance(now_ns);
            let all = self.levels.area();
            all - std::mem::replace(&mut self.before, all)
        };
        self.flushed_ns = now_ns;
        let paid = self.debt.min(area);
        let window = (area - paid, self.peak);
        self.debt -= paid;
        self.peak = self.level;
        window
    }

    /// Area (level x ns) still to be taken back after the last flush; zero once all corrections have been settled.
    pub const fn unsettled(&self) -> u128 {
        self.debt
    }

    #[inline(always)]
    fn advance(&mut self, now_ns: u64) {
        debug_assert!(
            now_ns >= self.since_ns,
            "time runs backwards: {now_ns} after {}",
            self.since_ns
        );
        self.levels.add(self.level, now_ns - self.since_ns);
        self.since_ns = now_ns;
    }
}

/// Latency over one window, in ns; all zero if the window saw no request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WindowStats {
    /// How many requests ended in the window.
    pub count: u64,
    /// The median.
    pub p50_ns: u64,
    /// The 99th percentile.
    pub p99_ns: u64,
    /// The greatest, exactly.
    pub max_ns: u64,
}

impl WindowStats {
    /// A figure of this window for a series: not a number if the window saw no request.
    pub fn seen(&self, figure: f64) -> f64 {
        if self.count == 0 { f64::NAN } else { figure }
    }

    /// A figure of each window, in nanoseconds, as the values of a series.
    pub fn line(windows: &[Self], figure: fn(&Self) -> u64) -> Vec<f64> {
        windows.iter().map(|w| w.seen(figure(w) as f64)).collect()
    }

    /// The line that stands for the values of `h`.
    pub fn of(h: &Histogram) -> Self {
        let [p50_ns, p99_ns] = h.quantiles([0.5, 0.99]);
        Self {
            count: h.count(),
            p50_ns,
            p99_ns,
            max_ns: h.max(),
        }
    }
}

/// Latencies of a run, as a whole and window by window.
///
/// A latency is recorded once, into the window's histogram; closing the window adds that to the whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WindowLatency {
    current: Histogram,
    whole: Histogram,
    /// The window with the greatest p99 so far.
    worst: Histogram,
    /// Its p99, in ns.
    worst_p99_ns: u64,
    windows: Vec<WindowStats>,
}

impl WindowLatency {
    /// Nothing recorded, no window closed.
    pub const fn new() -> Self {
        Self {
            current: Histogram::new(),
            whole: Histogram::new(),
            worst: Histogram::new(),
            worst_p99_ns: 0,
            windows: Vec::new(),
        }
    }

    /// Takes room for so many windows in all.
    pub fn make_room(&mut self, windows: usize) {
        self.windows.reserve_exact(windows.saturating_sub(self.windows.len()));
    }

    /// Nothing recorded, with as many windows closed, and as much room for more, as here.
    #[must_use]
    pub fn another(&self) -> Self {
        let mut other = Self::new();
        other.make_room(self.windows.capacity());
        other.windows.resize(self.windows.len(), WindowStats::default());
        other
    }

    /// How many latencies were recorded, those of the unfinished window included.
    pub const fn count(&self) -> u64 {
        self.whole.count() + self.current.count()
    }

    /// Adds one latency, in ns, to the current window.
    #[inline]
    pub fn record(&mut self, latency_ns: u64) {
        self.current.record(latency_ns);
    }

    /// Ends the current window and starts the next.
    pub fn close_window(&mut self) {
        let line = WindowStats::of(&self.current);
        self.windows.push(line);
        self.whole.merge(&self.current);
        if line.count > 0 && (self.worst.is_empty() || line.p99_ns > self.worst_p99_ns) {
            self.worst_p99_ns = line.p99_ns;
            std::mem::swap(&mut self.worst, &mut self.current);
        }
        self.current.reset();
    }

    /// The windows closed so far, in the order of time.
    pub fn windows(&self) -> &[WindowStats] {
        &self.windows
    }

    /// All latencies in closed windows.
    pub const fn whole(&self) -> &Histogram {
        &self.whole
    }

    /// All latencies, those of the unfinished window included, the lines of the closed windows, and the latencies of
    /// the window with the greatest p99.
    pub fn finish(mut self) -> (Histogram, Vec<WindowStats>, Histogram) {
        self.whole.merge(&self.current);
        (self.whole, self.windows, self.worst)
    }

    /// Forgets everything, as at the end of the warm-up, but keeps the memory.
    pub fn reset(&mut self) {
        self.current.reset();
        self.whole.reset();
        self.worst.reset();
        self.worst_p99_ns = 0;
        self.windows.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_add_up() {
        let mut ratio = Value::Ratio { part: 1, whole: 4 };
        ratio.merge(&Value::Ratio { part: 2, whole: 2 });
        assert_eq!(
            (ratio.number(), Value::Ratio { part: 0, whole: 0 }.number()),
            (Some(0.5), None)
        );
        let mut level = Value::TimeMean { area: 30, over_ns: 10 };
        level.merge(&Value::TimeMean { area: 0, over_ns: 20 });
        assert_eq!(
            (level.number(), Value::TimeMean { area: 0, over_ns: 0 }.number()),
            (Some(1.0), None)
        );
        let mut peak = Value::Peak(3);
        peak.merge(&Value::Peak(2));
        let mut count = Value::Count(3);
        count.merge(&Value::Count(2));
        assert_eq!((peak.number(), count.number()), (Some(3.0), Some(5.0)));
        let one = |v| {
            let mut h = Histogram::new();
            h.record(v);
            Value::Latency(Box::new(h))
        };
        let mut latency = one(10);
        latency.merge(&one(20));
        assert_eq!(
            (latency.number(), Value::Latency(Box::default()).number()),
            (Some(15.0), None)
        );
    }

    #[test]
    #[should_panic(expected = "two kinds of value")]
    fn values_of_different_kinds_do_not_add_up() {
        Value::Count(1).merge(&Value::Peak(1));
    }

    #[test]
    fn a_gauge_integrates_exactly() {
        let mut g = Gauge::new();
        g.set(10, 3);
        g.add(15, 2);
        g.add(15, -4);
        assert_eq!((g.level(), g.peak()), (1, 5));
        // 3 x 5 ns and 1 x 5 ns.
        assert_eq!(g.flush(20), (20, 5));
        assert_eq!(g.peak(), 1, "the new window starts from the level, not from zero");
        assert_eq!(g.flush(30), (10, 1));
        assert_eq!(g.flush(30), (0, 1), "an empty window has no area");
        let mut far = Gauge::new();
        far.set(0, u64::MAX);
        assert_eq!(far.flush(u64::MAX).0, u128::from(u64::MAX) * u128::from(u64::MAX));
    }

    #[test]
    fn a_late_discovery_is_taken_back() {
        let mut g = Gauge::new();
        g.set(0, 2);
        // Found at 100: one of the two had gone at 40.
        g.add(100, -1);
        g.subtract_past(60);
        assert_eq!(g.flush(100), (140, 2));
        // Found at 110, one window later: the last one had gone at 50, and only 10 of the 60 fall in this window.
        g.add(110, -1);
        g.subtract_past(60);
        assert_eq!(g.flush(200), (0, 1));
        assert_eq!(g.unsettled(), 50);
        g.set(200, 1);
        assert_eq!((g.flush(300), g.unsettled()), ((50, 1), 0));
    }

    #[test]
    fn windows_are_kept_line_by_line() {
        let mut w = WindowLatency::new();
        (1..=100).for_each(|v| w.record(v));
        w.close_window();
        w.close_window();
        w.record(7);
        assert_eq!(w.whole().count(), 100, "the unfinished window is not in the whole yet");
        assert_eq!(w.count(), 101);
        let other = w.another();
        assert_eq!((other.windows(), other.count()), (&[WindowStats::default(); 2][..], 0));
        let full = WindowStats {
            count: 100,
            p50_ns: 50,
            p99_ns: 99,
            max_ns: 100,
        };
        assert_eq!(w.windows(), [full, WindowStats::default()]);
        let (whole, windows, worst) = w.clone().finish();
        assert_eq!((whole.count(), windows.len(), worst.count()), (101, 2, 100));
        w.reset();
        assert_eq!(w, WindowLatency::new());
    }
}
