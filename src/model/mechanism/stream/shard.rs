//! Shards: which key belongs to which, how much each takes, and what a consumer has read of each.

use super::plan::{StreamPlan, position};
use crate::kernel::number::fit;
use crate::kernel::{Duration, Instant, Luck};
use crate::model::parts::token_bucket::TokenBucket;
use crate::model::request::lineage::Lineage;
use std::collections::VecDeque;

/// A part of the range of positions, with its limits.
#[derive(Clone, Debug)]
pub(super) struct Shard {
    /// The first position that belongs to it.
    low: u64,
    /// The last one.
    high: u64,
    records: Option<TokenBucket>,
    bytes: Option<TokenBucket>,
    /// The shard that this one is a part of, if there was a split.
    pub parent: Option<u32>,
    /// Puts that were offered to it.
    pub offered: u64,
    /// Puts offered since the last look at the traffic.
    pub recent: u64,
}

impl Shard {
    fn new(spec: &StreamPlan, (low, high): (u64, u64), parent: Option<u32>) -> Self {
        let second = |rate: f64| TokenBucket::new(rate, rate);
        Self {
            low,
            high,
            records: spec.write_records.map(second),
            bytes: spec.write_bytes.map(|bytes| second(bytes as f64)),
            parent,
            offered: 0,
            recent: 0,
        }
    }

    /// Takes a record if both limits allow it.
    pub(super) fn take(&mut self, now: Instant, bytes: u64) -> bool {
        self.offered += 1;
        self.recent += 1;
        let fits = |bucket: &Option<TokenBucket>, tokens| bucket.as_ref().is_none_or(|b| b.holds(now, tokens));
        if !fits(&self.records, 1) || !fits(&self.bytes, bytes) {
            return false;
        }
        let spent = |bucket: &mut Option<TokenBucket>, tokens| bucket.as_mut().is_none_or(|b| b.take(now, tokens));
        spent(&mut self.records, 1) && spent(&mut self.bytes, bytes)
    }
}

/// All shards of a stream that there ever were, and which of them are open.
#[derive(Clone, Debug)]
pub(super) struct Shards {
    all: Vec<Shard>,
    /// The open ones, by position.
    open: Vec<u32>,
}

impl Shards {
    /// The whole range in equal parts.
    pub(super) fn new(spec: &StreamPlan) -> Self {
        let width = u64::MAX / u64::from(spec.shards);
        let range = |i: u32| {
            let last = i + 1 == spec.shards;
            let low = u64::from(i) * width;
            (low, if last { u64::MAX } else { low + width - 1 })
        };
        Self {
            all: (0..spec.shards).map(|i| Shard::new(spec, range(i), None)).collect(),
            open: (0..spec.shards).collect(),
        }
    }

    /// The open shard of a key.
    pub(super) fn of(&self, key: u32) -> u32 {
        let place = position(key);
        let after = self
            .open
            .partition_point(|&shard| self.all[shard as usize].low <= place);
        self.open[after - 1]
    }

    pub(super) fn get(&mut self, shard: u32) -> &mut Shard {
        &mut self.all[shard as usize]
    }

    /// How many are open.
    pub(super) fn open(&self) -> u32 {
        fit(self.open.len())
    }

    /// How many there ever were.
    pub(super) fn ever(&self) -> u32 {
        fit(self.all.len())
    }

    /// Splits the shard that was offered most of late in two halves; says which one it was.
    pub(super) fn split(&mut self, spec: &StreamPlan) -> u32 {
        let hot = |&(_, &shard): &(usize, &u32)| (self.all[shard as usize].recent, u32::MAX - shard);
        let Some((place, &shard)) = self.open.iter().enumerate().max_by_key(hot) else {
            unreachable!("a stream always has a shard");
        };
        let parent = &self.all[shard as usize];
        let (low, high, recent) = (parent.low, parent.high, parent.recent);
        let middle = low + (high - low) / 2;
        let first = fit(self.all.len());
        for range in [(low, middle), (middle + 1, high)] {
            let mut half = Shard::new(spec, range, Some(shard));
            half.recent = recent / 2;
            self.all.push(half);
        }
        self.open.splice(place..=place, [first, first + 1]);
        shard
    }

    /// Begins to count the traffic of late anew.
    pub(super) fn looked(&mut self) {
        for &shard in &self.open {
            self.all[shard as usize].recent = 0;
        }
    }

    /// Puts offered to the shard that was offered most, and to all.
    pub(super) fn hottest(&self) -> (u64, u64) {
        let offered = || self.all.iter().map(|shard| shard.offered);
        (offered().max().unwrap_or(0), offered().sum())
    }

    /// Forgets what was counted.
    pub(super) fn reset(&mut self) {
        self.all.iter_mut().for_each(|shard| shard.offered = 0);
    }
}

/// A record as a consumer sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// When its put took effect.
    pub put: Instant,
    pub luck: Luck,
    /// Which of the batches under way of its shard it may belong to.
    pub lane: u8,
    /// Fails whenever it is handled.
    pub poison: bool,
    /// How often it was handed to the function.
    pub tries: u32,
    /// What it descends from.
    pub of: Lineage,
}

/// A part of a batch that is tried as one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub len: usize,
    /// Tries that failed.
    pub failed: u32,
}

/// What a lane is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing: no batch at hand.
    Idle,
    /// A batch waits for more records.
    Filling,
    /// The function is at work.
    Working,
    /// The batch failed or was refused, and waits for the next try.
    Resting,
}

/// One of the batches that may be under way in a shard, and the records behind it.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    /// Read and not done, in order; the batch at hand comes first.
    pub records: VecDeque<Record>,
    /// Parts of the batch at hand that are still to be done, the next one last.
    pub segments: Vec<Segment>,
    pub doing: Doing,
    /// Counts waits, so that a late event can tell that its own is over.
    pub epoch: u32,
    /// Refusals in a row.
    pub throttles: u32,
    /// Whether it is held up by records that failed.
    pub blocked: bool,
}

impl Lane {
    fn new() -> Self {
        Self {
            records: VecDeque::new(),
            segments: Vec::new(),
            doing: Doing::Idle,
            epoch: 0,
            throttles: 0,
            blocked: false,
        }
    }
}

/// Records that are read ahead of the function at most. Source: Amazon Kinesis Data Streams API reference,
/// `GetRecords`: up to 10,000 records or 10 MB.
const READ_RECORDS: u64 = 10_000;
const READ_BYTES: u64 = 10 << 20;

/// One shard as a consumer reads it.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    /// The reader of the shard that this one was split from, if that is not read to its end.
    pub after: Option<u32>,
    /// Put and not yet read.
    pub log: VecDeque<Record>,
    pub lanes: Vec<Lane>,
    /// Records in the lanes.
    pub buffered: u64,
    /// The next read is not before then; without anything to read, polls follow from then on.
    next: Instant,
    /// Whether a read is on the agenda.
    pub reading: bool,
}

/// How fast a consumer may read a shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// From a poll that leaves nothing to the next; zero if records are sent.
    pub interval: Duration,
    /// Between two reads at least.
    pub spacing: Duration,
    /// Time that a byte takes, in nanoseconds.
    pub byte_ns: f64,
}

impl Reader {
    /// A reader whose first poll is at `first`.
    pub(super) fn new(lanes: u8, after: Option<u32>, first: Instant) -> Self {
        Self {
            after,
            log: VecDeque::new(),
            lanes: (0..lanes.max(1)).map(|_| Lane::new()).collect(),
            buffered: 0,
            next: first,
            reading: false,
        }
    }

    /// Whether nothing is left in it.
    pub(super) fn is_empty(&self) -> bool {
        self.buffered == 0 && self.log.is_empty()
    }

    /// Records put and not done.
    pub(super) fn depth(&self) -> u64 {
        self.buffered + self.log.len() as u64
    }

    /// All records put and not done.
    pub(super) fn all(&self) -> impl Iterator<Item = &Record> {
        let read = self.lanes.iter().flat_map(|lane| &lane.records);
        read.chain(&self.log)
    }

    /// The oldest record that is not done.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let read = self.lanes.iter().filter_map(|lane| lane.records.front());
        read.chain(self.log.front()).map(|record| record.put).min()
    }

    /// When to read next, if there is something to read and nobody is about to.
    pub(super) fn due(&self, now: Instant, propagation: Duration, pace: &Pace) -> Option<Instant> {
        let front = self.log.front()?;
        if self.reading || self.after.is_some() || self.buffered >= READ_RECORDS {
            return None;
        }
        let wanted = (front.put + propagation).max(now);
        let polls = wanted.since(self.next).0.div_ceil(pace.interval.0.max(1));
        Some(match pace.interval {
            _ if wanted <= self.next => self.next,
            Duration::ZERO => wanted,
            interval => self.next + Duration(interval.0 * polls),
        })
    }

    /// A read: what can be read goes to its lane. Returns how many records that were.
    pub(super) fn read(&mut self, now: Instant, bytes: u64, propagation: Duration, pace: &Pace) -> u64 {
        self.reading = false;
        let most = READ_RECORDS.min((READ_BYTES / bytes.max(1)).max(1));
        let mut read = 0;
        let can = |front: Option<&Record>| front.is_some_and(|record| record.put + propagation <= now);
        while read < most && self.buffered < READ_RECORDS && can(self.log.front()) {
            if let Some(record) = self.log.pop_front() {
                self.lanes[record.lane as usize].records.push_back(record);
                self.buffered += 1;
                read += 1;
            }
        }
        let transfer = Duration::from_nanos_f64((read * bytes) as f64 * pace.byte_ns);
        let pause = if can(self.log.front()) {
            pace.spacing
        } else {
            pace.interval
        };
        self.next = now + pause.max(transfer);
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::mechanism::stream::tests::stream;

    #[test]
    fn shards_cut_the_range_and_splits_halve_the_hottest() {
        let spec = StreamPlan {
            shards: 3,
            ..stream(None)
        };
        let mut shards = Shards::new(&spec);
        let mut counts = [0_u32; 3];
        for key in 0..30_000 {
            counts[shards.of(key) as usize] += 1;
        }
        // Standard deviation 82.
        assert!(counts.iter().all(|n| n.abs_diff(10_000) < 330), "{counts:?}");
        let before: Vec<u32> = (0..1000).map(|key| shards.of(key)).collect();
        shards.get(1).recent = 7;
        assert_eq!(shards.split(&spec), 1);
        assert_eq!((shards.open(), shards.ever()), (4, 5));
        for (key, was) in before.into_iter().enumerate() {
            let is = shards.of(fit(key));
            let expected = if was == 1 { [3, 4] } else { [was, was] };
            assert!(expected.contains(&is), "key {key} went from {was} to {is}");
        }
    }

    #[test]
    fn an_idle_shard_is_polled_on_its_grid_and_a_full_one_as_fast_as_it_may() {
        let record = |put_ms: u64| Record {
            put: Instant(put_ms * 1_000_000),
            luck: Luck(0),
            lane: 0,
            poison: false,
            tries: 0,
            of: Lineage::NONE,
        };
        let at = |ms: u64| Instant(ms * 1_000_000);
        let ms = Duration::from_millis;
        let pace = Pace {
            interval: ms(1_000),
            spacing: ms(200),
            byte_ns: 1e9 / (2.0 * 1_048_576.0),
        };
        let mut reader = Reader::new(1, None, at(300));
        assert_eq!(reader.due(at(0), ms(0), &pace), None, "nothing to read");
        reader.log.push_back(record(2_400));
        assert_eq!(reader.due(at(2_400), ms(0), &pace), Some(at(3_300)));
        assert_eq!(reader.due(at(2_400), ms(900), &pace), Some(at(3_300)), "just in time");
        assert_eq!(reader.due(at(2_400), ms(901), &pace), Some(at(4_300)));
        assert_eq!(reader.read(at(3_300), 1 << 20, ms(0), &pace), 1);
        reader.log.extend((0..25).map(|_| record(3_400)));
        assert_eq!(reader.due(at(3_400), ms(0), &pace), Some(at(4_300)));
        // Ten records of 1 MB fill a call, and at 2 MB a second the next one is 5 s later.
        assert_eq!(reader.read(at(4_300), 1 << 20, ms(0), &pace), 10);
        assert_eq!(reader.due(at(4_300), ms(0), &pace), Some(at(9_300)));
        assert_eq!(reader.read(at(9_300), 1, ms(0), &pace), 15);
        reader.log.push_back(record(9_300));
        assert_eq!(reader.due(at(9_300), ms(0), &pace), Some(at(10_300)));
    }
}
