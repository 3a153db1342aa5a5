//! Whether a cell keeps the promise, and if not, what is wrong with it: each fault with the number that makes it one.

use super::work::{self, Failed, Lost, things};
use crate::run::format;
use crate::run::summary::{Cell, Estimate, ExpectationResult, Outcome, Summary, Unit, name};
use crate::run::verdict::{Class, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Something that is wrong with a cell, in parts that allow several cells to share a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Whether it is only possible that the promise is broken.
    pub open: bool,
    /// In a word or two, for an answer that has no winner.
    pub kind: &'static str,
    /// What one cell does, and what several do.
    pub verbs: (String, String),
    /// The number that makes it wrong; empty if there is none.
    pub number: String,
    /// What follows the number.
    pub rest: String,
    /// When or why, where there is room for it.
    pub aside: String,
}

impl Fault {
    fn new(kind: &'static str, verbs: (&str, &str), number: impl Into<String>, rest: impl Into<String>) -> Self {
        Self {
            open: false,
            kind,
            verbs: (verbs.0.to_owned(), verbs.1.to_owned()),
            number: number.into(),
            rest: rest.into(),
            aside: String::new(),
        }
    }

    fn open(self) -> Self {
        Self { open: true, ..self }
    }

    /// What is wrong, of one cell.
    pub fn words(&self) -> String {
        let space = if self.number.is_empty() { "" } else { " " };
        format!("{}{space}{}{}{}", self.verbs.0, self.number, self.rest, self.aside)
    }
}

/// Whether a cell keeps the promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// All of it.
    Keeps,
    /// Perhaps: what was seen does not tell.
    Open,
    /// It does not.
    Breaks,
}

/// What was found about a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// What is wrong, the worst first.
    pub faults: Vec<Fault>,
}

impl Judged {
    /// Whether the cell keeps the promise.
    pub fn state(&self) -> State {
        match self.faults.as_slice() {
            [] => State::Keeps,
            faults if faults.iter().all(|fault| fault.open) => State::Open,
            _ => State::Breaks,
        }
    }

    /// The fault to name.
    pub fn worst(&self) -> Option<&Fault> {
        self.faults.iter().find(|fault| !fault.open).or(self.faults.first())
    }
}

/// Judges all cells.
pub fn all(summary: &Summary) -> Vec<Judged> {
    let excused = lost_everywhere(&summary.cells);
    let mut misses: BTreeMap<_, Vec<&ExpectationResult>> = BTreeMap::new();
    // That something was not seen once speaks against nobody, however few there were.
    let unseen = |e: &ExpectationResult| e.outcome == Outcome::Undecided && e.seen.is_some_and(|seen| seen.mean == 0.0);
    for result in summary
        .expectations
        .iter()
        .filter(|e| e.promised && !e.holds() && !unseen(e))
    {
        let place = crate::run::summary::place(&result.variant, &result.point);
        misses.entry(place).or_default().push(result);
    }
    let of = |cell: &Cell| {
        let missed = misses.get(&cell.place()).map_or(&[][..], Vec::as_slice);
        judge(summary, cell, &excused, missed)
    };
    summary.cells.iter().map(of).collect()
}

fn judge(summary: &Summary, cell: &Cell, excused: &BTreeSet<String>, missed: &[&ExpectationResult]) -> Judged {
    if let Some(why) = &cell.refused {
        let fault = Fault::new(
            "could not be run",
            ("could not be run:", "could not be run:"),
            "",
            format!(" {why}"),
        );
        return Judged { faults: vec![fault] };
    }
    let mut faults: Vec<Fault> = cell
        .verdicts
        .iter()
        .filter_map(|verdict| of_verdict(cell, verdict))
        .collect();
    // That the backlog still falls and that an episode was not done are one thing.
    faults.dedup_by(|later, first| later.kind == OWES && first.kind == OWES);
    if faults.iter().any(|fault| fault.kind == NOT_KEEPING_UP) {
        faults.retain(|fault| fault.kind != OWES);
    }
    let avoidable = |lost: &Lost| !lost.unavoidable && !excused.contains(&lost.place);
    let too_many = |lost: &Lost| lost.units as f64 > summary.promise.lost * lost.of * f64::from(summary.replications);
    let lost = work::lost(cell);
    faults.extend(
        lost.iter()
            .filter(|lost| avoidable(lost) && too_many(lost))
            .map(of_loss),
    );
    let failed = work::failed(cell);
    let several = failed.iter().filter(|failed| failed.share.mean > 0.0).count() > 1;
    faults.extend(
        failed
            .iter()
            .filter_map(|failed| of_failed(summary, cell, failed, several)),
    );
    if faults.is_empty() {
        faults.extend(failed.iter().filter_map(|failed| in_episode(summary, cell, failed)));
    }
    faults.extend(missed.iter().map(|result| of_expectation(result)));
    // The gravest first: what happened before what may have.
    faults.sort_by_key(|fault| fault.open);
    Judged { faults }
}

/// In a word or two, of a cell with a backlog that grows.
pub const NOT_KEEPING_UP: &str = "does not keep up";
/// The same of work that was not done at the end.
pub const OWES: &str = "is not done at the end";

fn of_verdict(cell: &Cell, verdict: &Verdict) -> Option<Fault> {
    match verdict.class {
        Class::NoTraffic => Some(Fault::new("no traffic", ("had no traffic", "had no traffic"), "", "")),
        Class::TwoRegimes => {
            let bad = cell.regimes.iter().filter(|regime| regime.fails);
            let bad: usize = bad.map(|regime| regime.runs.len()).sum();
            let all: usize = cell.regimes.iter().map(|regime| regime.runs.len()).sum();
            let verbs = ("has two regimes:", "have two regimes:");
            Some(Fault::new(
                "two regimes",
                verbs,
                format!("{bad} of {all}"),
                " runs collapse",
            ))
        }
        Class::Growing => Some(growing(verdict)),
        Class::Draining | Class::Unfinished => Some(owing(cell, verdict)),
        Class::TooShort => {
            let verbs = ("is not settled when the run ends", "are not settled when the run ends");
            Some(Fault::new("too short to say", verbs, "", "").open())
        }
        Class::Periodic | Class::Episode | Class::Steady => None,
    }
}

/// Work that was not done at the end, and how much.
fn owing(cell: &Cell, verdict: &Verdict) -> Fault {
    if let Some(owed) = work::owed(cell) {
        let (units, of) = (count(owed.units), count(owed.of));
        let rest = format!(" of {of} {} at the end", owed.things);
        return Fault::new(OWES, ("still owes", "still owe"), units, rest);
    }
    let what = verdict
        .words
        .split(": ")
        .next()
        .filter(|_| verdict.class == Class::Unfinished);
    let what = what.unwrap_or("its work");
    let verbs = (
        format!("is not done with {what} when the run ends"),
        format!("are not done with {what} when the run ends"),
    );
    Fault::new(OWES, (&verbs.0, &verbs.1), "", "")
}

fn growing(verdict: &Verdict) -> Fault {
    let metric = verdict.metric.as_deref().unwrap_or_default();
    let (kind, last) = (metric.split('.').next(), metric.rsplit('.').next());
    let things = match (kind.unwrap_or_default(), last.unwrap_or_default()) {
        ("fleets", "busy") => "slots",
        (_, "busy") => "instances",
        ("fleets" | "proxies", _) => "requests",
        ("databases", _) => "queries",
        ("stores", _) => "operations",
        ("externals", _) => "calls",
        _ => things(metric),
    };
    let verbs = ("does not keep up, growing by", "do not keep up, growing by");
    if let Some(doubles) = verdict.doubles_every_s {
        let verbs = ("grows without end, doubling every", "grow without end, doubling every");
        return Fault::new(
            NOT_KEEPING_UP,
            verbs,
            format::value(Unit::Seconds, doubles),
            format!(" ({metric})"),
        );
    }
    let (number, unit) = crate::run::verdict::rate(verdict.per_second.unwrap_or(f64::NAN));
    Fault::new(NOT_KEEPING_UP, verbs, number, format!(" {things}/{unit}"))
}

fn of_loss(lost: &Lost) -> Fault {
    // What is seldom is counted, not averaged.
    if lost.units < 10 {
        let rest = format!(" of {} {} in all runs", count(lost.of), lost.things);
        return Fault::new("loses work", ("loses", "lose"), lost.units.to_string(), rest);
    }
    let rest = format!(" of {} {}", count(lost.of), lost.things);
    Fault::new("loses work", ("loses", "lose"), count(lost.per_run.mean), rest)
}

/// Whether a share keeps a bound, as far as its interval tells.
pub fn keeps(share: &Estimate, most: f64) -> Outcome {
    if share.mean.is_nan() || share.mean == 0.0 {
        return Outcome::Holds;
    }
    let (low, high) = share.interval.unwrap_or((share.mean, share.mean));
    match () {
        () if low > most => Outcome::Fails,
        () if high <= most => Outcome::Holds,
        () => Outcome::Undecided,
    }
}

fn of_failed(summary: &Summary, cell: &Cell, failed: &Failed, several: bool) -> Option<Fault> {
    let outcome = keeps(&failed.share, summary.promise.failed);
    let of = if several || failed.things != "requests" {
        format!(" of the {} of {}", failed.things, failed.whose)
    } else {
        " of the requests".to_owned()
    };
    let share = format::figure(Unit::Ratio, &failed.share).0;
    match outcome {
        Outcome::Holds => None,
        Outcome::Fails => Some(Fault {
            aside: when(summary, cell, failed),
            ..Fault::new("fails", ("fails", "fail"), share, of)
        }),
        Outcome::Undecided => {
            let share = format::estimate(Unit::Ratio, &failed.share);
            let verbs = ("is not decided: it fails", "are not decided: they fail");
            Some(Fault::new("not decided", verbs, share, of).open())
        }
    }
}

fn of_expectation(result: &ExpectationResult) -> Fault {
    let seen = result.seen.as_ref().filter(|seen| seen.mean.is_finite());
    let wanted = format!(", not {}", result.condition);
    let Some(seen) = seen else {
        let verbs = ("has no", "have no");
        return Fault::new(
            "misses an expectation",
            verbs,
            "",
            format!(" {}, wanted {}", result.metric, result.condition),
        );
    };
    let number = format::estimate(result.unit, seen);
    if result.fails() {
        let verb = format!("misses an expectation: {} is", result.metric);
        let verbs = format!("miss an expectation: {} is", result.metric);
        return Fault::new("misses an expectation", (&verb, &verbs), number, wanted);
    }
    let verb = format!("is not decided: {} is", result.metric);
    let verbs = format!("are not decided: {} is", result.metric);
    let wanted = format!(", wanted {}", result.condition);
    Fault::new("not decided", (&verb, &verbs), number, wanted).open()
}

/// The failures of a source by window: how many a run there are, and how many requests.
fn by_window(summary: &Summary, cell: &Cell, failed: &Failed) -> Option<Vec<(f64, f64)>> {
    let width = summary.timeline_window_ns() as f64 / 1e9;
    let errors = cell.timeline(&format!("{}.{}", failed.whose, name::ERROR_RATIO))?;
    let offered = cell.timeline(&format!("{}.{}", failed.whose, name::OFFERED))?;
    let before = summary.warmup_ns as f64 / 1e9;
    let pairs = errors.mean.iter().zip(&offered.mean).enumerate();
    let window = |(number, (ratio, rate)): (usize, (&f64, &f64))| {
        let came = if rate.is_finite() { rate * width } else { 0.0 };
        let measured = (number as f64 + 0.5) * width >= before;
        if measured && ratio.is_finite() {
            (ratio * came, came)
        } else {
            (0.0, 0.0)
        }
    };
    Some(pairs.map(window).collect())
}

/// When nearly all failures were, if that was in a small part of the measured time.
fn when(summary: &Summary, cell: &Cell, failed: &Failed) -> String {
    const NEARLY_ALL: f64 = 0.98;
    const SMALL_PART: f64 = 0.25;
    let Some(windows) = by_window(summary, cell, failed) else {
        return String::new();
    };
    let all: f64 = windows.iter().map(|window| window.0).sum();
    let measured = windows.iter().filter(|window| window.1 > 0.0).count();
    // The shortest stretch that has nearly all of them.
    let mut best: Option<(usize, usize)> = None;
    let (mut from, mut sum) = (0, 0.0);
    for until in 0..windows.len() {
        sum += windows[until].0;
        while sum - windows[from].0 >= NEARLY_ALL * all && from < until {
            sum -= windows[from].0;
            from += 1;
        }
        if sum >= NEARLY_ALL * all && best.is_none_or(|(a, b)| until - from < b - a) {
            best = Some((from, until));
        }
    }
    let Some((from, until)) =
        best.filter(|(from, until)| all > 0.0 && (until - from + 1) as f64 <= SMALL_PART * measured as f64)
    else {
        return String::new();
    };
    let width = summary.timeline_window_ns();
    let at = |window: usize| clock(window as u64 * width);
    let words = format!(", nearly all of it from {} to {}", at(from), at(until + 1));
    let (begin, end) = (
        from as f64 * width as f64 / 1e9,
        (until + 1) as f64 * width as f64 / 1e9,
    );
    let cause = cell
        .episodes
        .iter()
        .find(|episode| episode.from_s < end && episode.until_s + width as f64 / 1e9 > begin);
    cause.map_or(words.clone(), |episode| format!("{words} ({})", episode.name))
}

/// A time of the run, in nanoseconds, as `4 min 20 s`.
fn clock(nanoseconds: u64) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    if seconds < 60 || !nanoseconds.is_multiple_of(1_000_000_000) {
        return format::span_ns(nanoseconds);
    }
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let there = parts.iter().filter(|(number, _)| *number > 0);
    there
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Failures within what comes once, which the mean over the whole time hides: from its beginning until a window after
/// its end, as the timelines show them.
fn in_episode(summary: &Summary, cell: &Cell, failed: &Failed) -> Option<Fault> {
    /// Fewer failures than that may be chance.
    const ENOUGH: f64 = 10.0;
    let windows = by_window(summary, cell, failed)?;
    let width = summary.timeline_window_ns() as f64 / 1e9;
    let runs = f64::from(summary.replications);
    cell.episodes.iter().find_map(|episode| {
        let during = |(number, _): &(usize, &(f64, f64))| {
            let (begin, end) = (*number as f64 * width, (*number + 1) as f64 * width);
            end > episode.from_s && begin < episode.until_s + width
        };
        let inside = windows.iter().enumerate().filter(during);
        let (bad, came) = inside.fold((0.0, 0.0), |sum, (_, window)| (sum.0 + window.0, sum.1 + window.1));
        let share = bad / came;
        (bad * runs >= ENOUGH && share > summary.promise.failed).then(|| {
            let rest = format!(" of the requests in the minutes around {}", episode.name);
            let rest = if summary.timeline_window_ns() == 60_000_000_000 {
                rest
            } else {
                rest.replace("minutes", "windows")
            };
            Fault::new("fails", ("fails", "fail"), format::value(Unit::Ratio, share), rest)
        })
    })
}

/// Losses that differ by more than this factor are not alike, whatever their intervals.
const ALIKE: f64 = 1.5;

/// The places where every cell that keeps up loses work, and all of them alike as far as their intervals tell: what no
/// design works off is no fault of one of them.
fn lost_everywhere(cells: &[Cell]) -> BTreeSet<String> {
    let judged: Vec<Vec<Lost>> = cells
        .iter()
        .filter(|cell| cell.is_comparable())
        .map(work::lost)
        .collect();
    let mut excused = BTreeSet::new();
    let Some((first, rest)) = judged.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return excused;
    };
    for lost in first {
        let ends = |lost: &Lost| lost.per_run.interval.unwrap_or((lost.per_run.mean, lost.per_run.mean));
        let same = rest
            .iter()
            .map(|other| other.iter().find(|other| other.place == lost.place));
        let all: Option<Vec<(f64, f64)>> = std::iter::once(Some(lost)).chain(same).map(|l| l.map(ends)).collect();
        let Some(all) = all else { continue };
        let highest_low = all.iter().map(|end| end.0).fold(f64::MIN, f64::max);
        let lowest_high = all.iter().map(|end| end.1).fold(f64::MAX, f64::min);
        // An interval that holds everything tells nothing.
        let means = std::iter::once(Some(lost)).chain(rest.iter().map(|o| o.iter().find(|o| o.place == lost.place)));
        let means: Vec<f64> = means.flatten().map(|lost| lost.per_run.mean).collect();
        let (least, most) = (
            means.iter().copied().fold(f64::MAX, f64::min),
            means.iter().copied().fold(0.0, f64::max),
        );
        if highest_low <= lowest_high && most <= ALIKE * least {
            excused.insert(lost.place.clone());
        }
    }
    excused
}

/// A number of things, rounded to whole ones.
pub fn count(number: f64) -> String {
    format::grouped(number.round(), 0)
}
