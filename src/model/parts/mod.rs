//! What mechanisms are put together from. Parts know no request.

pub mod budget;
pub mod clock;
pub mod initial;
pub mod places;
pub mod shares;
pub mod station;
pub mod token_bucket;
pub mod tracking;
pub mod transfer;
