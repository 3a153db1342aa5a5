//! A queue, checked: everything that stays the same while the simulation runs.

use crate::kernel::number::fit;
use crate::kernel::{Duration, Sampler};
use crate::model::request::id::Id;
use crate::model::request::kind::{FUNCTION, QUEUE};
use crate::scenario::Target;

/// Messages that one receive call brings, and one delete call takes, at most. Source: Amazon SQS API reference.
pub const CALL_MESSAGES: u64 = 10;
/// Bytes of messages that one invocation may carry. Source: AWS Lambda quotas, synchronous invocation payload.
const PAYLOAD_BYTES: u64 = 6 << 20;
/// What the platform adds when window and time limit together exceed the visibility timeout. Source: AWS Lambda
/// Developer Guide, SQS event sources, batching behaviour (2023).
const VISIBILITY_MARGIN: Duration = Duration::from_secs(30);

/// A queue, see the module [`super`].
#[derive(Clone, Debug, PartialEq)]
pub struct QueuePlan {
    /// Its number among all components.
    pub component: u32,
    /// How long a received message stays hidden from other receivers.
    pub visibility_timeout: Duration,
    /// After how long a message is dropped.
    pub retention: Duration,
    /// How long a new message stays hidden.
    pub delay: Duration,
    /// Whether messages of one group are delivered in order, one batch at a time.
    pub fifo: bool,
    /// Message groups of a FIFO queue; each message belongs to one of them with equal probability.
    pub groups: u32,
    /// Where messages go that were received too often: (queue, receives).
    pub dead_letter: Option<(Id<QUEUE>, u32)>,
    /// Messages that may be in flight (received, not yet deleted) at once.
    pub in_flight_limit: u64,
    /// How long a send call takes.
    pub send_latency: Sampler,
    /// Send calls that are accepted, as (a second, at once).
    pub send_quota: Option<(f64, u64)>,
    /// How long a receive call takes to bring what is there.
    pub receive_latency: Sampler,
    /// Bytes of a message.
    pub message_bytes: u64,
    /// Bytes of messages that are metered as one request.
    pub metering_bytes: u64,
    /// The largest message that it takes.
    pub payload_limit: Option<u64>,
    /// Probability that a message is stored twice and so delivered at least twice.
    pub duplicate_rate: f64,
    /// The share of messages that always fail.
    pub poison: f64,
    /// From then on they no longer do.
    pub poison_until: Duration,
    /// What feeds its messages to a function, if anything does.
    pub poller: Option<PollerPlan>,
    /// When its messages are moved elsewhere.
    pub redrive: Option<RedrivePlan>,
}

/// Moving the messages of a queue, usually of dead letters, to another one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RedrivePlan {
    /// When it begins.
    pub at: Duration,
    /// Messages a second.
    pub rate: f64,
    /// The queue that gets them.
    pub to: Id<QUEUE>,
    /// The share of poison messages that can be handled from then on, because the cause was mended.
    pub mended: f64,
    /// How often it comes in a month, if that is said.
    pub per_month: Option<f64>,
}

/// The poller between a queue and a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollerPlan {
    /// The function.
    pub to: Id<FUNCTION>,
    /// Messages of one invocation at most.
    pub batch_size: u16,
    /// How long a batch may wait for more messages.
    pub batch_window: Duration,
    /// Concurrent batches at the start, and when there is no backlog; also the number of idle pollers.
    pub start: u64,
    /// How many more a minute while a backlog remains, and how many fewer once it is gone.
    pub add_per_minute: u64,
    /// Concurrent batches at most.
    pub ceiling: u64,
    /// Whether failed messages come back alone instead of with their whole batch.
    pub partial_batch_response: bool,
    /// How long a poll waits for a message before it comes back empty.
    pub poll_wait: Duration,
}

impl PollerPlan {
    /// The function that it invokes.
    pub const fn worker(&self) -> Target {
        self.to.target()
    }
}

impl QueuePlan {
    /// How long a message received by the poller stays hidden: at least as long as its batch may take.
    pub fn effective_visibility(&self, timeout_of: impl Fn(Target) -> Duration) -> Duration {
        let Some(poller) = &self.poller else {
            return self.visibility_timeout;
        };
        let needed = poller.batch_window + timeout_of(poller.worker());
        // Only a window makes the platform reckon; a queue whose timeout is simply too short is refused by AWS when
        // the mapping is made, and modelled as it would behave.
        if poller.batch_window > Duration::ZERO && needed > self.visibility_timeout {
            needed + VISIBILITY_MARGIN
        } else {
            self.visibility_timeout
        }
    }

    /// Messages of one invocation at most, its payload considered.
    pub fn batch_limit(&self) -> usize {
        let fitting = (PAYLOAD_BYTES / self.message_bytes.max(1)).max(1);
        self.poller
            .as_ref()
            .map_or(0, |poller| fit(u64::from(poller.batch_size).min(fitting)))
    }

    /// Requests that a call with so many messages in it is metered as.
    pub fn metered(&self, messages: u64) -> u64 {
        let chunks = |n: u64| (n * self.message_bytes).div_ceil(self.metering_bytes).max(1);
        let rest = messages % CALL_MESSAGES;
        let full = messages / CALL_MESSAGES * chunks(CALL_MESSAGES);
        if rest > 0 { full + chunks(rest) } else { full }
    }
}
