//! AWS Lambda as it was measured in 2020 under steady Poisson load, against the model with the same rates.

use super::lab::Lab;
use super::page::{Case, Group};
use std::path::Path;
use std::sync::OnceLock;

/// One of the experiments.
struct Experiment {
    rate: f64,
    warm_ms: f64,
    cold_ms: f64,
    cold_ratio: f64,
    instances: f64,
}

fn published() -> Vec<Experiment> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/lambda-poisson-2020/simfaas-aws-experiments.csv");
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_path(path)
        .expect("data that comes with the source");
    let headers = reader.headers().expect("a header").clone();
    let column = |name: &str| headers.iter().position(|h| h == name).expect("a known column");
    let columns = [
        "ArrivalRate",
        "ServiceTimeWarm",
        "ServiceTimeCold",
        "ColdStartProbability",
        "AverageInstanceCount",
    ]
    .map(column);
    let read = |row: Result<csv::StringRecord, csv::Error>| {
        let row = row.expect("a row");
        let [rate, warm_ms, cold_ms, cold_ratio, instances] = columns.map(|i| row[i].parse().expect("a number"));
        Experiment {
            rate,
            warm_ms,
            cold_ms,
            cold_ratio,
            instances,
        }
    };
    reader.records().map(read).collect()
}

/// The experiments with an idle timeout of 10 minutes, as their authors assumed.
pub fn experiments() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        let (mut cold_errors, mut instance_errors) = (Vec::new(), Vec::new());
        for e in published() {
            let lab = Lab::run(
                &format!(
                    "run: {{ length: {} s, warmup: 2000 s, window: 100000 h }}\n\
                     clients: {{ web: {{ to: f, arrivals: {{ poisson: {}/s }} }} }}\n\
                     functions: {{ f: {{ idle_timeout: 10 min, placement: {} ms, handler: [ wait: {{ exponential: {} ms }} ] }} }}\n",
                    2000.0 + 40_000.0 / e.rate + 100_000.0,
                    e.rate,
                    e.cold_ms - e.warm_ms,
                    e.warm_ms
                ),
                16,
            );
            let inputs = format!("λ = {:.4}, warm {:.0} ms, cold {:.0} ms", e.rate, e.warm_ms, e.cold_ms);
            let cold = Case::shown(&inputs, "cold ratio", "AWS, 28 h", e.cold_ratio, &lab.each("f", "cold_ratio"));
            let instances = Case::shown(&inputs, "instances", "AWS, 28 h", e.instances, &lab.each("f", "instances"));
            cold_errors.push(cold.relative_error());
            instance_errors.push(instances.relative_error());
            cases.extend([cold, instances]);
        }
        let mean_percent = |errors: &[f64]| 100.0 * errors.iter().sum::<f64>() / errors.len() as f64;
        let all = format!("all {} experiments", cold_errors.len());
        cases.extend([
            Case::at_most(&all, "mean error of the cold ratio, %", "threshold", 15.0, mean_percent(&cold_errors)),
            Case::at_most(&all, "mean error of the instances, %", "threshold", 5.0, mean_percent(&instance_errors)),
        ]);
        Group {
            title: "Measured: cold starts of AWS Lambda, 2020",
            about: "Ten experiments of 28 hours each with Poisson traffic at a fixed rate (Mahmoudi and Khazaei, \
                    `data/lambda-poisson-2020/simfaas-aws-experiments.csv`); *expected* is what AWS Lambda did. The only inputs \
                    are the rate, the mean warm and cold response times, and an idle timeout of 10 minutes. The experiments' own \
                    standard error is 10 % of the cold ratio on average, so no model can do much better than that: the exact \
                    law comes to 13 % and 3 % over all twenty published experiments, SimFaaS to 12 % and 3 %.",
            cases,
        }
    })
}

#[test]
fn measured_cold_starts_come_out_within_their_noise() {
    experiments().assert_holds();
}
