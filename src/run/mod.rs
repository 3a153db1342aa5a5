//! From a scenario to a summary: variants and sweeps become cells, each cell is run many times in parallel, and what
//! the runs counted becomes figures with intervals and a bill.

pub mod aggregate;
pub mod answer;
pub mod assumptions;
pub mod billing;
pub mod coarse;
pub mod differences;
pub mod door;
pub mod episodes;
pub mod expect;
mod expectation;
pub mod failure;
pub mod figures;
mod firings;
pub mod happenings;
pub mod json_numbers;
pub mod format;
mod inventory;
pub mod ledger;
mod levels;
pub mod limits;
pub mod load;
pub mod mean_month;
pub mod memory;
pub mod size;
pub mod metrics;
pub mod points;
pub mod progress;
pub mod promise;
pub mod services;
pub mod study;
pub mod tally;
pub mod summary;
pub mod units;
pub mod verdict;
pub mod warmup;

pub use door::{Error, Results, Row, Scenario};
pub use failure::{Failure, Refused};
pub use load::{Loaded, Options, load, load_telling, load_text};
pub use progress::{Cancel, Phase, Progress, Silent};
pub use study::{CellPlan, Study};
