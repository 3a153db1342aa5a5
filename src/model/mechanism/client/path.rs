//! What is counted of each path that a client asks for.

use super::ClientPlan;
use crate::model::request::entry::Request;
use crate::model::request::meaning::interned;
use crate::stats::{Histogram, Observation, Value};

/// The names of a path's metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMetrics {
    requests: &'static str,
    error_ratio: &'static str,
    latency: &'static str,
    failed: &'static str,
}

impl PathMetrics {
    /// Those of the path of this name.
    pub fn of(path: &str) -> Self {
        let full = |what: &str| interned(format!("paths.{path}.{what}"));
        Self {
            requests: full("requests"),
            error_ratio: full("error_ratio"),
            latency: full("latency"),
            failed: full("latency.failed"),
        }
    }
}

/// The requests of one path that ended.
#[derive(Clone, Debug, Default)]
pub struct PathRecord {
    good: Histogram,
    failed: Histogram,
}

/// Counts a request that has ended for good.
pub fn record(by_path: &mut [PathRecord], spec: &ClientPlan, request: &Request) {
    let place = spec.paths.iter().position(|path| path.1 == request.path);
    if let Some(record) = place.and_then(|place| by_path.get_mut(place)) {
        let end = if request.status.is_ok() {
            &mut record.good
        } else {
            &mut record.failed
        };
        end.record(request.age().0);
    }
}

/// Reports what was counted.
pub fn observe(spec: &ClientPlan, by_path: Vec<PathRecord>, out: &mut Vec<Observation>) {
    for (metrics, record) in spec.path_metrics.iter().zip(by_path) {
        let failed = record.failed.count();
        let ended = record.good.count() + failed;
        let ratio = Value::Ratio {
            part: failed,
            whole: ended,
        };
        for (metric, value) in [
            (metrics.requests, Value::Count(ended)),
            (metrics.error_ratio, ratio),
            (metrics.latency, Value::Latency(Box::new(record.good))),
            (metrics.failed, Value::Latency(Box::new(record.failed))),
        ] {
            out.push(Observation {
                component: spec.component,
                metric,
                value,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::world::build::build;
    use crate::model::world::run::World;
    use crate::scenario::{Catalog, Diagnostics, NoFiles, Sources, parse};
    use crate::stats::Value;

    #[test]
    fn paths_are_counted_apart_and_add_up() {
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let file = sources.add(
            "paths.yaml",
            "run: { length: 100 s, warmup: 10 s, seed: 5 }
clients: { web: { to: f, arrivals: { poisson: 50/s }, paths: { /quick: 3, /slow.json: 1, /never: 0 } } }
functions: { f: { failure: 10%, handlers: { /quick: [ wait: 10 ms ], /slow.json: [ wait: 200 ms ], /never: [] } } }
",
        );
        let root = parse(&sources, file, &diagnostics).expect("YAML");
        let built = build(&root, &Catalog::default(), &diagnostics, &NoFiles);
        let (plan, ..) = built.unwrap_or_else(|| panic!("{}", diagnostics.render(&sources, false)));
        let result = World::new(&plan, 0).run();
        let find = |metric: &str| {
            let named = result.observations.iter().find(|seen| seen.metric == metric);
            named.map(|seen| seen.value.clone()).expect("a metric")
        };
        let count = |path: &str| match find(&format!("paths.{path}.requests")) {
            Value::Count(count) => count,
            other => panic!("{other:?}"),
        };
        let (quick, slow) = (count("/quick"), count("/slow.json"));
        assert_eq!((Value::Count(quick + slow), count("/never")), (find("requests"), 0));
        assert!(quick > 2 * slow && slow > 800, "{quick} and {slow}");
        let times = |metric: &str| match find(&format!("paths./slow.json.{metric}")) {
            Value::Latency(times) => times,
            other => panic!("{other:?}"),
        };
        let (good, bad) = (times("latency"), times("latency.failed"));
        assert_eq!((good.count() + bad.count(), good.min() / 1_000_000), (slow, 200));
        assert!(bad.count() > 50 && good.count() > 500, "{bad:?}");
        let failed = |path: &str| match find(&format!("paths.{path}.error_ratio")) {
            Value::Ratio { part, whole } => (part, whole),
            other => panic!("{other:?}"),
        };
        let Value::Ratio { part, .. } = find("error_ratio") else {
            panic!("no ratio")
        };
        assert_eq!(failed("/quick").0 + failed("/slow.json").0, part);
        assert_eq!(failed("/quick").1, quick);
        assert_eq!(failed("/slow.json"), (bad.count(), slow));
    }
}
