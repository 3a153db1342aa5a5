//! coldcurve simulates serverless systems, request by request, and answers in curves: p99 latency and monthly bill
//! against traffic, memory, provisioned concurrency, connection limits and architecture.
//!
//! ```
//! use coldcurve::{Scenario, Silent};
//!
//! # fn main() -> Result<(), coldcurve::Error> {
//! let shop: Scenario = "
//! title: A shop
//! run: { length: 1 h, warmup: 20 min, seed: 1 }
//! clients: { web: { to: checkout, arrivals: { poisson: 20/s } } }
//! functions:
//!   checkout:
//!     service: aws.lambda
//!     memory: 512 MB
//!     handler: [{ cpu: 5 ms }, { wait: { median: 20 ms, p99: 120 ms } }]
//! "
//! .parse()?;
//!
//! let results = shop.set("clients.web.arrivals.poisson", "2/s").replications(8).run(&Silent)?;
//!
//! let p99 = &results.metric("base", "latency.p99").expect("requests").estimate;
//! let (low, high) = p99.interval.expect("several runs");
//! println!("p99 {:.0} ms, 95 % interval from {:.0} to {:.0}", p99.mean * 1e3, low * 1e3, high * 1e3);
//! assert!(low < p99.mean && p99.mean < high && (0.05..1.0).contains(&p99.mean));
//!
//! let bill = results.bill("base").expect("a bill");
//! for line in &bill.lines {
//!     println!("{} {}: ${:.2} a month", line.component, line.line, line.amount.mean);
//! }
//! assert!(bill.total.mean > 0.0);
//!
//! for warning in results.warnings() {
//!     eprintln!("{warning}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A [`Scenario`] comes from a text or from a file ([`Scenario::from_path`]); values are set by their dotted path, as
//! `--set` does. [`Scenario::run`] tells a [`Progress`] how far it has come and asks it whether to go on, so that
//! [`Cancel`] ends it from another thread. [`Results`] hold a [`Cell`] for each variant at each point of the sweep,
//! with its metrics, its bill and its timelines; [`Results::table`] gives all figures as rows. An [`Error`] is a text
//! that names every problem with its place, as the command line prints it.
//!
//! The same scenario and seed give the same figures on every machine, for any number of threads, and with any features:
//! without `default-features` the library comes without command line, pictures and fonts.
//!
//! # What may change
//!
//! What stands at the root of the crate is its interface. The modules below it are the simulator itself; they are
//! public for its own tests and examples, and may change with every version.
//!
//! A module imports only from the lines above it (`tests/tidy.rs` checks this):
//! `kernel < stats < cost < scenario < model < run < report < cli`.

#[cfg_attr(docsrs, doc(hidden))]
pub mod kernel;
#[cfg_attr(docsrs, doc(hidden))]
pub mod stats;
#[cfg_attr(docsrs, doc(hidden))]
pub mod cost;
#[cfg_attr(docsrs, doc(hidden))]
pub mod scenario;
#[cfg_attr(docsrs, doc(hidden))]
pub mod model;
#[cfg_attr(docsrs, doc(hidden))]
pub mod run;
#[cfg(feature = "report")]
#[cfg_attr(docsrs, doc(hidden))]
pub mod report;
#[cfg(feature = "cli")]
#[cfg_attr(docsrs, doc(hidden))]
pub mod cli;

#[doc(inline)]
pub use run::summary::{BillLine, BillSummary, Cell, Estimate, Metric, PointValue, Summary, Timeline, Unit};
#[doc(inline)]
pub use run::{Cancel, Error, Phase, Progress, Results, Row, Scenario, Silent};
