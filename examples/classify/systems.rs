//! Systems with a steady state, and one without, on which the classification of cells is tried.

use coldcurve::model::Plan;
use coldcurve::model::world::build::build;
use coldcurve::model::world::run::World;
use coldcurve::run::tally::Packed;
use coldcurve::run::verdict::{Class, has_two_regimes, least_p_value, moving};
use coldcurve::scenario::{Catalog, Diagnostics, NoFiles, Sources, parse};
use rayon::prelude::*;

/// Runs of a cell.
pub const RUNS: u64 = 8;

/// Steady systems: a name and a scenario. Each is measured for many of its own relaxation times, but for the one that
/// starts empty, which is measured from the start.
pub const STEADY: [(&str, &str); 6] = [
    (
        "M/M/10 at 90 %, service 10 ms",
        "run: { length: 6 s, warmup: 1 s, window: 500 ms }\n\
         clients: { web: { to: s, arrivals: { poisson: 900/s } } }\n\
         fleets: { s: { vcpu: 1, count: 10, slots: 1, dispatch: shared-queue, handler: [ wait: { exponential: 10 ms } ] } }",
    ),
    (
        "M/M/10 at 90 %, service 30 s",
        "run: { length: 4 h, warmup: 1 h, window: 10 min }\n\
         clients: { web: { to: s, timeout: 10 h, arrivals: { poisson: 0.3/s } } }\n\
         fleets: { s: { vcpu: 1, count: 10, slots: 1, dispatch: shared-queue, handler: [ wait: { exponential: 30 s } ] } }",
    ),
    (
        "on/off traffic",
        "run: { length: 5 min, warmup: 1 min, window: 20 s }\n\
         clients: { web: { to: s, timeout: 1 h, arrivals: { modulated: \
         [ { rate: 20/s, stay: 1 s }, { rate: 2/s, stay: 2 s } ] } } }\n\
         fleets: { s: { vcpu: 1, count: 10, slots: 1, dispatch: shared-queue, handler: [ wait: { exponential: 1 s } ] } }",
    ),
    (
        "heavy tails",
        "run: { length: 4 min, warmup: 1 min, window: 15 s }\n\
         clients: { web: { to: s, timeout: 1 h, arrivals: { poisson: 16/s } } }\n\
         fleets: { s: { vcpu: 1, count: 4, slots: 1, dispatch: shared-queue, \
         handler: [ wait: { median: 50 ms, p99: 2 s } ] } }",
    ),
    (
        "rare failures, with retries",
        "run: { length: 2 min, warmup: 10 s, window: 10 s }\n\
         clients: { web: { to: f, retry: { attempts: 3 }, arrivals: { poisson: 25/s } } }\n\
         functions: { f: { failure: 0.1%, handler: [ wait: { exponential: 50 ms } ] } }",
    ),
    (
        "M/M/10 at 90 %, service 30 s, empty start",
        "run: { length: 2 h, warmup: 0 s, window: 10 min }\n\
         clients: { web: { to: s, timeout: 10 h, arrivals: { poisson: 0.3/s } } }\n\
         fleets: { s: { vcpu: 1, count: 10, slots: 1, dispatch: shared-queue, handler: [ wait: { exponential: 30 s } ] } }",
    ),
];

/// An M/M/1 queue that gets 1,000 requests a second, a twentieth more than it can do, for so many minutes.
pub fn overloaded(minutes: u32) -> String {
    format!(
        "run: {{ length: {minutes} min, warmup: 0 s, window: {} s }}\n\
         clients: {{ web: {{ to: s, timeout: 10 h, arrivals: {{ poisson: 1000/s }} }} }}\n\
         fleets: {{ s: {{ vcpu: 1, slots: 1, handler: [ wait: {{ exponential: 1.05 ms }} ] }} }}",
        6 * minutes
    )
}

/// What a study of many independent cells of one system found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Cells with a p-value of at most .1.
    pub tenth: usize,
    /// Cells with a p-value of at most .01.
    pub hundredth: usize,
    /// Cells named as growing, draining or of two regimes, each in a file of so many cells as were asked for.
    pub named: usize,
    /// Cells called too short.
    pub short: usize,
}

/// The plan of a scenario's text.
pub fn plan(text: &str) -> Plan {
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.add("system.yaml", text);
    let catalog = Catalog::load(None, &mut sources, &diagnostics);
    let root = parse(&sources, file, &diagnostics);
    let plan = root.and_then(|root| build(&root, &catalog, &diagnostics, &NoFiles));
    assert!(!diagnostics.has_errors(), "{}", diagnostics.render(&sources, false));
    plan.expect("no problem, so a plan").0
}

/// Runs `cells` cells of a system, each with a seed of its own from `seed` on, and judges each as one of `of_file`.
pub fn study(text: &str, cells: u64, of_file: usize, seed: u64) -> Found {
    let plan = plan(text);
    let one = |cell: u64| {
        let mut plan = plan.clone();
        plan.seed = seed + cell;
        let pack = |run| Packed::of(&World::new(&plan, run).run(), plan.window);
        let runs: Vec<Packed> = (0..RUNS).map(pack).collect();
        let runs: Vec<&Packed> = runs.iter().collect();
        let p = least_p_value(&plan, &runs);
        let verdicts = moving(&plan, &runs, of_file);
        let is = |class| verdicts.iter().any(|verdict| verdict.class == class);
        let named = is(Class::Growing) || is(Class::Draining) || has_two_regimes(&plan, &runs);
        Found {
            tenth: usize::from(p <= 0.1),
            hundredth: usize::from(p <= 0.01),
            named: usize::from(named),
            short: usize::from(is(Class::TooShort)),
        }
    };
    let add = |a: Found, b: Found| Found {
        tenth: a.tenth + b.tenth,
        hundredth: a.hundredth + b.hundredth,
        named: a.named + b.named,
        short: a.short + b.short,
    };
    (0..cells).into_par_iter().map(one).reduce(Found::default, add)
}
