//! Scenario text to plans, plans to replications, replications to one number each.

use coldcurve::cost::Meter;
use coldcurve::kernel::StreamKey;
use coldcurve::model::Plan;
use coldcurve::model::request::entry::Cause;
use coldcurve::model::request::fault::FaultResult;
use coldcurve::model::request::hits::{Hits, Limit};
use coldcurve::model::world::build::build;
use coldcurve::model::world::run::{RunResult, World};
use coldcurve::scenario::{Catalog, Diagnostics, Files, NoFiles, Sources, Target, parse};
use coldcurve::stats::{CauseTable, Histogram, Observation, Value};
use rayon::prelude::*;

/// The plan of a scenario's text; panics with the diagnostics if there is something wrong with it.
pub fn plan(text: &str) -> Plan {
    plan_with(text, &NoFiles)
}

/// The same for a scenario that names data files.
pub fn plan_with(text: &str, files: &dyn Files) -> Plan {
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.add("test.yaml", text);
    let catalog = Catalog::load(None, &mut sources, &diagnostics);
    let root = parse(&sources, file, &diagnostics);
    let plan = root.and_then(|root| build(&root, &catalog, &diagnostics, files));
    assert!(
        !diagnostics.has_errors(),
        "{}\n{text}",
        diagnostics.render(&sources, false)
    );
    plan.expect("no problem, so a plan").0
}

/// A data file that a test writes itself: one column called `t`.
pub struct Column(pub String);

impl Column {
    /// A column of these values.
    pub fn of<T: std::fmt::Display>(values: impl IntoIterator<Item = T>) -> Self {
        let lines: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
        Self(format!("t\n{}\n", lines.join("\n")))
    }
}

impl Files for Column {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.clone().into_bytes())
    }
}

/// Replications of one plan.
pub struct Lab {
    plan: Plan,
    runs: Vec<RunResult>,
}

impl Lab {
    /// Runs a scenario's text so many times. Each text has a seed of its own: two cases that shared their dice would
    /// be right or wrong by luck together.
    pub fn run(text: &str, replications: u64) -> Self {
        let mut plan = plan(text);
        plan.seed = StreamKey::new(text, "seed").0;
        Self::of(plan, replications)
    }

    /// Runs a plan so many times.
    pub fn of(plan: Plan, replications: u64) -> Self {
        let one = |run| {
            let mut result = World::new(&plan, run).run();
            put_together(&mut result);
            result
        };
        let runs = (0..replications).into_par_iter().map(one).collect();
        Self { plan, runs }
    }

    fn component(&self, name: &str) -> u32 {
        let place = self.plan.components.iter().position(|component| component.name == name);
        place.unwrap_or_else(|| panic!("no component `{name}`")) as u32
    }

    /// Each run's value of a component's metric.
    fn values(&self, name: &str, metric: &str) -> Vec<&Value> {
        let component = self.component(name);
        let find = |run: &'_ RunResult| -> Option<usize> {
            let mine = |o: &coldcurve::stats::Observation| o.component == component && o.metric == metric;
            run.observations.iter().position(mine)
        };
        self.runs
            .iter()
            .map(|run| &run.observations[find(run).unwrap_or_else(|| panic!("`{name}` has no `{metric}`"))].value)
            .collect()
    }

    /// Each run's value of a metric as one number: counts, ratios, mean levels, mean latencies in ns.
    pub fn each(&self, name: &str, metric: &str) -> Vec<f64> {
        let number = |value: &Value| value.number().expect("a metric that is defined");
        self.values(name, metric).into_iter().map(number).collect()
    }

    /// The same for the one run of a trace.
    pub fn one(&self, name: &str, metric: &str) -> f64 {
        self.each(name, metric)[0]
    }

    /// Each run's distribution of a time.
    pub fn histograms(&self, name: &str, metric: &str) -> Vec<&Histogram> {
        let mut histograms = Vec::new();
        for value in self.values(name, metric) {
            match value {
                Value::Latency(histogram) => histograms.push(histogram.as_ref()),
                other => panic!("`{name}` `{metric}` is not a distribution: {other:?}"),
            }
        }
        histograms
    }

    /// Each run's share of times above so many ns: exact for 0 and for one less than a power of two, where buckets end.
    pub fn shares_above(&self, name: &str, metric: &str, ns: u64) -> Vec<f64> {
        let histograms = self.histograms(name, metric);
        histograms.iter().map(|h| h.fraction_above(ns)).collect()
    }

    /// Each run's windows of a metric.
    pub fn windows(&self, name: &str, metric: &str) -> Vec<&[f64]> {
        let component = self.component(name);
        let find = |run: &'_ RunResult| -> Option<usize> {
            let mine = |s: &coldcurve::stats::Series| s.component == component && s.metric == metric;
            run.series.iter().position(mine)
        };
        self.runs
            .iter()
            .map(|run| &*run.series[find(run).unwrap_or_else(|| panic!("`{name}` has no series `{metric}`"))].values)
            .collect()
    }

    /// Each run's count of a meter.
    pub fn metered(&self, name: &str, meter: Meter) -> Vec<f64> {
        let component = self.component(name) as usize;
        self.runs
            .iter()
            .map(|run| run.meters[component].get(meter) as f64)
            .collect()
    }

    /// What the requests that ended at a component, well or badly, spent on a cause in the first run, in ns.
    pub fn caused(&self, name: &str, cause: Cause) -> f64 {
        let component = self.component(name);
        let flow = self.runs[0].flows.iter().find(|flow| flow.component == component);
        let flow = flow.unwrap_or_else(|| panic!("no requests end at `{name}`"));
        let spent = |table: &CauseTable| table.total().1[cause as usize];
        flow.tables().iter().map(spent).sum::<u128>() as f64
    }

    /// What a fault did in the first run.
    pub fn fault(&self, index: usize) -> &FaultResult {
        &self.runs[0].faults[index]
    }

    /// How a limit of the component `of` was run into by `by` in the first run, while `held_by` had most of it.
    pub fn hits(&self, limit: Limit, of: &str, by: &str, held_by: &str) -> Option<&Hits> {
        let named = |target: Option<Target>, name: &str| {
            let component = target.and_then(|target| self.plan.components.iter().find(|c| c.target == target));
            component.map_or("", |component| &component.name) == name
        };
        self.runs[0].limits.iter().find(|hits| {
            let hit = &hits.hit;
            hit.limit == limit && named(Some(hit.of), of) && named(hit.by, by) && named(hit.held_by, held_by)
        })
    }

    /// The measured time of a run in seconds.
    pub fn seconds(&self) -> f64 {
        self.runs[0].measured.as_secs_f64()
    }

    /// Each run's metric (a count) per second of measured time.
    pub fn per_second(&self, name: &str, metric: &str) -> Vec<f64> {
        let seconds = self.seconds();
        self.each(name, metric).iter().map(|count| count / seconds).collect()
    }
}

/// Adds the times of all requests, `latency.all`, to those of the good and of the failed ones.
fn put_together(result: &mut RunResult) {
    let mut all = Vec::new();
    for failed in result.observations.iter().filter(|o| o.metric == "latency.failed") {
        let mut good = result.observations.iter().filter(|o| o.component == failed.component);
        let good = good
            .find(|o| o.metric == "latency")
            .expect("the good ones beside the failed ones");
        let mut value = good.value.clone();
        value.merge(&failed.value);
        all.push(Observation {
            component: failed.component,
            metric: "latency.all",
            value,
        });
    }
    result.observations.extend(all);
}

/// Combines two metrics run by run.
pub fn with(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
}

/// Multiplies each run's number.
pub fn times(values: &[f64], factor: f64) -> Vec<f64> {
    values.iter().map(|value| value * factor).collect()
}
