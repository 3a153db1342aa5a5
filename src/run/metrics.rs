//! What the metrics mean, for `coldcurve explain` and for whoever mistypes one.

use crate::model::KINDS;
use crate::model::request::hits::Limit;
use crate::model::request::meaning::Meaning;
use crate::model::world::METRICS;
use std::fmt::Write as _;

/// The metrics of the system as a whole.
const WHOLE: &[Meaning] = &[
    (
        "offered",
        "Requests that came from all clients, per second, retries not counted again.",
    ),
    ("throughput", "Requests of all clients that ended well, per second."),
    (
        "error_ratio",
        "Requests of all clients that ended badly, after their retries, over all.",
    ),
    (
        "latency.*",
        "From sending a request to its good answer, retries included, as clients see it.",
    ),
    (
        "latency.failed.*",
        "From sending a request to its end where that was bad: refused, failed, or given up on.",
    ),
    ("latency.all.*", "The same of all requests that ended, well or badly."),
    (
        "latency.p99.worst_window",
        "The largest p99 of good answers among the windows of a run: what an operator's dashboard shows.",
    ),
    (
        "cold_ratio",
        "Invocations of all functions that had to start an instance, over all.",
    ),
    ("bill.month", "The bill scaled to a month, in dollars."),
    (
        "bill.per_million",
        "The bill per million requests of clients, in dollars.",
    ),
    (
        "limits.LIMIT",
        "How often a limit was run into in a run, such as `limits.account_concurrency`; `explain limits` lists them.",
    ),
];

/// The full name of a metric in general: `functions.NAME.cold_ratio`.
fn full(owner: &str, name: &str) -> String {
    match owner {
        "" => name.to_owned(),
        owner => format!("{owner}.NAME.{name}"),
    }
}

/// Whether a word is a metric of this name; `.*` stands for the mean, the maximum and the quantiles.
fn is(name: &str, word: &str) -> bool {
    if name == "limits.LIMIT" {
        let limit = word.strip_prefix("limits.").unwrap_or_default();
        return Limit::ALL.iter().any(|known| known.name() == limit);
    }
    for (general, own) in [("state.STATE.", "state."), ("paths.PATH.", "paths.")] {
        if let Some(name) = name.strip_prefix(general) {
            // A path may have dots in it.
            let word = word.strip_prefix(own).unwrap_or_default();
            return word.match_indices('.').any(|(dot, _)| is(name, &word[dot + 1..]));
        }
    }
    let part =
        |end: &str| end == "mean" || end == "max" || end.strip_prefix('p').is_some_and(|p| p.parse::<f64>().is_ok());
    if let Some(stem) = name.strip_suffix(".p*") {
        let quantile = |end: &str| end.strip_prefix(".p").is_some_and(|p| p.parse::<f64>().is_ok());
        return word.strip_prefix(stem).is_some_and(quantile);
    }
    match name.strip_suffix(".*") {
        None => name == word,
        Some(stem) => word
            .strip_prefix(stem)
            .is_some_and(|end| end.is_empty() || end.strip_prefix('.').is_some_and(part)),
    }
}

/// All metrics: those of one kind of components, and those that several kinds share.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let whole = WHOLE.iter().map(|(name, meaning)| ("", *name, *meaning));
    let of_kinds = METRICS.iter().flat_map(|(owner, lists)| {
        let all = lists.iter().copied().flatten();
        all.map(|(name, meaning)| (*owner, *name, *meaning))
    });
    whole.chain(of_kinds)
}

/// What a metric means: by its whole name (`functions.checkout.cold_ratio`) or by its last part (`cold_ratio`).
pub fn explain(word: &str) -> Option<String> {
    let mut parts = word.splitn(3, '.');
    let (owner, _, rest) = (parts.next().unwrap_or(""), parts.next(), parts.next());
    let whole = rest.filter(|_| KINDS.contains(&owner));
    let fits = |metric: &(&str, &str, &str)| match whole {
        Some(rest) => metric.0 == owner && is(metric.1, rest),
        None => is(metric.1, word),
    };
    let mut text = String::new();
    for (owner, name, meaning) in all().filter(fits) {
        let _ = writeln!(text, "{} (metric)\n    {meaning}", full(owner, name));
        if name.ends_with(".p*") {
            text.push_str(
                "    Quantiles over time: .p50, .p90, .p99 and .p99.9; levels.csv has the share of time by level.\n",
            );
        }
        if name.ends_with(".*") {
            text.push_str("    A distribution of durations: .mean, .p50, .p90, .p95, .p99, .p99.9 and .max.\n");
        }
    }
    (!text.is_empty()).then_some(text)
}

/// All metrics, a line for each.
pub fn list() -> String {
    let mut text = String::from("Metrics (those of a component have its kind and name in front):\n");
    for (owner, name, meaning) in all() {
        let _ = writeln!(text, "  {:<36} {meaning}", full(owner, name));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_by_whole_and_last_name() {
        let about = |word| explain(word).unwrap_or_default();
        assert!(about("latency.p99").contains("as clients see it") && about("latency.p99").contains("queues.NAME"));
        assert!(about("functions.checkout.cold_ratio").starts_with("functions.NAME.cold_ratio (metric)\n"));
        assert!(about("functions.checkout.init.p99.9").contains("Init of the instances"));
        assert!(about("latency.p99.worst_window").contains("dashboard"));
        assert!(about("limits.init_limit").starts_with("limits.LIMIT (metric)"));
        for word in [
            "limits.patience",
            "functions.checkout.colour",
            "latency.p",
            "latencyp99",
            "happiness",
            "",
        ] {
            assert_eq!(explain(word), None, "{word}");
        }
    }

    #[test]
    fn every_owner_is_a_kind() {
        for (owner, name, meaning) in all() {
            assert!(owner.is_empty() || KINDS.contains(&owner), "{owner}.{name}");
            assert!(meaning.ends_with('.'), "{owner}.{name}");
        }
    }
}
