//! Target tracking: the autoscaler behind EC2 Auto Scaling, Application Auto Scaling (ECS) and provisioned concurrency.
//!
//! Model: a metric is looked at once a minute. Above the target for all of the last `out_periods` minutes: scale out in
//! proportion, ceil(current x metric / target). Below `low_ratio` x target for all of the last `in_periods`: scale in,
//! to no less than the same proportion says. A cooldown after each change delays the next in the same direction.
//! Not modelled: several policies at once; predictive and step scaling; missing data.
//! Sources: EC2 Auto Scaling and Application Auto Scaling user guides, "Target tracking scaling policies"; the two
//! generated alarms (3 of 3 minutes, 15 of 15 minutes at 90 % or 70 % of the target) as seen in public alarm listings.

use crate::kernel::number::whole;
use crate::kernel::{Duration, Instant};

/// A policy, checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackingPlan {
    /// What the metric (a utilisation) should be.
    pub target: f64,
    /// Fewest.
    pub minimum: u64,
    /// Most.
    pub maximum: u64,
    /// Minutes above the target before scaling out.
    pub out_periods: u32,
    /// Minutes below the band before scaling in.
    pub in_periods: u32,
    /// Lower edge of the band, as a fraction of the target.
    pub low_ratio: f64,
    /// Wait after scaling out before scaling out again.
    pub out_cooldown: Duration,
    /// Wait after any change before scaling in.
    pub in_cooldown: Duration,
}

/// How often the metric is looked at.
pub const PERIOD: Duration = Duration::from_secs(60);

/// The two alarms and the cooldowns.
#[derive(Clone, Debug, Default)]
pub struct Tracking {
    above: u32,
    below: u32,
    last_out: Option<Instant>,
    last_change: Option<Instant>,
}

impl Tracking {
    /// Takes the metric of the last minute and says how many there should be, if that is another number than
    /// `current` (what is there or on its way).
    pub fn observe(&mut self, plan: &TrackingPlan, now: Instant, metric: f64, current: u64) -> Option<u64> {
        self.above = if metric > plan.target { self.above + 1 } else { 0 };
        self.below = if metric < plan.target * plan.low_ratio {
            self.below + 1
        } else {
            0
        };
        let proportional = whole((current as f64 * metric / plan.target).ceil());
        let wanted = proportional.clamp(plan.minimum, plan.maximum);
        let rested = |since: Option<Instant>, wait: Duration| since.is_none_or(|since| now.since(since) >= wait);
        if self.above >= plan.out_periods && wanted > current && rested(self.last_out, plan.out_cooldown) {
            self.last_out = Some(now);
        } else if !(self.below >= plan.in_periods && wanted < current && rested(self.last_change, plan.in_cooldown)) {
            return None;
        }
        self.last_change = Some(now);
        (self.above, self.below) = (0, 0);
        Some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_after_three_minutes_in_after_fifteen() {
        let plan = TrackingPlan {
            target: 0.5,
            minimum: 2,
            maximum: 100,
            out_periods: 3,
            in_periods: 15,
            low_ratio: 0.9,
            out_cooldown: Duration::from_secs(300),
            in_cooldown: Duration::from_secs(300),
        };
        let mut tracking = Tracking::default();
        let mut minute = 0;
        let mut look = |metric: f64, current: u64| {
            minute += 1;
            tracking.observe(&plan, Instant(minute * 60_000_000_000), metric, current)
        };
        assert_eq!([look(0.9, 10), look(0.9, 10), look(0.9, 10)], [None, None, Some(18)]);
        assert_eq!([look(0.9, 18), look(0.9, 18), look(0.9, 18)], [None; 3], "the cooldown");
        assert_eq!([look(0.9, 18), look(0.9, 18)], [None, Some(33)]);
        assert!((0..14).all(|_| look(0.2, 33).is_none()));
        assert_eq!(look(0.2, 33), Some(14));
        assert!(
            (0..100).all(|_| look(0.47, 14).is_none()),
            "inside the band nothing happens"
        );
        assert!((0..14).all(|_| look(0.0, 14).is_none()));
        assert_eq!(look(0.0, 14), Some(2));
    }
}
