//! What a run counted, packed: what is in it is found by an index and unpacked one metric at a time, so that the runs
//! of a cell take kilobytes each while figures are made of them.
//!
//! Bytes from elsewhere are walked once, and refused if anything in them is not what a run can count; later they are
//! read as they are.

use super::bytes::{In, Out};
use super::pack::{self, UNITS, pack, tag};
use super::windows;
use crate::cost::{Meter, MeterSet};
use crate::kernel::number::{fit, place};
use crate::kernel::{Duration, Instant};
use crate::model::request::entry::CAUSES;
use crate::model::request::fault::FaultResult;
use crate::model::request::hits::{Hit, Hits, Limit};
use crate::model::request::lineage::{End, EndCount, State, Why};
use crate::model::world::run::RunResult;
use crate::model::{KINDS, Plan};
use crate::run::episodes::Month;
use crate::scenario::Target;
use crate::stats::levels::Levels;
use crate::stats::{CauseTable, SeriesUnit, SparseHistogram, Value};

/// More of anything than a run can count; sums of many such numbers still fit.
const MOST: u64 = 1 << 56;
/// The same for sums of times and for quanta of meters.
const MOST_WIDE: u128 = 1 << 112;
/// More windows than a run can have.
const MOST_WINDOWS: u64 = 1 << 24;

/// Where a metric of a component is among the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    component: u32,
    /// Number of its name.
    name: u16,
    /// Place of its value.
    at: u32,
}

/// The result of one run, packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    bytes: Vec<u8>,
    names: Vec<Box<str>>,
    window: Duration,
    measured: Duration,
    requests: u64,
    events: u64,
    in_flight: u64,
    owed: u64,
    observations: Vec<Entry>,
    /// Places of observations by component and name.
    order: Vec<u32>,
    series: Vec<Entry>,
    flows: Flows,
    /// Places of the meters, the limits, the faults, the ends of units and the twins.
    meters: u32,
    limits: u32,
    faults: u32,
    ends: u32,
    twins: u32,
}

/// What is kept of a run without episodes ([`crate::run::episodes`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// Requests of clients in the measured time.
    pub requests: u64,
    /// What was under way or waited at the end.
    pub owed: u64,
    /// Billable quantities, by component.
    pub meters: Vec<MeterSet>,
}

/// One component's metric in a [`Packed`] run.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'p> {
    packed: &'p Packed,
    entry: Entry,
}

/// One component's metric by window in a [`Packed`] run.
#[derive(Clone, Copy, Debug)]
pub struct Line<'p> {
    packed: &'p Packed,
    entry: Entry,
}

impl Packed {
    /// Packs the result of a run whose windows have this length. Why it was given up is not kept: such a run has
    /// nothing that could be added up.
    ///
    /// # Panics
    /// If there are more than 4 GB of it, or what was packed cannot be read, which is an error of ours.
    pub fn of(result: &RunResult, window: Duration) -> Self {
        let bytes = pack(result, window);
        Self::index(bytes, false).expect("what was packed can be read")
    }

    /// Looks through bytes that [`Packed::bytes`] gave; `None` if they are not what a run can count.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::index(bytes.to_vec(), true)
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Finds what is where. What comes from elsewhere is `doubted`: it must not be more than a run can count, and end
    /// where it should.
    fn index(bytes: Vec<u8>, doubted: bool) -> Option<Self> {
        let mut read = In::new(&bytes, 0);
        let mut names = Vec::new();
        for _ in 0..read.length()? {
            names.push(Box::from(read.text()?));
        }
        u16::try_from(names.len()).ok()?;
        let window = Duration(read.number()?);
        let measured = Duration(read.number()?);
        let totals = [read.number()?, read.number()?, read.number()?, read.number()?];
        let windows = measured.0 / window.0.max(1);
        if doubted && (windows > MOST_WINDOWS || totals.iter().any(|total| *total > MOST)) {
            return None;
        }
        let known = names.len();
        let entry = |read: &mut In| {
            let component = read.small()?;
            let name = u16::try_from(read.number()?).ok()?;
            let at = u32::try_from(read.at()).ok()?;
            (usize::from(name) < known).then_some(Entry { component, name, at })
        };
        let mut observations = Vec::new();
        for _ in 0..read.length()? {
            observations.push(entry(&mut read)?);
            let fits = value(&mut read)?.is_plausible();
            if doubted && !fits {
                return None;
            }
        }
        let mut series = Vec::new();
        for _ in 0..read.length()? {
            series.push(entry(&mut read)?);
            read.number().filter(|unit| *unit < UNITS.len() as u64)?;
            windows::read(&mut read, window, fit(windows), |_, _| ())?;
        }
        let (flows, [meters, limits, faults, ends, twins]) = index_rest(&mut read, doubted)?;
        let mut order: Vec<u32> = (0..fit(observations.len())).collect();
        let key = |place: &u32| {
            (
                observations[*place as usize].component,
                observations[*place as usize].name,
            )
        };
        order.sort_by_key(key);
        let [requests, events, in_flight, owed] = totals;
        Some(Self {
            bytes,
            names,
            window,
            measured,
            requests,
            events,
            in_flight,
            owed,
            observations,
            order,
            series,
            flows,
            meters,
            limits,
            faults,
            ends,
            twins,
        })
    }

    /// The same with what one more twin counted.
    ///
    /// # Panics
    /// As [`Self::of`].
    #[must_use]
    pub fn with_twin(self, twin: &Twin) -> Self {
        let mut out = Out(self.bytes);
        pack::twin(twin, &mut out);
        Self::index(out.0, false).expect("what was packed can be read")
    }

    fn at(&self, place: u32) -> In<'_> {
        In::new(&self.bytes, place as usize)
    }

    /// The measured time: from the end of the warm-up to the end of the run.
    pub const fn measured(&self) -> Duration {
        self.measured
    }

    /// What was under way or waited for somebody to work on it at the end.
    pub const fn owed(&self) -> u64 {
        self.owed
    }

    /// The length of a window.
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// Requests of clients that ended, warm-up included.
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Events handled.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Requests of clients still on their way at the end.
    pub const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Whether it can be a run of this plan: of its components and faults, over its time and windows.
    pub(in crate::run) fn fits(&self, plan: &Plan) -> bool {
        let metrics = self
            .observations
            .iter()
            .chain(&self.series)
            .map(|entry| entry.component);
        let mut about = metrics.chain(self.flows.iter().map(|flow| flow.0));
        let windows = plan.length.0 / plan.window.0.max(1);
        let within = |hits: &Hits| hits.windows.iter().all(|window| u64::from(window.0) <= windows);
        let components = plan.components.len();
        let known = |count: &EndCount| count.source.max(count.end.place) < fit(components);
        about.all(|component| (component as usize) < plan.components.len())
            && self.at(self.meters).length() == Some(plan.components.len())
            && self.at(self.faults).length() == Some(plan.faults.len())
            && self.window == plan.window
            && self.measured == Duration(plan.length.0.saturating_sub(plan.warmup.0))
            && self.limits().iter().all(within)
            && self.ends().iter().all(known)
            && self.has_twins(plan, &Month::of(plan))
    }

    /// Whether it has a twin for each step in which the episodes of a month leave.
    pub(in crate::run) fn has_twins(&self, plan: &Plan, month: &Month) -> bool {
        let twins = self.twins();
        let whole = |twin: &Twin| twin.meters.len() == plan.components.len();
        twins.len() == month.steps.len() && twins.iter().all(whole)
    }

    /// Metrics of components over the measured time, in an order that the plan fixes.
    pub fn observations(&self) -> impl Iterator<Item = Seen<'_>> {
        self.observations.iter().map(|entry| Seen {
            packed: self,
            entry: *entry,
        })
    }

    /// The metric at this place of [`Self::observations`].
    fn observation(&self, place: usize) -> Option<Seen<'_>> {
        let entry = *self.observations.get(place)?;
        Some(Seen { packed: self, entry })
    }

    /// The number of a name; none if no metric has it.
    fn number(&self, name: &str) -> Option<u16> {
        self.names
            .iter()
            .position(|known| **known == *name)
            .map(|number| fit(number))
    }

    /// All components' metrics of this name.
    pub fn named<'p>(&'p self, metric: &str) -> impl Iterator<Item = Seen<'p>> + use<'p> {
        let number = self.number(metric);
        self.observations().filter(move |seen| Some(seen.entry.name) == number)
    }

    /// A component's metric; none if the run has it not.
    pub fn find(&self, component: u32, metric: &str) -> Option<Seen<'_>> {
        let wanted = (component, self.number(metric)?);
        let key = |place: &u32| {
            let entry = &self.observations[*place as usize];
            (entry.component, entry.name)
        };
        let found = self.order.partition_point(|place| key(place) < wanted);
        let place = *self.order.get(found)?;
        self.observation(place as usize).filter(|_| key(&place) == wanted)
    }

    /// The metric that is called like `other`, which another run has at this place.
    pub fn like(&self, place: usize, other: &Seen) -> Option<Seen<'_>> {
        let same = |seen: &Seen| seen.component() == other.component() && seen.metric() == other.metric();
        let here = self.observation(place).filter(same);
        here.or_else(|| self.find(other.component(), other.metric()))
    }

    /// Metrics by window.
    pub fn series(&self) -> impl Iterator<Item = Line<'_>> {
        self.series.iter().map(|entry| Line {
            packed: self,
            entry: *entry,
        })
    }

    /// The metric by window that is called like `other`, which another run has at this place.
    pub fn line_like(&self, place: usize, other: &Line) -> Option<Line<'_>> {
        let same = |line: &Line| line.component() == other.component() && line.metric() == other.metric();
        let here = self.series.get(place).map(|entry| Line {
            packed: self,
            entry: *entry,
        });
        here.filter(same).or_else(|| self.series().find(same))
    }

    /// Adds the causes of latency of the components that are `wanted` to a table.
    pub fn add_causes(&self, wanted: impl Fn(u32) -> bool, table: &mut CauseTable) {
        for (_, at) in self.flows.iter().filter(|flow| wanted(flow.0)) {
            let _ = causes(&mut self.at(*at), |bucket, count, sums| {
                table.add(bucket, count, sums);
                true
            });
        }
    }

    /// Billable quantities, by component.
    pub fn meters(&self) -> Vec<MeterSet> {
        let mut all = Vec::new();
        let _ = each_meters(&mut self.at(self.meters), |meters| all.push(meters), |_| true);
        all
    }

    /// What its twins counted, in the order in which the episodes leave.
    pub fn twins(&self) -> Vec<Twin> {
        let mut read = self.at(self.twins);
        std::iter::from_fn(|| twin(&mut read, |_| true)).collect()
    }

    /// Limits that were run into.
    pub fn limits(&self) -> Vec<Hits> {
        list(&mut self.at(self.limits), limit).unwrap_or_default()
    }

    /// What the faults did, in the order of the plan.
    pub fn faults(&self) -> Vec<FaultResult> {
        list(&mut self.at(self.faults), fault).unwrap_or_default()
    }

    /// Where the units of work of the sources that are followed ended.
    pub fn ends(&self) -> Vec<EndCount> {
        list(&mut self.at(self.ends), end).unwrap_or_default()
    }
}

impl<'p> Seen<'p> {
    /// The component: an index into the plan's list.
    pub const fn component(&self) -> u32 {
        self.entry.component
    }

    /// The metric's name.
    pub fn metric(&self) -> &'p str {
        &self.packed.names[usize::from(self.entry.name)]
    }

    /// Where its value is among the bytes.
    #[cfg(test)]
    pub(super) const fn entry_at(&self) -> u32 {
        self.entry.at
    }

    fn tag(&self) -> u8 {
        self.packed.bytes[self.entry.at as usize]
    }

    /// Whether it is a distribution of times.
    pub fn is_latency(&self) -> bool {
        self.tag() == tag::LATENCY
    }

    /// Whether it is how long a level lasted at each height.
    pub fn is_levels(&self) -> bool {
        self.tag() == tag::LEVELS
    }

    /// What was measured, if that is one number or a pair.
    pub fn value(&self) -> Option<Value> {
        match value(&mut self.packed.at(self.entry.at))? {
            Unpacked::Value(value) => Some(value),
            _ => None,
        }
    }

    /// The distribution, if it is one.
    pub fn latency(&self) -> Option<SparseHistogram> {
        match value(&mut self.packed.at(self.entry.at))? {
            Unpacked::Latency(histogram) => Some(histogram),
            _ => None,
        }
    }

    /// How long the level lasted at each height, if it is that.
    pub fn levels(&self) -> Option<Levels> {
        match value(&mut self.packed.at(self.entry.at))? {
            Unpacked::Levels(levels) => Some(levels),
            _ => None,
        }
    }

    /// The number of things, if it is one.
    pub fn count(&self) -> Option<u64> {
        match self.value()? {
            Value::Count(n) => Some(n),
            _ => None,
        }
    }

    /// The part and the whole, if it is a share.
    pub fn ratio(&self) -> Option<(u64, u64)> {
        match self.value()? {
            Value::Ratio { part, whole } => Some((part, whole)),
            _ => None,
        }
    }
}

impl<'p> Line<'p> {
    /// The component: an index into the plan's list.
    pub const fn component(&self) -> u32 {
        self.entry.component
    }

    /// The metric's name.
    pub fn metric(&self) -> &'p str {
        &self.packed.names[usize::from(self.entry.name)]
    }

    /// What the values are.
    pub fn unit(&self) -> SeriesUnit {
        let unit = self.packed.at(self.entry.at).number().unwrap_or(0);
        UNITS[place(unit)]
    }

    /// One value per window, in the order of time; NaN where nothing was seen.
    pub fn values(&self) -> Vec<f64> {
        let mut values = Vec::new();
        let mut read = self.packed.at(self.entry.at);
        let take = |value, times| values.extend(std::iter::repeat_n(value, times));
        let _ = read.number();
        let _ = windows::read(&mut read, self.packed.window, fit(MOST_WINDOWS), take);
        values
    }
}

/// Component and place of each cause table.
type Flows = Vec<(u32, u32)>;

/// Finds what stands behind the metrics: cause tables, and the places of meters, limits, faults, ends and twins.
fn index_rest(read: &mut In, doubted: bool) -> Option<(Flows, [u32; 5])> {
    let mut flows = Vec::new();
    for _ in 0..read.length()? {
        flows.push((read.small()?, u32::try_from(read.at()).ok()?));
        let sound = |count: u64, sums: &[u128]| count <= MOST && sums.iter().all(|sum| *sum <= MOST_WIDE);
        causes(read, |_, count, sums| !doubted || sound(count, sums))?;
    }
    let meters = u32::try_from(read.at()).ok()?;
    let sound = |quanta| !doubted || quanta <= MOST_WIDE;
    each_meters(read, |_| (), sound)?;
    let limits = u32::try_from(read.at()).ok()?;
    let hits = list(read, limit)?;
    let faults = u32::try_from(read.at()).ok()?;
    list(read, fault)?;
    let ends = u32::try_from(read.at()).ok()?;
    let counts = list(read, end)?;
    if doubted
        && counts
            .iter()
            .any(|count| count.units > MOST || count.partly > count.units)
    {
        return None;
    }
    let twins = u32::try_from(read.at()).ok()?;
    while read.left() > 0 {
        twin(read, sound).filter(|twin| !doubted || twin.requests.max(twin.owed) <= MOST)?;
    }
    let few = |hits: &Hits| hits.count <= MOST && hits.held <= MOST_WIDE && hits.windows.iter().all(|w| w.1 <= MOST);
    let sound = !doubted || hits.iter().all(few);
    sound.then_some((flows, [meters, limits, faults, ends, twins]))
}

/// A value as it is kept where runs are added up.
enum Unpacked {
    Value(Value),
    Latency(SparseHistogram),
    Levels(Levels),
}

impl Unpacked {
    /// Whether a run can count so much.
    fn is_plausible(&self) -> bool {
        match self {
            Self::Value(Value::Count(n) | Value::Halves(n) | Value::Peak(n)) => *n <= MOST,
            Self::Value(Value::Ratio { part, whole }) => *part <= MOST && *whole <= MOST,
            Self::Value(Value::PerEach { sum, count }) => *sum <= MOST && *count <= MOST,
            Self::Value(Value::TimeMean { area, over_ns }) => *area <= MOST_WIDE && *over_ns <= MOST,
            Self::Value(Value::Levels(_) | Value::Latency(_)) => false,
            Self::Latency(histogram) => histogram.count() <= MOST,
            Self::Levels(levels) => levels.total_ns() <= u128::from(MOST) && levels.beyond_exact().1 <= MOST_WIDE,
        }
    }
}

/// Numbers that ascend, each with another.
fn ascending(read: &mut In) -> Option<Vec<(u32, u64)>> {
    let length = read.length()?;
    let mut pairs = Vec::with_capacity(length.min(read.left() / 2));
    let mut next = 0_u32;
    for _ in 0..length {
        let number = next.checked_add(read.small()?)?;
        pairs.push((number, read.number()?));
        next = number.checked_add(1)?;
    }
    Some(pairs)
}

fn value(read: &mut In) -> Option<Unpacked> {
    Some(Unpacked::Value(match read.byte()? {
        tag::COUNT => Value::Count(read.number()?),
        tag::RATIO => Value::Ratio {
            part: read.number()?,
            whole: read.number()?,
        },
        tag::PER_EACH => Value::PerEach {
            sum: read.number()?,
            count: read.number()?,
        },
        tag::TIME_MEAN => Value::TimeMean {
            area: read.wide()?,
            over_ns: read.number()?,
        },
        tag::HALVES => Value::Halves(read.number()?),
        tag::PEAK => Value::Peak(read.number()?),
        tag::LEVELS => {
            let places = ascending(read)?;
            let top = read.number()?;
            let area = if top > 0 { read.wide()? } else { 0 };
            return Levels::from_places(&places, top, area).map(Unpacked::Levels);
        }
        tag::LATENCY => {
            let buckets = ascending(read)?;
            let (mut sum, mut min, mut max) = (0, 0, 0);
            if !buckets.is_empty() {
                (sum, min) = (read.wide()?, read.number()?);
                max = min.checked_add(read.number()?)?;
            }
            return SparseHistogram::from_buckets(buckets, sum, min, max).map(Unpacked::Latency);
        }
        _ => return None,
    }))
}

/// The rows of a cause table: bucket, requests, sums of ns by cause; `None` if one is not sound, or not `taken`.
fn causes(read: &mut In, mut taken: impl FnMut(u32, u64, &[u128]) -> bool) -> Option<()> {
    if read.number()? != CAUSES as u64 {
        return None;
    }
    let rows = read.length()?;
    let (mut next, mut sums) = (0_u32, [0; CAUSES]);
    for _ in 0..rows {
        let bucket = next
            .checked_add(read.small()?)
            .filter(|bucket| *bucket < CauseTable::BUCKETS)?;
        let count = read.number()?;
        for sum in &mut sums {
            *sum = read.wide()?;
        }
        taken(bucket, count, &sums).then_some(())?;
        next = bucket + 1;
    }
    Some(())
}

/// The meters of each component; `None` if one is not `sound`.
fn each_meters(read: &mut In, mut take: impl FnMut(MeterSet), sound: impl Fn(u128) -> bool) -> Option<()> {
    for _ in 0..read.length()? {
        let mut quanta = [0; Meter::COUNT];
        for _ in 0..read.length()? {
            let meter = quanta.get_mut(usize::from(read.byte()?))?;
            *meter = read.wide().filter(|quanta| sound(*quanta))?;
        }
        take(MeterSet::new().map(|meter, _| quanta[meter as usize]));
    }
    Some(())
}

/// A twin, if there is one more; `None` if one of its meters is not `sound`.
fn twin(read: &mut In, sound: impl Fn(u128) -> bool) -> Option<Twin> {
    let (requests, owed) = (read.number()?, read.number()?);
    let mut meters = Vec::new();
    each_meters(read, |of_one| meters.push(of_one), sound)?;
    Some(Twin { requests, owed, meters })
}

/// A list of things that are read one by one.
fn list<T>(read: &mut In, one: impl Fn(&mut In) -> Option<T>) -> Option<Vec<T>> {
    let length = read.length()?;
    (0..length).map(|_| one(read)).collect()
}

fn target(read: &mut In) -> Option<Target> {
    let kind = read.byte().filter(|kind| usize::from(*kind) < KINDS.len())?;
    let index = u16::try_from(read.number()?).ok()?;
    Some(Target { kind, index })
}

/// Sets `some` if there is a target; `None` if it is not sound.
fn some_target(read: &mut In, some: &mut Option<Target>) -> Option<()> {
    match read.byte()? {
        0 => *some = None,
        1 => *some = Some(target(read)?),
        _ => return None,
    }
    Some(())
}

fn end(read: &mut In) -> Option<EndCount> {
    Some(EndCount {
        source: read.small()?,
        end: End {
            state: *State::ALL.get(usize::from(read.byte()?))?,
            place: read.small()?,
            why: Why::all().nth(usize::try_from(read.number()?).ok()?)?,
        },
        units: read.number()?,
        partly: read.number()?,
    })
}

fn limit(read: &mut In) -> Option<Hits> {
    let limit = *Limit::ALL.get(usize::try_from(read.number()?).ok()?)?;
    let mut hit = Hit {
        limit,
        of: target(read)?,
        by: None,
        held_by: None,
    };
    some_target(read, &mut hit.by)?;
    some_target(read, &mut hit.held_by)?;
    Some(Hits {
        hit,
        count: read.number()?,
        first: Instant(read.number()?),
        held: read.wide()?,
        windows: ascending(read)?,
    })
}

fn fault(read: &mut In) -> Option<FaultResult> {
    let span = |read: &mut In| {
        let begin = read.number()?;
        let end = begin.checked_add(read.number()?)?;
        Some((Instant(begin), Instant(end)))
    };
    Some(FaultResult {
        spans: list(read, span)?,
        refused: read.number().filter(|n| *n <= MOST)?,
        hung: read.number().filter(|n| *n <= MOST)?,
    })
}
