//! A slab: a growing array whose freed places are used again, most recently freed first (they are still in the cache).
//! A [`Key`] carries the generation of its place, so that a late event can tell that what it meant is gone.

use super::pack::Bits;

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
            index: bits as u32,
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

/// A place: what lives there, and how often it has been freed. They lie together, so that a late event touches one line
/// of the cache.
#[derive(Clone, Debug, Default)]
struct Slot<T> {
    value: T,
    generation: u32,
}

/// The array. Memory follows the largest number of entries alive at once, not the number that ever lived.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
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
        let slot = &mut self.slots[index as usize];
        slot.value = value;
        Key {
            index,
            generation: slot.generation,
        }
    }

    #[cold]
    fn grow(&mut self) -> u32
    where
        T: Default,
    {
        let index = self.slots.len() as u32;
        assert!(index < u32::MAX, "more than four billion entries alive at once");
        self.slots.push(Slot::default());
        index
    }

    /// Number of entries that fit into the memory it holds.
    pub fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// Frees the place of `key`. The entry must be alive.
    #[inline]
    pub fn remove(&mut self, key: Key) {
        let generation = &mut self.slots[key.index as usize].generation;
        assert_eq!(*generation, key.generation, "an entry is removed once");
        *generation = generation.wrapping_add(1);
        self.free.push(key.index);
    }

    /// Whether the entry of `key` is still alive.
    #[inline]
    pub fn contains(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// The entry of `key`, if it is still alive.
    #[inline]
    pub fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.index as usize)?;
        (slot.generation == key.generation).then_some(&slot.value)
    }

    /// The entry of `key`, if it is still alive, to change it.
    #[inline]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        (slot.generation == key.generation).then_some(&mut slot.value)
    }

    /// Entries alive now.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
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
        debug_assert!(self.contains(key), "a stale key was used");
        &self.slots[key.index as usize].value
    }
}

impl<T> std::ops::IndexMut<Key> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, key: Key) -> &mut T {
        debug_assert!(self.contains(key), "a stale key was used");
        &mut self.slots[key.index as usize].value
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
}
