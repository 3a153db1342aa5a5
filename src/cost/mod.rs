//! Integer meters, dated price books, and the bill they make.

pub mod bill;
pub mod book;
pub mod meters;
pub mod money;

pub use bill::{Bill, BillLine, Extrapolation, Unpriced, Usage, bill};
pub use book::{Confidence, FixedFee, FreeTier, MachineType, Metering, PriceBook, PriceLine, Provenance, Tier};
pub use meters::{Dimension, Meter, MeterSet, Scaling};
pub use money::{Money, MoneyError};
