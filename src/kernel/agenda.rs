//! The agenda: the only place that orders events.
//!
//! The order is total: time, then class (releases before timers before arrivals, so that what becomes free at an
//! instant can be used at that instant), then the order in which the events were put on the agenda. What is already
//! sorted stays out of the heap: hand-offs at the present instant go to a ring, each constant delay has a FIFO lane,
//! and the next arrival of each source sits in a slot of its own. A tournament tree over the fronts of lanes and
//! sources says which of them comes next. The order does not depend on where an event waited ([`Agenda::plain`] puts
//! everything into the heap; a test runs both).

use super::heap::{Entry, RadixHeap, Rank};
use super::pack::{Pack, Words};
use super::time::{Duration, Instant};
use crate::kernel::number::fit;
use std::collections::VecDeque;
use std::marker::PhantomData;

/// What comes first among the events of one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Something becomes free, or is handed over: completions, replies.
    Release = 0,
    /// Something was due: deadlines, expiries, scaling ticks.
    Timer = 1,
    /// Something new comes in.
    Arrival = 2,
}

/// A FIFO lane for one constant delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneId(u32);

/// A slot for the next arrival of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceId(u32);

/// A place in the order of pushes.
#[derive(Clone, Copy, Debug)]
pub struct Ticket(u64);

#[derive(Clone, Debug)]
struct Lane {
    delay: Duration,
    class: Class,
    /// From `head` on, in their order.
    waiting: Vec<Entry<Words>>,
    head: usize,
    leaf: u32,
    /// At this length it is worth looking for entries that mean nothing any more.
    long: usize,
}

/// A lane shorter than this is never looked through.
const SHORT: usize = 64;

impl Lane {
    fn front(&self) -> Rank {
        self.waiting.get(self.head).map_or(Rank::LAST, |entry| entry.rank)
    }

    /// Takes the first event. What was taken makes room when it is half of what is there.
    fn pop(&mut self) -> Option<Words> {
        let event = self.waiting.get(self.head)?.event;
        self.head += 1;
        if self.head >= SHORT && 2 * self.head >= self.waiting.len() {
            self.make_room();
        }
        Some(event)
    }

    fn make_room(&mut self) {
        self.waiting.drain(..self.head);
        self.head = 0;
    }
}

#[derive(Clone, Debug)]
struct Source {
    next: Option<Entry<Words>>,
    leaf: u32,
}

/// Who owns a leaf of the tournament.
#[derive(Clone, Copy, Debug)]
enum Track {
    Lane(u32),
    Source(u32),
}

/// The agenda of one run. `E` is an enum that fits two words.
#[derive(Clone, Debug)]
pub struct Agenda<E> {
    now: Instant,
    sequence: u64,
    /// What was handed over when nothing else was due: certain to be the next event, whatever is pushed after it.
    handed: Words,
    ring: VecDeque<Entry<Words>>,
    heap: RadixHeap<Words>,
    lanes: Vec<Lane>,
    /// The lanes by what they are for, in order.
    lanes_for: Vec<(Duration, Class, LaneId)>,
    /// Deadlines that were put into the heap since it was swept, and how many make it worth while to do that again.
    unswept: usize,
    long: usize,
    sources: Vec<Source>,
    tracks: Vec<Track>,
    tournament: Tournament,
    /// The leaf of a source that was popped: still the winner's in the tournament, because the source's next arrival
    /// follows as a rule before anything is popped.
    hole: Option<u32>,
    plain: bool,
    popped: u64,
    events: PhantomData<E>,
}

impl<E: Pack> Default for Agenda<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Pack> Agenda<E> {
    /// An empty agenda at time zero.
    pub fn new() -> Self {
        Self {
            now: Instant::ZERO,
            sequence: 0,
            handed: Words::NOTHING,
            ring: VecDeque::new(),
            heap: RadixHeap::default(),
            lanes: Vec::new(),
            lanes_for: Vec::new(),
            unswept: 0,
            long: SHORT,
            sources: Vec::new(),
            tracks: Vec::new(),
            tournament: Tournament::new(1),
            hole: None,
            plain: false,
            popped: 0,
            events: PhantomData,
        }
    }

    /// An agenda that keeps everything in the heap: slower, and in the same order. For tests of that sentence.
    pub fn plain() -> Self {
        Self {
            plain: true,
            ..Self::new()
        }
    }

    /// The present.
    #[inline]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Events popped so far.
    pub fn popped(&self) -> u64 {
        self.popped
    }

    /// Number of events that fit into the memory it holds.
    pub fn capacity(&self) -> usize {
        let lanes: usize = self.lanes.iter().map(|lane| lane.waiting.capacity()).sum();
        lanes + self.heap.capacity() + self.ring.capacity()
    }

    /// A lane for events of `class` that come exactly `delay` after they are put on the agenda. Lanes are shared; there
    /// should be few, so this is for delays that the plan knows.
    #[inline]
    pub fn lane(&mut self, delay: Duration, class: Class) -> LaneId {
        let wanted = (delay, class);
        let place = self.lanes_for.partition_point(|lane| (lane.0, lane.1) < wanted);
        match self.lanes_for.get(place) {
            Some(&(delay, class, lane)) if (delay, class) == wanted => lane,
            _ => self.new_lane(place, delay, class),
        }
    }

    #[cold]
    fn new_lane(&mut self, place: usize, delay: Duration, class: Class) -> LaneId {
        let id = fit(self.lanes.len());
        self.lanes_for.insert(place, (delay, class, LaneId(id)));
        let leaf = self.add_track(Track::Lane(id));
        self.lanes.push(Lane {
            delay,
            class,
            waiting: Vec::new(),
            head: 0,
            leaf,
            long: SHORT,
        });
        LaneId(id)
    }

    /// A new source. Its arrivals are of class [`Class::Arrival`].
    pub fn source(&mut self) -> SourceId {
        let id = fit(self.sources.len());
        let leaf = self.add_track(Track::Source(id));
        self.sources.push(Source { next: None, leaf });
        SourceId(id)
    }

    fn add_track(&mut self, track: Track) -> u32 {
        self.tracks.push(track);
        self.tournament.grow(self.tracks.len());
        fit(self.tracks.len() - 1)
    }

    #[inline]
    fn rank(&mut self, at: Instant, class: Class) -> Rank {
        debug_assert!(at >= self.now, "nothing happens in the past");
        self.sequence += 1;
        Rank {
            key: at.0 << 2 | class as u64,
            sequence: self.sequence,
        }
    }

    /// Hands `event` over at the present instant, before anything that is merely due.
    #[inline(always)]
    pub fn hand_over(&mut self, event: E) {
        self.hand_over_packed(event.pack());
    }

    #[inline]
    fn hand_over_packed(&mut self, event: Words) {
        let key = self.now.0 << 2 | Class::Release as u64;
        if key < self.heap.front().key
            && key < self.tournament.best.key
            && self.handed.is_nothing()
            && self.ring.is_empty()
            && !self.plain
        {
            self.handed = event;
        } else {
            self.queue_up(event);
        }
    }

    /// Hands an event over that has to wait for others.
    #[inline(never)]
    fn queue_up(&mut self, event: Words) {
        let rank = self.rank(self.now, Class::Release);
        if self.plain {
            self.heap.push(rank, event);
        } else {
            self.ring.push_back(Entry { rank, event });
        }
    }

    /// Puts `event` on the agenda at `at`. At [`Instant::NEVER`] it is dropped.
    #[inline(always)]
    pub fn at(&mut self, at: Instant, class: Class, event: E) {
        self.at_packed(at, class, event.pack());
    }

    /// [`Agenda::at`] for the places where most events come from.
    #[inline(always)]
    pub fn at_often(&mut self, at: Instant, class: Class, event: E) {
        if at < Instant::NEVER {
            let rank = self.rank(at, class);
            self.heap.push(rank, event.pack());
        }
    }

    #[inline(never)]
    fn at_packed(&mut self, at: Instant, class: Class, event: Words) {
        if at < Instant::NEVER {
            let rank = self.rank(at, class);
            self.heap.push(rank, event);
        }
    }

    /// [`Agenda::at`] for a deadline that may outlive what it limits; says whether there are so many by now that
    /// [`Agenda::sweep_heap`] pays off.
    pub fn at_and_look(&mut self, at: Instant, class: Class, event: E) -> bool {
        if at >= Instant::NEVER {
            return false;
        }
        self.at(at, class, event);
        self.unswept += 1;
        self.unswept >= self.long
    }

    /// Takes events out of the heap that mean nothing any more: those for which `keep` says no.
    #[cold]
    pub fn sweep_heap(&mut self, keep: impl FnMut(Words) -> bool) {
        self.heap.retain(keep);
        // As many again as there are events left: each is looked at a bounded number of times on average.
        (self.unswept, self.long) = (0, self.heap.len().max(SHORT));
    }

    /// Puts `event` on the agenda after the constant delay of `lane`; says whether the lane is so long now that a
    /// [`Agenda::sweep`] pays off.
    #[inline(always)]
    pub fn after(&mut self, lane: LaneId, event: E) -> bool {
        self.after_packed(lane, event.pack())
    }

    #[inline(always)]
    fn after_packed(&mut self, lane: LaneId, event: Words) -> bool {
        let lane = &mut self.lanes[lane.0 as usize];
        let at = self.now + lane.delay;
        if at == Instant::NEVER {
            return false;
        }
        self.sequence += 1;
        let rank = Rank {
            key: at.0 << 2 | lane.class as u64,
            sequence: self.sequence,
        };
        if self.plain {
            self.heap.push(rank, event);
            return false;
        }
        if lane.head == lane.waiting.len() {
            self.tournament.set(lane.leaf, rank);
        }
        lane.waiting.push(Entry { rank, event });
        lane.waiting.len() >= lane.long
    }

    /// Takes events off `lane` that mean nothing any more: those for which `keep` says no. Deadlines as a rule outlive
    /// what they limit, so without this a lane would hold one event for each request of its delay.
    #[cold]
    pub fn sweep(&mut self, lane: LaneId, mut keep: impl FnMut(Words) -> bool) {
        let lane = &mut self.lanes[lane.0 as usize];
        lane.make_room();
        lane.waiting.retain(|entry| keep(entry.event));
        // Twice what is left: each event is looked at a bounded number of times on average.
        lane.long = (2 * lane.waiting.len()).max(SHORT);
        self.tournament.set(lane.leaf, lane.front());
    }

    /// Sets the next arrival of `source`, which must have none pending.
    pub fn next_arrival(&mut self, source: SourceId, at: Instant, event: E) {
        let ticket = self.ticket();
        self.next_arrival_at(ticket, source, at, event);
    }

    /// A place in the order of pushes, for an event that is put on the agenda later.
    #[inline(always)]
    pub fn ticket(&mut self) -> Ticket {
        self.sequence += 1;
        Ticket(self.sequence)
    }

    /// [`Agenda::next_arrival`] as if it were called when the ticket was taken.
    #[inline(always)]
    pub fn next_arrival_at(&mut self, ticket: Ticket, source: SourceId, at: Instant, event: E) {
        self.next_arrival_packed(ticket, source, at, event.pack());
    }

    #[inline(always)]
    fn next_arrival_packed(&mut self, ticket: Ticket, source: SourceId, at: Instant, event: Words) {
        if at >= Instant::NEVER {
            return;
        }
        let rank = Rank {
            key: at.0 << 2 | Class::Arrival as u64,
            sequence: ticket.0,
        };
        if self.plain {
            return self.heap.push(rank, event);
        }
        let slot = &mut self.sources[source.0 as usize];
        assert!(slot.next.is_none(), "a source has one next arrival");
        slot.next = Some(Entry { rank, event });
        if self.hole == Some(slot.leaf) {
            self.hole = None;
        }
        self.tournament.set(slot.leaf, rank);
    }

    /// Some events that come soon, now and then: those that the heap sorted together with the one popped last, if that
    /// was the first of them. A hint: others may come before and between them.
    #[inline]
    pub fn coming(&self) -> impl ExactSizeIterator<Item = Words> + '_ {
        self.heap.next_batch().iter().map(|entry| entry.event)
    }

    /// Takes the next event and moves the present to its time. `None` when nothing is left.
    #[inline]
    pub fn pop(&mut self) -> Option<E> {
        self.pop_handed().or_else(|| self.pop_due()).map(E::unpack)
    }

    /// Takes the next event if it was handed over when nothing else was due. This and [`Agenda::pop_due`] are
    /// [`Agenda::pop`] for a loop that unpacks where it dispatches, and that has something to do in between.
    #[inline(always)]
    pub fn pop_handed(&mut self) -> Option<Words> {
        let handed = self.handed;
        if handed.is_nothing() {
            return None;
        }
        self.handed = Words::NOTHING;
        self.popped += 1;
        Some(handed)
    }

    /// Takes the next event when none is left of those that [`Agenda::pop_handed`] takes.
    #[inline(always)]
    pub fn pop_due(&mut self) -> Option<Words> {
        if let Some(leaf) = self.hole.take() {
            self.tournament.set(leaf, Rank::LAST);
        }
        let (heap, track) = (self.heap.front(), self.tournament.best);
        if let Some(first) = self.ring.front()
            && first.rank < heap
            && first.rank < track
        {
            self.popped += 1;
            return self.ring.pop_front().map(|entry| entry.event);
        }
        if heap < track {
            self.popped += 1;
            self.now = Instant(heap.key >> 2);
            return self.heap.pop();
        }
        if track == Rank::LAST {
            return None;
        }
        self.popped += 1;
        self.now = Instant(track.key >> 2);
        match self.tracks[self.tournament.winner as usize] {
            Track::Lane(id) => {
                let lane = &mut self.lanes[id as usize];
                let event = lane.pop();
                self.tournament.set(lane.leaf, lane.front());
                event
            }
            Track::Source(id) => {
                let source = &mut self.sources[id as usize];
                self.hole = Some(source.leaf);
                source.next.take().map(|entry| entry.event)
            }
        }
    }
}

/// A place in the tournament: the key of a rank, and which leaf it came from.
#[derive(Clone, Copy, Debug)]
struct Player {
    key: u64,
    leaf: u32,
}

/// A winner tree: the smallest of n ranks at the root, an update in log2 n comparisons.
///
/// One source as a rule has several arrivals in a row before anything else is due. As long as the winner stays the
/// winner, its own path is left as it was, and one comparison with the second is enough.
#[derive(Clone, Debug)]
struct Tournament {
    /// Leaves at `size..2 * size`; node i is the better of nodes 2i and 2i + 1. Not kept on the winner's path.
    nodes: Vec<Player>,
    /// By leaf; they decide between equal keys.
    sequences: Vec<u64>,
    size: usize,
    /// The smallest rank.
    best: Rank,
    /// Its leaf.
    winner: u32,
    /// The smallest of the others, or [`Rank::FIRST`] where that was not looked for: then all paths are in order.
    second: Rank,
}

impl Tournament {
    fn new(leaves: usize) -> Self {
        let size = leaves.next_power_of_two();
        let leaf = |node: usize| fit(node.saturating_sub(size));
        let nodes = (0..2 * size).map(|node| Player {
            key: Rank::LAST.key,
            leaf: leaf(node),
        });
        Self {
            nodes: nodes.collect(),
            sequences: vec![Rank::LAST.sequence; size],
            size,
            best: Rank::LAST,
            winner: 0,
            second: Rank::LAST,
        }
    }

    fn grow(&mut self, leaves: usize) {
        if leaves > self.size {
            self.play(self.winner, self.best);
            let mut larger = Self::new(leaves);
            for leaf in 0..fit(self.size) {
                let rank = self.rank_of(self.nodes[self.size + leaf as usize]);
                larger.set(leaf, rank);
            }
            *self = larger;
        }
    }

    #[inline(always)]
    fn set(&mut self, leaf: u32, rank: Rank) {
        if leaf == self.winner && rank < self.second {
            self.best = rank;
        } else {
            self.change(leaf, rank);
        }
    }

    /// The winner changes, or somebody else's rank does.
    #[inline(never)]
    fn change(&mut self, leaf: u32, rank: Rank) {
        if leaf != self.winner && self.second != Rank::FIRST {
            self.play(self.winner, self.best);
        }
        let winner = self.play(leaf, rank);
        self.winner = winner.leaf;
        self.best = self.rank_of(winner);
        // Only who has been in front once more is likely to stay there.
        self.second = Rank::FIRST;
        if winner.leaf == leaf {
            self.second = Rank::LAST;
            let mut node = self.size + leaf as usize;
            while node > 1 {
                self.second = self.second.min(self.rank_of(self.nodes[node ^ 1]));
                node /= 2;
            }
        }
    }

    /// Sets a leaf and brings its path in order; the player at the root.
    fn play(&mut self, leaf: u32, rank: Rank) -> Player {
        let mut node = self.size + leaf as usize;
        let mut winner = Player { key: rank.key, leaf };
        self.sequences[leaf as usize] = rank.sequence;
        self.nodes[node] = winner;
        while node > 1 {
            let other = self.nodes[node ^ 1];
            if other.key < winner.key || (other.key == winner.key && self.rank_of(other) < self.rank_of(winner)) {
                winner = other;
            }
            node /= 2;
            self.nodes[node] = winner;
        }
        winner
    }

    #[inline]
    fn rank_of(&self, player: Player) -> Rank {
        Rank {
            key: player.key,
            sequence: self.sequences[player.leaf as usize],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::place;
    use crate::kernel::stream::{Stream, StreamKey, below};
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    #[test]
    fn one_instant_orders_by_class_then_by_entry() {
        const ARRIVAL: u32 = 0;
        const TIMER: u32 = 1;
        const RELEASE: u32 = 2;
        const HAND_OFF: u32 = 3;
        const SECOND: u32 = 4;
        /// Of an earlier class, at the present instant.
        const EARLIER: u32 = 5;
        let mut agenda = Agenda::new();
        let source = agenda.source();
        let lane = agenda.lane(Duration(5), Class::Timer);
        agenda.next_arrival(source, Instant(5), ARRIVAL);
        agenda.after(lane, TIMER);
        agenda.at(Instant(5), Class::Release, RELEASE);
        assert_eq!(agenda.pop(), Some(RELEASE));
        agenda.hand_over(HAND_OFF);
        agenda.at(Instant(5), Class::Release, SECOND);
        assert_eq!(agenda.pop(), Some(HAND_OFF));
        assert_eq!(agenda.pop(), Some(SECOND));
        assert_eq!(agenda.pop(), Some(TIMER));
        assert_eq!(agenda.pop(), Some(ARRIVAL));
        agenda.at(Instant(5), Class::Release, EARLIER);
        assert_eq!(agenda.pop(), Some(EARLIER));
        assert_eq!((agenda.pop(), agenda.now()), (None, Instant(5)));
    }

    #[test]
    fn never_is_not_on_the_agenda() {
        let mut agenda = Agenda::new();
        let lane = agenda.lane(Duration::FOREVER, Class::Timer);
        agenda.after(lane, 1_u32);
        agenda.at(Instant::NEVER, Class::Timer, 2);
        assert_eq!(agenda.pop(), None);
    }

    /// Random pushes of every sort against a reference heap that sorts by (time, class, sequence).
    fn against_reference(mut agenda: Agenda<u32>, seed: u64) {
        let mut rng = Stream::new(seed, 0, StreamKey::new("agenda", "test"));
        let delays = [1, 7, 7, 300];
        let classes = [Class::Release, Class::Timer, Class::Timer, Class::Arrival];
        let lanes: Vec<_> = (0..4).map(|i| agenda.lane(Duration(delays[i]), classes[i])).collect();
        let sources: Vec<_> = (0..3).map(|_| agenda.source()).collect();
        let mut pending = [false; 3];
        let mut reference = BinaryHeap::new();
        let mut id = 0_u32;
        for _ in 0..20_000 {
            let now = agenda.now().0;
            for _ in 0..below(&mut rng, 3) {
                id += 1;
                let mut expect = |at: u64, class: Class| reference.push(Reverse((at, class, id)));
                match below(&mut rng, 4) {
                    0 => {
                        expect(now, Class::Release);
                        agenda.hand_over(id);
                    }
                    1 => {
                        let class = classes[place(below(&mut rng, 4))];
                        let spread = 1 << below(&mut rng, 20);
                        let at = now + below(&mut rng, spread);
                        expect(at, class);
                        agenda.at(Instant(at), class, id);
                    }
                    2 => {
                        let lane: usize = fit(below(&mut rng, 4));
                        expect(now + delays[lane], classes[lane]);
                        agenda.after(lanes[lane], id);
                    }
                    _ => {
                        let source: usize = fit(below(&mut rng, 3));
                        if !pending[source] {
                            pending[source] = true;
                            let at = now + below(&mut rng, 50);
                            expect(at, Class::Arrival);
                            // The low bits tell which source to set free again.
                            agenda.next_arrival(sources[source], Instant(at), id | (fit::<u32, _>(source) + 1) << 28);
                        }
                    }
                }
            }
            let expected = reference.pop().map(|Reverse((at, _, id))| (at, id));
            let popped = agenda.pop().map(|event| {
                if event >> 28 > 0 {
                    pending[(event >> 28) as usize - 1] = false;
                }
                (agenda.now().0, event & 0x0FFF_FFFF)
            });
            assert_eq!(popped, expected);
        }
    }

    #[test]
    fn the_order_is_that_of_a_sorted_list_wherever_events_wait() {
        for seed in 0..20 {
            against_reference(Agenda::new(), seed);
            against_reference(Agenda::plain(), seed);
        }
    }
}
