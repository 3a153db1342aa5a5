//! Distributions of durations: `12 ms`, `{ median: 12 ms, p99: 40 ms }`, `{ mixture: [...] }`, ...
//!
//! A bare duration is a constant. Everything else is a map with one description of the distribution, and optionally
//! `offset` (added to every value) and `maximum` (no value is larger).

use super::diagnostic::{Code, Diagnostic};
use super::reader::{Block, Context, read_duration};
use super::recording::{DECIMAL, SEPARATOR, WHERE, column_of};
use super::table::{Field, Kind, Range, Table};
use super::tree::{Node, NodeKind};
use crate::kernel::Sampler;
use std::sync::Arc;

/// The fields of a distribution. Exactly one description has to be there.
pub const SAMPLER: Table = Table {
    name: "distribution",
    doc: "A distribution of durations. Write a duration for a constant, or one of the descriptions below; `offset` and \
          `maximum` go with any of them.",
    fields: &[
        Field::optional("constant", Kind::Duration, "Always this value."),
        Field::optional("exponential", Kind::Duration, "Exponential with this mean.").positive(),
        Field::optional("median", Kind::Duration, "Log-normal by its median; needs `p99`.").positive(),
        Field::optional("p99", Kind::Duration, "The 99th percentile that belongs to `median`.").positive(),
        Field::optional("mean", Kind::Duration, "Log-normal by its mean; needs `cv`.").positive(),
        Field::optional("cv", Kind::Number, "Standard deviation over `mean`.").within(0.0, 1000.0),
        Field::optional(
            "lognormal",
            Kind::Block(&LOGNORMAL),
            "Log-normal, with its parameters in a map of their own.",
        ),
        Field::optional(
            "gamma",
            Kind::Block(&GAMMA),
            "Gamma, by `mean` and `cv` or by `shape` and `scale`.",
        ),
        Field::optional("weibull", Kind::Block(&WEIBULL), "Weibull, by `scale` and `shape`."),
        Field::optional("pareto", Kind::Block(&PARETO), "Pareto, by `minimum` and `shape`."),
        Field::optional(
            "uniform",
            Kind::List(&Kind::Duration),
            "Uniform between two values: `[1 ms, 9 ms]`.",
        ),
        Field::optional(
            "empirical",
            Kind::Block(&EMPIRICAL),
            "Measured values out of a CSV file, each as likely.",
        ),
        Field::optional(
            "quantiles",
            Kind::Map(&Kind::Duration),
            "A table: `{ min: 1 ms, p50: 5 ms, p99: 40 ms, max: 1 s }`; between two points the logarithm is interpolated.",
        ),
        Field::optional(
            "mixture",
            Kind::List(&Kind::Any),
            "One of several distributions, each with its `weight`: `[{ weight: 9, median: 5 ms, p99: 9 ms }, ...]`.",
        )
        .sample("[{ weight: 9, median: 5 ms, p99: 9 ms }, { weight: 1, median: 80 ms, p99: 200 ms }]"),
        Field::optional("offset", Kind::Duration, "Added to every value."),
        Field::optional("maximum", Kind::Duration, "Larger values are cut off to this one.").positive(),
        Field::optional(
            "weight",
            Kind::Number,
            "Within a mixture: how likely this part is, relative to the others.",
        )
        .positive(),
    ],
};

/// A log-normal distribution.
pub const LOGNORMAL: Table = Table {
    name: "lognormal",
    doc: "A log-normal distribution, by `median` and `p99` or by `mean` and `cv`.",
    fields: &[
        Field::optional("median", Kind::Duration, "The median.").positive(),
        Field::optional("p99", Kind::Duration, "The 99th percentile.").positive(),
        Field::optional("mean", Kind::Duration, "The mean.").positive(),
        Field::optional("cv", Kind::Number, "Standard deviation over mean.").within(0.0, 1000.0),
    ],
};

/// A gamma distribution.
pub const GAMMA: Table = Table {
    name: "gamma",
    doc: "A gamma distribution, by `mean` and `cv` or by `shape` and `scale`.",
    fields: &[
        Field::optional("mean", Kind::Duration, "The mean.").positive(),
        Field::optional("cv", Kind::Number, "Standard deviation over mean.").within(0.001, 1000.0),
        Field::optional(
            "shape",
            Kind::Number,
            "The shape: 1 is exponential, larger is narrower.",
        )
        .within(1e-6, 1e9),
        Field::optional("scale", Kind::Duration, "The scale; the mean is shape times scale.").positive(),
    ],
};

/// A Weibull distribution.
pub const WEIBULL: Table = Table {
    name: "weibull",
    doc: "A Weibull distribution.",
    fields: &[
        Field::required("scale", Kind::Duration, "The scale (the 63rd percentile).").positive(),
        Field::required(
            "shape",
            Kind::Number,
            "The shape: 1 is exponential, smaller has a heavier tail.",
        )
        .within(0.01, 1e6),
    ],
};

/// A Pareto distribution.
pub const PARETO: Table = Table {
    name: "pareto",
    doc: "A Pareto distribution.",
    fields: &[
        Field::required("minimum", Kind::Duration, "The smallest value.").positive(),
        Field::required(
            "shape",
            Kind::Number,
            "The exponent of the tail; the mean is infinite at 1 and below.",
        )
        .within(0.01, 1e6),
    ],
};

/// Measured values.
pub const EMPIRICAL: Table = Table {
    name: "empirical",
    doc: "Measured values out of a column of a CSV file (which may be compressed with gzip).",
    fields: &[
        Field::required("file", Kind::Text, "The file, relative to the scenario's folder."),
        Field::required("column", Kind::Text, "The column's name in the header."),
        Field::default("unit", Kind::Choice(UNITS), "ms", "What one unit of the column is."),
        WHERE,
        SEPARATOR,
        DECIMAL,
    ],
};

const UNITS: &[&str] = &["ns", "us", "ms", "s"];
const UNIT_NS: [f64; 4] = [1.0, 1e3, 1e6, 1e9];

/// The descriptions, each with the fields that belong to it.
pub(crate) const FORMS: &[&[&str]] = &[
    &["constant"],
    &["exponential"],
    &["median", "p99"],
    &["mean", "cv"],
    &["lognormal"],
    &["gamma"],
    &["weibull"],
    &["pareto"],
    &["uniform"],
    &["empirical"],
    &["quantiles"],
    &["mixture"],
];

/// Reads a distribution in nanoseconds; `None` after reporting. The range holds for what is a plain duration.
pub(super) fn read(cx: &Context, node: &Node, range: Range) -> Option<Sampler> {
    match &node.kind {
        NodeKind::Scalar(_) => Some(Sampler::constant(read_duration(cx, node, range))),
        NodeKind::Map(_) => {
            let block = Block::new(cx, node, &SAMPLER);
            if let Some((key, _)) = node.entry("weight") {
                let message = "`weight` only makes sense within a mixture";
                cx.error(Code::Impossible, key.span, message, "remove it");
            }
            adjusted(&block)
        }
        _ => {
            let message = format!("expected {}, found {}", Kind::Sampler.describe(), node.describe());
            let help = "such as `12 ms` or `{ median: 12 ms, p99: 40 ms }`";
            cx.error(Code::WrongShape, node.span, message, help);
            None
        }
    }
}

fn impossible<T>(block: &Block, field: &str, message: impl Into<String>, help: &str) -> Option<T> {
    block.error(Code::Impossible, block.span_of(field), message, help);
    None
}

/// The value of a field, or nothing if it was bad: a harmless value would only cause more problems to be reported.
fn sound<T>(block: &Block, read: impl FnOnce(&Block) -> Option<T>) -> Option<T> {
    let before = block.context().diagnostics.pushed();
    read(block).filter(|_| block.context().diagnostics.pushed() == before)
}

fn ns(block: &Block, field: &str) -> Option<f64> {
    sound(block, |b| b.duration_opt(field)).map(|d| d.0 as f64)
}

fn number(block: &Block, field: &str) -> Option<f64> {
    sound(block, |b| b.number_opt(field))
}

/// The distribution of a block, with its offset and maximum.
fn adjusted(block: &Block) -> Option<Sampler> {
    let inner = described(block)?;
    let offset = if block.has("offset") { ns(block, "offset")? } else { 0.0 };
    let maximum = if block.has("maximum") {
        ns(block, "maximum")?
    } else {
        f64::INFINITY
    };
    if offset > maximum {
        return impossible(block, "maximum", "the maximum is below the offset", "make it larger");
    }
    Some(match inner {
        inner if offset == 0.0 && maximum == f64::INFINITY => inner,
        Sampler::Constant(v) => Sampler::Constant((v + offset).min(maximum)),
        inner => Sampler::Adjusted {
            inner: Arc::new(inner),
            factor: 1.0,
            offset,
            maximum,
        },
    })
}

/// The distribution of a block without offset and maximum: exactly one description has to be there.
fn described(block: &Block) -> Option<Sampler> {
    let written = |form: &&&[&str]| form.iter().any(|f| block.has(f));
    let forms: Vec<&&[&str]> = FORMS.iter().filter(written).collect();
    match forms.as_slice() {
        [form] => one(block, form[0]),
        // A key that is unknown has been reported, and is probably what was meant.
        [] if block.has_strange_keys() => None,
        [] => {
            let help = "such as `{ median: 12 ms, p99: 40 ms }` or `{ exponential: 5 ms }`";
            block.error(Code::Impossible, block.span(), "this describes no distribution", help);
            None
        }
        [first, second, ..] => {
            let name = |form: &[&str]| {
                form.iter()
                    .copied()
                    .find(|f| block.has(f))
                    .unwrap_or(form[0])
                    .to_owned()
            };
            let (a, b) = (name(first), name(second));
            let message = format!("`{a}` and `{b}` describe two distributions at once");
            block.context().report(
                Diagnostic::new(Code::Impossible, block.span_of(&b), message)
                    .also(block.span_of(&a), "first here")
                    .help("keep one of them"),
            );
            None
        }
    }
}

fn one(block: &Block, form: &str) -> Option<Sampler> {
    match form {
        "constant" => block.duration_opt(form).map(Sampler::constant),
        "exponential" => ns(block, form).map(|mean| Sampler::Exponential { mean }),
        "median" => by_median(block),
        "mean" => by_mean(block),
        "lognormal" => lognormal(&block.block(form)?),
        "gamma" => gamma(&block.block(form)?),
        "weibull" => block.block(form).map(|b| Sampler::Weibull {
            shape: b.number("shape"),
            scale: b.duration("scale").0 as f64,
        }),
        "pareto" => block.block(form).map(|b| Sampler::Pareto {
            minimum: b.duration("minimum").0 as f64,
            shape: b.number("shape"),
        }),
        "uniform" => uniform(block),
        "empirical" => empirical(&block.block(form)?),
        "quantiles" => quantiles(block),
        _ => mixture(block),
    }
}

/// Both fields of a pair, or a problem that names the one that is missing.
fn pair(block: &Block, a: &str, b: &str) -> Option<()> {
    let (present, missing) = match (block.has(a), block.has(b)) {
        (true, true) => return Some(()),
        (false, _) => (b, a),
        (true, false) => (a, b),
    };
    let mut help = format!("add `{missing}:`");
    if (present, missing) == ("mean", "cv") {
        help.push_str(", or write `exponential:` instead of `mean:`");
    }
    impossible(
        block,
        present,
        format!("`{present}` needs `{missing}` beside it"),
        &help,
    )
}

fn by_median(block: &Block) -> Option<Sampler> {
    pair(block, "median", "p99")?;
    let (median, p99) = (ns(block, "median")?, ns(block, "p99")?);
    if p99 < median {
        return impossible(block, "p99", "the p99 is below the median", "were the two mixed up?");
    }
    Some(if p99 > median {
        Sampler::lognormal_median_p99(median, p99)
    } else {
        Sampler::Constant(median)
    })
}

fn by_mean(block: &Block) -> Option<Sampler> {
    pair(block, "mean", "cv")?;
    let (mean, cv) = (ns(block, "mean")?, number(block, "cv")?);
    Some(if cv > 0.0 {
        Sampler::lognormal_mean_cv(mean, cv)
    } else {
        Sampler::Constant(mean)
    })
}

fn lognormal(block: &Block) -> Option<Sampler> {
    let (median, mean) = (
        block.has("median") || block.has("p99"),
        block.has("mean") || block.has("cv"),
    );
    match (median, mean) {
        (true, false) => by_median(block),
        (false, true) => by_mean(block),
        _ => impossible(
            block,
            "mean",
            "a log-normal is described in one of two ways",
            "give `median` and `p99`, or `mean` and `cv`",
        ),
    }
}

fn gamma(block: &Block) -> Option<Sampler> {
    let (moments, natural) = (
        block.has("mean") || block.has("cv"),
        block.has("shape") || block.has("scale"),
    );
    match (moments, natural) {
        (true, false) => {
            pair(block, "mean", "cv")?;
            let (mean, cv) = (ns(block, "mean")?, number(block, "cv")?);
            let shape = 1.0 / (cv * cv);
            Some(Sampler::Gamma {
                shape,
                scale: mean / shape,
            })
        }
        (false, true) => {
            pair(block, "shape", "scale")?;
            Some(Sampler::Gamma {
                shape: number(block, "shape")?,
                scale: ns(block, "scale")?,
            })
        }
        _ => impossible(
            block,
            "shape",
            "a gamma is described in one of two ways",
            "give `mean` and `cv`, or `shape` and `scale`",
        ),
    }
}

fn uniform(block: &Block) -> Option<Sampler> {
    let [low, high] = block.list("uniform") else {
        return impossible(
            block,
            "uniform",
            "a uniform distribution has two ends",
            "write `uniform: [1 ms, 9 ms]`",
        );
    };
    let cx = block.context();
    let ends = sound(block, |_| {
        Some((
            read_duration(cx, low, Range::Any).0,
            read_duration(cx, high, Range::Any).0,
        ))
    });
    let (low, high) = ends?;
    if low > high {
        return impossible(
            block,
            "uniform",
            "the lower end is above the upper one",
            "were the two mixed up?",
        );
    }
    Some(Sampler::Uniform {
        low: low as f64,
        high: high as f64,
    })
}

fn empirical(block: &Block) -> Option<Sampler> {
    let (file, column) = (block.text("file"), block.text("column"));
    if file.is_empty() || column.is_empty() {
        return None;
    }
    let unit = UNIT_NS[block.choice("unit")];
    column_of(block, unit).map(Sampler::Empirical)
}

fn quantiles(block: &Block) -> Option<Sampler> {
    let cx = block.context();
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (key, value) in block.entries("quantiles") {
        let probability = match key.text.as_str() {
            "min" => Some(0.0),
            "max" => Some(1.0),
            "median" => Some(0.5),
            text => {
                let percent = text.strip_prefix('p').and_then(|t| t.parse::<f64>().ok());
                percent.filter(|p| (0.0..=100.0).contains(p)).map(|p| p / 100.0)
            }
        };
        let Some(probability) = probability else {
            let message = format!("`{}` is not a quantile", key.text);
            cx.error(
                Code::UnknownKey,
                key.span,
                message,
                "write `min`, `p50`, `p99`, `p99.9`, `max`",
            );
            return None;
        };
        let value = sound(block, |_| Some(read_duration(cx, value, Range::Any)))?;
        points.push((probability, value.0 as f64));
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    if points.first().is_none_or(|p| p.0 > 0.0) || points.last().is_none_or(|p| p.0 < 1.0) {
        return impossible(
            block,
            "quantiles",
            "a table of quantiles goes from `min` to `max`",
            "add the missing end",
        );
    }
    if points.windows(2).any(|w| w[0].0 >= w[1].0) {
        return impossible(block, "quantiles", "a quantile is given twice", "remove one of them");
    }
    if points.windows(2).any(|w| w[0].1 > w[1].1) {
        return impossible(
            block,
            "quantiles",
            "a higher quantile has a lower value",
            "values have to ascend",
        );
    }
    Some(Sampler::Quantiles(points.into()))
}

fn mixture(block: &Block) -> Option<Sampler> {
    let cx = block.context();
    let mut parts = Vec::new();
    for node in block.list("mixture") {
        let part = Block::new(cx, node, &SAMPLER);
        if !matches!(node.kind, NodeKind::Map(_)) {
            return None;
        }
        if !part.has("weight") {
            let message = "this part of the mixture has no `weight`";
            cx.error(
                Code::MissingKey,
                node.span,
                message,
                "add `weight:`, relative to the other parts",
            );
            return None;
        }
        parts.push((number(&part, "weight")?, adjusted(&part)?));
    }
    if parts.is_empty() {
        return impossible(
            block,
            "mixture",
            "this mixture has no parts",
            "write `mixture: [{ weight: 9, constant: 5 ms }, ...]`",
        );
    }
    Some(Sampler::mixture(parts))
}
