//! A stable radix heap: the part of the agenda whose order is not known beforehand.
//!
//! Entries sit in buckets by the highest bit in which their key differs from a base, a key popped in the past; when it
//! is the turn of a bucket, the base moves and the bucket is spread over the lower ones. That needs what a simulation
//! gives anyway: integer keys, and nothing pushed before the present. (Ahuja, Mehlhorn, Orlin and Tarjan 1990,
//! doi 10.1145/77600.77615.) A bucket with few entries is not spread but sorted, and what is pushed into its range is
//! inserted in its place, as at the bottom of a ladder queue (Tang, Goh and Thng 2005, doi 10.1145/1103323.1103324):
//! with few entries pending the whole heap is one short sorted list.

/// How an event sorts: (time and class, sequence number), see [`super::agenda`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Nanoseconds times four plus the class.
    pub key: u64,
    /// Number of the push, over the whole agenda.
    pub sequence: u64,
}

impl Rank {
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

/// A bucket with at most this many entries is sorted; a sorted list of more than twice as many goes back to the
/// buckets.
const SORTED: usize = 32;

/// The low bits of a key, which hold the class. An event of an earlier class may be pushed at the present instant, so
/// base and last key are those of the instant, and the buckets of these bits are always sorted.
const CLASS_BITS: u32 = 2;

/// The first key of an instant.
const fn instant_of(key: u64) -> u64 {
    key >> CLASS_BITS << CLASS_BITS
}

/// The heap. Pop-min and push cost a few dozen nanoseconds from a hundred to a million pending entries.
#[derive(Clone, Debug)]
pub struct RadixHeap<E> {
    /// From `head` on: all entries whose key is below `near_end`, in their order.
    near: Vec<Entry<E>>,
    head: usize,
    near_end: u64,
    /// The others. Bucket 0 holds keys equal to `base`, bucket i those whose highest bit differing from it is bit i -
    /// 1; the last one also holds those that differ in the top bit.
    later: Vec<Vec<Entry<E>>>,
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
            head: 0,
            near_end: 0,
            later: (0..64).map(|_| Vec::new()).collect(),
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

    /// The entry of smallest rank, if it is one of those that are sorted.
    #[inline]
    pub fn peek(&self) -> Option<&E> {
        self.near.get(self.head).map(|entry| &entry.event)
    }

    /// Number of entries that fit into the memory it holds.
    pub fn capacity(&self) -> usize {
        self.near.capacity() + self.later.iter().map(Vec::capacity).sum::<usize>()
    }

    /// Adds an entry; it must not come before the last one popped, and its sequence must be the greatest so far.
    #[inline]
    pub fn push(&mut self, rank: Rank, event: E) {
        debug_assert!(rank.key >= self.last, "nothing happens in the past");
        if rank.key < self.near_end {
            return self.insert(rank, event);
        }
        self.place(Entry { rank, event });
        if rank < self.front {
            self.front = rank;
        }
    }

    /// Adds an entry to the sorted ones.
    #[inline]
    fn insert(&mut self, rank: Rank, event: E) {
        self.near.push(Entry { rank, event });
        let near = &mut self.near[self.head..];
        // What comes later moves up by one place: as a rule there is little of it.
        let mut place = near.len() - 1;
        while place > 0 && rank.key < near[place - 1].rank.key {
            near[place] = near[place - 1];
            place -= 1;
        }
        near[place] = Entry { rank, event };
        self.front = near[0].rank;
        if self.near.len() > 2 * SORTED {
            self.shorten();
        }
    }

    /// Makes the sorted list short again: what was popped is dropped, and if that is not enough, all go back to the
    /// buckets.
    #[cold]
    fn shorten(&mut self) {
        if self.head >= SORTED {
            self.near.drain(..self.head);
            self.head = 0;
        } else if self.near_end > self.base + (1 << CLASS_BITS) {
            // Nothing popped lies outside the range of the sorted ones, so the higher buckets stay as they are.
            self.base = self.last;
            let mut near = std::mem::take(&mut self.near);
            for entry in &near[self.head..] {
                self.place(*entry);
            }
            near.clear();
            self.near = near;
            self.head = 0;
            self.settle();
        }
    }

    #[inline]
    fn place(&mut self, entry: Entry<E>) {
        let bucket = (64 - (entry.rank.key ^ self.base).leading_zeros()).min(63);
        self.later[bucket as usize].push(entry);
        self.occupied |= 1 << bucket;
    }

    /// Takes the entry of smallest rank.
    #[inline]
    pub fn pop(&mut self) -> Option<E> {
        if self.head == self.near.len() {
            if self.is_empty() {
                return None;
            }
            self.advance();
        }
        let popped = self.near[self.head];
        self.head += 1;
        self.last = instant_of(popped.rank.key);
        match self.near.get(self.head) {
            Some(next) => self.front = next.rank,
            None => self.settle(),
        }
        Some(popped.event)
    }

    /// The time of the first entry has come, and its bucket is too large to be sorted: spreads it.
    #[cold]
    fn advance(&mut self) {
        let bucket = self.occupied.trailing_zeros() as usize;
        self.occupied &= !(1 << bucket);
        self.base = instant_of(self.front.key);
        let mut entries = std::mem::take(&mut self.later[bucket]);
        for entry in &entries {
            self.place(*entry);
        }
        // Keys of the first instant, and those far beyond it, may have stayed in their bucket.
        if self.later[bucket].is_empty() {
            entries.clear();
            self.later[bucket] = entries;
        }
        // The first entry is in one of the buckets that are always sorted now.
        self.settle();
    }

    /// When no entry is sorted: sorts the first bucket if it is short, and finds the smallest rank.
    #[inline]
    fn settle(&mut self) {
        self.near.clear();
        self.head = 0;
        self.near_end = 0;
        self.front = Rank::LAST;
        if self.occupied == 0 {
            return;
        }
        let bucket = self.occupied.trailing_zeros() as usize;
        let entries = &mut self.later[bucket];
        if bucket > CLASS_BITS as usize && entries.len() > SORTED {
            // Entries of one key stand in the order of their sequence, so the first of the smallest key is it.
            self.front = entries.iter().fold(entries[0].rank, |best, entry| {
                if entry.rank.key < best.key { entry.rank } else { best }
            });
            return;
        }
        self.occupied &= !(1 << bucket);
        std::mem::swap(&mut self.near, entries);
        if self.near.len() > 1 {
            self.near.sort_unstable_by_key(|entry| entry.rank);
        }
        self.front = self.near[0].rank;
        // All keys that have the base's bits from the bucket's on; the last bucket has no end.
        let free = if bucket == 63 { u64::MAX } else { (1 << bucket) - 1 };
        self.near_end = (self.base | free).saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::stream::{Stream, StreamKey, below};
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    /// Holds about `pending` entries whose distances are drawn below `spread`, many of them equal, and compares each
    /// pop with a sorted list. Pushes may have an earlier class than what was popped last.
    fn hold(pending: u64, spread: u64, seed: u64) {
        let mut dice = Stream::new(seed, 0, StreamKey::new("heap", "test"));
        let (mut heap, mut reference) = (RadixHeap::default(), BinaryHeap::new());
        let (mut now, mut sequence) = (0, 0);
        for turn in 0..20 * pending {
            let pushes = if turn < 2 * pending { 2 } else { below(&mut dice, 3) };
            for _ in 0..pushes {
                sequence += 1;
                let width = 1 + below(&mut dice, spread);
                let key = (now + below(&mut dice, width)) << CLASS_BITS | below(&mut dice, 3);
                let rank = Rank { key, sequence };
                heap.push(rank, sequence);
                reference.push(Reverse(rank));
            }
            let expected = reference.peek().map_or(Rank::LAST, |first| first.0);
            assert_eq!((heap.front(), heap.is_empty()), (expected, reference.is_empty()));
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
            for spread in [1, 5, 1_000, 1_000_000_000, 1 << 58] {
                hold(pending, spread, seed as u64);
            }
        }
    }
}
