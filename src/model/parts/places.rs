//! Numbered places: like a slab, for what lives exactly as long as the request that carries its number.

use crate::kernel::number::fit;

/// The places. A freed one is used again.
#[derive(Clone, Debug)]
pub struct Places<T> {
    list: Vec<T>,
    free: Vec<u32>,
}

impl<T: Copy> Default for Places<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Copy> Places<T> {
    /// None taken.
    pub const fn new() -> Self {
        Self {
            list: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Puts `value` in a free place and returns its number.
    #[inline]
    pub fn insert(&mut self, value: T) -> u32 {
        if let Some(place) = self.free.pop() {
            self.list[place as usize] = value;
            return place;
        }
        self.list.push(value);
        fit(self.list.len() - 1)
    }

    /// What is in a place that is taken.
    #[inline]
    pub fn at_mut(&mut self, place: u32) -> &mut T {
        &mut self.list[place as usize]
    }

    /// All places with what is or was in them.
    pub fn all(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(&self.list)
    }

    /// Frees a place.
    #[inline]
    pub fn take(&mut self, place: u32) -> T {
        self.free.push(place);
        self.list[place as usize]
    }
}
