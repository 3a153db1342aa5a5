//! One replication, parallel replications, variants and sweeps.
