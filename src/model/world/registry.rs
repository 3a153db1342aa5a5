//! What the table of mechanisms makes of the world: the plan of all components, their state, and every call to them.

use crate::kernel::Key;
use crate::kernel::pack::{Cursor, Words};
use crate::model::handler::run::Program;
use crate::model::mechanism;
use crate::model::mechanism::contract::{Harm, Mechanism, Reading, Report, Sent};
use crate::model::parts::budget::Holding;
use crate::model::request::common::{Common, Profile};
use crate::model::request::desk::{Cx, FIRST_TAG, Tagged};
use crate::model::request::fault::{Change, Quota};
use crate::model::request::kind;
use crate::model::request::lineage::{End, Lineage};
use crate::model::request::meaning::Meaning;
use crate::scenario::{Block, Field, Kind, Table, Target};

macro_rules! registry {
    ($($kind:ident $section:literal $what:literal $field:ident $($type:ident)::+ $told:literal [$($can:ident)*];)+) => {
        /// A scenario, checked: names are numbers, everything is consistent, nothing changes any more. Shared by all
        /// runs.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Plan {
            /// What belongs to nobody in particular.
            pub common: Common,
            $(
                #[doc = $what]
                pub $field: Vec<<mechanism::$($type)::+ as Mechanism>::Plan>,
            )+
        }

        /// The state of all components while a run goes on.
        #[derive(Debug)]
        pub(super) struct Parts {
            $(pub $field: mechanism::$($type)::+,)+
        }

        $(
            impl Tagged for <mechanism::$($type)::+ as Mechanism>::Event {
                const TAG: u8 = FIRST_TAG + kind::$kind;
            }
        )+

        /// How many kinds of mechanisms there are.
        const COUNT: usize = [$(kind::$kind),+].len();

        /// The fields of a scenario that list components.
        pub(super) const SECTIONS: [Field; COUNT] = [$(
            Field::optional($section, Kind::Map(&Kind::Block(<mechanism::$($type)::+ as Mechanism>::TABLE)), $what)
        ),+];

        /// What metrics mean, by section, in lists.
        pub const METRICS: &[(&str, &[&[Meaning]])] = &[
            $(($section, <mechanism::$($type)::+ as Mechanism>::METRICS)),+
        ];

        impl Plan {
            /// Reads a component and adds it; what others may ask about it.
            pub(super) fn read<'b>(
                &mut self,
                of: u8,
                block: impl Fn(&'static Table) -> Block<'b>,
                reading: &mut Reading,
            ) -> Profile {
                match of {
                    $(kind::$kind => {
                        let read = <mechanism::$($type)::+>::read(&block(<mechanism::$($type)::+>::TABLE), reading);
                        let profile = read.as_ref().map_or_else(Profile::default, <mechanism::$($type)::+>::profile);
                        self.$field.extend(read);
                        profile
                    })+
                    _ => unreachable!("accounts are read by themselves"),
                }
            }

            /// Whom a component calls and waits for, beside what its handler does.
            pub fn callees(&self, of: Target) -> Vec<Target> {
                match of.kind {
                    $(kind::$kind => {
                        let plan = self.$field.get(usize::from(of.index));
                        plan.map_or_else(Vec::new, <mechanism::$($type)::+>::callees)
                    })+
                    _ => Vec::new(),
                }
            }

            /// What a component hands over to others.
            pub fn sends(&self, of: Target) -> Vec<Sent> {
                match of.kind {
                    $(kind::$kind => {
                        let plan = self.$field.get(usize::from(of.index));
                        plan.map_or_else(Vec::new, <mechanism::$($type)::+>::sends)
                    })+
                    _ => Vec::new(),
                }
            }

            /// All handlers, and who runs them.
            pub(super) fn handlers(&mut self) -> Vec<(Target, &mut Program)> {
                let mut found = Vec::new();
                $(
                    let kind = kind::$kind;
                    let numbered = self.$field.iter_mut().zip(0..);
                    found.extend(numbered.filter_map(|(plan, index)| {
                        let runs_one = <mechanism::$($type)::+>::profile(plan).calls.is_some();
                        let handler = <mechanism::$($type)::+>::handler(plan);
                        assert_eq!(handler.is_some(), runs_one, "{} have handlers and show them", $section);
                        Some((Target { kind, index }, handler?))
                    }));
                )+
                found
            }

            /// Lets all components look up what they need to know of others.
            pub(super) fn link(&mut self) {
                $(
                    for (plan, index) in self.$field.iter_mut().zip(0..) {
                        let kind = kind::$kind;
                        <mechanism::$($type)::+>::link(plan, Target { kind, index }, &self.common);
                    }
                )+
            }

            /// What others may ask about a component now.
            pub(super) fn profile_now(&self, of: Target) -> Profile {
                match of.kind {
                    $(kind::$kind => {
                        let plan = self.$field.get(usize::from(of.index));
                        plan.map_or_else(Profile::default, <mechanism::$($type)::+>::profile)
                    })+
                    _ => Profile::default(),
                }
            }

            /// What a quota of a component usually is; `None` where there is none.
            pub(super) fn usual(&self, of: Target, quota: Quota) -> Option<f64> {
                match of.kind {
                    $(kind::$kind => <mechanism::$($type)::+>::usual(self.$field.get(usize::from(of.index))?, quota),)+
                    _ => None,
                }
            }

            /// The zones of a component, and how long it takes to fail over if it does.
            pub(super) fn zones(&self, of: Target) -> Option<(u16, Option<crate::kernel::Duration>)> {
                match of.kind {
                    $(kind::$kind => self.$field.get(usize::from(of.index)).map(<mechanism::$($type)::+>::zones),)+
                    _ => None,
                }
            }
        }

        /// What faults can do to the components of a kind.
        pub(super) const fn harm(of: u8) -> Harm {
            match of {
                $(kind::$kind => <mechanism::$($type)::+ as Mechanism>::HARM,)+
                _ => Harm::NONE,
            }
        }

        impl Parts {
            /// All components at the start of replication `run`.
            pub fn new(plan: &Plan, run: u64, cx: &mut Cx) -> Self {
                Self { $($field: <mechanism::$($type)::+>::new(&plan.$field, run, cx)),+ }
            }

            /// Begins what comes by itself.
            pub fn begin(&mut self, plan: &Plan, cx: &mut Cx) {
                $(self.$field.begin(&plan.$field, cx);)+
            }

            /// A request reaches a component.
            #[inline(always)]
            pub fn offer(&mut self, plan: &Plan, to: Target, request: Key, cx: &mut Cx) {
                match to.kind {
                    $(kind::$kind => self.$field.offer(&plan.$field, to.into(), request, cx),)+
                    _ => unreachable!("accounts take no requests"),
                }
            }

            /// A request for whose answer nobody waits reaches a component that is invoked.
            pub fn accept(&mut self, plan: &Plan, to: Target, request: Key, cx: &mut Cx) {
                match to.kind {
                    $(kind::$kind => self.$field.accept(&plan.$field, to.into(), request, cx),)+
                    _ => unreachable!("accounts take no events"),
                }
            }

            /// Handles an event of a mechanism.
            #[inline(always)]
            pub fn handle(&mut self, plan: &Plan, event: Words, cx: &mut Cx) {
                let (tag, mut cursor) = Cursor::reading(event);
                match tag {
                    $(<<mechanism::$($type)::+ as Mechanism>::Event as Tagged>::TAG => {
                        self.$field.handle(cursor.nested(), &plan.$field, cx);
                    })+
                    _ => unreachable!("only mechanisms have such tags"),
                }
            }

            /// The answer to a call that is made for `parent` reaches whoever works on that.
            pub fn answered(&mut self, plan: &Plan, request: Key, parent: Key, cx: &mut Cx) {
                match cx.requests[parent].worker_kind {
                    $(kind::$kind => self.$field.answered(&plan.$field, request, parent, cx),)+
                    // It was lost with the instance that served it.
                    _ => cx.requests.remove(request),
                }
            }

            /// The answer to what was handed over reaches the sender.
            pub fn delivered(&mut self, plan: &Plan, sender: Target, ticket: u32, request: Key, cx: &mut Cx) {
                match sender.kind {
                    $(kind::$kind => self.$field.delivered(&plan.$field, sender.into(), ticket, request, cx),)+
                    _ => unreachable!("accounts send nothing"),
                }
            }

            /// The handler of a request can go on, if it was not lost with the instance that served it.
            pub fn resume(&mut self, plan: &Plan, request: Key, cx: &mut Cx) {
                match cx.requests[request].worker_kind {
                    $(kind::$kind => self.$field.resume(&plan.$field, request, cx),)+
                    _ => {}
                }
            }

            /// Somebody needs what idle instances of a component hold.
            pub fn reap(&mut self, plan: &Plan, of: Target, cx: &mut Cx) {
                match of.kind {
                    $(kind::$kind => self.$field.reap(&plan.$field, of.into(), cx),)+
                    _ => unreachable!("accounts have no instances"),
                }
            }

            /// A fault begins or ends.
            pub fn change(&mut self, plan: &Plan, on: Target, change: Change, cx: &mut Cx) {
                match on.kind {
                    $(kind::$kind => self.$field.change(&plan.$field, on.into(), change, cx),)+
                    _ => {
                        let index = usize::from(on.index);
                        let now = cx.now();
                        cx.accounts[index].change(&cx.plan.accounts[index], change, now);
                    }
                }
            }

            /// What waits, and where.
            pub fn holdings(&self, plan: &Plan) -> Vec<Holding> {
                let mut holdings = Vec::new();
                $(holdings.extend(self.$field.holdings(&plan.$field));)+
                holdings
            }

            /// What is kept of units of work when the run ends.
            pub fn held(&self, plan: &Plan, hold: &mut dyn FnMut(Lineage, End)) {
                $(self.$field.held(&plan.$field, hold);)+
            }

            /// Ends a window of the timelines.
            pub fn close_window(&mut self, plan: &Plan, cx: &mut Cx) {
                $(self.$field.close_window(&plan.$field, cx);)+
            }

            /// Ends the last window.
            pub fn close_last_window(&mut self, plan: &Plan, cx: &mut Cx) {
                $(self.$field.close_last_window(&plan.$field, cx);)+
            }

            /// Forgets what was counted.
            pub fn reset(&mut self, plan: &Plan, cx: &mut Cx) {
                $(self.$field.reset(&plan.$field, cx);)+
            }

            /// Reports what was counted, each mechanism by itself, with the places that they have among all.
            pub fn observe(self, plan: &Plan, report: &mut Report) -> Vec<(usize, Part)> {
                vec![$({
                    self.$field.observe(&plan.$field, report);
                    ($told, Part::cut(report))
                }),+]
            }
        }
    };
}

mechanisms!(registry);

/// What one mechanism reports.
pub(super) struct Part {
    pub observations: Vec<crate::stats::Observation>,
    pub series: Vec<crate::stats::Series>,
    pub flows: Vec<crate::model::request::flow::FlowResult>,
}

impl Part {
    /// Takes what has been reported so far.
    pub fn cut(report: &mut Report) -> Self {
        Self {
            observations: std::mem::take(&mut report.observations),
            series: std::mem::take(&mut report.series),
            flows: std::mem::take(&mut report.flows),
        }
    }
}

impl std::ops::Deref for Plan {
    type Target = Common;
    fn deref(&self) -> &Common {
        &self.common
    }
}

impl std::ops::DerefMut for Plan {
    fn deref_mut(&mut self) -> &mut Common {
        &mut self.common
    }
}
