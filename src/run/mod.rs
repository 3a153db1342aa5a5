//! One replication, parallel replications, variants and sweeps.

pub mod summary;
