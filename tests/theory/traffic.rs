//! Arrival processes: their rates, and how far their counts scatter.

use super::lab::Lab;
use super::page::{Case, Group};
use std::sync::OnceLock;

/// Traffic into a function that does nothing, with windows of one second.
fn scenario(arrivals: &str, seconds: u32) -> Lab {
    Lab::run(
        &format!(
            "run: {{ length: {seconds} s, warmup: 0 s, window: 1 s }}\n\
             clients: {{ web: {{ to: f, arrivals: {arrivals} }} }}\n\
             functions: {{ f: {{ handler: [] }} }}\n"
        ),
        32,
    )
}

/// Variance over mean of each run's counts per window of a second.
fn dispersion(lab: &Lab, mean: f64) -> Vec<f64> {
    let one =
        |counts: &&[f64]| counts.iter().map(|n| (n - mean) * (n - mean)).sum::<f64>() / counts.len() as f64 / mean;
    lab.windows("web", "requests").iter().map(one).collect()
}

/// Variance over mean of the counts in an interval `t` of a Poisson process that switches between two rates, staying
/// for exponential times of these means.
fn switched((on, off): (f64, f64), (on_for, off_for): (f64, f64), t: f64) -> (f64, f64) {
    let (leave_on, leave_off) = (1.0 / on_for, 1.0 / off_for);
    let r = leave_on + leave_off;
    let share = leave_off / r;
    let mean = share * on + (1.0 - share) * off;
    let scatter = 2.0 * share * (1.0 - share) * (on - off) * (on - off);
    let excess = scatter * (t / r + libm::expm1(-r * t) / (r * r));
    (mean, 1.0 + excess / (mean * t))
}

/// Rates and scatter of arrival processes.
pub fn arrivals() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        let mut case = |arrivals: &str, seconds, source, mean: f64, scatter: Option<f64>| {
            let lab = scenario(arrivals, seconds);
            let inputs = format!("`{arrivals}`");
            cases.push(Case::mean(
                &inputs,
                "requests, 1/s",
                source,
                mean,
                &lab.per_second("web", "requests"),
            ));
            if let Some(scatter) = scatter {
                cases.push(Case::mean(
                    &inputs,
                    "variance / mean, per s",
                    source,
                    scatter,
                    &dispersion(&lab, mean),
                ));
            }
        };
        case("{ poisson: 50/s }", 2000, "Poisson", 50.0, Some(1.0));
        let (mean, scatter) = switched((100.0, 20.0), (2.0, 6.0), 1.0);
        let bursty = "{ bursty: { on: 100/s, off: 20/s, on_for: 2 s, off_for: 6 s } }";
        case(bursty, 20_000, "two-state MMPP", mean, Some(scatter));
        let states =
            "{ modulated: [ { rate: 10/s, stay: 1 s }, { rate: 60/s, stay: 3 s }, { rate: 20/s, stay: 6 s } ] }";
        case(states, 4000, "weighted mean", 31.0, None);
        case("{ poisson: 10/s, batch: 5 }", 4000, "compound Poisson", 50.0, Some(5.0));
        let ramp = "{ rates: [ { at: 0 s, rate: 20/s }, { at: 100 s, rate: 100/s, ramp: true } ], repeat: 150 s }";
        case(
            ramp,
            1500,
            "integral of the rate",
            (60.0 * 100.0 + 100.0 * 50.0) / 150.0,
            None,
        );
        let spike = "{ poisson: 50/s, spikes: [ { at: 100 s, for: 50 s, rate: 200/s } ] }";
        case(
            spike,
            500,
            "integral of the rate",
            (50.0 * 450.0 + 200.0 * 50.0) / 500.0,
            None,
        );
        Group {
            title: "Traffic",
            about: "Mean rates, and the variance over the mean of counts per second: 1 for Poisson traffic, the batch \
            size for \
                    batches, and for a process that switches between two rates λ1, λ2 with shares p1, p2 and \
                    switching rate r: \
                    1 + 2 p1 p2 (λ1 - λ2)² (t/r - (1 - e^(-rt))/r²) / (λt) (Fischer and Meier-Hellstern 1993).",
            cases,
        }
    })
}

#[test]
fn traffic_has_its_rate_and_scatter() {
    arrivals().assert_holds();
}
