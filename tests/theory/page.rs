//! Groups of cases, how they are judged, and the page that shows them.

use super::{
    batches, bursts, calls, closed, connections, databases, delivery, events, faults, fleets, guards, keep_alive, loss,
    measured, messages, overload, platforms, pollers, replay, retries, scaled, sharing, small_rules, stores, topics,
    traces, traffic, workflows,
};
use coldcurve::stats::Histogram;
use coldcurve::stats::interval::{histogram_quantile, mean_interval, student_t_quantile};
use std::fmt::Write as _;
use std::path::Path;

/// How many standard errors a simulated value may lie from the expected one: two in a thousand do by chance.
const Z_MAX: f64 = 3.3;
/// The standard error of replications may be at most this part of the expected value, so that the test is sharp.
const SHARP: f64 = 0.01;
/// The same for tail quantiles.
const SHARP_TAIL: f64 = 0.02;
/// The standard deviation of a value within its bucket of the histogram: buckets are 1/128 of an octave wide.
const BUCKET: f64 = 0.0023;

/// One comparison.
#[derive(Clone, Debug)]
pub struct Case {
    inputs: String,
    quantity: String,
    source: &'static str,
    expected: f64,
    simulated: f64,
    half_width: Option<f64>,
    /// The sign before the expected value where that is a limit.
    limit: Option<&'static str>,
    verdict: String,
    holds: bool,
}

impl Case {
    fn new(inputs: impl Into<String>, quantity: &str, source: &'static str, expected: f64, simulated: f64) -> Self {
        Self {
            inputs: inputs.into(),
            quantity: quantity.to_owned(),
            source,
            expected,
            simulated,
            half_width: None,
            limit: None,
            verdict: String::new(),
            holds: false,
        }
    }

    fn judge(mut self, holds: bool, words: &str) -> Self {
        self.holds = holds;
        self.verdict = format!("{}, {words}", if holds { "ok" } else { "**FAILED**" });
        self
    }

    fn by_z(mut self, half_width: f64, se: f64, se_expected: f64, sharp: f64) -> Self {
        let z = (self.simulated - self.expected) / (se * se + se_expected * se_expected).sqrt();
        let sharp_enough = se <= sharp * self.expected.abs();
        self.half_width = Some(half_width);
        let blunt = if sharp_enough { "" } else { ", too few runs" };
        self.judge(z.abs() <= Z_MAX && sharp_enough, &format!("z = {z:+.1}{blunt}"))
    }

    /// The mean over replications against a value that is known exactly.
    pub fn mean(
        inputs: impl Into<String>,
        quantity: &str,
        source: &'static str,
        expected: f64,
        replications: &[f64],
    ) -> Self {
        Self::mean_known_to(inputs, quantity, source, (expected, 0.0), replications)
    }

    /// The mean over replications against a value that is known with a standard error.
    pub fn mean_known_to(
        inputs: impl Into<String>,
        quantity: &str,
        source: &'static str,
        expected: (f64, f64),
        replications: &[f64],
    ) -> Self {
        let interval = mean_interval(replications, 0.95);
        let half_width = interval.half_width().expect("several replications");
        let n = replications.len() as f64;
        let squares: f64 = replications
            .iter()
            .map(|x| (x - interval.mean) * (x - interval.mean))
            .sum();
        let se = (squares / (n * (n - 1.0))).sqrt();
        Self::new(inputs, quantity, source, expected.0, interval.mean).by_z(half_width, se, expected.1, SHARP)
    }

    /// An estimate with its standard error that must be at most the expected value, one-sided by the same rule.
    pub fn estimate_at_most(
        inputs: impl Into<String>,
        quantity: &str,
        source: &'static str,
        expected: f64,
        (simulated, se): (f64, f64),
    ) -> Self {
        let mut case = Self::new(inputs, quantity, source, expected, simulated);
        // 1.96 standard errors: the normal distribution's 95 %.
        case.half_width = Some(1.96 * se);
        case.limit = Some("≤ ");
        let words = if simulated <= expected {
            "limit"
        } else {
            "above the limit, but within 3.3 standard errors"
        };
        case.judge(simulated <= expected + Z_MAX * se, words)
    }

    /// A tail quantile (of times in ns, shown in ms) against a value in ms that is known exactly.
    pub fn quantile(
        inputs: impl Into<String>,
        quantity: &str,
        source: &'static str,
        expected_ms: f64,
        (replications, q): (&[&Histogram], f64),
    ) -> Self {
        let interval = histogram_quantile(replications, q, 0.95);
        let half_width = interval.half_width().expect("several replications") / 1e6;
        let t = student_t_quantile(0.975, (interval.n - 1) as f64);
        Self::new(inputs, quantity, source, expected_ms, interval.mean / 1e6).by_z(
            half_width,
            half_width / t,
            BUCKET * expected_ms,
            SHARP_TAIL,
        )
    }

    /// A value that must come out exactly.
    pub fn exact(
        inputs: impl Into<String>,
        quantity: &str,
        source: &'static str,
        expected: f64,
        simulated: f64,
    ) -> Self {
        let holds = (simulated - expected).abs() <= 1e-12 * expected.abs();
        Self::new(inputs, quantity, source, expected, simulated).judge(holds, "exact")
    }

    /// A value that must be at least the expected one.
    pub fn at_least(
        inputs: impl Into<String>,
        quantity: &str,
        source: &'static str,
        expected: f64,
        simulated: f64,
    ) -> Self {
        let mut case = Self::new(inputs, quantity, source, expected, simulated);
        case.limit = Some("≥ ");
        case.judge(simulated >= expected, "limit")
    }

    /// A value that must be at most the expected one.
    pub fn at_most(
        inputs: impl Into<String>,
        quantity: &str,
        source: &'static str,
        expected: f64,
        simulated: f64,
    ) -> Self {
        let mut case = Self::new(inputs, quantity, source, expected, simulated);
        case.limit = Some("≤ ");
        case.judge(simulated <= expected, "limit")
    }

    /// A single measurement that is only shown: whether it holds is judged over all of its kind.
    pub fn shown(
        inputs: impl Into<String>,
        quantity: &str,
        source: &'static str,
        expected: f64,
        replications: &[f64],
    ) -> Self {
        let interval = mean_interval(replications, 0.95);
        let mut case = Self::new(inputs, quantity, source, expected, interval.mean);
        case.half_width = interval.half_width();
        case.holds = true;
        "shown".clone_into(&mut case.verdict);
        case
    }

    /// How far the simulated value lies from the expected one, as a part of that.
    pub fn relative_error(&self) -> f64 {
        (self.simulated / self.expected - 1.0).abs()
    }

    /// The standard error of the simulated value, as a part of the expected one.
    pub fn relative_se(&self) -> f64 {
        self.half_width.map_or(0.0, |half| half / 1.96 / self.expected)
    }

    fn line(&self) -> String {
        let half_width = self
            .half_width
            .map_or_else(String::new, |half| format!(" ± {}", rounded(half, 2)));
        let difference = match self.limit {
            Some(_) => String::new(),
            None if self.simulated.total_cmp(&self.expected).is_eq() => "0".to_owned(),
            None if self.expected == 0.0 => number(self.simulated),
            None => format!("{:+.2} %", 100.0 * (self.simulated / self.expected - 1.0)),
        };
        let digits = if self.half_width.is_none() && self.limit.is_none() {
            10
        } else {
            6
        };
        format!(
            "| {} | {} | {}{} | {} | {}{half_width} | {difference} | {} |\n",
            self.inputs,
            self.quantity,
            self.limit.unwrap_or(""),
            rounded(self.expected, digits),
            self.source,
            rounded(self.simulated, digits),
            self.verdict
        )
    }
}

/// Cases that belong together.
#[derive(Clone, Debug)]
pub struct Group {
    /// The heading.
    pub title: &'static str,
    /// What is compared with what, and where the expected values come from.
    pub about: &'static str,
    /// The comparisons.
    pub cases: Vec<Case>,
}

impl Group {
    /// Fails the calling test with the lines that do not hold.
    pub fn assert_holds(&self) {
        let failed: String = self.cases.iter().filter(|case| !case.holds).map(Case::line).collect();
        assert!(failed.is_empty(), "{}\n{failed}", self.title);
    }

    fn section(&self) -> String {
        let mut text = format!("\n## {}\n\n{}\n\n", self.title, self.about.trim());
        text.push_str("| inputs | quantity | expected | source | simulated | difference | verdict |\n");
        text.push_str("|---|---|--:|---|--:|--:|---|\n");
        for case in &self.cases {
            text.push_str(&case.line());
        }
        text
    }
}

/// A number to six significant digits; whole ones in full.
pub fn number(value: f64) -> String {
    rounded(value, 6)
}

/// A number to so many significant digits, without zeros at the end of its fraction.
fn rounded(value: f64, digits: i32) -> String {
    if (value.fract() == 0.0 && value.abs() < 9e15) || !value.is_finite() {
        return format!("{value}");
    }
    let magnitude = libm::log10(value.abs()).floor() as i32;
    if magnitude < -5 {
        return format!("{value:.*e}", (digits - 1) as usize);
    }
    let text = format!("{value:.*}", (digits - 1 - magnitude).max(0) as usize);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// All groups, in the order of the page.
fn groups() -> Vec<&'static Group> {
    vec![
        keep_alive::law(),
        keep_alive::distribution(),
        keep_alive::choices(),
        keep_alive::paths(),
        loss::reserved(),
        loss::provisioned(),
        loss::buckets(),
        sharing::unlimited(),
        sharing::processors(),
        fleets::lines(),
        fleets::limits(),
        fleets::servers(),
        pollers::lines(),
        batches::served_together(),
        batches::arriving_together(),
        batches::split(),
        batches::omission(),
        databases::queues(),
        databases::scalability(),
        closed::users(),
        traffic::arrivals(),
        retries::attempts(),
        retries::timeouts(),
        guards::hedging(),
        overload::patience(),
        overload::retrial(),
        overload::metastable(),
        calls::compositions(),
        delivery::visibility(),
        delivery::shards(),
        stores::laws(),
        traces::by_hand(),
        messages::by_hand(),
        connections::by_hand(),
        events::asynchronous(),
        scaled::by_hand(),
        scaled::queues(),
        workflows::traces(),
        workflows::formulas(),
        stores::by_hand(),
        guards::by_hand(),
        topics::topics(),
        topics::schedules(),
        faults::by_hand(),
        faults::formulas(),
        small_rules::by_hand(),
        measured::experiments(),
        delivery::drain(),
        replay::logs(),
        bursts::stellar(),
        platforms::idle_times(),
        platforms::ramps(),
        workflows::measured(),
    ]
}

const INTRODUCTION: &str = "\
# Validation

This page is written by the test suite: `cargo test` runs every case below and compares the page with what came out,
to the last digit; `COLDCURVE_BLESS=1 cargo test` writes it anew. Seeds are fixed, so the same code gives the same page.

How to read it. Each line is a system small enough for its answer to be known by other means. *Expected* is that
answer, *source* says where it comes from, *simulated* is what coldcurve gives, with the half-width of its 95 %
confidence interval over independent replications where there is chance in it. The *verdict* is one of these:

- **exact**: no chance is involved (a trace computed by hand, a count, a bill), and the two must be equal.
- **z**: the difference in standard errors, those of the expected value included where it is itself an estimate.
  It must be at most 3.3, and the simulation's standard error at most 1 % of the expected value (2 % for the 99th
  percentile), so that a wrong model has nowhere to hide. Two right cases in a thousand would fail by bad luck.
- **limit**: at least, or at most, what was stated beforehand, for comparisons with measured data. An estimate
  may exceed it by 3.3 of its standard errors, and the verdict says so where it does: then the data do not show that
  the limit is kept, only that they do not show the contrary. Lines marked *shown* are judged together by such lines.

What is exact and what is not. The formulas are exact for the idealised systems that they describe (Poisson traffic,
exponential service where it says so), so these tables show that the simulator does what its model says. They do
not show that the model is like a cloud: for that, see the groups with measured data at the end, where the
difference contains the randomness of the real experiments as well. Quantiles are read from histograms whose buckets
are 0.8 % wide; means, counts, ratios and levels are sums of integers.

Notation: λ arrivals a second, S mean service time in seconds, a = λS offered load in erlangs, c a limit, T the idle
timeout in seconds, cv the coefficient of variation (standard deviation over mean).
";

fn page() -> String {
    let groups = groups();
    let cases: usize = groups.iter().map(|group| group.cases.len()).sum();
    let held = groups
        .iter()
        .flat_map(|group| &group.cases)
        .filter(|case| case.holds)
        .count();
    let mut text = INTRODUCTION.to_owned();
    let _ = writeln!(text, "\n{held} of {cases} cases hold.");
    for group in groups {
        text.push_str(&group.section());
    }
    text
}

#[test]
fn the_page_shows_what_came_out() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/validation.md");
    let page = page();
    if std::env::var_os("COLDCURVE_BLESS").is_some() {
        std::fs::write(&path, &page).expect("docs can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = page
        .lines()
        .zip(committed.lines().chain(std::iter::repeat("")))
        .find(|(new, old)| new != old);
    assert!(
        page == committed,
        "docs/validation.md is not what came out (COLDCURVE_BLESS=1 cargo test writes it); first difference: {differs:?}"
    );
}

#[test]
fn numbers_keep_six_digits() {
    let shown = [0.099_699_81, 12.0, 1_234.567_89, 0.000_012_345_678, 0.0].map(number);
    assert_eq!(shown, ["0.0996998", "12", "1234.57", "0.0000123457", "0"]);
    assert_eq!(
        [0.092_2, 3_229.999_999].map(|value| rounded(value, 10)),
        ["0.0922", "3229.999999"]
    );
}

#[test]
fn a_wrong_value_is_found() {
    let replications: Vec<f64> = (0..30).map(|i| 100.0 + f64::from(i % 3)).collect();
    assert!(Case::mean("", "", "", 101.0, &replications).holds);
    assert!(
        !Case::mean("", "", "", 102.0, &replications).holds,
        "six standard errors away"
    );
    assert!(
        !Case::mean("", "", "", 1.0, &[0.0, 2.0, 1.0]).holds,
        "too few runs to tell"
    );
    assert!(!Case::exact("", "", "", 3.0, 4.0).holds && Case::exact("", "", "", 0.0, 0.0).holds);
}
