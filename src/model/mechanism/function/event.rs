//! What happens to a function.

use crate::kernel::Key;
use crate::model::request::id::Id;
use crate::model::request::kind::FUNCTION;

/// What happens to a function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The handler of an invocation can go on. It names the instance, so that instance and request come from memory
    /// together.
    Invocation {
        /// The function.
        function: Id<FUNCTION>,
        /// The instance that it runs on.
        instance: u32,
        /// The request.
        request: Key,
    },
    /// A cold start is over.
    Ready {
        /// The function.
        function: Id<FUNCTION>,
        /// The request that waited for it.
        request: Key,
    },
    /// An invocation's time is up, if it still runs.
    TimeLimit {
        /// The function.
        function: Id<FUNCTION>,
        /// The request.
        request: Key,
    },
    /// Shared cores must be looked at.
    Cores {
        /// The function.
        function: Id<FUNCTION>,
        /// The instance.
        instance: u32,
        /// The epoch of the station.
        epoch: u32,
    },
    /// A mass replacement.
    Recycle {
        /// The function.
        function: Id<FUNCTION>,
        /// Which of its plan's.
        index: u16,
    },
    /// An event that waits for another try has become too old.
    Expire {
        /// The function.
        function: Id<FUNCTION>,
        /// The event.
        event: u32,
    },
    /// Provisioned capacity: the schedule's next change.
    Scheduled {
        /// The function.
        function: Id<FUNCTION>,
        /// Which change, counted over all periods.
        index: u32,
    },
    /// Provisioned capacity: what was asked for is ready.
    Prepared {
        /// The function.
        function: Id<FUNCTION>,
        /// How many are ready from now on.
        count: u32,
        /// The epoch of the request for them.
        epoch: u32,
    },
    /// Provisioned capacity: a minute of utilisation is over.
    Tracked {
        /// The function.
        function: Id<FUNCTION>,
    },
    /// Instances scaled apart: one has started.
    Up {
        /// The function.
        function: Id<FUNCTION>,
        /// The instance.
        instance: u32,
    },
    /// Instances scaled apart: waiting requests may find slots.
    Pull {
        /// The function.
        function: Id<FUNCTION>,
    },
    /// Instances scaled apart: a request has waited as long as it may.
    Waited {
        /// The function.
        function: Id<FUNCTION>,
        /// The request.
        request: Key,
    },
    /// Instances scaled apart: the autoscaler decides.
    Scale {
        /// The function.
        function: Id<FUNCTION>,
    },
}

crate::kernel::pack::packed!(Event {
    Invocation { function, instance, request },
    Ready { function, request },
    TimeLimit { function, request },
    Cores { function, instance, epoch },
    Recycle { function, index },
    Expire { function, event },
    Scheduled { function, index },
    Prepared { function, count, epoch },
    Tracked { function },
    Up { function, instance },
    Pull { function },
    Waited { function, request },
    Scale { function },
});
