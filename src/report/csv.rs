//! Tidy CSV files: one observation per row, a header, a comma, a point; a missing number is an empty field.
//!
//! Every file begins with `variant` and one column per swept parameter, named by its dotted path, with the values as
//! the scenario writes them. `unit` is one of `s`, `count`, `per_s`, `ratio`, `usd`, `level`, `bytes`, `1`.
//!
//! | file | further columns |
//! |---|---|
//! | `runs.csv` | `metric, unit, run, value`: one row per metric and replication; runs count from 0 |
//! | `summary.csv` | `metric, unit, mean, ci95_low, ci95_high, replications, class, at_least`: the class of the cell,
//! since no mean stands for a system that grows or has two regimes, and whether the mean is a lower bound |
//! | `differences.csv` | `minus, metric, unit, difference, ci95_low, ci95_high`: to the cell named by `minus`, with the
//! same dice |
//! | `latency.csv` | `distribution, unit, value, cumulative_share`: share of values at or below `value` |
//! | `levels.csv` | `name, level, share_of_time_at_or_above`: busy instances, queue depth, connections over time |
//! | `timeline.csv` | `timeline, unit, window, start_s, mean, ci95_low, ci95_high`; windows count from 0; of
//! runs with very many windows also `window_s`, since several are put together: the longest of times, the mean of
//! everything else |
//! | `bill.csv` | `component, service, line, quantity_unit, quantity, price, amount_usd, amount_ci95_low_usd,
//! amount_ci95_high_usd, confidence`; per month, the last row of a cell is the `total` |
//! | `causes.csv` | `requests,
//! cause, mean_s, share`: `requests` says which ones, such as `slowest 1%` or `failed` |
//! | `limits.csv` | `limit, component, caller, held_by, held_mean, hits, hits_ci95_low, hits_ci95_high, first_s,
//! worst_window_start_s, worst_window_hits, windows_ratio`: limits that were run into, per replication |
//! | `verdicts.csv` | `class, metric, words, hint, since_s, per_second, doubles_every_s, p_value, lost, of`: what was found
//! about each cell, in the order of precedence, then what it lost (`class` is `loses`) |
//! | `regimes.csv` | `regime, runs, of, metric, unit, mean, ci95_low, ci95_high`: figures of each of two regimes |
//! | `ledger.csv` | `source, state, place, why, units, per_run, ci95_low, ci95_high, partly`: where the units of work of
//! each source ended, in all replications and in one |
//! | `units.csv` | `source, number, arrived_s, state, place, why, partly, journey_s`: single units of the first
//! replication, of a run with `--record` |
//! | `steps.csv` | `source, number, at_s, component, attempt, what`: what happened to them |
//! | `faults.csv` | `fault, effect, on, begin_s, end_s`: when faults were active in the first replication |

use std::borrow::Cow;
use std::io::{self, Write};

use super::verdicts::class_name;
use crate::run::summary::{Cell, Estimate, Summary, Unit, place};
use crate::scenario::visible_line;

/// Writes one file of a summary.
pub type Writing = fn(&Summary, &mut dyn Write) -> io::Result<()>;

/// Every CSV file, by name. They are written as they come about, so that none of them is ever whole in memory.
pub const FILES: [(&str, Writing); 15] = [
    ("runs.csv", runs),
    ("summary.csv", summary_rows),
    ("differences.csv", differences),
    ("latency.csv", latency),
    ("levels.csv", levels),
    ("timeline.csv", timeline),
    ("bill.csv", bill),
    ("causes.csv", causes),
    ("limits.csv", limits),
    ("faults.csv", faults),
    ("verdicts.csv", verdict_rows),
    ("regimes.csv", regimes),
    ("ledger.csv", ledger),
    ("units.csv", units),
    ("steps.csv", steps),
];

/// The files that there are of a summary.
pub fn files(summary: &Summary) -> impl Iterator<Item = (&'static str, Writing)> {
    let recorded = summary.cells.iter().any(|cell| !cell.units.is_empty());
    let of_units = |name: &str| name == "units.csv" || name == "steps.csv";
    FILES.into_iter().filter(move |(name, _)| recorded || !of_units(name))
}

/// A CSV file under construction, with the columns that all files share.
struct Table<'a> {
    summary: &'a Summary,
    writer: csv::Writer<&'a mut dyn Write>,
}

impl<'a> Table<'a> {
    fn new(summary: &'a Summary, out: &'a mut dyn Write, columns: &[&str]) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        let axes = summary.axes.iter().map(|axis| axis.parameter.as_str());
        let header = std::iter::once("variant").chain(axes).chain(columns.iter().copied());
        write_line(&mut writer, header)?;
        Ok(Self { summary, writer })
    }

    fn row(&mut self, cell: &Cell, fields: &[String]) -> io::Result<()> {
        let missing = String::new();
        let there = |axis: usize| cell.point.get(axis).filter(|value| !value.is_absent());
        let points = (0..self.summary.axes.len()).map(|axis| there(axis).map_or(&missing, |value| &value.text));
        let texts = std::iter::once(&cell.variant).chain(points).chain(fields);
        write_line(&mut self.writer, texts.map(String::as_str))
    }

    fn finish(mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Writes one line of a file, nothing in it a formula.
fn write_line<'t>(writer: &mut csv::Writer<&mut dyn Write>, texts: impl Iterator<Item = &'t str>) -> io::Result<()> {
    for text in texts {
        writer.write_field(defused(text).as_bytes())?;
    }
    writer.write_record(None::<&[u8]>)?;
    Ok(())
}

/// A field that no spreadsheet takes for a formula: a text that begins like one gets an apostrophe before it, as
/// spreadsheets themselves write such texts. Numbers are left alone.
/// Source: <https://owasp.org/www-community/attacks/CSV_Injection>.
fn defused(text: &str) -> Cow<'_, str> {
    const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let begins = text.starts_with(FORMULA) || text.starts_with(['\t', '\r', '\n']);
    let line = visible_line(text);
    if begins && text.parse::<f64>().is_err() {
        return Cow::Owned(format!("'{line}"));
    }
    line
}

/// Shortest digits that read back to the same number; empty for what is not a number.
fn number(value: f64) -> String {
    if value.is_finite() {
        format!("{value}")
    } else {
        String::new()
    }
}

fn ends(estimate: &Estimate) -> (String, String) {
    estimate
        .interval
        .map_or_else(Default::default, |(low, high)| (number(low), number(high)))
}

/// Name of a unit in the `unit` column.
pub fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "s",
        Unit::Count => "count",
        Unit::PerSecond => "per_s",
        Unit::Ratio => "ratio",
        Unit::Dollars => "usd",
        Unit::Level => "level",
        Unit::Bytes => "bytes",
        Unit::Plain => "1",
    }
}

fn runs(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(summary, out, &["metric", "unit", "run", "value"])?;
    for cell in &summary.cells {
        for metric in &cell.metrics {
            for (run, value) in metric.per_replication.iter().enumerate() {
                let unit = unit_name(metric.unit).into();
                table.row(cell, &[metric.name.clone(), unit, run.to_string(), number(*value)])?;
            }
        }
    }
    table.finish()
}

fn summary_rows(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(
        summary,
        out,
        &[
            "metric",
            "unit",
            "mean",
            "ci95_low",
            "ci95_high",
            "replications",
            "class",
            "at_least",
        ],
    )?;
    for cell in &summary.cells {
        for metric in &cell.metrics {
            let (low, high) = ends(&metric.estimate);
            let mean = number(metric.estimate.mean);
            let replications = metric.estimate.replications.to_string();
            table.row(
                cell,
                &[
                    metric.name.clone(),
                    unit_name(metric.unit).into(),
                    mean,
                    low,
                    high,
                    replications,
                    class_name(cell.class()).into(),
                    metric.at_least.to_string(),
                ],
            )?;
        }
    }
    table.finish()
}

fn differences(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let columns = ["minus", "metric", "unit", "difference", "ci95_low", "ci95_high"];
    let mut table = Table::new(summary, out, &columns)?;
    let cells = summary.by_place();
    for found in &summary.differences {
        let Some(cell) = cells.get(&place(&found.variant, &found.point)) else {
            continue;
        };
        let points = found.minus_point.iter().map(|value| value.text.as_str());
        let minus: Vec<&str> = std::iter::once(found.minus_variant.as_str()).chain(points).collect();
        let (low, high) = ends(&found.difference);
        let fields = [
            minus.join(" "),
            found.metric.clone(),
            unit_name(found.unit).into(),
            number(found.difference.mean),
            low,
            high,
        ];
        table.row(cell, &fields)?;
    }
    table.finish()
}

fn latency(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(summary, out, &["distribution", "unit", "value", "cumulative_share"])?;
    for cell in &summary.cells {
        for distribution in &cell.distributions {
            for (value, share) in &distribution.points {
                let unit = unit_name(distribution.unit).into();
                table.row(cell, &[distribution.name.clone(), unit, number(*value), number(*share)])?;
            }
        }
    }
    table.finish()
}

fn levels(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(summary, out, &["name", "level", "share_of_time_at_or_above"])?;
    for cell in &summary.cells {
        for levels in &cell.levels {
            for (level, share) in &levels.points {
                table.row(cell, &[levels.name.clone(), number(*level), number(*share)])?;
            }
        }
    }
    table.finish()
}

fn timeline(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let mut columns = vec!["timeline", "unit", "window", "start_s", "mean", "ci95_low", "ci95_high"];
    let width_ns = summary.timeline_window_ns();
    let width = summary.coarser.as_ref().map(|_| number(width_ns as f64 / 1e9));
    columns.extend(width.as_ref().map(|_| "window_s"));
    let mut table = Table::new(summary, out, &columns)?;
    for cell in &summary.cells {
        for timeline in &cell.timelines {
            let at =
                |values: &[f64], window: usize| values.get(window).map_or_else(String::new, |value| number(*value));
            for window in 0..timeline.mean.len() {
                let start_ns = u128::from(width_ns) * window as u128;
                let mut fields = vec![
                    timeline.name.clone(),
                    unit_name(timeline.unit).into(),
                    window.to_string(),
                    number(start_ns as f64 / 1e9),
                    at(&timeline.mean, window),
                    at(&timeline.low, window),
                    at(&timeline.high, window),
                ];
                fields.extend(width.clone());
                table.row(cell, &fields)?;
            }
        }
    }
    table.finish()
}

fn bill(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let columns = [
        "component",
        "service",
        "line",
        "quantity_unit",
        "quantity",
        "price",
        "amount_usd",
        "amount_ci95_low_usd",
        "amount_ci95_high_usd",
        "confidence",
    ];
    let mut table = Table::new(summary, out, &columns)?;
    for cell in &summary.cells {
        for line in &cell.bill.lines {
            let (low, high) = ends(&line.amount);
            let fields = [
                line.component.clone(),
                line.service.clone(),
                line.line.clone(),
                line.unit.clone(),
                number(line.quantity.mean),
                line.price.clone(),
                number(line.amount.mean),
                low,
                high,
                line.confidence.clone(),
            ];
            table.row(cell, &fields)?;
        }
        let (low, high) = ends(&cell.bill.total);
        let mut fields: [String; 10] = Default::default();
        fields[0] = "total".into();
        fields[6] = number(cell.bill.total.mean);
        fields[7] = low;
        fields[8] = high;
        table.row(cell, &fields)?;
    }
    table.finish()
}

fn causes(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(summary, out, &["requests", "cause", "mean_s", "share"])?;
    for cell in &summary.cells {
        for breakdown in &cell.causes {
            for cause in &breakdown.causes {
                let fields = [
                    breakdown.name.clone(),
                    cause.cause.clone(),
                    number(cause.mean_s),
                    number(cause.share),
                ];
                table.row(cell, &fields)?;
            }
        }
    }
    table.finish()
}

fn limits(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let columns = [
        "limit",
        "component",
        "caller",
        "held_by",
        "held_mean",
        "hits",
        "hits_ci95_low",
        "hits_ci95_high",
        "first_s",
        "worst_window_start_s",
        "worst_window_hits",
        "windows_ratio",
    ];
    let mut table = Table::new(summary, out, &columns)?;
    for cell in &summary.cells {
        for hit in &cell.limits {
            let (low, high) = ends(&hit.hits);
            let fields = [
                hit.limit.clone(),
                hit.component.clone(),
                hit.caller.clone(),
                hit.held_by.clone(),
                number(hit.held_mean),
                number(hit.hits.mean),
                low,
                high,
                number(hit.first_s),
                number(hit.worst_window_s),
                number(hit.worst_window_hits),
                number(hit.windows_ratio),
            ];
            table.row(cell, &fields)?;
        }
    }
    table.finish()
}

fn faults(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(summary, out, &["fault", "effect", "on", "begin_s", "end_s"])?;
    for cell in &summary.cells {
        for fault in &cell.faults {
            for (begin, end) in &fault.spans {
                let on = fault.on.join(" ");
                let fields = [
                    fault.name.clone(),
                    fault.effect.clone(),
                    on,
                    number(*begin),
                    number(*end),
                ];
                table.row(cell, &fields)?;
            }
        }
    }
    table.finish()
}

fn verdict_rows(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let columns = [
        "class",
        "metric",
        "words",
        "hint",
        "since_s",
        "per_second",
        "doubles_every_s",
        "p_value",
        "lost",
        "of",
    ];
    let mut table = Table::new(summary, out, &columns)?;
    let maybe = |value: Option<f64>| value.map_or_else(String::new, number);
    for cell in &summary.cells {
        for verdict in &cell.verdicts {
            let mut fields: [String; 10] = Default::default();
            fields[0] = class_name(verdict.class).into();
            fields[1] = verdict.metric.clone().unwrap_or_default();
            fields[2].clone_from(&verdict.words);
            fields[3] = verdict.hint.clone().unwrap_or_default();
            fields[4] = maybe(verdict.since_s);
            fields[5] = maybe(verdict.per_second);
            fields[6] = maybe(verdict.doubles_every_s);
            fields[7] = maybe(verdict.p_value);
            table.row(cell, &fields)?;
        }
        for loss in &cell.losses {
            let mut fields: [String; 10] = Default::default();
            fields[0] = "loses".into();
            fields[1].clone_from(&loss.metric);
            fields[2].clone_from(&loss.words);
            fields[8] = loss.lost.to_string();
            fields[9] = loss.of.to_string();
            table.row(cell, &fields)?;
        }
    }
    table.finish()
}

fn ledger(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let columns = [
        "source",
        "state",
        "place",
        "why",
        "units",
        "per_run",
        "ci95_low",
        "ci95_high",
        "partly",
    ];
    let mut table = Table::new(summary, out, &columns)?;
    for cell in &summary.cells {
        for ledger in &cell.ledger {
            for end in &ledger.ends {
                let (low, high) = ends(&end.per_run);
                let fields = [
                    ledger.source.clone(),
                    end.state.name().to_owned(),
                    end.place.clone(),
                    end.why.clone(),
                    end.units.to_string(),
                    number(end.per_run.mean),
                    low,
                    high,
                    end.partly.to_string(),
                ];
                table.row(cell, &fields)?;
            }
        }
    }
    table.finish()
}

fn units(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let columns = [
        "source",
        "number",
        "arrived_s",
        "state",
        "place",
        "why",
        "partly",
        "journey_s",
    ];
    let mut table = Table::new(summary, out, &columns)?;
    for cell in &summary.cells {
        for unit in &cell.units {
            let fields = [
                unit.source.clone(),
                unit.number.to_string(),
                number(unit.arrived_s),
                unit.state.name().to_owned(),
                unit.place.clone(),
                unit.why.clone(),
                unit.partly.to_string(),
                number(unit.journey_s),
            ];
            table.row(cell, &fields)?;
        }
    }
    table.finish()
}

fn steps(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let columns = ["source", "number", "at_s", "component", "attempt", "what"];
    let mut table = Table::new(summary, out, &columns)?;
    for cell in &summary.cells {
        for unit in &cell.units {
            for step in &unit.steps {
                let fields = [
                    unit.source.clone(),
                    unit.number.to_string(),
                    number(step.at_s),
                    step.component.clone(),
                    step.attempt.to_string(),
                    step.what.clone(),
                ];
                table.row(cell, &fields)?;
            }
        }
    }
    table.finish()
}

fn regimes(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let columns = [
        "regime",
        "runs",
        "of",
        "metric",
        "unit",
        "mean",
        "ci95_low",
        "ci95_high",
    ];
    let mut table = Table::new(summary, out, &columns)?;
    for cell in &summary.cells {
        let all: usize = cell.regimes.iter().map(|regime| regime.runs.len()).sum();
        for regime in &cell.regimes {
            for metric in &regime.cell.metrics {
                let (low, high) = ends(&metric.estimate);
                let fields = [
                    regime.name.clone(),
                    regime.runs.len().to_string(),
                    all.to_string(),
                    metric.name.clone(),
                    unit_name(metric.unit).into(),
                    number(metric.estimate.mean),
                    low,
                    high,
                ];
                table.row(cell, &fields)?;
            }
        }
    }
    table.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn file(summary: &Summary, name: &str) -> Vec<Vec<String>> {
        let mut text = Vec::new();
        let (_, write) = FILES.iter().find(|(file, _)| *file == name).unwrap();
        write(summary, &mut text).unwrap();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&text[..]);
        reader
            .records()
            .map(|record| record.unwrap().iter().map(Into::into).collect())
            .collect()
    }

    #[test]
    fn sweeps_have_one_column_per_parameter() {
        let rows = file(&sample::words(), "summary.csv");
        let header = [
            "variant",
            "functions.checkout.runtime",
            "functions.checkout.memory",
            "metric",
            "unit",
            "mean",
        ];
        assert_eq!(rows[0][..6], header);
        assert_eq!(rows[1][..5], ["base", "java21", "256 MB", "offered", "per_s"]);
        assert_eq!(rows.len(), 1 + 6 * 9);
    }

    #[test]
    fn runs_have_a_row_per_metric_and_replication() {
        let rows = file(&sample::four(), "runs.csv");
        assert_eq!(rows.len(), 1 + 4 * 9 * 16);
        assert_eq!(rows[16][3], "15");
    }

    #[test]
    fn missing_numbers_are_empty_fields() {
        let rows = file(&sample::extremes(), "summary.csv");
        assert_eq!(rows[1][3..], ["", "", "", "0", "steady", "false"]);
        let timeline = file(&sample::extremes(), "timeline.csv");
        let first = timeline.iter().find(|row| row[0] == "gaps").unwrap();
        assert_eq!(first[4..6], ["0", ""]);
    }

    #[test]
    fn limits_and_faults_have_files_of_their_own() {
        let summary = sample::troubled();
        let rows = file(&summary, "limits.csv");
        assert_eq!(rows.len(), 1 + 2 * 2, "two variants with two limits each");
        assert_eq!(
            rows[1][1..5],
            [
                "account_concurrency",
                "accounts.aws",
                "functions.api",
                "functions.report"
            ]
        );
        assert_eq!(rows[2][4..6], ["", ""], "nothing is shared");
        let faults = file(&summary, "faults.csv");
        assert_eq!(
            faults[1][1..],
            ["slow-orders", "slow 5", "databases.orders", "600", "720"]
        );
        assert_eq!(file(&sample::one(), "limits.csv").len(), 1);
    }

    #[test]
    fn no_text_is_a_formula_and_numbers_stay_numbers() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("-large", "'-large"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "' =1"),
            ("\r=1", "' =1"),
            ("＝1", "'＝1"),
            ("-1.5e-3", "-1.5e-3"),
            ("+5", "+5"),
            ("-5 ms", "'-5 ms"),
            ("a=b", "a=b"),
            ("two\nlines", "two lines"),
            ("", ""),
        ] {
            assert_eq!(defused(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_bill_ends_with_its_total() {
        let summary = sample::one();
        let rows = file(&summary, "bill.csv");
        let total: f64 = rows.last().unwrap()[7].parse().unwrap();
        assert_eq!(total.to_bits(), summary.cells[0].bill.total.mean.to_bits());
        assert_eq!(rows.last().unwrap()[1], "total");
    }
}
