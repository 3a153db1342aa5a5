//! Units of work: what each request, message, record or event descends from, and where each unit ends.
//!
//! Model: a unit is one arrival of a source (a client's request, a firing of a schedule) with all that it causes. What
//! is tried, delivered, copied or moved again is the same unit. It ends when nothing is left that descends from it, in
//! the state of its worst descendant: lost, failed, refused, unfinished when the run ends, or good. What is done for a
//! message of a batch descends from that message, what is done once for a batch from all of them. A dead letter that
//! lies where nobody reads is lost; one that is worked on later is not. What is put where nobody reads, without being a
//! dead letter, is done: the scenario ends there. A journey lasts from the arrival to the end of the last descendant;
//! of what was cut off by the end of the run it is known that it lasts longer.
//! Only what can reach something asynchronous is followed; for all else the caller's answer tells the whole story.
//! Not modelled: work that goes on after its caller gave up has no end of its own, but what it sends on does.
//! Units: instants in nanoseconds.
//! Sources: Fidge, "Timestamps in message-passing systems" (1988), for what descends from what; Kaplan and Meier,
//! "Nonparametric estimation from incomplete observations" (1958), for times that were cut off.
//! Validated by: a slow reference that keeps all descendants in maps, with which every build with debug assertions
//! compares each unit, on random systems (tests/ledger.rs).

pub mod journal;
pub mod meanings;
#[cfg(debug_assertions)]
mod reference;

use super::entry::Status;
use crate::kernel::number::fit;
use crate::kernel::{Instant, Key};
use crate::stats::{Histogram, Observation, Value};
use std::cmp::Ordering;

/// What something descends from: a unit, or all messages of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lineage(u32);

/// Lineages from here on are batches.
const BATCHES: u32 = 1 << 31;

impl Default for Lineage {
    fn default() -> Self {
        Self::NONE
    }
}

impl Lineage {
    /// Nobody follows it.
    pub const NONE: Self = Self(u32::MAX);

    const fn is_none(self) -> bool {
        self.0 == u32::MAX
    }

    fn batch(self) -> Option<usize> {
        (self.0 >= BATCHES && !self.is_none()).then(|| (self.0 - BATCHES) as usize)
    }
}

/// How a unit ends, from the best to the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// All of it was done.
    #[default]
    Good,
    /// A part of it waits or is being worked on when the run ends.
    Unfinished,
    /// It was turned away.
    Refused,
    /// Its caller got an error or gave up, or its execution failed.
    Failed,
    /// A part of it is gone without having been done.
    Lost,
}

impl State {
    /// All states, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Good, Self::Unfinished, Self::Refused, Self::Failed, Self::Lost];

    /// The metric that counts units that end so.
    pub const fn metric(self) -> &'static str {
        match self {
            Self::Good => "journeys.good",
            Self::Unfinished => "journeys.unfinished",
            Self::Refused => "journeys.refused",
            Self::Failed => "journeys.failed",
            Self::Lost => "journeys.lost",
        }
    }
}

/// Why a unit ends as it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// There is nothing to explain.
    #[default]
    Done,
    /// It waits.
    Waiting,
    /// Somebody works on it.
    UnderWay,
    /// It was tried too often, and lies where nobody reads.
    DeadLettered,
    /// It became too old.
    Expired,
    /// It was offered too often.
    Dropped,
    /// Working on it failed too often.
    Discarded,
    /// Nobody took it, and its sender did not wait to hear of that.
    NotTaken,
    /// This is how its execution or its caller's call ended.
    Ended(Status),
}

impl Why {
    /// All reasons, in the order of their numbers.
    pub fn all() -> impl Iterator<Item = Self> {
        use Why::{DeadLettered, Discarded, Done, Dropped, Ended, Expired, NotTaken, UnderWay, Waiting};
        let plain = [
            Done,
            Waiting,
            UnderWay,
            DeadLettered,
            Expired,
            Dropped,
            Discarded,
            NotTaken,
        ];
        plain.into_iter().chain(Status::ALL.into_iter().map(Ended))
    }

    /// The words for it in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "",
            Self::Waiting => "waiting",
            Self::UnderWay => "under way",
            Self::DeadLettered => "dead-lettered",
            Self::Expired => "expired",
            Self::Dropped => "dropped after its last try",
            Self::Discarded => "discarded after its last try",
            Self::NotTaken => "sent and not taken",
            Self::Ended(status) => status.name(),
        }
    }
}

/// What has become of something: how, where, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// How.
    pub state: State,
    /// The component, by its place among all.
    pub place: u32,
    /// Why.
    pub why: Why,
}

impl End {
    /// Something was lost at a component.
    pub const fn lost(place: u32, why: Why) -> Self {
        let state = State::Lost;
        Self { state, place, why }
    }

    /// Something is at a component when the run ends.
    pub const fn unfinished(place: u32, why: Why) -> Self {
        let state = State::Unfinished;
        Self { state, place, why }
    }

    /// A call ended at a component.
    pub const fn of(status: Status, place: u32) -> Self {
        let (state, why) = match status {
            Status::Ok => (State::Good, Why::Done),
            _ if status.is_refusal() => (State::Refused, Why::Ended(status)),
            _ => (State::Failed, Why::Ended(status)),
        };
        Self { state, place, why }
    }
}

/// The worst that is known of something: where equally bad things happened, the first of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Worst {
    state: State,
    at: Instant,
    place: u32,
    why: Why,
}

impl Worst {
    const fn of(end: End, at: Instant) -> Self {
        let End { state, place, why } = end;
        Self { state, at, place, why }
    }

    /// The worse of two; their order makes no difference.
    fn or(self, other: Self) -> Self {
        let first = |worst: Self| (worst.at, worst.place, worst.why);
        match self.state.cmp(&other.state) {
            Ordering::Less => other,
            Ordering::Equal if first(other) < first(self) => other,
            _ => self,
        }
    }
}

/// What is known so far of whatever descends from something.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    /// How much there is of it.
    open: u32,
    /// Whether a part of it was done.
    partly: bool,
    /// The worst that became of it, if anything was not good.
    worst: Worst,
    last: Instant,
}

impl Fate {
    fn note(&mut self, at: Instant, end: End) {
        self.last = self.last.max(at);
        if end.state == State::Good {
            self.partly = true;
        } else {
            self.worst = self.worst.or(Worst::of(end, at));
        }
    }

    /// What became of a batch became of each of its messages.
    fn add(&mut self, batch: &Self) {
        self.last = self.last.max(batch.last);
        self.partly |= batch.partly;
        self.worst = self.worst.or(batch.worst);
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Unit {
    source: u32,
    arrived: Instant,
    fate: Fate,
}

#[derive(Clone, Debug, Default)]
struct Batch {
    fate: Fate,
    members: Vec<Lineage>,
}

/// What a request has with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tag {
    /// What it descends from.
    pub of: Lineage,
    /// Whom it was sent to, if its sender does not wait for an answer.
    pub to: Option<u32>,
    /// Who gave it up, if it is a dead letter.
    pub dead: Option<u32>,
}

/// Units of a source that ended in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndCount {
    /// The source, by its place among all components.
    pub source: u32,
    /// How, where and why.
    pub end: End,
    /// How many.
    pub units: u64,
    /// Those of which a part was done.
    pub partly: u64,
}

/// What is counted of the units of one source.
#[derive(Debug)]
struct Book {
    source: u32,
    /// Those that came since counting began.
    arrived: u64,
    ends: Vec<EndCount>,
    /// How long good ones took.
    journeys: Histogram,
    /// How long unfinished ones had taken when the run ended.
    unfinished: Histogram,
}

/// What everything descends from: only kept where something asynchronous can be reached.
#[derive(Debug, Default)]
pub struct Lineages {
    /// Whether anything is followed.
    pub on: bool,
    /// By the place of a request.
    tags: Vec<Tag>,
    units: Vec<Unit>,
    free_units: Vec<u32>,
    batches: Vec<Batch>,
    free_batches: Vec<u32>,
    books: Vec<Book>,
    /// When counting began.
    since: Instant,
    /// What happens to single units, if that is wanted.
    journal: Option<Box<journal::Journal>>,
    #[cfg(debug_assertions)]
    reference: reference::Reference,
}

impl Lineages {
    /// Follows the units of these sources, by their places among all components.
    pub fn new(sources: &[u32]) -> Self {
        let book = |source: &u32| Book {
            source: *source,
            arrived: 0,
            ends: Vec::new(),
            journeys: Histogram::default(),
            unfinished: Histogram::default(),
        };
        Self {
            on: !sources.is_empty(),
            books: sources.iter().map(book).collect(),
            ..Self::default()
        }
    }

    /// Whether a journal is kept.
    #[inline]
    pub fn is_recorded(&self) -> bool {
        self.journal.is_some()
    }

    /// The room that it takes, in bytes, beyond what goes with requests and messages.
    pub fn held(&self) -> u64 {
        (self.units.len() - self.free_units.len() + self.batches.len() - self.free_batches.len()) as u64
    }

    /// A unit arrives.
    pub fn arrive(&mut self, source: u32, now: Instant) -> Lineage {
        let book = self.books.iter().position(|book| book.source == source);
        let Some(book) = book.filter(|_| self.on) else {
            return Lineage::NONE;
        };
        self.books[book].arrived += 1;
        let unit = Unit {
            source: fit(book),
            arrived: now,
            fate: Fate {
                open: 1,
                last: now,
                ..Fate::default()
            },
        };
        let place = self.free_units.pop().unwrap_or_else(|| fit(self.units.len()));
        assert!(place < BATCHES, "two billion units under way");
        if place as usize == self.units.len() {
            self.units.push(unit);
        } else {
            self.units[place as usize] = unit;
        }
        if let Some(journal) = &mut self.journal {
            journal.arrive(place, source);
        }
        #[cfg(debug_assertions)]
        self.reference.arrive(Lineage(place), now);
        Lineage(place)
    }

    fn fate(&mut self, of: Lineage) -> Option<&mut Fate> {
        if of.is_none() {
            return None;
        }
        Some(match of.batch() {
            Some(batch) => &mut self.batches[batch].fate,
            None => &mut self.units[of.0 as usize].fate,
        })
    }

    /// One more thing descends from this.
    pub fn fork(&mut self, of: Lineage) -> Lineage {
        #[cfg(debug_assertions)]
        self.reference.fork(of);
        self.count(of)
    }

    fn count(&mut self, of: Lineage) -> Lineage {
        if let Some(fate) = self.fate(of) {
            fate.open += 1;
        }
        of
    }

    /// One thing descends from all of these, which go on by themselves.
    pub fn join(&mut self, of: impl Iterator<Item = Lineage>) -> Lineage {
        if !self.on {
            return Lineage::NONE;
        }
        let place = self.free_batches.pop().unwrap_or_else(|| fit(self.batches.len()));
        if place as usize == self.batches.len() {
            self.batches.push(Batch::default());
        }
        let mut members = std::mem::take(&mut self.batches[place as usize].members);
        members.clear();
        members.extend(of);
        let alone = members.len() == 1 && members[0].batch().is_none();
        if alone || members.is_empty() {
            self.free_batches.push(place);
            let only = members.first().copied().unwrap_or_default();
            self.batches[place as usize].members = members;
            return self.fork(only);
        }
        for &member in &members {
            self.count(member);
        }
        #[cfg(debug_assertions)]
        self.reference.join(Lineage(BATCHES + place), &members);
        self.batches[place as usize] = Batch {
            fate: Fate {
                open: 1,
                ..Fate::default()
            },
            members,
        };
        Lineage(BATCHES + place)
    }

    /// What the message of a batch descends from that has so many behind it, itself included.
    pub fn message(&self, of: Lineage, left: u16) -> Lineage {
        let Some(batch) = of.batch() else { return of };
        let members = &self.batches[batch].members;
        let place = members.len().checked_sub(usize::from(left));
        place.and_then(|place| members.get(place)).copied().unwrap_or(of)
    }

    /// Notes what became of something that goes on nevertheless.
    pub fn note(&mut self, of: Lineage, at: Instant, end: End) {
        #[cfg(debug_assertions)]
        self.reference.note(of, at, Some(end));
        if let Some(fate) = self.fate(of) {
            fate.note(at, end);
        }
        if self.journal.is_some() {
            self.step(of, at, end.place, journal::What::Ends(end));
        }
    }

    /// It went on until then.
    pub fn touch(&mut self, of: Lineage, at: Instant) {
        #[cfg(debug_assertions)]
        self.reference.note(of, at, None);
        if let Some(fate) = self.fate(of) {
            fate.last = fate.last.max(at);
        }
    }

    /// Something that descends from this is no more; what became of it has been noted.
    pub fn leave(&mut self, of: Lineage) {
        #[cfg(debug_assertions)]
        self.reference.leave(of);
        // Most are not the last of theirs.
        if let Some(fate) = self.fate(of)
            && fate.open > 1
        {
            fate.open -= 1;
            return;
        }
        // Those that end with it wait here: batches of batches can be deep.
        let mut leaving = Vec::new();
        self.left(of, &mut leaving);
        while let Some(next) = leaving.pop() {
            self.left(next, &mut leaving);
        }
    }

    #[inline]
    fn left(&mut self, of: Lineage, leaving: &mut Vec<Lineage>) {
        let Some(fate) = self.fate(of) else { return };
        fate.open -= 1;
        if fate.open > 0 {
            return;
        }
        let fate = *fate;
        let Some(batch) = of.batch() else {
            #[cfg(debug_assertions)]
            self.reference.close(of, &fate);
            self.free_units.push(of.0);
            return self.close(of.0);
        };
        let members = std::mem::take(&mut self.batches[batch].members);
        for &member in &members {
            if let Some(its) = self.fate(member) {
                its.add(&fate);
            }
            leaving.push(member);
        }
        self.batches[batch].members = members;
        self.free_batches.push(fit(batch));
    }

    /// Notes what became of something, which is no more.
    pub fn end(&mut self, of: Lineage, at: Instant, end: End) {
        self.note(of, at, end);
        self.leave(of);
    }

    /// Something was done.
    pub fn done(&mut self, of: Lineage, at: Instant) {
        self.end(of, at, End::of(Status::Ok, 0));
    }

    fn close(&mut self, place: u32) {
        let unit = self.units[place as usize];
        if unit.arrived < self.since {
            return;
        }
        let book = &mut self.books[unit.source as usize];
        let fate = unit.fate;
        let good = fate.worst.state == State::Good;
        let taken = fate.last.since(unit.arrived).0;
        match fate.worst.state {
            State::Good => book.journeys.record(taken),
            State::Unfinished => book.unfinished.record(taken),
            _ => {}
        }
        let end = End {
            state: fate.worst.state,
            place: if good { book.source } else { fate.worst.place },
            why: fate.worst.why,
        };
        if let Some(journal) = &mut self.journal {
            journal.close(place, &unit, end);
        }
        let known = book.ends.iter().position(|count| count.end == end);
        let row = known.unwrap_or_else(|| {
            let (units, partly) = (0, 0);
            book.ends.push(EndCount {
                source: book.source,
                end,
                units,
                partly,
            });
            book.ends.len() - 1
        });
        book.ends[row].units += 1;
        book.ends[row].partly += u64::from(fate.partly && !good);
    }

    /// The source of what something descends from, the first of several.
    pub fn source(&self, of: Lineage) -> u32 {
        let mut of = of;
        while let Some(batch) = of.batch() {
            of = self.batches[batch].members.first().copied().unwrap_or_default();
        }
        let unit = self.units.get(of.0 as usize);
        unit.map_or(0, |unit| self.books[unit.source as usize].source)
    }

    /// What a request has with it.
    pub fn tag(&self, request: Key) -> Tag {
        self.tags.get(request.index as usize).copied().unwrap_or_default()
    }

    /// From now on a request has this with it, which was forked for it.
    pub fn put(&mut self, request: Key, tag: Tag) {
        let place = request.index as usize;
        if self.tags.len() <= place {
            self.tags.resize(place + 1, Tag::default());
        }
        self.tags[place] = tag;
    }

    /// Takes what a request has with it.
    pub fn take(&mut self, request: Key) -> Tag {
        let tag = self.tags.get_mut(request.index as usize);
        tag.map(std::mem::take).unwrap_or_default()
    }

    /// Counting begins.
    pub fn reset(&mut self, now: Instant) {
        self.since = now;
        for book in &mut self.books {
            (book.arrived, book.journeys, book.unfinished) = (0, Histogram::default(), Histogram::default());
            book.ends.clear();
        }
    }

    /// What happened to single units, if that was recorded.
    pub fn take_journal(&mut self) -> Vec<journal::Entry> {
        let since = self.since;
        self.journal
            .take()
            .map_or_else(Vec::new, |journal| journal.finish(since))
    }

    /// Reports what was counted, when all that was there has been cut off: where units ended, by source.
    pub fn observe(self, out: &mut Vec<Observation>) -> Vec<EndCount> {
        debug_assert_eq!(self.held(), 0, "units are under way, and nobody has them");
        let mut ends = Vec::new();
        for mut book in self.books {
            let component = book.source;
            let mut push = |metric, value| {
                out.push(Observation {
                    component,
                    metric,
                    value,
                });
            };
            for state in State::ALL {
                let units = book.ends.iter().filter(|count| count.end.state == state);
                push(state.metric(), Value::Count(units.map(|count| count.units).sum()));
            }
            let partly = book.ends.iter().map(|count| count.partly).sum();
            push("journeys.partly", Value::Count(partly));
            push("journey.unfinished", Value::Latency(Box::new(book.unfinished)));
            push("journey", Value::Latency(Box::new(book.journeys)));
            let ended: u64 = book.ends.iter().map(|count| count.units).sum();
            debug_assert_eq!(ended, book.arrived, "every unit ends in one place");
            book.ends
                .sort_by_key(|count| (std::cmp::Reverse(count.end.state), count.end.place, count.end.why));
            ends.append(&mut book.ends);
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ns: u64) -> Instant {
        Instant(ns)
    }

    fn observed(lineages: Lineages) -> (Vec<u64>, Vec<EndCount>) {
        let mut out = Vec::new();
        let ends = lineages.observe(&mut out);
        let count = |value: &Value| match value {
            Value::Count(n) => Some(*n),
            _ => None,
        };
        (out.iter().filter_map(|seen| count(&seen.value)).collect(), ends)
    }

    #[test]
    fn a_unit_is_as_its_worst_descendant_and_lasts_as_long_as_the_last() {
        let mut lineages = Lineages::new(&[3]);
        let unit = lineages.arrive(3, at(10));
        let one = lineages.fork(unit);
        let other = lineages.fork(unit);
        lineages.note(unit, at(20), End::of(Status::Ok, 3));
        lineages.leave(unit);
        lineages.end(one, at(30), End::lost(5, Why::Expired));
        lineages.done(other, at(90));
        let good = lineages.arrive(3, at(40));
        lineages.done(good, at(50));
        assert_eq!(lineages.books[0].journeys.max(), 10, "the lost one has no journey");
        let (counts, ends) = observed(lineages);
        assert_eq!(counts, [1, 0, 0, 0, 1, 1]);
        assert_eq!((ends[0].end, ends[0].partly), (End::lost(5, Why::Expired), 1));
    }

    #[test]
    fn what_is_done_once_for_a_batch_descends_from_all_its_messages() {
        let mut lineages = Lineages::new(&[0]);
        let units: Vec<Lineage> = (0..3).map(|ns| lineages.arrive(0, at(ns))).collect();
        let batch = lineages.join(units.iter().copied());
        assert_eq!(lineages.message(batch, 3), units[0]);
        assert_eq!(lineages.message(batch, 1), units[2]);
        let sent = lineages.fork(batch);
        let own = lineages.fork(lineages.message(batch, 2));
        lineages.leave(batch);
        for unit in &units {
            lineages.done(*unit, at(10));
        }
        assert_eq!(lineages.held(), 4, "all wait for what was sent");
        // Another batch, of what was sent and a message of its own.
        let next = lineages.join([sent, own].into_iter());
        lineages.done(sent, at(20));
        lineages.done(own, at(20));
        lineages.end(next, at(30), End::lost(7, Why::DeadLettered));
        assert_eq!(lineages.held(), 0);
        let (counts, ends) = observed(lineages);
        assert_eq!((counts, ends.len()), (vec![0, 0, 0, 0, 3, 3], 1));
    }

    #[test]
    fn what_is_cut_off_counts_with_the_age_that_it_has_reached() {
        let mut lineages = Lineages::new(&[0]);
        let early = lineages.arrive(0, at(0));
        lineages.reset(at(10));
        let late = lineages.arrive(0, at(10));
        let cut = End::unfinished(1, Why::Waiting);
        lineages.end(early, at(100), cut);
        lineages.end(late, at(100), cut);
        assert_eq!(
            (lineages.books[0].unfinished.count(), lineages.books[0].unfinished.max()),
            (1, 90)
        );
        assert_eq!(observed(lineages).0, [0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn nothing_is_followed_where_nothing_goes_on() {
        let mut lineages = Lineages::new(&[]);
        let unit = lineages.arrive(0, at(0));
        assert_eq!(unit, Lineage::NONE);
        let batch = lineages.join([unit, unit].into_iter());
        lineages.end(batch, at(1), End::lost(0, Why::Dropped));
        assert_eq!((lineages.held(), observed(lineages).0.len()), (0, 0));
    }
}
