//! Which columns the table of results has: what suits the source with the most work. What all rows have alike is a
//! remark.

use super::format::{self, MISSING, display_unit};
use super::grid::{self, shortened};
use super::verdicts;
use crate::run::answer::headline::{self, Headline, Kind};
use crate::run::answer::{words::label_of, work};
use crate::run::summary::{Cell, Estimate, Summary, Unit, name, place};

/// What stands for the paired differences of bills among the metrics of columns.
pub const MINUS: &str = "minus";
/// What stands for counts over all runs.
const COUNTED: &str = "counted";

/// A column: its header, its metric, and the number and its half-width for each cell.
pub struct Column {
    /// What stands above it, in one or more lines.
    pub header: String,
    /// The metric that it shows.
    pub metric: String,
    /// Where room is short, columns of a higher rank are left out first, and those of rank 0 never.
    pub rank: u8,
    /// The figure of each row, and its interval.
    pub fields: Vec<(String, String)>,
}

impl Column {
    /// The fields as they are printed.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        self.fields
            .iter()
            .map(|(mean, half)| format!("{mean} {half}").trim_end().to_owned())
    }
}

/// The columns of a table, and what is said of those that it need not have.
pub struct Columns {
    /// In their order.
    pub shown: Vec<Column>,
    /// Sentences about what all rows have alike.
    pub remarks: Vec<String>,
    /// Whether the table is about requests and their answers.
    pub has_answers: bool,
}

/// One figure of every row.
struct Wanted {
    header: &'static str,
    metric: String,
    rank: u8,
    of: Of,
}

/// How a figure is found.
enum Of {
    /// A metric as it is.
    Metric,
    /// A count, for each second of the measured time.
    PerSecond,
    /// What was lost at a component.
    Lost,
    /// How many of how many in all runs, the metric and another one.
    Counted(String),
}

/// The columns of a summary.
pub fn of(summary: &Summary) -> Columns {
    let headline = headline::of(summary);
    let mut shown: Vec<Column> = Vec::new();
    for wanted in wanted(summary, &headline) {
        shown.extend(column(summary, &wanted));
    }
    if headline.kind == Kind::Requests {
        one_of_offered_and_good(&mut shown);
    }
    shown.extend(sized(summary));
    let mut remarks = Vec::new();
    if summary.cells.len() > 1 {
        let (alike, differing): (Vec<Column>, Vec<Column>) = shown.into_iter().partition(is_alike);
        shown = differing;
        remarks.extend(alike_in_words(&alike));
    }
    let bills = summary
        .cells
        .iter()
        .map(|cell| verdicts::bill(cell, format::money_short(&cell.bill.total)));
    shown.push(Column {
        header: verdicts::bill_title(summary).into(),
        metric: name::BILL_MONTH.into(),
        rank: 0,
        fields: bills.collect(),
    });
    shown.extend(minus(summary));
    Columns {
        shown,
        remarks,
        has_answers: headline.kind == Kind::Requests,
    }
}

fn wanted(summary: &Summary, headline: &Headline) -> Vec<Wanted> {
    let of = &headline.of;
    let metric = |header, end: &str, rank| Wanted {
        header,
        metric: if of.is_empty() {
            end.to_owned()
        } else {
            format!("{of}.{end}")
        },
        rank,
        of: Of::Metric,
    };
    let rate = |header, end: &str, rank| Wanted {
        of: Of::PerSecond,
        ..metric(header, end, rank)
    };
    let lost = || Wanted {
        of: Of::Lost,
        ..metric("lost", "lost", 0)
    };
    let counted = |header, end: &str, whole: &str, rank| Wanted {
        of: Of::Counted(format!("{of}.{whole}")),
        ..metric(header, end, rank)
    };
    match headline.kind {
        Kind::Requests => requests(summary, &metric),
        Kind::Queue => vec![
            rate("arrived\n/s", "sent", 6),
            rate("done\n/s", "deleted", 3),
            lost(),
            metric("waiting\nat the end", "remaining", 1),
            metric("done after\np50", "latency.p50", 7),
            metric("done after\np99", "latency.p99", 0),
            metric("oldest\nwaited", "age_oldest.max", 5),
        ],
        Kind::Stream => vec![
            rate("arrived\n/s", "records", 6),
            rate("done\n/s", "processed", 3),
            lost(),
            metric("unread\nat the end", "remaining", 1),
            metric("lag\np50", "iterator_age.p50", 7),
            metric("lag\np99", "iterator_age.p99", 0),
            metric("lag\nat most", "iterator_age.max", 5),
            metric("shards", "shards", 8),
        ],
        Kind::Workflow => workflow(summary, &metric, &counted),
        Kind::Events => vec![
            counted("done", "async.done", "async.received", 1),
            lost(),
            metric("done after\np50", "async.latency.p50", 5),
            metric("done after\np99", "async.latency.p99", 0),
            metric("at most", "async.latency.max", 6),
            metric("tried\nagain", "async.retried", 4),
        ],
        Kind::Journeys => vec![
            metric("good", "journeys.good", 5),
            metric("lost", "journeys.lost", 0),
            metric("unfinished", "journeys.unfinished", 2),
            metric("failed", "journeys.failed", 4),
            metric("p50", "journey.p50", 5),
            metric("p99", "journey.p99", 0),
        ],
        Kind::Firings => vec![
            metric("fired", "fired", 5),
            counted("delivered", "delivered", "deliveries", 0),
            lost(),
        ],
    }
}

/// Those of requests and their answers.
fn requests(summary: &Summary, metric: &dyn Fn(&'static str, &str, u8) -> Wanted) -> Vec<Wanted> {
    let worst = match summary.window_ns {
        60_000_000_000 => "p99, worst\nminute",
        1_000_000_000 => "p99, worst\nsecond",
        _ => "p99, worst\nwindow",
    };
    vec![
        metric("offered\n/s", name::OFFERED, 7),
        metric("good\n/s", name::THROUGHPUT, 6),
        metric("p50", name::LATENCY_P50, 5),
        metric("p99", name::LATENCY_P99, 0),
        metric(worst, name::LATENCY_P99_WORST, 3),
        metric("failed\n%", name::ERROR_RATIO, 1),
        metric("cold\n%", name::COLD_RATIO, 8),
    ]
}

/// Those of a workflow: of many executions the percentiles, of a few what they took.
fn workflow(
    summary: &Summary,
    metric: &dyn Fn(&'static str, &str, u8) -> Wanted,
    counted: &dyn Fn(&'static str, &str, &str, u8) -> Wanted,
) -> Vec<Wanted> {
    const FEW: f64 = 1000.0;
    let runs = f64::from(summary.replications);
    let offered = metric("", "offered", 0).metric;
    let most = summary
        .cells
        .iter()
        .filter_map(|cell| headline::mean(cell, &offered))
        .fold(0.0, f64::max);
    let mut list = vec![counted("done", "succeeded", "offered", 0)];
    if most * runs < FEW {
        list.extend([metric("took", "duration.mean", 0), metric("at most", "duration.max", 5)]);
    } else {
        list.extend([metric("p50", "duration.p50", 4), metric("p99", "duration.p99", 0)]);
        list.push(metric("failed\n%", "failure_ratio", 1));
    }
    let there = |wanted: &Wanted| {
        let mut means = summary
            .cells
            .iter()
            .filter_map(|cell| headline::mean(cell, &wanted.metric));
        means.any(|mean| mean > 0.0)
    };
    let rest = [
        metric("items\nbegun", "items", 6),
        metric("tried\nagain", "retries", 7),
        metric("transitions", "transitions", 8),
    ];
    list.extend(rest.into_iter().filter(there));
    list
}

/// A column, if any row has a figure for it.
fn column(summary: &Summary, wanted: &Wanted) -> Option<Column> {
    let figures: Vec<Option<(Unit, Estimate)>> =
        summary.cells.iter().map(|cell| figure(summary, cell, wanted)).collect();
    let unit = figures.iter().flatten().next()?.0;
    let times = figures
        .iter()
        .flatten()
        .filter(|figure| figure.0 == Unit::Seconds)
        .map(|figure| figure.1);
    let common = common_unit(&times.collect::<Vec<_>>());
    let words = |(cell, found): (&Cell, &Option<(Unit, Estimate)>)| {
        let field = match (found, &wanted.of) {
            (None, _) => (MISSING.to_owned(), String::new()),
            (Some((_, done)), Of::Counted(whole)) => counted(summary, cell, done, whole),
            (Some((Unit::Count, count)), Of::Lost | Of::Metric) => few(summary, count),
            (Some((Unit::Seconds, time)), _) => match &common {
                Some((size, _)) => format::figure(Unit::Level, &scaled(time, 1.0 / size)),
                None => format::figure(Unit::Seconds, time),
            },
            (Some((unit, figure)), _) => field(*unit, figure),
        };
        // What was done and lost is so many, whatever grows.
        if matches!(wanted.of, Of::Metric) {
            verdicts::marked(cell, field)
        } else {
            field
        }
    };
    let mut header = wanted.header.to_owned();
    if let (Some((_, suffix)), Unit::Seconds) = (&common, unit) {
        let joint = if header.contains('\n') { " " } else { "\n" };
        header = format!("{header}{joint}{}", suffix.trim());
    }
    let fields: Vec<(String, String)> = summary.cells.iter().zip(&figures).map(words).collect();
    let there = fields.iter().any(|field| field.0 != MISSING);
    there.then(|| Column {
        header,
        metric: match wanted.of {
            Of::Counted(_) => COUNTED.to_owned(),
            _ => wanted.metric.clone(),
        },
        rank: wanted.rank,
        fields,
    })
}

fn figure(summary: &Summary, cell: &Cell, wanted: &Wanted) -> Option<(Unit, Estimate)> {
    if cell.refused.is_some() {
        return None;
    }
    if matches!(wanted.of, Of::Lost) {
        let place = wanted.metric.trim_end_matches(".lost");
        // Without a ledger, what never came was not lost either.
        cell.metrics.iter().find(|metric| metric.name.starts_with(place))?;
        let lost: Vec<work::Lost> = work::lost(cell)
            .into_iter()
            .filter(|lost| lost.place == place)
            .collect();
        return Some(match lost.as_slice() {
            [] => (Unit::Count, Estimate::exact(0.0)),
            [one] => (Unit::Count, one.per_run),
            several => (
                Unit::Count,
                Estimate::exact(several.iter().map(|lost| lost.per_run.mean).sum()),
            ),
        });
    }
    let metric = cell.metric(&wanted.metric)?;
    match wanted.of {
        Of::PerSecond => {
            let measured = summary.length_ns.saturating_sub(summary.warmup_ns) as f64 / 1e9;
            Some((Unit::PerSecond, scaled(&metric.estimate, 1.0 / measured)))
        }
        _ => Some((metric.unit, metric.bounded())),
    }
}

fn scaled(estimate: &Estimate, factor: f64) -> Estimate {
    Estimate {
        mean: estimate.mean * factor,
        interval: estimate.interval.map(|(low, high)| (low * factor, high * factor)),
        ..*estimate
    }
}

/// The unit in which a whole column of times reads well: the largest in which the smallest of them still has a digit
/// before the point; none if they are too far apart.
fn common_unit(times: &[Estimate]) -> Option<(f64, &'static str)> {
    const TOO_FAR: f64 = 1e4;
    let positive = || {
        times
            .iter()
            .map(|time| time.mean)
            .filter(|mean| mean.is_finite() && *mean > 0.0)
    };
    let (least, most) = (positive().fold(f64::INFINITY, f64::min), positive().fold(0.0, f64::max));
    (most > 0.0 && most / least < TOO_FAR).then(|| {
        let display = display_unit(Unit::Seconds, least);
        (display.size, display.suffix)
    })
}

/// So many of so many, in all runs.
fn counted(summary: &Summary, cell: &Cell, done: &Estimate, whole: &str) -> (String, String) {
    let runs = f64::from(summary.replications);
    let all = headline::mean(cell, whole).unwrap_or(f64::NAN);
    if !all.is_finite() || !done.mean.is_finite() {
        return (MISSING.to_owned(), String::new());
    }
    let words = |number: f64| format::grouped((number * runs).round(), 0);
    (format!("{} of {}", words(done.mean), words(all)), String::new())
}

/// What is seldom is counted over all runs, not averaged.
fn few(summary: &Summary, lost: &Estimate) -> (String, String) {
    let all = (lost.mean * f64::from(summary.replications)).round();
    match all {
        0.0 => ("0".to_owned(), String::new()),
        all if all < 10.0 && summary.replications > 1 => (format!("{all} in all"), String::new()),
        _ => format::figure(Unit::Count, lost),
    }
}

fn field(unit: Unit, estimate: &Estimate) -> (String, String) {
    if unit == Unit::Dollars {
        return format::money_short(estimate);
    }
    let (mut mean, half) = format::figure(unit, estimate);
    if let Some(suffix) = match unit {
        Unit::PerSecond => Some("/s"),
        Unit::Ratio => Some(" %"),
        _ => None,
    } {
        // The header says it.
        mean.truncate(mean.trim_end_matches(suffix).len());
    }
    (mean, half)
}

/// What comes and what ends well are two columns only where they differ in a row.
fn one_of_offered_and_good(columns: &mut Vec<Column>) {
    let place = |metric: &str| columns.iter().position(|column| column.metric == metric);
    let (Some(offered), Some(good)) = (place(name::OFFERED), place(name::THROUGHPUT)) else {
        return;
    };
    let number = |field: &(String, String)| {
        field
            .0
            .replace([',', '\u{25b2}'], "")
            .trim()
            .parse::<f64>()
            .unwrap_or(f64::NAN)
    };
    let pairs = columns[offered].fields.iter().zip(&columns[good].fields);
    let mut far = pairs.map(|(a, b)| (number(a), number(b)));
    if !far.any(|(a, b)| (a - b).abs() > 0.002 * a) {
        "requests\n/s".clone_into(&mut columns[offered].header);
        columns.remove(good);
    }
}

/// The number of instances that `size` chose.
fn sized(summary: &Summary) -> Option<Column> {
    let words = |cell: &Cell| {
        let counts: Vec<String> = cell.sized.iter().map(|sized| format::count(sized.count)).collect();
        (
            if counts.is_empty() {
                MISSING.to_owned()
            } else {
                counts.join(" + ")
            },
            String::new(),
        )
    };
    let any = summary.cells.iter().any(|cell| !cell.sized.is_empty());
    any.then(|| Column {
        header: "instances\nby `size`".into(),
        metric: "sized".into(),
        rank: 4,
        fields: summary.cells.iter().map(words).collect(),
    })
}

fn is_alike(column: &Column) -> bool {
    column.fields.windows(2).all(|pair| pair[0] == pair[1])
}

fn alike_in_words(columns: &[Column]) -> Option<String> {
    let known = columns
        .iter()
        .filter(|column| column.fields.first().is_some_and(|field| field.0 != MISSING));
    let one = |column: &Column| {
        let text = column.texts().next().unwrap_or_default();
        match column.header.split_once('\n') {
            Some((what, "/s")) => format!("{what} {text}/s"),
            Some((what, unit @ ("%" | "ms" | "s" | "min" | "h" | "d" | "\u{b5}s"))) => format!("{what} {text} {unit}"),
            _ => format!("{} {text}", grid::in_one_line(&column.header)),
        }
    };
    let words: Vec<String> = known.map(one).collect();
    (!words.is_empty()).then(|| format!("The same in all rows: {}.", words.join(", ")))
}

/// How much more every bill is than that of the answer, with the same dice; with `?` where chance does not let them be
/// told apart.
fn minus(summary: &Summary) -> Option<Column> {
    if summary.differences.is_empty() {
        return None;
    }
    let bills = summary.differences_of(name::BILL_MONTH);
    let cells = summary.by_place();
    let mut against: Vec<String> = Vec::new();
    let field = |cell: &Cell| {
        let Some(found) = bills.of(cell) else {
            let base = bills.is_base(cell);
            return (if base { "\u{b7}" } else { MISSING }.to_owned(), String::new());
        };
        // Against what leaves work out there is nothing to measure.
        let base = cells.get(&place(&found.minus_variant, &found.minus_point));
        if !verdicts::has_whole_bill(cell) || !base.is_some_and(|base| verdicts::has_whole_bill(base)) {
            return (MISSING.to_owned(), String::new());
        }
        let base = label_of(summary, &found.minus_variant, &found.minus_point);
        if !against.contains(&base) {
            against.push(base);
        }
        let (mean, half) = format::money_short(&found.difference);
        let sign = if found.difference.mean > 0.0 { "+" } else { "" };
        let doubt = if found.is_told_apart() { "" } else { "?" };
        (format!("{sign}{mean}"), format!("{half}{doubt}"))
    };
    let fields: Vec<(String, String)> = summary.cells.iter().map(field).collect();
    let header = match against.as_slice() {
        [] => return None,
        [one] => format!("minus\n{}", shortened(one, 16)),
        _ => "minus\nleast".to_owned(),
    };
    Some(Column {
        header,
        metric: MINUS.into(),
        rank: 2,
        fields,
    })
}
