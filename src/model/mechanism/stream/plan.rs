//! A stream, checked: everything that stays the same while the simulation runs.

use crate::kernel::number::fit;
use crate::kernel::stream::{below, chance, mix, unit};
use crate::kernel::{Duration, Luck, Sampler};
use crate::model::request::id::Id;
use crate::model::request::kind::{FUNCTION, QUEUE, STREAM};

/// Bytes that one put unit holds. Source: Amazon Kinesis Data Streams pricing, PUT payload unit.
const PUT_UNIT_BYTES: u64 = 25 << 10;
/// Bytes by which an on-demand stream meters. Source: Amazon Kinesis Data Streams pricing: each record rounded up to 1
/// KB.
const BILLED_BYTES: u64 = 1 << 10;
/// Bytes of records that one invocation may carry. Source: AWS Lambda quotas, synchronous invocation payload.
const PAYLOAD_BYTES: u64 = 6 << 20;

/// What the capacity of a stream follows, and what is billed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Capacity {
    /// A fixed number of shards, each billed.
    Provisioned,
    /// Shards follow the peak; the stream and its bytes are billed.
    OnDemand(OnDemandPlan),
    /// The stream belongs to a table: nothing of its own is billed.
    Included,
}

/// How an on-demand stream grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OnDemandPlan {
    /// How much of the greatest minute so far it has room for.
    pub headroom: f64,
    /// How long the splits take after a minute that asks for them.
    pub delay: Duration,
    /// Shards at most.
    pub maximum: u32,
}

/// How records are spread over partition keys.
#[derive(Clone, Debug, PartialEq)]
pub struct KeysPlan {
    /// Number of keys.
    pub count: u32,
    /// The share of records that have key number 0, besides its part of the others.
    pub hot_share: f64,
    /// Cumulative probabilities of the keys, if they are not all alike.
    cumulative: Vec<f64>,
}

impl KeysPlan {
    /// So many keys whose frequency falls with the power `zipf` of their rank; 0 makes them all alike.
    pub fn new(count: u32, zipf: f64, hot_share: f64) -> Self {
        let mut cumulative = Vec::new();
        if zipf > 0.0 {
            let mut sum = 0.0;
            for rank in 1..=count {
                sum += libm::pow(f64::from(rank), -zipf);
                cumulative.push(sum);
            }
            for part in &mut cumulative {
                *part /= sum;
            }
        }
        Self {
            count,
            hot_share,
            cumulative,
        }
    }

    /// The key of a record, from the dice of two steps of its luck.
    pub fn draw(&self, luck: Luck, hot: u64, key: u64) -> u32 {
        if chance(&mut luck.dice(hot), self.hot_share) {
            return 0;
        }
        let dice = &mut luck.dice(key);
        if self.cumulative.is_empty() {
            return fit(below(dice, u64::from(self.count)));
        }
        let drawn = unit(dice);
        let rank = self.cumulative.partition_point(|part| *part <= drawn);
        fit::<u32, _>(rank).min(self.count - 1)
    }
}

/// Where a key lies among the shards: a hash, as the service's MD5 would give it.
pub fn position(key: u32) -> u64 {
    mix(u64::from(key).wrapping_mul(0xD6E8_FEB8_6659_FD93) ^ 0x9E6C_63D0_876A_9A47)
}

/// A stream, see the module [`super`].
#[derive(Clone, Debug, PartialEq)]
pub struct StreamPlan {
    /// Its number among all components.
    pub component: u32,
    /// Its name, for the dice of its polls.
    pub name: String,
    /// The stream whose records it brings to a further consumer.
    pub of: Option<Id<STREAM>>,
    /// What its capacity follows.
    pub capacity: Capacity,
    /// Shards at the start.
    pub shards: u32,
    /// How its records are spread over keys.
    pub keys: KeysPlan,
    /// Bytes of a record.
    pub record_bytes: u64,
    /// The largest record that it takes.
    pub payload_limit: Option<u64>,
    /// Records a second that a shard takes, if there is a limit.
    pub write_records: Option<f64>,
    /// Bytes a second that a shard takes, if there is a limit.
    pub write_bytes: Option<u64>,
    /// Bytes a second that a shard gives.
    pub read_bytes: u64,
    /// Reads a second of a shard, all consumers that share it together.
    pub reads_per_second: f64,
    /// After how long a record is dropped.
    pub retention: Duration,
    /// How long a put call takes.
    pub put_latency: Sampler,
    /// From when a record has been put to when it can be read.
    pub propagation: Duration,
    /// The share of records that always fail.
    pub poison: f64,
    /// What feeds its records to a function, if anything does.
    pub mapping: Option<MappingPlan>,
}

/// An event source mapping: what reads a stream for a function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MappingPlan {
    /// The function.
    pub to: Id<FUNCTION>,
    /// Records of one invocation at most.
    pub batch_size: u16,
    /// How long a batch may wait for more records.
    pub batch_window: Duration,
    /// Batches of one shard that may be under way at once.
    pub parallelization_factor: u8,
    /// When the mapping begins to read.
    pub starts_at: Duration,
    /// Whether it then begins with the oldest records instead of with new ones.
    pub from_oldest: bool,
    /// How often failed records are tried again; for ever if absent.
    pub retry_attempts: Option<u32>,
    /// The age at which records are given up.
    pub maximum_age: Option<Duration>,
    /// Whether a failed batch is split in two before it is tried again.
    pub bisect: bool,
    /// Whether the function says where a batch failed.
    pub partial_batch_response: bool,
    /// The queue that hears of what was given up.
    pub on_failure: Option<Id<QUEUE>>,
    /// How often an idle shard is polled; a reader with a limit of its own (enhanced fan-out) does not poll.
    pub polls: Option<Duration>,
    /// Wait before the first retry; it doubles up to [`BACKOFF_CAP`].
    pub backoff: Duration,
}

/// The longest wait between tries of the same records. The documentation gives no figure.
pub const BACKOFF_CAP: Duration = Duration::from_secs(60);

impl StreamPlan {
    /// Records of one invocation at most, its payload considered.
    pub fn batch_limit(&self) -> usize {
        let fitting = (PAYLOAD_BYTES / self.record_bytes.max(1)).max(1);
        self.mapping
            .as_ref()
            .map_or(0, |mapping| fit(u64::from(mapping.batch_size).min(fitting)))
    }

    /// Put units that a record counts as.
    pub fn put_units(&self) -> u64 {
        self.record_bytes.div_ceil(PUT_UNIT_BYTES).max(1)
    }

    /// Bytes that a record counts as on demand.
    pub fn billed_bytes(&self) -> u64 {
        self.record_bytes.div_ceil(BILLED_BYTES).max(1) * BILLED_BYTES
    }
}

impl MappingPlan {
    /// How long to wait after this many tries that failed.
    pub fn backoff_after(&self, tries: u32) -> Duration {
        let doubled = self.backoff.0.saturating_mul(1 << tries.saturating_sub(1).min(30));
        Duration(doubled.min(BACKOFF_CAP.0.max(self.backoff.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_frequent_as_they_should_be() {
        let frequency = |keys: &KeysPlan, key: u32| {
            let n = 100_000;
            let hits = (0..n).filter(|i| keys.draw(Luck(mix(*i)), 1, 2) == key).count();
            hits as f64 / n as f64
        };
        // Standard deviation at most 0.0016.
        assert!((frequency(&KeysPlan::new(10, 0.0, 0.0), 3) - 0.1).abs() < 0.004);
        assert!((frequency(&KeysPlan::new(10, 0.0, 0.5), 0) - 0.55).abs() < 0.006);
        let harmonic: f64 = (1..=100).map(|rank| 1.0 / f64::from(rank)).sum();
        let zipf = KeysPlan::new(100, 1.0, 0.0);
        assert!((frequency(&zipf, 0) - 1.0 / harmonic).abs() < 0.006);
        assert!((frequency(&zipf, 9) - 0.1 / harmonic).abs() < 0.003);
    }
}
