//! Capacity of a serverless database: it moves, while connections stay where they are.
//!
//! Model: capacity comes in half units; a unit is 2 GiB of memory and a share of a core. Once a second the use of the
//! cores over the last second is held against a target. Above it the capacity grows to what the target asks for, but by
//! no more than a share of what there is (at least half a unit), so that a large one grows faster than a small one.
//! Below it the capacity falls by half a unit at a time, each after some seconds in a row. With a minimum of zero it
//! pauses when nobody has had a connection for a while; the next one waits until it has resumed.
//! Not modelled: growth for lack of memory; the buffer cache that shrinks with the capacity; readers that scale with
//! the writer; storage.
//! Units: half capacity units; use as a share of the cores.
//! Sources: Amazon Aurora user guide, "Aurora Serverless v2 scaling" (half units, looked at each second, the larger the
//! faster, pause and resume); figures and confidence in `catalog/aws/aurora.serverless_v2.yaml`.
//! Validated by: a ramp, a fall, a pause and a resume by hand (tests/theory/stores.rs).

use crate::kernel::number::{fit, whole};
use crate::kernel::{Duration, Instant, Sampler};
use crate::scenario::{Block, Code, Field, Kind, Table};

/// Half units in a unit.
pub(super) const HALVES: f64 = 2.0;
/// How often use is looked at while there is some.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// How often a database that may pause looks whether it can.
pub(super) const IDLE_TICK: Duration = Duration::from_secs(15);

/// The fields of serverless capacity.
pub const SERVERLESS: Table = Table {
    name: "serverless",
    doc: "Capacity that moves with the load, in steps of half a unit.",
    fields: &[
        Field::default(
            "minimum",
            Kind::Number,
            "0.5",
            "Least capacity units, in halves; with 0 it pauses when nobody is connected.",
        )
        .within(0.0, 256.0)
        .source("Amazon Aurora API reference, ServerlessV2ScalingConfiguration: 0 to 256 in steps of 0.5"),
        Field::default("maximum", Kind::Number, "16", "Most capacity units, in halves.")
            .within(0.5, 256.0)
            .source("Amazon Aurora API reference, ServerlessV2ScalingConfiguration: 0 to 256 in steps of 0.5"),
        Field::default("cores_per_unit", Kind::Number, "0.25", "Cores of a capacity unit.")
            .within(0.01, 16.0)
            .source("assumed: 2 GiB are a quarter of a core, as in the r classes of 8 GiB per core"),
        Field::default(
            "target",
            Kind::Share,
            "70%",
            "Use of the cores above which capacity grows.",
        )
        .within(0.05, 1.0)
        .source("assumed; not documented"),
        Field::default(
            "growth",
            Kind::Share,
            "10%",
            "Growth in a second at most, as a share of the capacity; half a unit at least.",
        )
        .within(0.0, 1.0)
        .source("assumed; documented is only that a larger capacity grows faster"),
        Field::default(
            "shrink_after",
            Kind::Duration,
            "10 s",
            "Time below the target after which capacity falls by half a unit.",
        )
        .at_least(1e9)
        .source("assumed; documented is only that it falls gradually"),
        Field::default(
            "pause_after",
            Kind::Duration,
            "5 min",
            "Time without a connection after which it pauses, if the minimum is 0.",
        )
        .within(1e9, 86_400e9)
        .source("Amazon Aurora API reference, SecondsUntilAutoPause: 300 s unless set, up to a day"),
        Field::default(
            "resume_time",
            Kind::Sampler,
            "15 s",
            "From the first connection until it has resumed.",
        )
        .source("from memory of the Amazon Aurora user guide: about 15 s, 30 s and more after a day"),
        Field::default(
            "low_minimum_connections",
            Kind::Count,
            "2000",
            "Connections at most if the minimum is half a unit or less.",
        )
        .at_least(1.0)
        .source("Amazon Aurora user guide, maximum connections: 2,000 then"),
    ],
};

/// Serverless capacity, checked. Capacity is in half units.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerlessPlan {
    /// Least; zero if it pauses.
    pub minimum: u64,
    /// Most.
    pub maximum: u64,
    /// Cores of half a unit.
    pub cores_per_half: f64,
    /// Use above which it grows.
    pub target: f64,
    /// Growth in a second at most, as a share.
    pub growth: f64,
    /// Seconds below the target before it falls.
    pub shrink_after: u32,
    /// Time without a connection before it pauses.
    pub pause_after: Duration,
    /// From a first connection until it has resumed.
    pub resume: Sampler,
}

impl ServerlessPlan {
    /// Reads serverless capacity.
    pub fn read(block: &Block) -> Self {
        let halves = |field: &str| {
            let units = block.number(field);
            let halves = (units * HALVES).round();
            if (halves - units * HALVES).abs() > 1e-9 {
                let message = format!("{units} is no multiple of half a capacity unit");
                block.error(
                    Code::OutOfRange,
                    block.span_of(field),
                    message,
                    format!("write `{}`", halves / HALVES),
                );
            }
            whole(halves)
        };
        let (minimum, maximum) = (halves("minimum"), halves("maximum").max(1));
        if minimum > maximum {
            let message = "the least capacity is above the most";
            block.error(
                Code::Inconsistent,
                block.span_of("minimum"),
                message,
                "raise `maximum` or lower `minimum`",
            );
        }
        Self {
            minimum: minimum.min(maximum),
            maximum,
            cores_per_half: block.number("cores_per_unit") / HALVES,
            target: block.share("target"),
            growth: block.share("growth"),
            shrink_after: fit(block.duration("shrink_after").0 / TICK.0),
            pause_after: block.duration("pause_after"),
            resume: block.sampler("resume_time"),
        }
    }

    /// Capacity below which it does not fall while it is awake.
    pub fn least_awake(&self) -> u64 {
        self.minimum.max(1)
    }
}

/// Serverless capacity while the simulation runs.
#[derive(Clone, Debug)]
pub(super) struct Capacity {
    /// Half units now; zero while it is paused.
    pub(super) halves: u64,
    /// Cores in use, integrated since the last look, in core ns.
    used: f64,
    in_use: f64,
    since: Instant,
    looked_at: Instant,
    /// Seconds in a row in which less was wanted.
    below: u32,
    /// Since when nobody has been connected.
    pub(super) deserted_since: Option<Instant>,
    /// The epoch of the next look.
    pub(super) epoch: u32,
    /// Whether the next look is far away, or there is none.
    pub(super) dozing: bool,
}

impl Capacity {
    pub(super) fn new(plan: &ServerlessPlan) -> Self {
        Self {
            halves: plan.least_awake(),
            used: 0.0,
            in_use: 0.0,
            since: Instant::ZERO,
            looked_at: Instant::ZERO,
            below: 0,
            deserted_since: Some(Instant::ZERO),
            epoch: 0,
            dozing: true,
        }
    }

    /// Somebody comes after a time in which nothing was in use: that time does not count.
    pub(super) fn wake(&mut self, now: Instant) {
        self.cores_in_use(now, 0.0);
        (self.used, self.looked_at, self.below) = (0.0, now, 0);
    }

    /// From now on so many cores are in use.
    pub(super) fn cores_in_use(&mut self, now: Instant, cores: f64) {
        self.used += self.in_use * now.since(self.since).0 as f64;
        self.since = now;
        self.in_use = cores;
    }

    /// Looks at the use since the last look and moves the capacity.
    pub(super) fn look(&mut self, plan: &ServerlessPlan, now: Instant) {
        self.cores_in_use(now, self.in_use);
        let passed = now.since(self.looked_at).0 as f64;
        let cores = self.halves as f64 * plan.cores_per_half;
        let used = std::mem::take(&mut self.used) / passed.max(1.0) / cores;
        self.looked_at = now;
        // What rounding adds to a use that is exactly on target is no reason to grow.
        let wanted = whole((self.halves as f64 * used / plan.target - 1e-9).ceil().max(0.0));
        let wanted = wanted.clamp(plan.least_awake(), plan.maximum);
        if wanted < self.halves {
            self.below += 1;
            if self.below >= plan.shrink_after {
                self.halves -= 1;
                self.below = 0;
            }
            return;
        }
        let most = whole((self.halves as f64 * plan.growth).floor()).max(1);
        self.halves += (wanted - self.halves).min(most);
        self.below = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> ServerlessPlan {
        ServerlessPlan {
            minimum: 1,
            maximum: 64,
            cores_per_half: 0.125,
            target: 0.5,
            growth: 0.1,
            shrink_after: 3,
            pause_after: Duration::from_secs(300),
            resume: Sampler::Constant(15e9),
        }
    }

    #[test]
    fn a_larger_capacity_grows_faster() {
        let plan = plan();
        let mut capacity = Capacity::new(&plan);
        let mut seen = Vec::new();
        for second in 1..=40 {
            // All cores are busy: the target asks for twice the capacity.
            let cores = capacity.halves as f64 * plan.cores_per_half;
            capacity.cores_in_use(Instant((second - 1) * 1_000_000_000), cores);
            capacity.look(&plan, Instant(second * 1_000_000_000));
            seen.push(capacity.halves);
        }
        // One half a second up to 10 units (20 halves), then two, three and so on, up to the maximum.
        assert_eq!(seen[..19], (2..=20).collect::<Vec<u64>>()[..]);
        assert_eq!(seen[19..24], [22, 24, 26, 28, 30]);
        assert_eq!(seen[24..30], [33, 36, 39, 42, 46, 50]);
        assert_eq!(seen[39], 64);
    }

    #[test]
    fn it_falls_by_half_a_unit_after_a_while() {
        let plan = plan();
        let mut capacity = Capacity::new(&plan);
        capacity.halves = 4;
        let at = |second: u64| Instant(second * 1_000_000_000);
        let halves: Vec<u64> = (1..=8)
            .map(|second| {
                capacity.look(&plan, at(second));
                capacity.halves
            })
            .collect();
        assert_eq!(halves, [4, 4, 3, 3, 3, 2, 2, 2]);
        // A quarter of two halves' cores in use for half of the time is far below the target; on target nothing moves.
        capacity.cores_in_use(at(8), 0.125);
        capacity.look(&plan, at(9));
        capacity.look(&plan, at(10));
        assert_eq!((capacity.halves, capacity.below), (2, 0));
    }
}
