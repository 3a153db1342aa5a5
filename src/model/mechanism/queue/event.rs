//! What can happen to a queue.

use crate::kernel::Key;

/// What happens to a queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A send call has taken effect.
    Sent {
        /// The queue.
        queue: u16,
        /// The call.
        request: Key,
    },
    /// A message's delay is over.
    Show {
        /// The queue.
        queue: u16,
        /// The message.
        message: Key,
    },
    /// The visibility timeout of received messages may be over.
    Visible {
        /// The queue.
        queue: u16,
    },
    /// The oldest messages may be too old.
    Expire {
        /// The queue.
        queue: u16,
    },
    /// There may be something for the poller: a message, or room for one more batch.
    Pull {
        /// The queue.
        queue: u16,
    },
    /// The poller may have one more batch under way.
    Grown {
        /// The queue.
        queue: u16,
    },
    /// A batch has waited for more messages long enough.
    Flush {
        /// The queue.
        queue: u16,
        /// The number of the batch among all that waited.
        epoch: u32,
    },
    /// A throttled batch is tried again.
    Again {
        /// The queue.
        queue: u16,
        /// The batch.
        batch: u32,
    },
    /// The next message is moved back.
    Redrive {
        /// The queue.
        queue: u16,
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
