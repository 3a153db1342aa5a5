//! A table with gaps: cells by number, in pages that take room when one of their cells is first used. A histogram of a
//! quiet component has a few values in a wide range; a dense table would be nearly all zeros, and clearing and merging
//! it would cost as much as that of a busy one.

use crate::kernel::number::fit;

/// Cells by number, in pages of `2^BITS`. A number is below `2^BITS x 65,535`.
#[derive(Clone, Debug)]
pub struct Paged<T, const BITS: u32> {
    /// By page: the how-manieth one in `cells` it is, or [`ABSENT`].
    places: Vec<u16>,
    cells: Vec<T>,
}

/// No page.
const ABSENT: u16 = u16::MAX;

impl<T, const BITS: u32> Default for Paged<T, BITS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const BITS: u32> Paged<T, BITS> {
    /// Nothing; it allocates when the first cell is used.
    pub const fn new() -> Self {
        Self {
            places: Vec::new(),
            cells: Vec::new(),
        }
    }

    /// A cell whose page is there.
    #[inline(always)]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let place = *self.places.get(index >> BITS)?;
        // That of no page lies beyond all cells.
        self.cells
            .get_mut(((place as usize) << BITS) + (index & ((1 << BITS) - 1)))
    }

    /// The pages that are there, in order: the number of the first cell, and all of them.
    pub fn pages(&self) -> impl Iterator<Item = (usize, &[T])> {
        let page = |(page, &place): (usize, &u16)| {
            let start = (place as usize) << BITS;
            (page << BITS, &self.cells[start..start + (1 << BITS)])
        };
        let there = self.places.iter().enumerate().filter(|(_, place)| **place != ABSENT);
        there.map(page)
    }

    /// All cells that are there, by number, in order.
    pub fn cells(&self) -> impl Iterator<Item = (usize, &T)> {
        self.pages().flat_map(|(first, cells)| (first..).zip(cells))
    }

    /// Gives up all cells but keeps the memory.
    pub fn clear(&mut self) {
        self.places.clear();
        self.cells.clear();
    }

    /// Cells that fit into the memory it holds.
    pub const fn capacity(&self) -> usize {
        self.cells.capacity()
    }

    /// Bytes of the memory it holds, beside itself.
    pub const fn held(&self) -> usize {
        self.places.capacity() * size_of::<u16>() + self.cells.capacity() * size_of::<T>()
    }
}

impl<T: Copy + Default, const BITS: u32> Paged<T, BITS> {
    /// A cell that may be read; that of a page that is not there is empty.
    pub fn get(&self, index: usize) -> T {
        let place = self.places.get(index >> BITS).copied().unwrap_or(ABSENT);
        let cell = self.cells.get(((place as usize) << BITS) + (index & ((1 << BITS) - 1)));
        cell.copied().unwrap_or_default()
    }

    /// A cell, whose page is there from now on.
    pub fn cell(&mut self, index: usize) -> &mut T {
        let page = index >> BITS;
        if self.places.len() <= page {
            self.places.resize(page + 1, ABSENT);
        }
        if self.places[page] == ABSENT {
            let end = self.cells.len();
            // By half as much again: most tables are small, and doubling would leave much of them empty.
            if end == self.cells.capacity() {
                self.cells.reserve_exact(((end >> BITS) / 2 + 1) << BITS);
            }
            self.places[page] = fit(end >> BITS);
            self.cells.resize(end + (1 << BITS), T::default());
        }
        let start = usize::from(self.places[page]) << BITS;
        &mut self.cells[start + (index & ((1 << BITS) - 1))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_those_of_a_dense_table_and_only_pages_in_use_take_room() {
        let (mut paged, mut dense) = (Paged::<u64, 4>::new(), vec![0; 5_000]);
        for index in [4_000, 3, 17, 16, 4_001, 3, 2_500] {
            *paged.cell(index) += index as u64;
            dense[index] += index as u64;
        }
        assert!((0..5_000).all(|index| paged.get(index) == dense[index]));
        assert_eq!(
            paged.pages().map(|page| page.0).collect::<Vec<_>>(),
            [0, 16, 2_496, 4_000]
        );
        assert_eq!(
            paged.cells().map(|cell| *cell.1).sum::<u64>(),
            dense.iter().sum::<u64>()
        );
        assert!(paged.get_mut(40).is_none() && paged.get_mut(9_999).is_none());
        assert_eq!(paged.get_mut(4_000).copied(), Some(4_000));
        assert!(paged.capacity() <= 6 * 16, "{} cells", paged.capacity());
        paged.clear();
        assert_eq!((paged.cells().count(), paged.get(17), *paged.cell(17)), (0, 0, 0));
    }
}
