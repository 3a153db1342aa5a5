//! Provisioned concurrency: instances kept ready, by number, schedule or target tracking.
//!
//! Model: none of a new number is usable until all of it is ready, after the preparation time and at most 6,000 more
//! a minute; what is not wanted any more goes as soon as it is idle. A request that finds none runs on demand.
//! Sources: AWS Lambda Developer Guide, "Configuring provisioned concurrency" (1-2 minutes, then up to 6,000 a minute;
//! ten requests a second for each).

use super::Event;
use super::instance::Instances;
use super::plan::{FunctionPlan, ProvisionedPlan};
use crate::kernel::number::fit;
use crate::kernel::{Class, Duration, Instant, Stream};
use crate::model::parts::token_bucket::TokenBucket;
use crate::model::parts::tracking::{PERIOD, Tracking};
use crate::model::request::desk::Cx;
use crate::model::request::id::Id;
use crate::model::request::kind::FUNCTION;
use crate::stats::Gauge;

/// Instances that can be prepared per minute, after the first preparation time.
const PREPARED_PER_MINUTE: f64 = 6000.0;

/// Levels over the window that was closed.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProvisionedLevels {
    /// Provisioned (paid for) x ns.
    pub allocated: u128,
    /// Provisioned and serving x ns.
    pub busy: u128,
}

/// The provisioned capacity of one function.
#[derive(Debug)]
pub(super) struct Provisioned {
    plan: ProvisionedPlan,
    idle: Vec<u32>,
    /// Instances that exist.
    ready: u64,
    /// Instances that there should be.
    wanted: u64,
    epoch: u32,
    rate: Option<TokenBucket>,
    rate_factor: Option<f64>,
    allocated: Gauge,
    busy: Gauge,
    /// What the policy looks at: busy over the last minute.
    tracked: Gauge,
    tracking: Tracking,
    dice: Stream,
}

impl Provisioned {
    pub(super) fn new(plan: &ProvisionedPlan, spec: &FunctionPlan, dice: Stream) -> Self {
        Self {
            plan: plan.clone(),
            idle: Vec::new(),
            ready: 0,
            wanted: 0,
            epoch: 0,
            rate: None,
            rate_factor: spec.requests_per_second_factor,
            allocated: Gauge::new(),
            busy: Gauge::new(),
            tracked: Gauge::new(),
            tracking: Tracking::default(),
            dice,
        }
    }

    /// The start of a run: the first number is ready.
    pub(super) fn begin(
        &mut self,
        function: Id<FUNCTION>,
        spec: &FunctionPlan,
        instances: &mut Instances,
        cx: &mut Cx,
    ) {
        self.wanted = self.plan.count;
        self.allocated.set(0, self.wanted);
        self.prepared(spec, instances, Instant::ZERO);
        if let Some((at, _)) = self.plan.schedule.first() {
            let event = Event::Scheduled { function, index: 0 };
            cx.at(*at, Class::Timer, event);
        }
        if self.plan.tracking.is_some() {
            let event = Event::Tracked { function };
            cx.at(Instant::ZERO + PERIOD, Class::Timer, event);
        }
    }

    fn prepared(&mut self, spec: &FunctionPlan, instances: &mut Instances, now: Instant) {
        while self.ready < self.wanted {
            self.idle.push(instances.create_provisioned(spec, now));
            self.ready += 1;
        }
        self.set_rate();
    }

    fn set_rate(&mut self) {
        self.rate = self.rate_factor.filter(|_| self.ready > 0).map(|factor| {
            let rate = factor * self.ready as f64;
            TokenBucket::new(rate, rate)
        });
    }

    /// Takes a ready instance, if one is idle and the request rate for this capacity allows it.
    #[inline]
    pub(super) fn take(&mut self, now: Instant) -> Option<u32> {
        if self.idle.is_empty() || !self.rate.as_mut().is_none_or(|rate| rate.take(now, 1)) {
            return None;
        }
        self.busy.add(now.0, 1);
        self.tracked.add(now.0, 1);
        self.idle.pop()
    }

    /// Gives one back; says whether it is still wanted.
    #[inline]
    pub(super) fn give_back(&mut self, instance: u32, now: Instant) -> bool {
        self.busy.add(now.0, -1);
        self.tracked.add(now.0, -1);
        let wanted = self.ready <= self.wanted;
        if wanted {
            self.idle.push(instance);
        } else {
            self.ready -= 1;
        }
        wanted
    }

    pub(super) fn handle(
        &mut self,
        event: Event,
        function: Id<FUNCTION>,
        spec: &FunctionPlan,
        instances: &mut Instances,
        cx: &mut Cx,
    ) {
        let now = cx.now();
        match event {
            Event::Scheduled { index, .. } => {
                let changes = self.plan.schedule.len();
                let (_, count) = self.plan.schedule[index as usize % changes];
                let next = index + 1;
                let round = u64::from(next) / changes as u64;
                let (first, _) = self.plan.schedule[next as usize % changes];
                let at = match self.plan.period {
                    Some(period) => first + Duration(period.0.saturating_mul(round)),
                    None if round == 0 => first,
                    None => Instant::NEVER,
                };
                let event = Event::Scheduled { function, index: next };
                cx.at(at, Class::Timer, event);
                self.want(count, function, spec, instances, cx);
            }
            Event::Prepared { epoch, .. } if epoch == self.epoch => self.prepared(spec, instances, now),
            Event::Tracked { .. } => {
                let (busy, _) = self.tracked.flush(now.0);
                let metric = busy as f64 / (self.ready.max(1) as f64 * PERIOD.0 as f64);
                let event = Event::Tracked { function };
                cx.at(now + PERIOD, Class::Timer, event);
                if let Some(plan) = self.plan.tracking
                    && let Some(count) = self.tracking.observe(&plan, now, metric, self.wanted)
                {
                    self.want(count, function, spec, instances, cx);
                }
            }
            _ => {}
        }
    }

    /// Asks for another number.
    fn want(
        &mut self,
        count: u64,
        function: Id<FUNCTION>,
        spec: &FunctionPlan,
        instances: &mut Instances,
        cx: &mut Cx,
    ) {
        let now = cx.now();
        self.wanted = count;
        self.epoch += 1;
        self.allocated.set(now.0, count);
        if count > self.ready {
            let more = Duration::from_secs_f64((count - self.ready) as f64 / PREPARED_PER_MINUTE * 60.0);
            let at = now + self.plan.preparation.draw(&mut self.dice) + more;
            let event = Event::Prepared {
                function,
                count: fit(count),
                epoch: self.epoch,
            };
            cx.at(at, Class::Timer, event);
            return;
        }
        while self.ready > self.wanted
            && let Some(instance) = self.idle.pop()
        {
            instances.remove_provisioned(spec, instance, now, &mut cx.sessions);
            self.ready -= 1;
        }
        self.set_rate();
    }

    pub(super) fn close_window(&mut self, now: Instant) -> ProvisionedLevels {
        ProvisionedLevels {
            allocated: self.allocated.flush(now.0).0,
            busy: self.busy.flush(now.0).0,
        }
    }
}
