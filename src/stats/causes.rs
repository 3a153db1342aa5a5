//! What requests were waiting for: per coarse latency bucket, how long its requests spent on each cause, so that a
//! report can say what the slowest were waiting for. All sums are integers: adding runs up in any order gives the same
//! bytes.

use super::histogram::{bounds_of, index_of};
use super::paged::Paged;
use crate::kernel::number::fit;

/// Sub-buckets per octave of a [`CauseTable`], as a power of two: 16, so a bucket is at most 6.25 % wide.
pub const CAUSE_PRECISION: u32 = 4;

/// Per coarse latency bucket: how many requests, and how long they spent on each cause.
#[derive(Clone, Debug, PartialEq)]
pub struct CauseTable {
    causes: usize,
    /// The buckets that hold requests, ascending, and how many.
    counts: Vec<(u32, u64)>,
    /// Row by row, `causes` sums of ns for each of these buckets.
    sums_ns: Vec<u128>,
}

impl CauseTable {
    /// An empty table for `causes` causes.
    pub const fn new(causes: usize) -> Self {
        Self {
            causes,
            counts: Vec::new(),
            sums_ns: Vec::new(),
        }
    }

    /// Adds `count` requests to a bucket, and what they spent on each cause: `sums_ns` is as wide as the table.
    pub fn add(&mut self, bucket: u32, count: u64, sums_ns: &[u128]) {
        assert_eq!(self.causes, sums_ns.len(), "a row of different width");
        let place = self.counts.partition_point(|row| row.0 < bucket);
        let start = place * self.causes;
        if self.counts.get(place).is_some_and(|row| row.0 == bucket) {
            self.counts[place].1 += count;
            let mine = self.sums_ns[start..].iter_mut();
            mine.zip(sums_ns).for_each(|(a, b)| *a += b);
        } else {
            self.counts.insert(place, (bucket, count));
            self.sums_ns.splice(start..start, sums_ns.iter().copied());
        }
    }

    /// The bucket of a latency; it is less than [`Self::BUCKETS`].
    #[expect(
        clippy::cast_possible_truncation,
        reason = "there are fewer than 64 << CAUSE_PRECISION"
    )]
    pub const fn bucket_of(latency_ns: u64) -> u32 {
        index_of::<CAUSE_PRECISION>(latency_ns) as u32
    }

    /// Buckets that a table can have.
    pub const BUCKETS: u32 = Self::bucket_of(u64::MAX) + 1;

    /// Adds everything that `other` holds; both tables must be of the same width.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.causes, other.causes, "tables of different width");
        for (&(bucket, count), sums_ns) in other.counts.iter().zip(other.sums_ns.chunks(self.causes)) {
            self.add(bucket, count, sums_ns);
        }
    }

    /// How many causes the table distinguishes.
    pub const fn causes(&self) -> usize {
        self.causes
    }

    /// The requests in the bucket that holds `threshold_ns` and in all slower ones: how many, and their sums of ns per
    /// cause. The count says how many requests the whole buckets came to.
    pub fn above(&self, threshold_ns: u64) -> (u64, Vec<u128>) {
        let mut total = (0, vec![0; self.causes]);
        for (_, _, count, sums_ns) in self.rows_from(index_of::<CAUSE_PRECISION>(threshold_ns)) {
            total.0 += count;
            total.1.iter_mut().zip(sums_ns).for_each(|(a, b)| *a += b);
        }
        total
    }

    /// All requests: how many, and their sums of ns per cause.
    pub fn total(&self) -> (u64, Vec<u128>) {
        self.above(0)
    }

    /// The buckets that hold requests, fastest first: (least ns, greatest ns, count, sums of ns per cause).
    pub fn rows(&self) -> impl Iterator<Item = (u64, u64, u64, &[u128])> {
        self.rows_from(0)
    }

    fn rows_from(&self, first: usize) -> impl Iterator<Item = (u64, u64, u64, &[u128])> {
        let rows = self.counts.iter().zip(self.sums_ns.chunks(self.causes));
        let beyond = rows.skip_while(move |(row, _)| (row.0 as usize) < first);
        beyond.map(|(&(bucket, n), sums_ns)| {
            let (low, high) = bounds_of::<CAUSE_PRECISION>(bucket as usize);
            (low, high, n, sums_ns)
        })
    }
}

/// Rows of a page of a recorder, as a power of two.
const ROW_BITS: u32 = 2;

/// So many causes of requests are kept one by one before there are rows: less room than the rows of a quiet component.
const FEW: usize = 256;

/// What fills a [`CauseTable`] of `N` causes, request by request.
///
/// Few requests have few causes, and a row for each of their buckets would be nearly all zeros. So there are no rows
/// until there are many causes.
///
/// The sums of a bucket have 64 bits: half the memory to touch, and additions that need no carry. They cannot overflow
/// as long as the sum of the bucket's latencies, which is looked at, does not: the causes of a request add up to it.
#[derive(Clone, Debug)]
pub struct CauseRecorder<const N: usize> {
    rows: Paged<Row<N>, ROW_BITS>,
    /// The causes of requests that are few; each request begins with how long it took.
    few: Vec<Part>,
    /// What the rows held before they would have overflowed.
    spilled: CauseTable,
}

/// A part of a request: its latency, as the cause after the last, or how long it spent on a cause.
#[derive(Clone, Copy, Debug)]
struct Part {
    cause: u16,
    ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Row<const N: usize> {
    count: u64,
    latency_ns: u64,
    sums_ns: [u64; N],
}

impl<const N: usize> Row<N> {
    const EMPTY: Self = Self {
        count: 0,
        latency_ns: 0,
        sums_ns: [0; N],
    };
}

impl<const N: usize> Default for Row<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> Default for CauseRecorder<N> {
    fn default() -> Self {
        Self {
            rows: Paged::new(),
            few: Vec::new(),
            spilled: CauseTable::new(N),
        }
    }
}

impl<const N: usize> CauseRecorder<N> {
    /// Adds one request: how long it took, and how long of that went to each cause, both in ns. The causes must not add
    /// up to more.
    #[inline(always)]
    pub fn record(&mut self, latency_ns: u64, causes_ns: &[u64; N]) {
        debug_assert!(
            causes_ns.iter().map(|&ns| u128::from(ns)).sum::<u128>() <= u128::from(latency_ns),
            "the causes are parts of the latency"
        );
        let index = index_of::<CAUSE_PRECISION>(latency_ns);
        let Some(row) = self.rows.get_mut(index) else {
            return self.record_first(latency_ns, causes_ns);
        };
        if let Some(sum) = row.latency_ns.checked_add(latency_ns) {
            row.latency_ns = sum;
        } else {
            Self::spill(&mut self.spilled, index, row);
            row.latency_ns = latency_ns;
        }
        row.count += 1;
        // All are read before any is written, so that several can be added at once.
        row.sums_ns = std::array::from_fn(|cause| row.sums_ns[cause] + causes_ns[cause]);
    }

    /// Adds a request where it is one of few, or the first in its page.
    #[cold]
    #[inline(never)]
    fn record_first(&mut self, latency_ns: u64, causes_ns: &[u64; N]) {
        let index = index_of::<CAUSE_PRECISION>(latency_ns);
        if self.rows.capacity() == 0 {
            if self.few.len() + N < FEW {
                self.few.push(Part {
                    cause: fit(N),
                    ns: latency_ns,
                });
                let parts = causes_ns.iter().zip(0..).filter(|(ns, _)| **ns > 0);
                self.few.extend(parts.map(|(&ns, cause)| Part { cause, ns }));
                return;
            }
            self.spread();
        }
        self.rows.cell(index);
        self.record(latency_ns, causes_ns);
    }

    /// There are too many requests to keep their causes one by one.
    fn spread(&mut self) {
        for (latency_ns, causes_ns) in Self::apart(&std::mem::take(&mut self.few)) {
            self.rows.cell(index_of::<CAUSE_PRECISION>(latency_ns));
            self.record(latency_ns, &causes_ns);
        }
    }

    /// Requests that were kept one by one: how long each took, and how long of that went to each cause.
    fn apart(few: &[Part]) -> impl Iterator<Item = (u64, [u64; N])> {
        few.chunk_by(|_, next| usize::from(next.cause) < N).map(|request| {
            let mut causes_ns = [0; N];
            for part in &request[1..] {
                causes_ns[usize::from(part.cause)] = part.ns;
            }
            (request[0].ns, causes_ns)
        })
    }

    #[cold]
    fn spill(table: &mut CauseTable, index: usize, row: &mut Row<N>) {
        table.add(fit(index), row.count, &row.sums_ns.map(u128::from));
        *row = Row::EMPTY;
    }

    /// The table of all requests.
    pub fn table(&self) -> CauseTable {
        let mut table = self.spilled.clone();
        for (latency_ns, causes_ns) in Self::apart(&self.few) {
            table.add(CauseTable::bucket_of(latency_ns), 1, &causes_ns.map(u128::from));
        }
        for (index, row) in self.rows.cells().filter(|(_, row)| row.count > 0) {
            table.add(fit(index), row.count, &row.sums_ns.map(u128::from));
        }
        table
    }

    /// Bytes of the memory it holds, beside itself and what was spilled.
    pub fn held(&self) -> usize {
        self.rows.held() + self.few.capacity() * size_of::<Part>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_add_up_to_the_slow_requests() {
        let mut recorder = CauseRecorder::default();
        recorder.record(100, &[100, 0, 0]);
        recorder.record(1_000_000, &[100, 0, 999_900]);
        recorder.record(2_000_000, &[200, 1_999_800, 0]);
        let table = recorder.table();
        assert_eq!(table.total(), (3, vec![400, 1_999_800, 999_900]));
        assert_eq!(table.above(500_000), (2, vec![300, 1_999_800, 999_900]));
        assert_eq!(
            table.above(2_000_000),
            (1, vec![200, 1_999_800, 0]),
            "the threshold's own bucket counts"
        );
        assert_eq!(table.above(u64::MAX), (0, vec![0, 0, 0]));
        assert_eq!(table.rows().map(|r| r.2).collect::<Vec<_>>(), [1, 1, 1]);
        assert!(
            table
                .rows()
                .zip([100, 1_000_000, 2_000_000])
                .all(|((low, high, ..), ns)| low <= ns && ns <= high)
        );
    }

    #[test]
    fn cause_tables_merge_in_any_order() {
        let table = |latencies: &[u64]| {
            let mut recorder = CauseRecorder::default();
            for &ns in latencies {
                recorder.record(ns, &[ns / 3, ns - ns / 3]);
            }
            recorder.table()
        };
        let (a, b) = ([5, 900, 70_000], [1 << 40, 3, 901]);
        let (mut ab, mut ba) = (table(&a), table(&b));
        ab.merge(&table(&b));
        ba.merge(&table(&a));
        assert_eq!(ab, ba);
        assert_eq!(ab, table(&[5, 900, 70_000, 1 << 40, 3, 901]));
        let (count, sums) = ab.total();
        assert_eq!(
            (count, sums.iter().sum::<u128>()),
            (6, 5 + 900 + 70_000 + (1 << 40) + 3 + 901)
        );
    }

    #[test]
    fn sums_of_causes_do_not_overflow() {
        let mut recorder = CauseRecorder::default();
        let age = u64::MAX - 1;
        for _ in 0..5 {
            recorder.record(age, &[1, age - 1]);
        }
        let part = u128::from(age - 1);
        assert_eq!(recorder.table().total(), (5, vec![5, 5 * part]));
    }

    #[test]
    fn few_requests_are_told_like_many_and_take_less_room() {
        let causes = |i: u64| {
            let ns = 1_000 + i * i * 977;
            (ns, [if i.is_multiple_of(3) { ns / 4 } else { 0 }, 0, ns / 2, 0])
        };
        for n in [0, 1, 2, 50, 90, 100, 120, 400] {
            let (mut few, mut many) = (CauseRecorder::<4>::default(), CauseRecorder::<4>::default());
            many.rows.cell(0);
            let mut by_hand = CauseTable::new(4);
            for (ns, causes_ns) in (0..n).map(causes) {
                few.record(ns, &causes_ns);
                many.record(ns, &causes_ns);
                by_hand.add(CauseTable::bucket_of(ns), 1, &causes_ns.map(u128::from));
            }
            assert_eq!(few.table(), by_hand, "{n} requests");
            assert_eq!(many.table(), by_hand, "{n} requests");
            assert_eq!(few.few.is_empty(), n == 0 || n > 110, "{n} requests");
        }
        let mut quiet = CauseRecorder::<4>::default();
        (0..60)
            .map(causes)
            .for_each(|(ns, causes_ns)| quiet.record(ns, &causes_ns));
        assert!(quiet.held() <= 256 * 16, "{} bytes", quiet.held());
    }
}
