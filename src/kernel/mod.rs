//! Events, time and dice: the simulation kernel. It knows events and has never heard of a function.

// agenda
// heap
pub mod sample;
pub mod slab;
pub mod stream;
pub mod time;

pub use sample::Sampler;
pub use slab::{Key, Slab};
pub use stream::{Luck, Stream, StreamKey};
pub use time::{Duration, Instant};
