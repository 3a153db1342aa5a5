//! A stable radix heap: the part of the agenda whose order is not known beforehand.
//!
//! Entries sit in buckets by the highest bit in which their key differs from the last time popped; a pop from an empty
//! front redistributes one bucket. That needs what a simulation gives anyway: integer keys, and nothing pushed before
//! the present. Equal keys always share a bucket and keep the order in which they were pushed, so ties are first in,
//! first out without comparing sequence numbers. (Ahuja, Mehlhorn, Orlin and Tarjan 1990, doi 10.1145/77600.77615.)

use std::collections::VecDeque;

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

/// The low bits of a key, which hold the class. Their three buckets are drained without redistribution, so an event of
/// an earlier class may be pushed at the present instant.
const CLASS_BITS: u32 = 2;
/// Buckets for entries of the present instant, one a class.
const PRESENT: usize = 3;

/// The heap. Pop-min and push cost a few dozen nanoseconds from a hundred to a million pending entries.
#[derive(Clone, Debug)]
pub struct RadixHeap<E> {
    /// Entries of the last time popped, by class.
    present: [VecDeque<Entry<E>>; PRESENT],
    /// Later entries: bucket i holds keys whose highest bit differing from `last` is bit i.
    later: Vec<Vec<Entry<E>>>,
    /// Bit i is set when `later[i]` has entries.
    occupied: u64,
    /// The time of the last pop, class bits zero.
    last: u64,
    /// The smallest rank, kept so that looking is free.
    front: Rank,
    len: usize,
}

impl<E: Copy> Default for RadixHeap<E> {
    fn default() -> Self {
        Self {
            present: std::array::from_fn(|_| VecDeque::new()),
            later: (0..64).map(|_| Vec::new()).collect(),
            occupied: 0,
            last: 0,
            front: Rank::LAST,
            len: 0,
        }
    }
}

impl<E: Copy> RadixHeap<E> {
    /// The smallest rank, or [`Rank::LAST`] when empty.
    #[inline]
    pub fn front(&self) -> Rank {
        self.front
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an entry; its time must not lie before the last time popped.
    #[inline]
    pub fn push(&mut self, entry: Entry<E>) {
        debug_assert!(entry.rank.key >= self.last, "nothing happens in the past");
        self.len += 1;
        if entry.rank < self.front {
            self.front = entry.rank;
        }
        self.place(entry);
    }

    #[inline]
    fn place(&mut self, entry: Entry<E>) {
        let difference = entry.rank.key ^ self.last;
        if difference >> CLASS_BITS == 0 {
            self.present[difference as usize].push_back(entry);
        } else {
            let bucket = 63 - difference.leading_zeros() as usize;
            self.later[bucket].push(entry);
            self.occupied |= 1 << bucket;
        }
    }

    /// Takes the entry of smallest rank.
    #[inline]
    pub fn pop(&mut self) -> Option<E> {
        if self.len == 0 {
            return None;
        }
        self.len -= 1;
        let mut popped = self.pop_present();
        if popped.is_none() {
            popped = self.advance();
        }
        self.front = self.find_front();
        popped
    }

    #[inline]
    fn pop_present(&mut self) -> Option<E> {
        self.present
            .iter_mut()
            .find_map(VecDeque::pop_front)
            .map(|entry| entry.event)
    }

    /// Moves to the next time that has entries and takes its first one.
    fn advance(&mut self) -> Option<E> {
        let bucket = self.occupied.trailing_zeros() as usize;
        self.occupied &= !(1 << bucket);
        // `front` is the smallest rank of all, and it is in the first occupied bucket.
        self.last = self.front.key >> CLASS_BITS << CLASS_BITS;
        let mut entries = std::mem::take(&mut self.later[bucket]);
        let popped = if let [only] = entries[..] {
            Some(only.event)
        } else {
            for entry in &entries {
                self.place(*entry);
            }
            self.pop_present()
        };
        entries.clear();
        self.later[bucket] = entries;
        popped
    }

    #[inline]
    fn find_front(&self) -> Rank {
        if let Some(first) = self.present.iter().find_map(VecDeque::front) {
            return first.rank;
        }
        if self.occupied == 0 {
            return Rank::LAST;
        }
        let bucket = &self.later[self.occupied.trailing_zeros() as usize];
        let mut best = bucket[0].rank;
        for entry in &bucket[1..] {
            // Entries of one key stand in the order of their sequence, so the first of the smallest key is it.
            if entry.rank.key < best.key {
                best = entry.rank;
            }
        }
        best
    }
}
