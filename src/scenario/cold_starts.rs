//! Measured cold starts: the embedded table of AWS Lambda's "Init Duration" by runtime, memory, architecture and
//! package type, as samplers.
//!
//! Hello-world functions only: what an application's own dependencies add goes on top.
//! Source: maxday/lambda-perf (Apache-2.0), see catalog/data/README.md.

use crate::kernel::Sampler;
use crate::kernel::number::whole;
use std::sync::LazyLock;

const TEXT: &str = include_str!("../../catalog/data/lambda-cold-starts.csv");

/// Probabilities of the table's quantile columns, from `min_ms` to `max_ms`.
const PROBABILITIES: [f64; 10] = [0.0, 0.05, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 0.999, 1.0];

/// One row.
struct Row {
    id: String,
    name: String,
    memory_mb: u64,
    arch: String,
    package: String,
    quantiles_ms: [f64; 10],
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(TEXT.as_bytes());
    let rows = reader.records().map(|record| {
        let record = record.expect("the embedded table is well formed");
        let number = |i: usize| record[i].parse::<f64>().expect("the embedded table holds numbers");
        Row {
            id: record[0].to_owned(),
            name: record[1].to_owned(),
            memory_mb: whole(number(2)),
            arch: record[3].to_owned(),
            package: record[4].to_owned(),
            quantiles_ms: std::array::from_fn(|i| number(5 + i)),
        }
    });
    rows.collect()
});

/// The runtimes that were measured, each once.
pub fn runtimes() -> Vec<&'static str> {
    let mut ids: Vec<&str> = ROWS.iter().map(|row| row.id.as_str()).collect();
    ids.dedup();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Whether a runtime was measured in any configuration.
pub fn is_runtime(runtime: &str) -> bool {
    ROWS.iter().any(|row| row.id == runtime || row.name == runtime)
}

/// The init time of a runtime, in nanoseconds: the row of this architecture and package type whose memory is nearest
/// (init hardly depends on memory). `None` if that combination was not measured.
pub fn init_time(runtime: &str, memory_mb: u64, arch: &str, package: &str) -> Option<Sampler> {
    let fits = |row: &&Row| (row.id == runtime || row.name == runtime) && row.arch == arch && row.package == package;
    let row = ROWS
        .iter()
        .filter(fits)
        .min_by_key(|row| row.memory_mb.abs_diff(memory_mb))?;
    let points = PROBABILITIES.iter().zip(row.quantiles_ms).map(|(&p, ms)| (p, ms * 1e6));
    Some(Sampler::Quantiles(points.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_starts_in_about_a_tenth_of_a_second() {
        let init = init_time("python3.13", 512, "x86", "zip").unwrap();
        let Sampler::Quantiles(points) = &init else {
            panic!("a table")
        };
        assert!((points[3].1 / 1e6 - 98.0).abs() < 2.0, "median {} ns", points[3].1);
        assert!(init_time("cobol", 512, "x86", "zip").is_none());
        assert!(runtimes().contains(&"java21") && is_runtime("nodejs22"));
    }
}
