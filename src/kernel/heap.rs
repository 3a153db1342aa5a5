//! A stable radix heap: the part of the agenda whose order is not known beforehand.
//!
//! Entries sit in buckets by the highest bit in which their key differs from a base, a key popped in the past; when it
//! is the turn of a bucket, the base moves and the bucket is spread over the lower ones. That needs what a simulation
//! gives anyway: integer keys, and nothing pushed before the present. (Ahuja, Mehlhorn, Orlin and Tarjan 1990,
//! doi 10.1145/77600.77615.) A bucket with few entries is not spread any more, as at the bottom of a ladder queue
//! (Tang, Goh and Thng 2005, doi 10.1145/1103323.1103324): the smallest of few is found by looking at all of them,
//! which is quicker than keeping them sorted, because the processor cannot foresee where an entry belongs. With few
//! entries pending the whole heap is such a short list.

use std::cmp::Ordering;

/// How an event sorts: (time and class, sequence number), see [`super::agenda`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    /// Nanoseconds times four plus the class.
    pub key: u64,
    /// Number of the push, over the whole agenda.
    pub sequence: u64,
}

impl Rank {
    /// Both as one number: compared without a branch.
    #[inline(always)]
    const fn whole(self) -> u128 {
        (self.key as u128) << 64 | self.sequence as u128
    }
}

impl Ord for Rank {
    #[inline(always)]
    fn cmp(&self, other: &Self) -> Ordering {
        #[cfg(test)]
        tests::compared();
        self.whole().cmp(&other.whole())
    }
}

impl PartialOrd for Rank {
    #[inline(always)]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
    #[inline(always)]
    fn lt(&self, other: &Self) -> bool {
        #[cfg(test)]
        tests::compared();
        self.whole() < other.whole()
    }
}

impl Rank {
    /// Earlier than every event.
    pub const FIRST: Self = Self { key: 0, sequence: 0 };
    /// Later than every event.
    pub const LAST: Self = Self {
        key: u64::MAX,
        sequence: u64::MAX,
    };
}

/// Something ranked.
#[derive(Clone, Copy, Debug)]
pub struct Entry<E> {
    /// Its place in the order.
    pub rank: Rank,
    /// What happens.
    pub event: E,
}

/// Buckets with at most this many entries together are not spread any further.
const FEW: usize = 8;

/// So many entries may be searched for the smallest one.
const MANY: usize = 16;

/// One for each bit that may differ, and one for none; the top two share theirs.
const BUCKETS: usize = 64;

/// The low bits of a key, which hold the class. An event of an earlier class may be pushed at the present instant, so
/// base and last key are those of the instant, and the buckets of these bits are never spread.
const CLASS_BITS: u32 = 2;

/// The first key of an instant.
const fn instant_of(key: u64) -> u64 {
    key >> CLASS_BITS << CLASS_BITS
}

/// The heap. Pop-min and push cost a few dozen nanoseconds from a hundred to a million pending entries.
#[derive(Clone, Debug)]
pub struct RadixHeap<E> {
    /// All entries whose key is below `near_end`, in any order; only where they are many of one instant they are
    /// sorted, and those before `first` are gone.
    near: Vec<Entry<E>>,
    near_end: u64,
    /// Where in `near` the smallest one is.
    first: usize,
    sorted: bool,
    /// Whether `near` has been filled since the last pop.
    filled: bool,
    /// The others. Bucket 0 holds keys equal to `base`, bucket i those whose highest bit differing from it is bit i -
    /// 1; the last one also holds those that differ in the top bit.
    later: Vec<Vec<Entry<E>>>,
    /// The smallest rank in each of them: looking for it again whenever the near ones are gone would make a bucket that
    /// is far away cost as often as it waits.
    least: [Rank; BUCKETS],
    /// Bit i is set when `later[i]` has entries.
    occupied: u64,
    /// An instant popped in the past.
    base: u64,
    /// The instant popped last.
    last: u64,
    /// The smallest rank, kept so that looking is free.
    front: Rank,
}

impl<E: Copy> Default for RadixHeap<E> {
    fn default() -> Self {
        Self {
            near: Vec::new(),
            near_end: u64::MAX,
            first: 0,
            sorted: false,
            filled: false,
            later: (0..BUCKETS).map(|_| Vec::new()).collect(),
            least: [Rank::LAST; BUCKETS],
            occupied: 0,
            base: 0,
            last: 0,
            front: Rank::LAST,
        }
    }
}

impl<E: Copy> RadixHeap<E> {
    /// The smallest rank, or [`Rank::LAST`] when empty.
    #[inline]
    pub fn front(&self) -> Rank {
        self.front
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.front == Rank::LAST
    }

    /// Entries that come soon, if the last pop has found new ones; none otherwise.
    #[inline]
    pub fn next_batch(&self) -> &[Entry<E>] {
        if self.filled { &self.near } else { &[] }
    }

    /// Number of entries. It looks at all buckets.
    pub fn len(&self) -> usize {
        let near = self.near.len() - if self.sorted { self.first } else { 0 };
        near + self.later.iter().map(Vec::len).sum::<usize>()
    }

    /// Number of entries that fit into the memory it holds.
    pub fn capacity(&self) -> usize {
        self.near.capacity() + self.later.iter().map(Vec::capacity).sum::<usize>()
    }

    /// Adds an entry; it must not come before the last one popped, and no other may have its rank.
    #[inline(always)]
    pub fn push(&mut self, rank: Rank, event: E) {
        debug_assert!(rank.key >= self.last, "nothing happens in the past");
        if rank.key < self.near_end && self.near.len() < MANY {
            // No branch hangs on where it belongs: that is not known yet when its time has just been computed.
            let better = rank < self.front;
            self.front = if better { rank } else { self.front };
            self.first = if better { self.near.len() } else { self.first };
            self.near.push(Entry { rank, event });
        } else {
            self.push_rarely(Entry { rank, event });
        }
    }

    /// Adds an entry that comes later than the near ones, or that makes them too many.
    #[inline(never)]
    fn push_rarely(&mut self, entry: Entry<E>) {
        if entry.rank.key >= self.near_end {
            self.place(entry);
            self.front = self.front.min(entry.rank);
        } else if self.sorted {
            let near = &self.near[self.first..];
            let place = self.first + near.partition_point(|other| other.rank < entry.rank);
            self.near.insert(place, entry);
            self.front = self.near[self.first].rank;
        } else {
            // All go back to the buckets. Nothing popped lies outside their range, so the higher buckets stay as they
            // are.
            self.base = self.last;
            let mut near = std::mem::take(&mut self.near);
            for entry in near.drain(..).chain([entry]) {
                self.place(entry);
            }
            self.near = near;
            self.settle();
        }
    }

    #[inline]
    fn place(&mut self, entry: Entry<E>) {
        let bucket = (64 - (entry.rank.key ^ self.base).leading_zeros()).min(63) as usize;
        self.later[bucket].push(entry);
        self.least[bucket] = self.least[bucket].min(entry.rank);
        self.occupied |= 1 << bucket;
    }

    /// Takes the entry of smallest rank.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<E> {
        self.filled = false;
        if self.near.is_empty() {
            if self.is_empty() {
                return None;
            }
            self.advance();
        }
        let popped = self.near[self.first];
        self.last = instant_of(popped.rank.key);
        if self.sorted || self.near.len() == 1 {
            self.drop_first();
        } else {
            self.near.swap_remove(self.first);
            self.find_first();
        }
        Some(popped.event)
    }

    /// Takes the first entry off, where they are sorted or it is the only one.
    #[inline(never)]
    fn drop_first(&mut self) {
        self.first += 1;
        match self.near.get(self.first) {
            Some(next) if self.sorted => self.front = next.rank,
            _ => {
                self.near.clear();
                self.settle();
            }
        }
    }

    /// Finds the smallest of the near ones. Without branches: which one it is cannot be foreseen. That two have the
    /// same key can: as a rule they have not.
    #[inline(always)]
    fn find_first(&mut self) {
        let (mut key, mut first, mut twins) = (self.near[0].rank.key, 0, false);
        for (place, entry) in self.near.iter().enumerate().skip(1) {
            let other = entry.rank.key;
            twins |= other == key;
            first = if other < key { place } else { first };
            key = key.min(other);
        }
        self.first = if twins { self.first_by_rank() } else { first };
        self.front = self.near[self.first].rank;
    }

    /// The same where keys are equal.
    #[inline(never)]
    fn first_by_rank(&self) -> usize {
        let ranks = self.near.iter().map(|entry| entry.rank).enumerate();
        ranks.min_by_key(|(_, rank)| *rank).map_or(0, |(place, _)| place)
    }

    /// Keeps only the entries for which `keep` says yes. It looks at all of them.
    pub fn retain(&mut self, mut keep: impl FnMut(E) -> bool) {
        for (bucket, entries) in self.later.iter_mut().enumerate() {
            entries.retain(|entry| keep(entry.event));
            self.least[bucket] = entries.iter().fold(Rank::LAST, |least, entry| least.min(entry.rank));
            self.occupied &= !(u64::from(entries.is_empty()) << bucket);
        }
        if self.sorted {
            self.near.drain(..self.first);
        }
        self.near.retain(|entry| keep(entry.event));
        self.sorted &= self.near.len() > MANY;
        self.first = 0;
        if self.near.is_empty() {
            self.settle();
        } else if self.sorted {
            self.front = self.near[0].rank;
        } else {
            self.find_first();
        }
    }

    /// The time of the first entry has come, and its bucket is too large: spreads it.
    #[cold]
    fn advance(&mut self) {
        let bucket = self.occupied.trailing_zeros() as usize;
        self.occupied &= !(1 << bucket);
        self.base = instant_of(self.front.key);
        let mut entries = std::mem::take(&mut self.later[bucket]);
        self.least[bucket] = Rank::LAST;
        for entry in &entries {
            self.place(*entry);
        }
        // Keys of the first instant, and those far beyond it, may have stayed in their bucket.
        if self.later[bucket].is_empty() {
            entries.clear();
            self.later[bucket] = entries;
        }
        // The first entry is in one of the buckets that are never spread now.
        self.settle();
    }

    /// When there are no near entries: makes the first buckets the near ones as long as they are few together, and
    /// finds the smallest rank.
    #[inline(never)]
    fn settle(&mut self) {
        self.first = 0;
        self.near_end = 0;
        self.sorted = false;
        self.front = Rank::LAST;
        while self.occupied != 0 {
            let bucket = self.occupied.trailing_zeros() as usize;
            let entries = &mut self.later[bucket];
            if self.near.is_empty() {
                if bucket > CLASS_BITS as usize && entries.len() > FEW {
                    self.front = self.least[bucket];
                    return;
                }
                std::mem::swap(&mut self.near, entries);
            } else if self.near.len() + entries.len() <= FEW {
                self.near.append(entries);
            } else {
                break;
            }
            self.occupied &= !(1 << bucket);
            self.least[bucket] = Rank::LAST;
            // All keys that have the base's bits from the bucket's on; the last bucket has no end.
            let free = if bucket == 63 { u64::MAX } else { (1 << bucket) - 1 };
            self.near_end = (self.base | free).saturating_add(1);
        }
        if self.occupied == 0 {
            self.near_end = u64::MAX;
        }
        if self.near.len() > MANY {
            self.near.sort_unstable_by_key(|entry| entry.rank);
            self.sorted = true;
        }
        if !self.near.is_empty() {
            self.filled = true;
            self.find_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::place;
    use crate::kernel::stream::{Stream, StreamKey, below};
    use std::cell::Cell;
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    thread_local! {
        static COMPARED: Cell<u64> = const { Cell::new(0) };
    }

    /// Two ranks were compared.
    pub(super) fn compared() {
        COMPARED.set(COMPARED.get() + 1);
    }

    /// Holds about `pending` entries whose distances are drawn below one of `spreads`, many of them equal, and compares
    /// each pop with a sorted list. Pushes may have an earlier class than what was popped last.
    fn hold(pending: u64, spreads: &[u64], seed: u64) {
        let mut dice = Stream::new(seed, 0, StreamKey::new("heap", "test"));
        let (mut heap, mut reference) = (RadixHeap::default(), BinaryHeap::new());
        let (mut now, mut sequence) = (0, 0);
        for turn in 0..20 * pending {
            let pushes = if turn < 2 * pending { 2 } else { below(&mut dice, 3) };
            for _ in 0..pushes {
                sequence += 1;
                let spread = spreads[place(below(&mut dice, spreads.len() as u64))];
                let width = 1 + below(&mut dice, spread);
                let key = (now + below(&mut dice, width)) << CLASS_BITS | below(&mut dice, 3);
                let rank = Rank { key, sequence };
                heap.push(rank, sequence);
                reference.push(Reverse(rank));
            }
            let expected = reference.peek().map_or(Rank::LAST, |first| first.0);
            assert_eq!((heap.front(), heap.is_empty()), (expected, reference.is_empty()));
            if turn == pending || turn == 10 * pending {
                let odd = |sequence: u64| !sequence.is_multiple_of(2);
                heap.retain(odd);
                reference.retain(|Reverse(rank)| odd(rank.sequence));
                let first = reference.peek().map_or(Rank::LAST, |first| first.0);
                assert_eq!((heap.front(), heap.len()), (first, reference.len()));
            }
            if turn % 2 == 0 || turn >= 2 * pending {
                let expected = reference.pop().map(|first| first.0);
                assert_eq!(heap.pop(), expected.map(|rank| rank.sequence));
                now = expected.map_or(now, |rank| rank.key >> CLASS_BITS);
            }
        }
    }

    #[test]
    fn the_order_is_that_of_a_sorted_list_however_many_wait_and_however_close() {
        for (seed, pending) in [3, 40, 70, 2_000].into_iter().enumerate() {
            for spread in [1, 5, 1_000, 1_000_000_000, 1 << 54] {
                hold(pending, &[spread], seed as u64);
            }
            // With a gap between near and far, and with all of them at once.
            hold(pending, &[3, 1_000_000_000_000], seed as u64);
            hold(pending, &[1_000, 1_000, 1_000, 1 << 50], seed as u64);
            hold(pending, &[1, 5, 1_000, 1_000_000_000, 1 << 54], seed as u64);
        }
    }

    #[test]
    fn what_is_far_away_costs_nothing_while_it_waits() {
        let comparisons = |far: u64| {
            let mut heap = RadixHeap::default();
            for sequence in 0..far {
                let key = (1 << 50) + (sequence << 20);
                heap.push(Rank { key, sequence }, 0);
            }
            COMPARED.set(0);
            let mut now = 0;
            for turn in 0..1_000 {
                let rank = Rank {
                    key: now + 1_000,
                    sequence: far + turn,
                };
                heap.push(rank, 1);
                assert_eq!((heap.front(), heap.pop()), (rank, Some(1)));
                now = rank.key;
            }
            COMPARED.get()
        };
        let (few, many) = (comparisons(1_000), comparisons(100_000));
        assert!(
            many <= few,
            "{few} comparisons beside a thousand far entries, {many} beside a hundred thousand"
        );
    }
}
