//! Throughput of a store: what a table as a whole may take, what each of its partitions may, and how both grow.
//!
//! A refusal takes nothing from either. Amounts are in halves of a unit, as an eventually consistent read takes half of
//! one.

use crate::kernel::number::whole;
use crate::kernel::stream::mix;
use crate::kernel::{Duration, Instant};
use crate::model::parts::token_bucket::TokenBucket;
use crate::model::parts::tracking::{Tracking, TrackingPlan};
use std::collections::VecDeque;

/// Reads and writes have limits of their own.
pub(super) const SIDES: usize = 2;
/// Halves in a unit.
const HALVES: f64 = 2.0;
/// How often consumption is looked at.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// A partition that keeps this much of its load in one half when it is split has gained nothing.
const FUTILE_SHARE: f64 = 0.9;
/// Splits without a gain after which a partition is left as it is: its load is a single key's.
const FUTILE_SPLITS: u8 = 3;
/// Most partitions of a store.
pub(super) const PARTITIONS_MAX: usize = 100_000;

/// How a store as a whole is limited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Only its partitions are.
    Unlimited,
    /// It takes twice what it has taken before, and some at the start.
    OnDemand,
    /// It takes what is provisioned, and for a while what was provisioned and not used.
    Provisioned,
}

/// The limits of one side, checked. All in units per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SidePlan {
    /// Bytes of a unit; `None` if each request is one.
    pub unit_bytes: Option<u64>,
    /// Capacity at the start of the run.
    pub start: f64,
    /// The most that on-demand capacity grows to.
    pub most: f64,
    /// What one partition takes; `None` for no limit.
    pub partition: Option<f64>,
    /// Autoscaling of provisioned capacity.
    pub tracking: Option<TrackingPlan>,
}

/// The limits of a store, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacityPlan {
    /// How the whole is limited.
    pub mode: Mode,
    /// Reads, then writes.
    pub sides: [SidePlan; SIDES],
    /// How long provisioned capacity that is not used can be used later.
    pub bank: Duration,
    /// Minutes until what was taken counts as taken before.
    pub growth_minutes: usize,
    /// Partitions at the start.
    pub partitions: u64,
    /// Minutes of refusals after which a partition is split; `None` for never.
    pub split_after: Option<u32>,
    /// Whether a partition may take all that the table has left, and not only its equal part.
    pub adaptive: bool,
    /// From deciding to change provisioned capacity until it has changed.
    pub scaling_delay: Duration,
}

impl CapacityPlan {
    /// Whether it has to be looked at every minute.
    pub fn ticks(&self) -> bool {
        self.mode == Mode::OnDemand
            || self.split_after.is_some()
            || self.sides.iter().any(|side| side.tracking.is_some())
    }

    /// Whether the whole is.
    pub fn limits_whole(&self) -> bool {
        self.mode != Mode::Unlimited
    }

    /// Whether anything is limited.
    pub fn limits(&self) -> bool {
        self.mode != Mode::Unlimited || self.sides.iter().any(|side| side.partition.is_some())
    }

    /// What the bucket of the whole holds, in seconds of its rate.
    fn bank_s(&self) -> f64 {
        if self.mode == Mode::Provisioned {
            self.bank.as_secs_f64().max(1.0)
        } else {
            1.0
        }
    }

    /// Partitions that this capacity needs.
    pub(super) fn partitions_for(&self, capacity: [f64; SIDES]) -> u64 {
        let needs = |side: usize| {
            let each = self.sides[side].partition?;
            Some(whole((capacity[side] / each).ceil()))
        };
        (0..SIDES).filter_map(needs).max().unwrap_or(1).max(1)
    }
}

/// Why an operation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The whole has no capacity left.
    Table,
    /// The partition has none.
    Partition,
}

#[derive(Clone, Debug)]
struct Partition {
    /// Where its range of hashes begins.
    begins: u64,
    buckets: [Option<TokenBucket>; SIDES],
    /// Halves asked for in this minute, refused ones included.
    asked: u64,
    /// Whether it refused any in this minute.
    refused: bool,
    /// Minutes in a row in which it refused some.
    hot_minutes: u32,
    /// What was asked of the partition that it was split from, in the minute before.
    parent_asked: u64,
    /// Splits that gained nothing.
    futile: u8,
}

#[derive(Clone, Debug)]
struct Side {
    bucket: Option<TokenBucket>,
    /// Units per second.
    capacity: f64,
    /// What a fault lets it take at most.
    cap: f64,
    /// Halves taken in this minute.
    taken: u64,
    /// Halves taken in each of the last minutes that do not count as taken before yet.
    recent: VecDeque<u64>,
    /// The most halves taken in a minute before that.
    peak: u64,
    tracking: Tracking,
    /// Whether provisioned capacity is being changed.
    changing: bool,
}

/// The throughput of one store while the simulation runs.
#[derive(Clone, Debug)]
pub(super) struct Capacity {
    sides: [Side; SIDES],
    partitions: Vec<Partition>,
}

impl Capacity {
    pub(super) fn new(plan: &CapacityPlan) -> Self {
        let side = |side: &SidePlan| Side {
            bucket: (plan.mode != Mode::Unlimited)
                .then(|| TokenBucket::new(side.start * HALVES, side.start * HALVES * plan.bank_s())),
            capacity: side.start,
            cap: f64::INFINITY,
            taken: 0,
            recent: VecDeque::new(),
            peak: 0,
            tracking: Tracking::default(),
            changing: false,
        };
        let mut capacity = Self {
            sides: [side(&plan.sides[0]), side(&plan.sides[1])],
            partitions: Vec::new(),
        };
        let width = u64::MAX / plan.partitions;
        for number in 0..plan.partitions {
            let partition = Partition {
                begins: number * width,
                buckets: capacity.partition_buckets(plan, plan.partitions),
                asked: 0,
                refused: false,
                hot_minutes: 0,
                parent_asked: 0,
                futile: 0,
            };
            capacity.partitions.push(partition);
        }
        capacity
    }

    /// Full buckets of a partition, one of so many.
    fn partition_buckets(&self, plan: &CapacityPlan, of: u64) -> [Option<TokenBucket>; SIDES] {
        let bucket = |side: usize| {
            let most = plan.sides[side].partition?;
            if plan.adaptive || plan.mode != Mode::Provisioned {
                return Some(TokenBucket::new(most * HALVES, most * HALVES));
            }
            let share = (self.sides[side].capacity / of as f64).min(most) * HALVES;
            Some(TokenBucket::new(share, share * plan.bank_s()))
        };
        [bucket(0), bucket(1)]
    }

    /// Units per second that a side may take.
    pub(super) fn of(&self, side: usize) -> f64 {
        self.sides[side].capacity
    }

    /// Partitions that there are.
    pub(super) fn partitions(&self) -> u64 {
        self.partitions.len() as u64
    }

    /// Takes so many halves of a unit for a key, if the table and the key's partition have them. An operation that is
    /// larger than what a bucket ever holds takes all of it.
    #[inline]
    pub(super) fn take(&mut self, now: Instant, side: usize, key: u64, halves: u64) -> Result<(), Refusal> {
        let hash = mix(key.wrapping_add(1));
        let at = self
            .partitions
            .partition_point(|partition| partition.begins <= hash)
            .saturating_sub(1);
        let partition = &mut self.partitions[at];
        partition.asked += halves;
        let whole = &mut self.sides[side];
        let holds = |bucket: &Option<TokenBucket>| bucket.as_ref().is_none_or(|bucket| bucket.holds(now, halves));
        if !holds(&partition.buckets[side]) {
            partition.refused = true;
            return Err(Refusal::Partition);
        }
        if !holds(&whole.bucket) {
            return Err(Refusal::Table);
        }
        for bucket in [&mut partition.buckets[side], &mut whole.bucket].into_iter().flatten() {
            bucket.take(now, halves);
        }
        whole.taken += halves;
        Ok(())
    }

    /// A minute is over. Says which sides' provisioned capacity is to become what.
    pub(super) fn minute(&mut self, plan: &CapacityPlan, now: Instant) -> [Option<u64>; SIDES] {
        let mut wanted = [None; SIDES];
        for (number, wish) in wanted.iter_mut().enumerate() {
            let spec = &plan.sides[number];
            let side = &mut self.sides[number];
            let taken = std::mem::take(&mut side.taken);
            if plan.mode == Mode::OnDemand {
                side.recent.push_back(taken);
                if side.recent.len() > plan.growth_minutes {
                    side.peak = side.peak.max(side.recent.pop_front().unwrap_or(0));
                }
                let before = side.peak as f64 / HALVES / MINUTE.as_secs_f64();
                let capacity = (2.0 * before).clamp(spec.start, spec.most.max(spec.start));
                if capacity > side.capacity {
                    self.set(plan, number, capacity, now);
                }
            } else if let Some(tracking) = spec.tracking.as_ref().filter(|_| !side.changing) {
                let used = taken as f64 / HALVES / MINUTE.as_secs_f64() / side.capacity;
                *wish = side.tracking.observe(tracking, now, used, whole(side.capacity.round()));
                side.changing = wish.is_some();
            }
        }
        self.split_hot(plan);
        wanted
    }

    /// Provisioned capacity has changed.
    pub(super) fn changed(&mut self, plan: &CapacityPlan, side: usize, capacity: u64, now: Instant) {
        self.sides[side].changing = false;
        self.set(plan, side, capacity as f64, now);
    }

    /// A fault lets a side take so much at most, or lets go of it.
    pub(super) fn lower(&mut self, plan: &CapacityPlan, side: usize, to: Option<f64>, now: Instant) {
        self.sides[side].cap = to.unwrap_or(f64::INFINITY);
        self.set(plan, side, self.sides[side].capacity, now);
    }

    fn set(&mut self, plan: &CapacityPlan, side: usize, capacity: f64, now: Instant) {
        let whole = &mut self.sides[side];
        whole.capacity = capacity;
        if let Some(bucket) = &mut whole.bucket {
            let capped = capacity.min(whole.cap);
            bucket.change(now, capped * HALVES, capped * HALVES * plan.bank_s());
        }
        // Partitions are added for more capacity, and never taken away.
        let needed = plan.partitions_for([self.sides[0].capacity, self.sides[1].capacity]);
        while (self.partitions.len() as u64) < needed && self.partitions.len() < PARTITIONS_MAX {
            let widest = (0..self.partitions.len())
                .max_by_key(|&at| (self.width(at), std::cmp::Reverse(at)))
                .unwrap_or(0);
            self.split(widest, plan);
        }
        if !plan.adaptive && plan.mode == Mode::Provisioned {
            let of = self.partitions();
            for (number, spec) in plan.sides.iter().enumerate() {
                let share = spec
                    .partition
                    .map(|most| (self.sides[number].capacity / of as f64).min(most) * HALVES);
                for partition in &mut self.partitions {
                    if let (Some(bucket), Some(share)) = (&mut partition.buckets[number], share) {
                        bucket.change(now, share, share * plan.bank_s());
                    }
                }
            }
        }
    }

    fn width(&self, at: usize) -> u64 {
        let end = self.partitions.get(at + 1).map_or(u64::MAX, |next| next.begins);
        end - self.partitions[at].begins
    }

    /// Splits partitions that have refused operations for long enough, unless splitting has not helped them.
    fn split_hot(&mut self, plan: &CapacityPlan) {
        let Some(after) = plan.split_after else { return };
        let mut at = 0;
        while at < self.partitions.len() {
            let partition = &mut self.partitions[at];
            let (asked, refused) = (partition.asked, std::mem::take(&mut partition.refused));
            partition.asked = 0;
            partition.hot_minutes = if refused { partition.hot_minutes + 1 } else { 0 };
            if partition.hot_minutes >= after && partition.futile < FUTILE_SPLITS {
                let futile = asked as f64 > FUTILE_SHARE * partition.parent_asked as f64 && partition.parent_asked > 0;
                partition.futile = if futile { partition.futile + 1 } else { 0 };
                partition.parent_asked = asked;
                partition.hot_minutes = 0;
                if partition.futile < FUTILE_SPLITS && self.partitions.len() < PARTITIONS_MAX {
                    self.split(at, plan);
                    at += 1;
                }
            }
            at += 1;
        }
    }

    /// Splits a partition in the middle of its range; each half has the throughput of a whole one.
    fn split(&mut self, at: usize, plan: &CapacityPlan) {
        let half = self.width(at) / 2;
        if half == 0 {
            return;
        }
        let mut second = self.partitions[at].clone();
        second.begins += half;
        second.buckets = self.partition_buckets(plan, self.partitions() + 1);
        self.partitions.insert(at + 1, second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(mode: Mode, start: f64) -> CapacityPlan {
        let side = SidePlan {
            unit_bytes: None,
            start,
            most: 1000.0,
            partition: Some(50.0),
            tracking: None,
        };
        CapacityPlan {
            mode,
            sides: [side, side],
            bank: Duration::from_secs(300),
            growth_minutes: 30,
            partitions: 1,
            split_after: Some(2),
            adaptive: true,
            scaling_delay: Duration::ZERO,
        }
    }

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000_000)
    }

    #[test]
    fn on_demand_doubles_what_it_took_half_an_hour_ago() {
        let mut plan = plan(Mode::OnDemand, 10.0);
        plan.sides.iter_mut().for_each(|side| side.partition = None);
        let mut capacity = Capacity::new(&plan);
        // 20 units a second in the first minute, which only twice the start allows.
        capacity.sides[0].taken = 20 * 60 * 2;
        for minute in 1..=30 {
            capacity.minute(&plan, at(60 * minute));
            assert!((capacity.of(0) - 10.0).abs() < 1e-9, "minute {minute}");
        }
        capacity.minute(&plan, at(60 * 31));
        assert!((capacity.of(0) - 40.0).abs() < 1e-9);
        // It never falls, and never exceeds the quota.
        capacity.sides[0].recent[0] = 10_000 * 60 * 2;
        (32..70).for_each(|minute| _ = capacity.minute(&plan, at(60 * minute)));
        assert!((capacity.of(0) - 1000.0).abs() < 1e-9 && (capacity.of(1) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn a_hot_partition_is_split_until_only_one_key_is_left() {
        let plan = plan(Mode::Unlimited, 0.0);
        let mut capacity = Capacity::new(&plan);
        let minute = |capacity: &mut Capacity, minute: u64, keys: u64| {
            for second in 0..60 {
                for turn in 0..100 {
                    let _ = capacity.take(at(60 * minute + second), 0, turn % keys, 2);
                }
            }
            capacity.minute(&plan, at(60 * (minute + 1)));
            capacity.partitions()
        };
        // A hundred keys at one unit a second each: too much for one partition, enough room in two.
        assert_eq!((minute(&mut capacity, 0, 100), minute(&mut capacity, 1, 100)), (1, 2));
        assert!(minute(&mut capacity, 2, 100) <= 3);
        // One key: splits do not help, and after a few nothing is split any more.
        let before = (3..40).map(|m| minute(&mut capacity, m, 1)).max();
        assert_eq!(before, Some(minute(&mut capacity, 40, 1)));
        assert!(before < Some(8), "{before:?}");
    }

    #[test]
    fn provisioned_capacity_is_shared_or_cut_into_equal_parts() {
        let mut plan = plan(Mode::Provisioned, 40.0);
        plan.bank = Duration::from_secs(1);
        plan.partitions = 4;
        let takes = |plan: &CapacityPlan| {
            let mut capacity = Capacity::new(plan);
            (0..100).filter(|_| capacity.take(at(0), 1, 7, 2).is_ok()).count()
        };
        assert_eq!(takes(&plan), 40, "all of it for one key");
        plan.adaptive = false;
        assert_eq!(takes(&plan), 10, "a quarter of it");
        // Growing to 120 a second needs a third partition; the tokens stay.
        plan.adaptive = true;
        plan.partitions = 1;
        let mut capacity = Capacity::new(&plan);
        capacity.changed(&plan, 1, 120, at(0));
        assert_eq!((capacity.partitions(), capacity.of(1)), (3, 120.0));
    }
}
