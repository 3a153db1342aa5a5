//! The mechanisms: siblings, one folder each, that never import one another. What they share is in `request` and
//! `parts`; what the world asks of each is [`contract::Mechanism`].

pub mod client;
pub mod contract;
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
