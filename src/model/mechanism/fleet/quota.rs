//! How fast instances may be launched: a platform's quota, as a token bucket. What exceeds it is launched later.

use super::Event;
use crate::kernel::{Class, Instant};
use crate::model::parts::token_bucket::TokenBucket;
use crate::model::request::desk::Cx;
use crate::model::request::id::Id;
use crate::model::request::kind::FLEET;

/// The quota of one fleet, and who waits for it.
#[derive(Debug)]
pub(super) struct Quota {
    bucket: TokenBucket,
    /// Instances that are wanted and not launched yet.
    pub held: u64,
}

impl Quota {
    pub(super) fn new((burst, refill): (u64, f64)) -> Self {
        Self {
            bucket: TokenBucket::new(refill, burst as f64),
            held: 0,
        }
    }

    /// Whether one more instance must wait; then it is launched when the quota allows it.
    pub(super) fn holds_back(&mut self, fleet: Id<FLEET>, cx: &mut Cx) -> bool {
        let now: Instant = cx.now();
        let wait = self.bucket.reserve(now);
        if wait.0 == 0 {
            return false;
        }
        self.held += 1;
        let event = Event::Allowed { fleet };
        cx.at(now + wait, Class::Timer, event);
        true
    }

    /// An instance may be launched that had to wait; nobody if it is not wanted any more.
    pub(super) fn release(&mut self) -> bool {
        let wanted = self.held > 0;
        self.held -= u64::from(wanted);
        wanted
    }
}
