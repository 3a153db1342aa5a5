//! What all mechanisms may look up of the plan, and what they know of each other: nothing else.

use super::account::AccountPlan;
use super::call::CallPlan;
use super::entry::{Caller, Request};
use super::fault::FaultPlan;
use super::guard::GuardPlan;
use super::id::Id;
use super::kind::ACCOUNT;
use super::kind::{self, KINDS};
use crate::kernel::{Duration, Key, Sampler, Slab};
use crate::scenario::Target;
use std::sync::Arc;

/// A component of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// Which one, by kind.
    pub target: Target,
    /// Its name in the scenario.
    pub name: String,
    /// The service whose prices apply, such as `aws.lambda`.
    pub service: Option<String>,
    /// What selects among the service's prices, such as (`architecture`, `arm`).
    pub attributes: Vec<(String, String)>,
}

/// What others may ask about a component.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a list of what can be said of any component, or not"
)]
pub struct Profile {
    /// The calls that its handler makes, by number, if it runs one.
    pub calls: Option<Arc<[CallPlan]>>,
    /// Whom its handler calls and waits for.
    pub waits_for: Vec<Target>,
    /// Instances that are there when the run begins.
    pub warm: u64,
    /// Whether somebody sends it what nobody waits for.
    pub gets_events: bool,
    /// What it sets aside of an account's concurrency.
    pub sets_aside: Option<(Id<ACCOUNT>, u64)>,
    /// Whether its handler knows until when its callers wait.
    pub heeds_deadlines: bool,
    /// Whether it looks at what travels with requests for other reasons.
    pub needs_baggage: bool,
    /// Whether it asks what was recorded of a request.
    pub takes_recorded: bool,
    /// The largest request that it takes.
    pub payload_limit: Option<u64>,
    /// The size of the requests that it makes by itself.
    pub payload: Option<Sampler>,
    /// Whether its handler has effects that must happen once, and steps that see to it.
    pub effects: bool,
    /// See [`Profile::effects`].
    pub claims: bool,
    /// Whether it counts the sessions that others hold with it.
    pub counts_sessions: bool,
    /// Its number among those that do, filled in when all are known.
    pub host: u32,
    /// Whether idle instances of it go when somebody needs what they hold.
    pub reaped: bool,
    /// How many connections it allows, and on how many cores it runs, if it is a database.
    pub connections: u64,
    /// See [`Profile::connections`].
    pub cores: f64,
    /// The probability that work fails although everything was done for it.
    pub failure: f64,
    /// How long its work may take.
    pub timeout: Duration,
}

/// The part of a plan that belongs to nobody in particular.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Common {
    /// All components; metrics and meters refer to them by their place here. Those of one kind are together, in the
    /// order of kinds.
    pub components: Vec<Component>,
    /// What others may ask about each of them.
    pub profiles: Vec<Profile>,
    /// Length of a run, the warm-up included.
    pub length: Duration,
    /// How much of it is not measured.
    pub warmup: Duration,
    /// Length of a window of the timelines.
    pub window: Duration,
    /// Percentiles that are reported of every distribution, beside the usual ones.
    pub percentiles: Vec<f64>,
    /// The master seed.
    pub seed: u64,
    /// Accounts.
    pub accounts: Vec<AccountPlan>,
    /// Calls that have guards.
    pub guards: Vec<GuardPlan>,
    /// Whether anybody looks at what travels with requests.
    pub baggage: bool,
    /// The sources whose units of work are followed, by their places among all components.
    pub followed: Vec<u32>,
    /// Whether recordings say how large requests were.
    pub sizes_recorded: bool,
    /// Faults.
    pub faults: Vec<FaultPlan>,
    /// The first component of each kind.
    pub first: [u32; KINDS.len()],
}

/// So many windows have room from the start; more come to it as they close.
const ROOM_FOR_WINDOWS: u64 = 1 << 16;

impl Common {
    /// How many windows there should be room for: lists of them that grow would leave holes of all their former sizes.
    pub fn windows(&self) -> usize {
        let whole = self.length.0.saturating_sub(self.warmup.0) / self.window.0.max(1);
        (whole + 1).min(ROOM_FOR_WINDOWS) as usize
    }

    /// The place of a component among all.
    #[inline]
    pub fn place(&self, of: Target) -> u32 {
        self.first[usize::from(of.kind)] + u32::from(of.index)
    }

    /// What others may ask about a component.
    #[inline]
    pub fn profile(&self, of: Target) -> &Profile {
        &self.profiles[self.place(of) as usize]
    }

    /// The number of a component among those that count sessions.
    pub fn host(&self, of: Target) -> usize {
        self.profile(of).host as usize
    }

    /// How many components count sessions.
    pub fn session_hosts(&self) -> usize {
        self.profiles.iter().filter(|profile| profile.counts_sessions).count()
    }

    /// The call of a handler that a request is, if it is one.
    pub fn call(&self, request: Key, requests: &Slab<Request>) -> Option<&CallPlan> {
        let entry = &requests[request];
        let worker = match entry.caller {
            Caller::Handler(parent) if requests.contains(parent) => requests[parent].worker(),
            Caller::Hedged { call, .. } if requests.contains(call) => return self.call(call, requests),
            // Sent without waiting: until somebody takes it, it carries its sender.
            Caller::Nobody => entry.worker(),
            _ => return None,
        };
        self.calls(worker)?.get(usize::from(entry.call))
    }

    /// The calls that the handler of a component makes, if it runs one.
    #[inline]
    pub fn calls(&self, of: Target) -> Option<&[CallPlan]> {
        if of.kind == kind::NOBODY {
            return None;
        }
        self.profiles.get(self.place(of) as usize)?.calls.as_deref()
    }

    /// Whom the handler of a component calls and waits for.
    pub fn handler_waits_for(&self, of: Target) -> &[Target] {
        let profile = self.profiles.get(self.place(of) as usize);
        profile
            .filter(|profile| profile.calls.is_some())
            .map_or(&[], |profile| &profile.waits_for)
    }

    /// Components that start with warm instances, or with a warm pool, and call `target`: place among all, how many,
    /// and whether it is a pool.
    pub fn warm_callers(&self, target: Target) -> Vec<(u32, u64, bool)> {
        let warm = |(_, profile): &(u32, &Profile)| profile.warm > 0 && profile.waits_for.contains(&target);
        let found = (0..).zip(&self.profiles).filter(warm);
        found
            .map(|(place, profile)| (place, profile.warm, profile.calls.is_none()))
            .collect()
    }

    /// All components that run handlers, by their place among all.
    pub fn workers(&self) -> impl Iterator<Item = (u32, &Profile)> {
        let numbered = (0..).zip(&self.profiles);
        numbered.filter(|(_, profile)| profile.calls.is_some())
    }
}
