//! The mechanisms: siblings, one folder each, that never import one another.

pub mod client;
pub mod database;
pub mod external;
pub mod fleet;
pub mod function;
pub mod gateway;
pub mod queue;
pub mod schedule;
pub mod store;
pub mod stream;
pub mod topic;
pub mod workflow;
