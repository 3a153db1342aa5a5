//! What dice are thrown for. A request's dice for a purpose are its own ([`super::stream::Luck`]), so two purposes that
//! a request may meet must never have the same step; all of them stand here. Steps of handlers are their numbers in the
//! program, which are far below the first of these.

macro_rules! purposes {
    ($($purpose:ident = $step:expr $(; $room:literal)?, $doc:literal;)*) => {
        /// What dice are thrown for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Purpose { $(#[doc = $doc] $purpose),* }

        impl Purpose {
            /// All purposes.
            pub const ALL: &'static [Self] = &[$(Self::$purpose),*];

            /// The step of a luck that it has: the first, where there are several.
            #[inline]
            pub const fn step(self) -> u64 {
                match self { $(Self::$purpose => $step),* }
            }

            /// How many steps it has, from that one on.
            pub const fn steps(self) -> u64 {
                match self { $(Self::$purpose => 1 $(* $room)?),* }
            }
        }
    };
}

purposes! {
    Child = 1 << 32; 65_536, "The luck of a branch or a call of a handler, plus its step.";
    NextMessage = 1 << 33, "The luck of each further message of a batch.";
    NextAttempt = 1 << 34, "The luck of each further attempt.";
    Copy = 1 << 35; 16, "The luck of a further copy of a hedged call, plus which.";
    Backoff = 1 << 40; 256, "How long a backoff is, plus the attempt.";
    Path = 1 << 41, "Which path a request asks for.";
    Network = 1 << 42, "How long the network between client and system takes.";
    Think = 1 << 43, "How long a user thinks.";
    Begin = (1 << 43) + 1, "When a user comes first.";
    GatewayOverhead = 1 << 44; 16, "What a gateway adds, plus the hop.";
    Route = 1 << 45; 16, "Which way a gateway sends a request, plus the hop.";
    Placement = 1 << 46, "How long placing an instance takes.";
    Init = 1 << 47, "How long its initialisation takes.";
    FunctionFailure = 1 << 48, "Whether an invocation fails.";
    CodeInit = 1 << 49, "How long the initialisation of the code takes.";
    QueueSend = 1 << 50, "How long sending a message takes.";
    QueueMessage = (1 << 50) + 1, "The luck of a message.";
    QueueGroup = 1 << 51, "Its group.";
    QueuePoison = (1 << 51) + 1, "Whether it is poison.";
    QueueDuplicate = (1 << 51) + 2, "Whether it is delivered twice.";
    QueueMended = (1 << 51) + 3, "Whether it can be handled when it is moved back.";
    QueueReceipt = 1 << 52; 4_294_967_296, "The luck of each receipt, plus which.";
    QueueFailure = 1 << 53, "Whether a message of a batch fails.";
    QueueReceive = (1 << 53) + 1, "How long receiving takes.";
    Query = 1 << 54, "What a query demands.";
    QueryLatency = (1 << 54) + 1, "How long it takes besides.";
    EventSelf = 0x4556_4E54 << 32, "The luck of an event of an asynchronous invocation.";
    EventDelivery = (1 << 54) + 2, "How long it takes to be delivered.";
    EventDuplicate = (1 << 54) + 3, "Whether it comes twice.";
    EventPoison = (1 << 54) + 4, "Whether it is poison.";
    EventCopy = (1 << 54) + 5, "The luck of the copy.";
    EventDestination = (1 << 54) + 8; 2, "The luck of what is sent on, plus where.";
    DatabaseConnect = 1 << 55, "How long setting up a connection takes.";
    DatabaseResume = (1 << 55) + 1, "How long a paused database takes to come back.";
    DeadLetter = 0x4445_4144 << 32, "The luck of what goes to a dead-letter queue.";
    ProxyOverhead = 1 << 56, "What a proxy adds.";
    ProxyConnect = (1 << 56) + 1, "How long setting up a session with it takes.";
    Publish = 0x5055_424C << 32, "How long publishing takes.";
    TopicMessage = (1 << 56) + 2, "The luck of a published message.";
    TopicShare = (1 << 56) + 3, "Whether a filter lets it through.";
    TopicLatency = (1 << 56) + 4, "How long a delivery takes.";
    TopicDuplicate = (1 << 56) + 5, "Whether it comes twice.";
    TopicCopy = (1 << 56) + 6, "The luck of the copy.";
    TopicAttribute = 1 << 57; 65_536, "The value of an attribute, plus which.";
    TopicDelivery = 0x544F_5049 << 32; 65_536, "The luck of a delivery, plus which subscription.";
    Execution = 0x4558_4543 << 32, "The luck of an execution.";
    ExecutionStart = (0x4558_4543 << 32) + 1, "How long starting it takes.";
    FlexibleWindow = (1 << 56) + 16, "When a job is invoked within its window.";
    WorkflowChild = 0x4348_494C << 32; 4_294_967_296, "The luck of a branch or an item, plus which.";
    WorkflowVisit = 0x5649_5349 << 32; 4_294_967_296, "The luck of a visit to a state, plus which.";
    Dispatch = 1 << 58, "Which machines a balancer looks at.";
    FleetFailure = 1 << 59, "Whether the work of a fleet fails.";
    StoreKey = 1 << 60, "Which key an operation is about.";
    StoreLatency = (1 << 60) + 1, "How long it takes.";
    StoreWork = (1 << 60) + 2, "What it demands of a node.";
    StoreHit = (1 << 60) + 3, "Whether a cache has it.";
    StoreFailure = (1 << 60) + 4, "Whether it fails.";
    StoreConnect = (1 << 60) + 5, "How long setting up a connection takes.";
    StoreBehind = (1 << 60) + 6, "The luck of what a cache asks the store behind it.";
    ExternalLatency = 1 << 61, "How long a call to an external service takes.";
    ExternalPerItem = (1 << 61) + 1, "How long its items take.";
    ExternalFailure = (1 << 61) + 2, "Whether it fails.";
    FaultFails = 0x4641_554C << 32; 65_536, "Whether a fault lets a request fail, plus the fault.";
    PayloadSize = 0x5041_594C << 32, "How large a request is.";
    StreamPut = 0x5354_5245 << 32, "How long putting a record takes.";
    StreamRecord = (0x5354_5245 << 32) + 1, "The luck of a record.";
    StreamHot = (0x5354_5245 << 32) + 2, "Whether its key is a hot one.";
    StreamKeyOf = (0x5354_5245 << 32) + 3, "Its key.";
    StreamPoison = (0x5354_5245 << 32) + 4, "Whether it is poison.";
    StreamFailure = (0x5354_5245 << 32) + 5, "Whether it fails.";
    StreamPlace = (0x5354_5245 << 32) + 6, "Where in a batch calls failed.";
    StreamDelivery = (0x5354_5245 << 32) + (1 << 31); 1_073_741_824, "The luck of each delivery, plus which.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_purposes_share_a_step() {
        let mut all: Vec<Purpose> = Purpose::ALL.to_vec();
        all.sort_by_key(|purpose| purpose.step());
        for pair in all.windows(2) {
            let end = pair[0].step() + pair[0].steps();
            assert!(end <= pair[1].step(), "{:?} reaches into {:?}", pair[0], pair[1]);
        }
        assert!(all[0].step() > u64::from(u16::MAX), "steps of handlers come before");
    }
}
