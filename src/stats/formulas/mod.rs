//! Queueing formulas: what the simulator must agree with where theory has the answer.
//!
//! Rates are per unit of time and times in that unit, whichever it is; loads (`a`, erlangs) and utilisations (`rho`)
//! are pure numbers. A formula outside its range (an unstable queue, say) gives infinity or NaN, never a plausible
//! number.

mod bulk;
mod delivery;
mod erlang;
mod keep_alive;
mod scaling;
mod single;
mod tridiagonal;

pub use bulk::{BatchServer, BulkArrivals, fork_join_of_two, window_batch};
pub use delivery::{BulkQueue, mean_receives};
pub use erlang::{Mmc, MmcK, erlang_b, erlang_c, overflow_peakedness};
pub use keep_alive::KeepAlive;
pub use scaling::{usl_best, usl_throughput};
pub use single::{
    Md1, Mm1, md1k_blocking, mg1_mean_wait, mm1_ps_response_variance, ps_mean_response, token_bucket_refusals,
};
