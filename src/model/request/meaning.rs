//! What metrics mean: a name and a sentence each, for `coldcurve explain` and for whoever mistypes one.

use std::collections::BTreeSet;
use std::sync::Mutex;

/// A metric's name and its meaning. A name that ends in `.*` is a distribution of durations, with `mean`, `p50`, `p90`,
/// `p95`, `p99`, `p99.9` and `max`; one that ends in `.p*` is a level, with its quantiles over time.
pub type Meaning = (&'static str, &'static str);

/// A name that the scenario makes, such as that of a state. Metrics have names for as long as the program runs; these
/// are few, and the same in every variant.
pub fn interned(text: String) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(known) = names.get(text.as_str()) {
        return known;
    }
    let leaked: &'static str = Box::leak(text.into_boxed_str());
    names.insert(leaked);
    leaked
}
