//! Events, time and dice: the simulation kernel. It knows events and has never heard of a function.

pub mod agenda;
pub mod heap;
pub mod number;
pub mod pack;
pub mod purpose;
pub mod sample;
pub mod slab;
pub mod stream;
pub mod time;

pub use agenda::{Agenda, Class, LaneId, SourceId, Ticket};
pub use pack::Pack;
pub use purpose::Purpose;
pub use sample::Sampler;
pub use slab::{Key, Slab};
pub use stream::{Luck, Stream, StreamKey};
pub use time::{Duration, Instant};
