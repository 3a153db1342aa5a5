//! What metrics mean: a name and a sentence each, for `coldcurve explain` and for whoever mistypes one.

/// A metric's name and its meaning. A name that ends in `.*` is a distribution of durations, with `mean`, `p50`, `p90`,
/// `p95`, `p99`, `p99.9` and `max`; one that ends in `.p*` is a level, with its quantiles over time.
pub type Meaning = (&'static str, &'static str);
