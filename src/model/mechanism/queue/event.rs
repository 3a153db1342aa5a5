//! What can happen to a queue.

use crate::kernel::Key;
use crate::model::request::id::Id;
use crate::model::request::kind::QUEUE;

/// What happens to a queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A send call has taken effect.
    Sent {
        /// The queue.
        queue: Id<QUEUE>,
        /// The call.
        request: Key,
    },
    /// A message's delay is over.
    Show {
        /// The queue.
        queue: Id<QUEUE>,
        /// The message.
        message: Key,
    },
    /// The visibility timeout of received messages may be over.
    Visible {
        /// The queue.
        queue: Id<QUEUE>,
    },
    /// The oldest messages may be too old.
    Expire {
        /// The queue.
        queue: Id<QUEUE>,
    },
    /// There may be something for the poller: a message, or room for one more batch.
    Pull {
        /// The queue.
        queue: Id<QUEUE>,
    },
    /// The poller may have one more batch under way.
    Grown {
        /// The queue.
        queue: Id<QUEUE>,
    },
    /// A batch has waited for more messages long enough.
    Flush {
        /// The queue.
        queue: Id<QUEUE>,
        /// The number of the batch among all that waited.
        epoch: u32,
    },
    /// A throttled batch is tried again.
    Again {
        /// The queue.
        queue: Id<QUEUE>,
        /// The batch.
        batch: u32,
    },
    /// The next message is moved back.
    Redrive {
        /// The queue.
        queue: Id<QUEUE>,
    },
}

crate::kernel::pack::packed!(Event {
    Sent { queue, request },
    Show { queue, message },
    Visible { queue },
    Expire { queue },
    Pull { queue },
    Grown { queue },
    Flush { queue, epoch },
    Again { queue, batch },
    Redrive { queue },
});
