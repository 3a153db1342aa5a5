//! Platforms as they were measured from outside: how fast containers come, and how long instances stay.

use super::lab::{Column, Lab, plan_with};
use super::page::{Case, Group};
use std::path::Path;
use std::sync::OnceLock;

/// Containers that were wanted.
const WANTED: f64 = 3500.0;

/// Seconds from the decision to launch 3,500 containers to the first and to the last of them, on average over runs.
fn ramp(service: &str) -> (f64, f64) {
    // One container sees 40 requests/s where 0.01/s are wanted: after a minute and the delay of the metric, at 120 s,
    // the autoscaler wants as many as it may have.
    let lab = Lab::run(
        &format!(
            "run: {{ length: 1200 s, warmup: 0 s, window: 1 s }}\n\
             clients: {{ web: {{ to: f, arrivals: {{ constant: 40/s }} }} }}\n\
             fleets: {{ f: {{ service: {service}, vcpu: 1, memory: 2 GB, alarm_periods: {{ out: 1 min }}, scaling: {{ \
             maximum: {}, requests_per_instance: 0.01/s }} }} }}\n",
            WANTED + 1.0
        ),
        4,
    );
    let after = |windows: &[f64], level: f64| {
        let place = windows.iter().position(|&running| running >= level);
        place.expect("all are there in the end") as f64 - 120.0
    };
    let runs = lab.windows("f", "instances.running");
    let mean = |level: f64| runs.iter().map(|windows| after(windows, level)).sum::<f64>() / runs.len() as f64;
    (mean(2.0), mean(WANTED + 0.9))
}

/// Environments of a function that 3,500 callers want at once and ask for again every second: after so many seconds.
fn lambda_ramp(at_s: &[usize]) -> Vec<f64> {
    let text = "run: { length: 100 s, warmup: 0 s, window: 1 s }\n\
                accounts: { aws: { concurrency: 10000 } }\n\
                clients: { web: { to: f, arrivals: { times: { file: t, column: t } }, \
                retry: { attempts: 100, base: 1 s, base_throttled: 1 s, cap: 1 s, factor: 1, jitter: none } } }\n\
                functions: { f: { service: aws.lambda, account: aws, memory: 1 GB, timeout: 15 min, \
                scaling: { burst: 3000, refill: 500/min }, handler: [ wait: 10 min ] } }\n";
    let lab = Lab::of(plan_with(text, &Column::of(vec![0; WANTED as usize])), 1);
    let windows = lab.windows("f", "instances")[0];
    at_s.iter().map(|&second| windows[second]).collect()
}

/// 3,500 containers from none.
pub fn ramps() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        let source = "V. Ionescu, 2022";
        for (service, name, first, last, limits) in [
            ("aws.fargate", "ECS on Fargate", 30.0, 270.0, [35.0, 20.0]),
            ("aws.ec2.ecs", "ECS on EC2", 150.0, 600.0, [15.0, 15.0]),
        ] {
            let (began, ended) = ramp(service);
            let inputs = format!("{name}, from 1 to 3,500 more");
            for (what, measured, simulated, limit) in
                [("first", first, began, limits[0]), ("last", last, ended, limits[1])]
            {
                cases.push(Case::shown(
                    &inputs,
                    &format!("the {what} one, s"),
                    source,
                    measured,
                    &[simulated; 2],
                ));
                let error = 100.0 * (simulated / measured - 1.0).abs();
                cases.push(Case::at_most(
                    &inputs,
                    &format!("the {what} one, off by %"),
                    "threshold",
                    limit,
                    error,
                ));
            }
        }
        let seen = lambda_ramp(&[5, 70]);
        let inputs = "AWS Lambda, 3,500 at once, scaling of 2022";
        cases.push(Case::at_least(inputs, "after 5 s", source, 3000.0, seen[0]));
        cases.push(Case::at_least(inputs, "after 70 s", source, WANTED, seen[1]));
        Group {
            title: "Measured: 3,500 containers, 2022",
            about: "V. Ionescu (*Scaling containers on AWS in 2022*) let several platforms go from nothing to 3,500 \
                    containers. Fargate's first came after some 30 s and the last after 4.5 minutes; on ECS with \
                    machines of one's own these were 2.5 and 10 minutes; Lambda had 3,000 nearly at once, and all \
                    after its 500 a minute more. Fargate's preset has its quota (100 at once, 20 more a second) and \
                    its times of a start from elsewhere, so its line is a test: 20 % for the last one, since a time \
                    read from a chart is good to a quarter of a minute and images differ, and 35 % for the first one \
                    of a hundred, which is the lower tail of a start's distribution of which median and p99 alone are \
                    known. The preset of ECS on EC2 was chosen by this very test, so it shows the mechanism only. EKS \
                    (Fargate 8.5 minutes, machines 6.5) has no preset.",
            cases,
        }
    })
}

/// The measured share of cold calls by the seconds since the last call.
fn probes(provider: &str, year: &str) -> Vec<(u32, f64)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/keep-alive/cold-share-by-idle-time.csv");
    let mut reader = csv::Reader::from_path(path).expect("data that comes with the source");
    let rows = reader.records().map(|row| row.expect("a row"));
    let mine = rows.filter(|row| &row[0] == provider && &row[1] == year);
    mine.filter_map(|row| {
        let idle: u32 = row[3].parse().expect("a time");
        (idle > 0).then(|| (idle, row[6].parse().expect("a share")))
    })
    .collect()
}

/// The share of cold calls to a function that is called every so many seconds.
fn cold_share(service: &str, idle_s: u32) -> f64 {
    let calls = 1000;
    // Where instances are also recycled by age, that would be seen as well; the probes met young ones.
    let age = if service.starts_with("aws") {
        "maximum_age: 10000 h, "
    } else {
        ""
    };
    let text = format!(
        "run: {{ length: {} s, warmup: 0 s, window: 10000 h }}\n\
         clients: {{ probe: {{ to: f, arrivals: {{ times: {{ file: t, column: t, unit: s }} }} }} }}\n\
         functions: {{ f: {{ service: {service}, {age}placement: 0 s, init: 0 s, handler: [] }} }}\n",
        (calls + 2) * idle_s
    );
    let lab = Lab::of(plan_with(&text, &Column::of((0..=calls).map(|call| call * idle_s))), 1);
    // The first call is always cold.
    (lab.one("f", "cold_starts") - 1.0) / f64::from(calls)
}

/// A preset, the provider and year that it is held against, and every which of the measured pauses.
type Curve = (&'static str, &'static str, &'static str, usize);

/// How long idle instances stay.
pub fn idle_times() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        let curves: [Curve; 5] = [
            ("aws.lambda", "aws", "2025", 1),
            ("google.cloud_run", "gcp", "2025", 1),
            ("google.cloud_run.functions", "gcp", "2025", 1),
            ("google.functions", "gcp", "2021", 2),
            ("azure.functions.consumption", "azure", "2021", 3),
        ];
        for (service, provider, year, every) in curves {
            let (mut largest, mut sum, mut count) = (0.0_f64, 0.0, 0.0);
            for (idle_s, measured) in probes(provider, year).into_iter().step_by(every) {
                let simulated = cold_share(service, idle_s);
                let off = (simulated - measured).abs();
                (largest, sum, count) = (largest.max(off), sum + off, count + 1.0);
                if (0.02..0.98).contains(&measured) && (every == 1 || idle_s % 360 == 0) {
                    let inputs = format!("`{service}`, idle for {idle_s} s");
                    let source = if year == "2025" {
                        "100 probes, 2025"
                    } else {
                        "probes, 2021"
                    };
                    cases.push(Case::shown(inputs, "cold", source, measured, &[simulated; 2]));
                }
            }
            let inputs = format!("`{service}`, {count} pauses");
            cases.push(Case::at_most(&inputs, "largest difference", "threshold", 0.1, largest));
            cases.push(Case::at_most(
                &inputs,
                "mean difference",
                "threshold",
                0.03,
                sum / count,
            ));
        }
        Group {
            title: "Measured: how long idle instances stay, 2021 and 2025",
            about: "Calls with pauses between them, each after the same time (EuroSys 2026 artifact, probes of 2025; \
                    M. Shilkov, mikhail.io, January 2021; `data/keep-alive`): the share that found no instance any \
                    more. The presets carry these curves as distributions of the idle timeout, so this shows that what \
                    goes in comes out of calls. The limits are those of the data: a share from 100 probes has a \
                    standard error of up to 0.05, so 0.1 is two of them, and 0.03 is the mean of what such errors come \
                    to.",
            cases,
        }
    })
}

#[test]
fn containers_come_as_fast_as_measured() {
    ramps().assert_holds();
}

#[test]
fn idle_instances_stay_as_long_as_measured() {
    idle_times().assert_holds();
}

/// Pieces, steps and what comes free of charge are the provider's: its file may say others than the defaults.
#[test]
fn what_is_metered_is_said_by_fields() {
    let of = |disk: &str, event: &str, workflow: &str| {
        let plan = plan_with(
            &format!(
                "clients: {{ web: {{ to: w, arrivals: {{ poisson: 1/s }} }} }}\n\
                 functions:\n  f: {{ ephemeral_storage: 2 GB{disk}, asynchronous: {{ event_size: 300 KB{event} }} }}\n\
                 workflows:\n  w: {{ metering: duration, memory: 100 MB{workflow}, \
                 states: {{ one: {{ task: f }} }} }}\n"
            ),
            &coldcurve::scenario::NoFiles,
        );
        let f = &plan.functions[0];
        (
            f.ephemeral_mb,
            f.asynchronous.extra_requests,
            plan.workflows[0].memory_mb,
        )
    };
    assert_eq!(of("", "", ""), (1536, 1, 128));
    assert_eq!(
        of(
            ", ephemeral_storage_included: 1 GB",
            ", event_size_included: 0 KB, metering_size: 100 KB",
            ", memory_step: 30 MB"
        ),
        (1024, 3, 120)
    );
}
