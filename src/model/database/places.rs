//! Numbered places: like a slab, for what lives exactly as long as the request that carries its number.

/// The places. A freed one is used again.
#[derive(Clone, Debug)]
pub(super) struct Places<T> {
    list: Vec<T>,
    free: Vec<u32>,
}

impl<T: Copy> Places<T> {
    /// None taken.
    pub(super) const fn new() -> Self {
        Self {
            list: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Puts `value` in a free place and returns its number.
    #[inline]
    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(place) = self.free.pop() {
            self.list[place as usize] = value;
            return place;
        }
        self.list.push(value);
        self.list.len() as u32 - 1
    }

    /// What is in a place that is taken.
    #[inline]
    pub(super) fn at_mut(&mut self, place: u32) -> &mut T {
        &mut self.list[place as usize]
    }

    /// Frees a place.
    #[inline]
    pub(super) fn take(&mut self, place: u32) -> T {
        self.free.push(place);
        self.list[place as usize]
    }
}
