//! What the world asks of a mechanism.

use crate::cost::MeterSet;
use crate::kernel::{Duration, Instant, Key, Pack};
use crate::model::handler::run::Program;
use crate::model::parts::budget::Holding;
use crate::model::parts::clock::Clock;
use crate::model::request::common::{Common, Profile};
use crate::model::request::desk::Cx;
use crate::model::request::fault::{Change, Quota};
use crate::model::request::flow::FlowResult;
use crate::model::request::id::Id;
use crate::model::request::kind::ACCOUNT;
use crate::model::request::kind::KINDS;
use crate::model::request::lineage::{End, Lineage};
use crate::model::request::meaning::Meaning;
use crate::scenario::{Block, Table, Target};
use crate::stats::{Observation, Series};

/// All components of one kind while a run goes on. The world calls what stands here and nothing else.
///
/// What has no default would lose something in silence if it were forgotten; what has one is either never asked of
/// those that do not say so, or stops the run if it is.
pub trait Mechanism: Sized {
    /// The fields of a component in a scenario.
    const TABLE: &'static Table;
    /// What their metrics mean.
    const METRICS: &'static [&'static [Meaning]];
    /// What faults can do to a component besides letting requests fail or hang.
    const HARM: Harm = Harm::NONE;
    /// The number of a component among those of its kind.
    type Id: From<Target>;
    /// A component, checked.
    type Plan: Clone + std::fmt::Debug + PartialEq + Sync;
    /// What happens to these components.
    type Event: Pack;

    /// Reads a component; `None` after reporting why it cannot be there.
    fn read(block: &Block, reading: &mut Reading) -> Option<Self::Plan>;

    /// What others may ask about a component: what it runs, takes and makes.
    fn profile(plan: &Self::Plan) -> Profile;

    /// Whom a component calls and waits for, beside what its handler does.
    fn callees(plan: &Self::Plan) -> Vec<Target>;

    /// What a component hands over to others, beside what its handler does.
    fn sends(plan: &Self::Plan) -> Vec<Sent>;

    /// The handler that a component runs.
    fn handler(_: &mut Self::Plan) -> Option<&mut Program> {
        None
    }

    /// Looks up what a component needs to know of others, when all of them have been read.
    fn link(_: &mut Self::Plan, _: Target, _: &Common) {}

    /// What a quota of a component usually is, of those in [`Harm::quotas`]; `None` where there is none.
    fn usual(_: &Self::Plan, quota: Quota) -> Option<f64> {
        unreachable!("a quota {quota:?} that can be lowered is somewhere")
    }

    /// The zones that a component is in, and how long it takes to fail over where it does instead of losing instances.
    fn zones(_: &Self::Plan) -> (u16, Option<Duration>) {
        unreachable!("what can lose zones is in some")
    }

    /// The components at the start of replication `run`, with what is scheduled for them on the agenda.
    fn new(plan: &[Self::Plan], run: u64, cx: &mut Cx) -> Self;

    /// Begins what comes by itself, after everything else of the run is there.
    fn begin(&mut self, _: &[Self::Plan], _: &mut Cx) {}

    /// A request reaches a component.
    fn offer(&mut self, plan: &[Self::Plan], index: Self::Id, request: Key, cx: &mut Cx);

    /// A request for whose answer nobody waits reaches a component that is invoked.
    fn accept(&mut self, plan: &[Self::Plan], index: Self::Id, request: Key, cx: &mut Cx) {
        self.offer(plan, index, request, cx);
    }

    /// Handles an event.
    fn handle(&mut self, event: Self::Event, plan: &[Self::Plan], cx: &mut Cx);

    /// A call that a component works on the behalf of `parent` has been answered.
    fn answered(&mut self, _: &[Self::Plan], _child: Key, _parent: Key, _: &mut Cx) {
        unreachable!("{} wait for no answers", Self::TABLE.name)
    }

    /// What a component has handed over under the number `ticket` has been answered.
    fn delivered(&mut self, _: &[Self::Plan], _index: Self::Id, _ticket: u32, _request: Key, _: &mut Cx) {
        unreachable!("{} hand nothing over", Self::TABLE.name)
    }

    /// The handler of a request on a component can go on.
    fn resume(&mut self, _: &[Self::Plan], _request: Key, _: &mut Cx) {
        unreachable!("{} run no handlers", Self::TABLE.name)
    }

    /// Somebody needs what idle instances of a component hold.
    fn reap(&mut self, _: &[Self::Plan], _index: Self::Id, _: &mut Cx) {
        unreachable!("{} have no idle instances to let go", Self::TABLE.name)
    }

    /// A fault begins or ends that does one of the things in [`Mechanism::HARM`].
    fn change(&mut self, _: &[Self::Plan], _index: Self::Id, change: Change, _: &mut Cx) {
        unreachable!("{} cannot suffer {change:?}", Self::TABLE.name)
    }

    /// What waits in the components, for the budget of memory.
    fn holdings(&self, plan: &[Self::Plan]) -> Vec<Holding>;

    /// Tells of everything that a component keeps of the units of work that it descends from, and what is to be said of
    /// it when the run ends; what is a request in flight is known without that.
    fn held(&self, plan: &[Self::Plan], hold: &mut dyn FnMut(Lineage, End));

    /// Ends a window of the timelines.
    fn close_window(&mut self, plan: &[Self::Plan], cx: &mut Cx);

    /// Ends the last window, which may be shorter than the others, at the end of the run.
    fn close_last_window(&mut self, plan: &[Self::Plan], cx: &mut Cx) {
        self.close_window(plan, cx);
    }

    /// Forgets what was counted: the warm-up is over.
    fn reset(&mut self, plan: &[Self::Plan], cx: &mut Cx);

    /// Reports what was counted; the last window has been closed.
    fn observe(self, plan: &[Self::Plan], report: &mut Report);
}

/// What a component hands over to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sent {
    /// In words that go before its name, such as "messages of".
    pub what: &'static str,
    /// To whom.
    pub to: Target,
    /// Whether it waits for the answer; if not, it is an event to those that are invoked.
    pub awaited: bool,
}

impl Sent {
    /// What nobody waits for.
    pub const fn event(what: &'static str, to: Target) -> Self {
        let awaited = false;
        Self { what, to, awaited }
    }

    /// What the component waits for.
    pub const fn awaited(what: &'static str, to: Target) -> Self {
        let awaited = true;
        Self { what, to, awaited }
    }
}

/// What faults can do to a kind of components.
#[derive(Clone, Copy, Debug)]
pub struct Harm {
    /// Work can take longer.
    pub slow: bool,
    /// They can lose zones.
    pub zones: bool,
    /// Their instances can be replaced.
    pub recycle: bool,
    /// Quotas that can be lowered, by the field that sets them.
    pub quotas: &'static [(&'static str, Quota)],
}

impl Harm {
    /// None of these.
    pub const NONE: Self = Self {
        slow: false,
        zones: false,
        recycle: false,
        quotas: &[],
    };
}

/// What selects among a service's prices.
pub type Attributes = Vec<(String, String)>;

/// What components are read with.
#[derive(Debug)]
pub struct Reading<'a> {
    /// Its number among all components.
    pub component: u32,
    /// Its name.
    pub name: &'a str,
    /// The paths that clients ask for, by number.
    pub paths: &'a [String],
    /// The account of those that name none, if the service has one.
    pub account: Option<Id<ACCOUNT>>,
    /// When runs begin, how long they last, and what recordings go by.
    pub clock: Clock,
    /// What others may ask about the components that were read before.
    pub profiles: &'a [Profile],
    /// The first component of each kind that was read before.
    pub first: &'a [u32; KINDS.len()],
    /// What selects among the prices of its service, filled in as it is read.
    pub attributes: Attributes,
}

#[cfg(test)]
impl<'a> Reading<'a> {
    /// Of a component that is alone in its scenario.
    pub fn alone(component: u32, name: &'a str) -> Self {
        Self {
            component,
            name,
            paths: &[],
            account: None,
            clock: Clock::default(),
            profiles: &[],
            first: &[0; KINDS.len()],
            attributes: Attributes::new(),
        }
    }
}

impl Reading<'_> {
    /// What may be asked about a component that was read before.
    pub fn profile(&self, of: Target) -> Option<&Profile> {
        let place = self.first[usize::from(of.kind)] + u32::from(of.index);
        self.profiles.get(place as usize)
    }

    /// Adds an attribute.
    pub fn select(&mut self, name: &str, value: &str) {
        self.attributes.push((name.to_owned(), value.to_owned()));
    }
}

/// Where components report what was counted.
#[derive(Debug)]
pub struct Report<'m> {
    /// Length of a window of the timelines.
    pub window: Duration,
    /// The measured time.
    pub measured: Duration,
    /// When the run was to end, whenever it did.
    pub end: Instant,
    /// Metrics over the measured time.
    pub observations: Vec<Observation>,
    /// Metrics by window.
    pub series: Vec<Series>,
    /// Causes of latency.
    pub flows: Vec<FlowResult>,
    /// Billable quantities, by component.
    pub meters: &'m mut [MeterSet],
}
