//! Bursts of a hundred cold requests, as a study of 2021 measured them.

use super::lab::{Column, Lab, plan_with};
use super::page::{Case, Group};
use coldcurve::stats::Histogram;
use std::sync::OnceLock;

/// So many requests at once to a function that has no instance, with 26 ms of network.
fn burst(service: &str, work: &str, requests: usize, runs: u64) -> Lab {
    let text = format!(
        "run: {{ length: 300 s, warmup: 0 s, window: 10 h }}\n\
         clients: {{ web: {{ to: f, network: 26 ms, timeout: 299 s, \
         arrivals: {{ times: {{ file: t, column: t }} }} }} }}\n\
         functions: {{ f: {{ service: {service}, timeout: 290 s, handler: [ {work} ] }} }}\n"
    );
    Lab::of(plan_with(&text, &Column::of(vec![0; requests])), runs)
}

/// Each run's quantile in ms.
fn quantile(lab: &Lab, q: f64) -> Vec<f64> {
    let one = |h: &&Histogram| h.quantile(q) as f64 / 1e6;
    lab.histograms("web", "latency").iter().map(one).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The median and the 99th percentile of all runs together, in ms.
fn pooled(lab: &Lab) -> [f64; 2] {
    let mut all = Histogram::new();
    lab.histograms("web", "latency").into_iter().for_each(|h| all.merge(h));
    [0.5, 0.99].map(|q| all.quantile(q) as f64 / 1e6)
}

/// A cold request alone, as each platform's clients saw it.
fn alone(cases: &mut Vec<Case>) {
    for (name, service, warm_ms, measured, limit) in [
        ("AWS Lambda", "aws.lambda, memory: 2048 MB", 18, [448.0, 672.0], 25.0),
        (
            "Google, first generation",
            "google.functions",
            17,
            [870.0, 1566.0],
            15.0,
        ),
        (
            "Azure, Consumption",
            "azure.functions.consumption",
            25,
            [1401.0, 3643.0],
            15.0,
        ),
    ] {
        let simulated = pooled(&burst(service, &format!("wait: {warm_ms} ms"), 1, 2000));
        let inputs = format!("{name}, a cold request alone");
        for (i, what) in ["median, ms", "p99, ms"].into_iter().enumerate() {
            let (measured, simulated) = (measured[i], simulated[i]);
            cases.push(Case::shown(&inputs, what, "STeLLAR, 2021", measured, &[simulated; 2]));
            let error = 100.0 * (simulated / measured - 1.0).abs();
            let quantity = format!("error of the {what}, %");
            cases.push(Case::at_most(&inputs, &quantity, "threshold", limit, error));
        }
    }
}

/// A hundred jobs of 1 s at once: the median and p99 of runs, and how far off they may be if that is judged.
fn hundred(cases: &mut Vec<Case>, name: &str, lab: &Lab, measured: [f64; 2], limit: Option<f64>) {
    for (q, what, measured) in [(0.5, "median, ms", measured[0]), (0.99, "p99, ms", measured[1])] {
        let simulated = quantile(lab, q);
        cases.push(Case::shown(name, what, "STeLLAR, 2021", measured, &simulated));
        if let Some(limit) = limit {
            let error = 100.0 * (mean(&simulated) / measured - 1.0).abs();
            let quantity = format!("error of the {what}, %");
            cases.push(Case::at_most(name, &quantity, "threshold", limit, error));
        }
    }
}

/// The group.
pub fn stellar() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        alone(&mut cases);
        let lambda = |requests| burst("aws.lambda, memory: 2048 MB", "wait: 1018 ms", requests, 64);
        let long = lambda(100);
        let inputs = "AWS Lambda, 100 at once, all cold, 1 s of work";
        hundred(&mut cases, inputs, &long, [1598.0, 1865.0], Some(20.0));
        let ratio = mean(&quantile(&long, 0.5)) / mean(&quantile(&lambda(1), 0.5));
        let inputs = "AWS Lambda, 100 at once over one alone";
        cases.push(Case::at_most(inputs, "median over median", "no queue", 1.05, ratio));
        let google = burst("google.functions", "wait: 1 s", 100, 64);
        let inputs = "Google, first generation, the same burst";
        hundred(&mut cases, inputs, &google, [2978.0, 4595.0], Some(20.0));
        let seen = [18_637.0, 38_545.0];
        let azure = burst("azure.functions.consumption", "cpu: 1 s", 100, 16);
        hundred(&mut cases, "Azure, Consumption, the same burst", &azure, seen, None);
        let one_by_one =
            "azure.functions.consumption, concurrency_per_instance: 1, scaling: { burst: 2, refill: 0.1/s }";
        let azure = burst(one_by_one, "cpu: 1 s", 100, 64);
        let inputs = "the same, one by one, a third instance after 10 s, ...";
        hundred(&mut cases, inputs, &azure, seen, Some(20.0));
        Group {
            title: "Measured: bursts of a hundred, 2021",
            about: "STeLLAR (IISWC 2021) sent cold requests alone, and bursts of 100 requests of 1 s to functions \
                    without instances; *expected* is what its authors saw. Alone, the presets of Google and Azure have \
                    these very figures, so 15 % is what the assumed shapes may cost; that of AWS has init times of \
                    2026, hence 25 %. AWS Lambda starts an instance for each of a hundred, so that the burst ends as \
                    one alone. The limit is 20 %: the study's own cold starts range from 220 ms (burst, no work) over \
                    404 ms (alone) to 554 ms (burst, 1 s of work) beyond a warm call, and the preset lies between. \
                    Google and Azure queued, and how their scalers decided is not published. For Google the preset has \
                    a rate of starts that was chosen for the two figures. Azure's documented hundred requests at \
                    once on an instance put the whole burst on the first one, which is far from what was seen; handled \
                    one by one, with an instance more every 10 s, the preset comes within 20 % (two numbers chosen for \
                    two), so write that for work that computes. Bursts to warm instances were slower than single \
                    calls, too; here instances do not slow each other down.",
            cases,
        }
    })
}

#[test]
fn bursts_come_out_near_what_was_measured() {
    stellar().assert_holds();
}
