//! The serverless world, in layers: `parts < request < handler < mechanism < world`.
//!
//! A mechanism's folder owns it from top to bottom: its table of fields, its plan, its state, its handler, its meters.
//! Siblings never import one another: they hand requests over through the agenda, and see only the desk.

#[macro_use]
mod table;
pub mod parts;
pub mod request;
pub mod handler;
pub mod mechanism;
pub mod world;

pub use request::common::Component;
pub use request::desk::Cx;
pub use request::kind::{self, KINDS};
pub use world::Plan;
