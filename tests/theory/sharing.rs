//! Servers without limit, Little's law, and processor sharing on one instance.

use super::lab::{Lab, times, with};
use super::page::{Case, Group};
use coldcurve::stats::Histogram;
use coldcurve::stats::formulas::{Mmc, mm1_ps_response_variance, ps_mean_response};
use std::sync::OnceLock;

/// M/G/infinity and Little's law.
pub fn unlimited() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (lambda, service, mean) in [
            (50.0, "{ exponential: 200 ms }", 0.2),
            (50.0, "{ mean: 200 ms, cv: 2 }", 0.2),
            (50.0, "{ uniform: [100 ms, 300 ms] }", 0.2),
            (5.0, "{ weibull: { scale: 1 s, shape: 0.5 } }", 2.0),
        ] {
            let lab = Lab::run(
                &format!(
                    "run: {{ length: 1900 s, warmup: 300 s, window: 10 h }}\n\
                     clients: {{ web: {{ to: f, arrivals: {{ poisson: {lambda}/s }} }} }}\n\
                     functions: {{ f: {{ handler: [ wait: {service} ] }} }}\n"
                ),
                32,
            );
            let busy = lab.each("f", "instances.busy");
            let offered = with(
                &lab.per_second("web", "requests"),
                &lab.each("web", "latency"),
                |rate, ns| rate * ns / 1e9,
            );
            let inputs = format!("λ = {lambda}, `{service}`");
            cases.extend([
                Case::mean(&inputs, "busy instances", "a", lambda * mean, &busy),
                Case::mean(
                    &inputs,
                    "busy / (throughput × latency)",
                    "Little's law",
                    1.0,
                    &with(&busy, &offered, |l, r| l / r),
                ),
            ]);
        }
        Group {
            title: "Unlimited instances",
            about: "M/G/infinity: the mean number busy is a = λS whatever the distribution of service, and on each \
            path it is \
                    throughput times latency (Little's law), but for the requests that are under way at the edges.",
            cases,
        }
    })
}

fn shared(lambda: f64, cores: u32, service: &str, seconds: u32) -> Lab {
    Lab::run(
        &format!(
            "run: {{ length: {} s, warmup: 500 s, window: 10000 h }}\n\
             clients: {{ web: {{ to: f, arrivals: {{ poisson: {lambda}/s }} }} }}\n\
             functions:\n  f:\n    cpu: {cores}\n    concurrency_per_instance: 10000\n    maximum_instances: 1\n    \
             idle_timeout: 10 h\n    handler: [ cpu: {service} ]\n",
            500 + seconds
        ),
        32,
    )
}

/// The standard deviation of each run's latencies in ms, from their histograms.
fn deviations(histograms: &[&Histogram]) -> Vec<f64> {
    let one = |h: &&Histogram| {
        let mean = h.mean();
        let square = |(low, high, n): (u64, u64, u64)| ((low + high) as f64 / 2.0 - mean).powi(2) * n as f64;
        (h.buckets().map(square).sum::<f64>() / h.count() as f64).sqrt() / 1e6
    };
    histograms.iter().map(one).collect()
}

/// Requests that share the cores of one instance.
pub fn processors() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (rho, service, seconds) in [
            (0.5, "{ exponential: 100 ms }", 4000),
            (0.5, "{ constant: 100 ms }", 3000),
            (0.5, "{ mean: 100 ms, cv: 2 }", 6000),
            (0.8, "{ exponential: 100 ms }", 20_000),
            (0.8, "{ constant: 100 ms }", 12_000),
        ] {
            let lab = shared(10.0 * rho, 1, service, seconds);
            let inputs = format!("1 core, ρ = {rho}, `{service}`");
            let expected = 1e3 * ps_mean_response(0.1, rho);
            let mean = times(&lab.each("f", "duration"), 1e-6);
            cases.push(Case::mean(&inputs, "mean response, ms", "S / (1 - ρ)", expected, &mean));
            if service.contains("exponential") && rho < 0.6 {
                let expected = 1e3 * mm1_ps_response_variance(0.1, rho).sqrt();
                let deviation = deviations(&lab.histograms("f", "duration"));
                cases.push(Case::mean(
                    &inputs,
                    "standard deviation, ms",
                    "Coffman et al. 1970",
                    expected,
                    &deviation,
                ));
            }
        }
        for (lambda, cores, seconds) in [(15.0, 2, 8000), (32.0, 4, 8000)] {
            let lab = shared(lambda, cores, "{ exponential: 100 ms }", seconds);
            let inputs = format!("{cores} cores, λ = {lambda}, exponential 100 ms");
            let expected = 1e3 * Mmc::new(lambda, 10.0, cores).mean_response();
            let mean = times(&lab.each("f", "duration"), 1e-6);
            cases.push(Case::mean(&inputs, "mean response, ms", "M/M/c", expected, &mean));
        }
        Group {
            title: "Requests that share an instance",
            about: "One instance that takes any number of requests at once and shares its cores among them. On one \
            core that is \
                    M/G/1 with processor sharing: the mean response is S / (1 - ρ) for every distribution (Kleinrock \
                    II, \
                    section 4.4). On c cores and with exponential demands the number present is that of M/M/c, and so \
                    is the \
                    mean response.",
            cases,
        }
    })
}

#[test]
fn unlimited_instances_obey_little() {
    unlimited().assert_holds();
}

#[test]
fn shared_cores_are_processor_sharing() {
    processors().assert_holds();
}
