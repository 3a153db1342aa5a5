//! A slab: a growing array whose freed places are used again, most recently freed first (they are still in the cache).
//! A [`Key`] carries the generation of its place, so that a late event can tell that what it meant is gone.

use super::pack::Bits;
use crate::kernel::number::fit;

/// A place in a slab and the generation that lived there when the key was made. Eight bytes, so that it fits an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The place.
    pub index: u32,
    /// How often the place had been freed when this key was made.
    pub generation: u32,
}

impl Bits for Key {
    const WIDTH: u32 = u64::BITS;
    #[inline(always)]
    fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        Self {
            index: u32::from_bits(bits),
            generation: (bits >> 32) as u32,
        }
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::NONE
    }
}

impl Key {
    /// A key that no entry ever has.
    pub const NONE: Self = Self {
        index: u32::MAX,
        generation: u32::MAX,
    };

    /// Whether this is [`Key::NONE`].
    #[inline]
    pub const fn is_none(self) -> bool {
        self.index == u32::MAX
    }
}

/// The array. Memory follows the largest number of entries alive at once, not the number that ever lived.
///
/// The generations lie apart from the entries: many late events only ask whether what they meant is gone, and the
/// answer then comes from a dense array.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    entries: Vec<T>,
    generations: Vec<u32>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            generations: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    /// Puts `value` in a free place and returns its key.
    #[inline]
    pub fn insert(&mut self, value: T) -> Key
    where
        T: Default,
    {
        // There is one way to the place, so that the value is built there and not copied to it.
        let index = self.free.pop().unwrap_or_else(|| self.grow());
        self.entries[index as usize] = value;
        Key {
            index,
            generation: self.generations[index as usize],
        }
    }

    #[cold]
    fn grow(&mut self) -> u32
    where
        T: Default,
    {
        let index = fit(self.entries.len());
        assert!(index < u32::MAX, "more than four billion entries alive at once");
        self.entries.push(T::default());
        self.generations.push(0);
        index
    }

    /// Number of entries that fit into the memory it holds.
    pub fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    /// Frees the place of `key`. The entry must be alive.
    #[inline]
    pub fn remove(&mut self, key: Key) {
        let generation = &mut self.generations[key.index as usize];
        assert_eq!(*generation, key.generation, "an entry is removed once");
        *generation = generation.wrapping_add(1);
        self.free.push(key.index);
    }

    /// Whether the entry of `key` is still alive.
    #[inline]
    pub fn contains(&self, key: Key) -> bool {
        self.generations.get(key.index as usize) == Some(&key.generation)
    }

    /// The entry of `key`, if it is still alive.
    #[inline]
    pub fn get(&self, key: Key) -> Option<&T> {
        if self.contains(key) {
            self.entries.get(key.index as usize)
        } else {
            None
        }
    }

    /// The keys of all entries alive, in the order of their places. It looks at every place.
    pub fn alive(&self) -> Vec<Key> {
        let mut alive = vec![true; self.entries.len()];
        for &index in &self.free {
            alive[index as usize] = false;
        }
        let key = |(index, generation): (u32, &u32)| Key {
            index,
            generation: *generation,
        };
        let keys = (0..).zip(&self.generations).map(key);
        keys.filter(|key| alive[key.index as usize]).collect()
    }

    /// Entries alive now.
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether no entry is alive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> std::ops::Index<Key> for Slab<T> {
    type Output = T;
    #[inline]
    fn index(&self, key: Key) -> &T {
        assert!(self.contains(key), "a stale key was used");
        &self.entries[key.index as usize]
    }
}

impl<T> std::ops::IndexMut<Key> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, key: Key) -> &mut T {
        assert!(self.contains(key), "a stale key was used");
        &mut self.entries[key.index as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_outlives_its_entry_without_meaning_the_next_one() {
        let mut slab = Slab::default();
        let a = slab.insert('a');
        slab.remove(a);
        let b = slab.insert('b');
        assert_eq!(a.index, b.index, "the place is used again");
        assert!(!slab.contains(a) && slab.contains(b));
        assert!(!slab.contains(Key::NONE));
        assert_eq!((slab[b], slab.len()), ('b', 1));
    }

    #[test]
    #[should_panic(expected = "a stale key was used")]
    fn a_stale_key_reads_nobody_elses_entry() {
        let mut slab = Slab::default();
        let gone = slab.insert('a');
        slab.remove(gone);
        slab.insert('b');
        assert_eq!(slab[gone], 'b');
    }

    #[test]
    #[should_panic(expected = "a stale key was used")]
    fn a_stale_key_changes_nobody_elses_entry() {
        let mut slab = Slab::default();
        let gone = slab.insert('a');
        slab.remove(gone);
        slab.insert('b');
        slab[gone] = 'c';
    }
}
