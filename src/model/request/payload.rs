//! Sizes of what is sent, and the largest that each component takes.
//!
//! Model: a client's requests and a handler's calls may have a size, the same for all, drawn for each request (all its
//! attempts have the same), or recorded. A component with a limit refuses what is larger (413) when it arrives.
//! Gateways pass requests on with their size.
//! Not modelled: the size of answers; the size of a batch that a poller hands over; what sizes cost in time.
//! Units: bytes.
//! Sources: AWS Lambda quotas (6 MB synchronous, 1 MB asynchronous); Amazon API Gateway quotas (10 MB); Amazon SQS
//! quotas (1 MiB); Amazon SNS quotas (256 KB); AWS Step Functions quotas (256 KB).
//! Validated by: traces by hand, and the tail of the log-normal distribution (tests/theory/faults.rs).

use super::call::CallPlan;
use super::common::Common;
use super::desk::Cx;
use super::entry::Caller;
use super::hits::Limit;
use crate::kernel::number::whole;
use crate::kernel::{Key, Purpose, Sampler};
use crate::scenario::{Block, Code, Field, Kind, Target};

/// A size of what is sent, for the table of whoever sends.
pub const PAYLOAD: Field = Field::optional(
    "payload",
    Kind::Size,
    "Bytes of what is sent: components with a `payload_limit` refuse what is larger. The median, with `payload_p99`.",
)
.within(0.0, 1e12);

/// The tail of that size.
pub const PAYLOAD_P99: Field = Field::optional(
    "payload_p99",
    Kind::Size,
    "The 99th percentile of the size: it is then log-normal, and drawn for each request.",
)
.within(1.0, 1e12);

/// The limit, for the table of whoever receives.
pub const PAYLOAD_LIMIT: Field = Field::optional(
    "payload_limit",
    Kind::Size,
    "The largest request that it takes; what is larger is refused (413). Any size if absent.",
)
.within(1.0, 1e12);

/// The step of a request's luck that its size is drawn from ("PAYL" in front).
const SIZE_STEP: u64 = Purpose::PayloadSize.step();

/// Reads the size of what a block sends, in bytes.
pub fn read(block: &Block) -> Option<Sampler> {
    let median = block.size_opt("payload");
    let Some(p99) = block.size_opt("payload_p99") else {
        return median.map(|bytes| Sampler::Constant(bytes as f64));
    };
    let Some(median) = median.filter(|median| *median > 0) else {
        let message = "`payload_p99` needs a `payload` above zero, which is the median";
        block.error(
            Code::MissingKey,
            block.span_of("payload_p99"),
            message,
            "add `payload: 20 KB`",
        );
        return None;
    };
    if p99 < median {
        let message = "the 99th percentile is below the median";
        block.error(Code::Inconsistent, block.span_of("payload_p99"), message, "swap them");
        return None;
    }
    Some(Sampler::lognormal_median_p99(median as f64, p99 as f64))
}

/// Whether anything that is sent has a size.
pub fn matters(plan: &Common) -> bool {
    let has_size = |call: &CallPlan| call.payload.is_some();
    plan.sizes_recorded
        || plan
            .profiles
            .iter()
            .any(|profile| profile.payload.is_some() || profile.calls.iter().any(|calls| calls.iter().any(has_size)))
}

/// The size of a request, if it has one.
fn size(request: Key, cx: &Cx) -> Option<u64> {
    if cx.baggage.on
        && let Some(bytes) = cx.baggage.of(request).recorded.size
    {
        return Some(bytes);
    }
    let entry = &cx.requests[request];
    // A copy is as large as the call that it is a copy of.
    let asker = match entry.caller {
        Caller::Hedged { call, .. } if cx.requests.contains(call) => cx.requests[call].caller,
        caller => caller,
    };
    let sampler = match asker {
        Caller::Client(client) | Caller::User { client, .. } => cx.plan.profile(client.target()).payload.as_ref(),
        _ => cx
            .plan
            .call(request, &cx.requests)
            .and_then(|call| call.payload.as_ref()),
    };
    sampler.map(|sampler| whole(sampler.value(&mut entry.first_luck().dice(SIZE_STEP)).round()))
}

/// Whether a request is larger than what the component `to` takes, which counts as a hit of that limit.
pub fn exceeds(to: Target, limit: u64, request: Key, cx: &mut Cx) -> bool {
    let exceeds = size(request, cx).is_some_and(|bytes| bytes > limit);
    if exceeds {
        cx.hit(Limit::Payload, to, request);
    }
    exceeds
}
