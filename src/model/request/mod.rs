//! The desk: what every request has in common, whoever works on it.

pub mod account;
pub mod baggage;
pub mod call;
pub mod common;
mod deadline;
pub mod delivery;
pub mod desk;
pub mod effects;
pub mod entry;
pub mod fault;
pub mod flow;
pub mod guard;
pub mod hits;
pub mod id;
pub mod kind;
pub mod lineage;
pub mod meaning;
pub mod operation;
pub mod payload;
pub mod requests;
pub mod retry;
pub mod session;
