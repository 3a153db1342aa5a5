//! Makes the pictures of `scenarios/README.md`: runs each scenario and writes the picture that answers its question to
//! `docs/images/gallery/`.
//!
//! `cargo run --release --example gallery` makes all of them, `... --example gallery hello saga` some. The seeds are
//! fixed, so a picture only changes with the program, the scenario or the prices.

use coldcurve::report::chart::pictures;
use coldcurve::run::{Options, load};
use std::path::Path;
use std::process::ExitCode;

/// Each scenario with the file stem of its picture, as `coldcurve run` names them.
const PICTURES: [(&str, &str); 57] = [
    ("api-function-table", "expected"),
    ("aurora-pause", "expected"),
    ("aurora-surge", "expected"),
    ("bad-hour", "good-failed-offered"),
    ("cold-starts-by-runtime", "expected"),
    ("dependency-slows", "latency-p99-over-time"),
    ("empty-start", "expected"),
    ("etl-workflow", "expected"),
    ("every-platform", "expected"),
    ("fan-out", "expected"),
    ("fifo-poison", "expected"),
    ("fifty-million-a-day", "bill-sweep"),
    ("fifty-tiny-functions", "expected"),
    ("five-providers", "overview"),
    ("four-reads", "overview"),
    ("function-chain", "expected"),
    ("hedging", "expected"),
    ("hello", "latency-distribution"),
    ("hidden-limits", "expected"),
    ("hot-key", "expected"),
    ("image-pipeline", "expected"),
    ("invented-provider", "expected"),
    ("isolates-versus-containers", "expected"),
    ("knative-panic", "overview"),
    ("metastable", "good-failed-offered"),
    ("midnight-crons", "instances-report"),
    ("on-demand-or-provisioned", "bill-sweep"),
    ("order-processing", "expected"),
    ("outbox", "expected"),
    ("paid-while-waiting", "bill-sweep"),
    ("photo-events", "expected"),
    ("picture-tagging", "expected"),
    ("provisioned-bill", "overview"),
    ("provisioned-bill-cpu-share", "bill-sweep"),
    ("provisioned-bill-hours", "bill-sweep"),
    ("provisioned-bill-memory", "bill-sweep"),
    ("provisioned-bill-pool", "bill-sweep"),
    ("queue-drain", "queue-jobs"),
    ("real-traffic", "expected"),
    ("recorded-calls", "expected"),
    ("regional-limit", "latency-p99-over-time"),
    ("retry-storm", "good-failed-offered"),
    ("runaway-producer", "expected"),
    ("saga", "expected"),
    ("sign-up", "expected"),
    ("standard-or-express", "bill-sweep"),
    ("stream-hot-shard", "expected"),
    ("stream-poison", "expected"),
    ("table-autoscaling", "expected"),
    ("thirty-million-a-month", "bill-sweep"),
    ("thousand-connections", "expected"),
    ("three-hour-job", "expected"),
    ("thumbnails", "expected"),
    ("two-weeks", "expected"),
    ("veda-outage", "good-failed-offered"),
    ("webhooks", "expected"),
    ("zone-outage", "latency-p99-over-time"),
];

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let mut failed = false;
    for name in &asked {
        if !PICTURES.iter().any(|(scenario, _)| scenario == name) {
            eprintln!("{name}: the gallery has no such scenario");
            failed = true;
        }
    }
    for (scenario, stem) in PICTURES {
        if !asked.is_empty() && !asked.iter().any(|name| name == scenario) {
            continue;
        }
        match draw(scenario, stem) {
            Ok(bytes) => println!("{scenario}: {stem}, {} KB", bytes.div_ceil(1000)),
            Err(problem) => {
                eprintln!("{scenario}: {problem}");
                failed = true;
            }
        }
    }
    ExitCode::from(u8::from(failed))
}

/// Runs a scenario and writes its picture; returns the size of the file in bytes.
fn draw(scenario: &str, stem: &str) -> Result<usize, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let loaded = load(&root.join(format!("scenarios/{scenario}.yaml")), &Options::default());
    let Some(study) = loaded.study else {
        return Err(loaded.diagnostics.render(&loaded.sources, false));
    };
    let summary = study
        .run(&|| ())
        .map_err(|refused| refused.diagnostics().render(&loaded.sources, false))?;
    let all = pictures(&summary);
    let Some(named) = all.iter().find(|named| named.stem == stem) else {
        let stems: Vec<&str> = all.iter().map(|named| named.stem.as_str()).collect();
        return Err(format!("no picture {stem} among {}", stems.join(", ")));
    };
    let svg = named.picture.svg().map_err(|problem| problem.to_string())?;
    let folder = root.join("docs/images/gallery");
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join(format!("{scenario}.svg")), &svg))
        .map_err(|problem| problem.to_string())?;
    Ok(svg.len())
}
