//! What a system is about: the source with the most work, and where what becomes of it is seen.

use crate::run::summary::{Cell, Source, Summary, name};

/// What is in the system, as far as the choice of figures goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Requests, whose senders wait for answers.
    Requests,
    /// Messages of a queue with a worker.
    Queue,
    /// Records of a stream with a consumer.
    Stream,
    /// Executions of a workflow.
    Workflow,
    /// Events of a function that nobody waits for.
    Events,
    /// Everything that a source's work causes, from end to end.
    Journeys,
    /// Jobs of a schedule that nothing else tells of.
    Firings,
}

/// Where the work of a source is seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Headline {
    /// What it is.
    pub kind: Kind,
    /// The component whose metrics tell, such as `queues.jobs`; empty for requests, which the whole system answers.
    pub of: String,
}

impl Headline {
    fn new(kind: Kind, of: &str) -> Self {
        Self {
            kind,
            of: of.to_owned(),
        }
    }

    /// What is counted.
    pub fn things(&self) -> &'static str {
        match self.kind {
            Kind::Requests => "requests",
            Kind::Queue => "messages",
            Kind::Stream => "records",
            Kind::Workflow => "executions",
            Kind::Events => "events",
            Kind::Journeys => "journeys",
            Kind::Firings => "jobs",
        }
    }

    /// The stem of the percentiles of how long the work takes.
    pub fn stem(&self) -> String {
        match self.kind {
            Kind::Requests => name::LATENCY.to_owned(),
            Kind::Queue | Kind::Stream => format!("{}.latency", self.of),
            Kind::Workflow => format!("{}.duration", self.of),
            Kind::Events => format!("{}.async.latency", self.of),
            Kind::Journeys => format!("{}.journey", self.of),
            Kind::Firings => format!("{}.delivery", self.of),
        }
    }

    /// How long the slowest hundredth of the work takes in a cell, in seconds.
    pub fn p99(&self, cell: &Cell) -> Option<f64> {
        mean(cell, &format!("{}.p99", self.stem()))
    }
}

/// The mean of a metric, if it has one.
pub fn mean(cell: &Cell, metric: &str) -> Option<f64> {
    let found = cell.metric(metric)?.estimate.mean;
    found.is_finite().then_some(found)
}

/// How much work a source brings in a run.
pub fn work_of(cell: &Cell, source: &Source) -> f64 {
    let metric = if source.name.starts_with("schedules.") {
        "deliveries"
    } else {
        "offered"
    };
    mean(cell, &format!("{}.{metric}", source.name)).unwrap_or(0.0)
}

/// Metrics that count what arrives where nobody waits for an answer: their beginning, their end, the metric that a
/// place with a worker has, and what it is.
const BEHIND: [(&str, &str, &str, Kind); 4] = [
    ("queues.", ".sent", ".concurrency", Kind::Queue),
    ("streams.", ".records", ".concurrency", Kind::Stream),
    ("workflows.", ".offered", ".offered", Kind::Workflow),
    ("functions.", ".async.received", ".async.received", Kind::Events),
];

/// The place with the most work among those behind an answer.
fn busiest(cell: &Cell) -> Option<(Headline, f64)> {
    let mut most: Option<(Headline, f64)> = None;
    for metric in &cell.metrics {
        for (begin, end, worker, kind) in BEHIND {
            let Some(of) = metric.name.strip_suffix(end).filter(|of| of.starts_with(begin)) else {
                continue;
            };
            let work = metric.estimate.mean;
            let more = most.as_ref().is_none_or(|(_, least)| work > *least);
            if more && of.matches('.').count() == 1 && cell.metric(&format!("{of}{worker}")).is_some() {
                most = Some((Headline::new(kind, of), work));
            }
        }
    }
    most
}

/// Where the work of a source is seen in a cell.
pub fn of_source(cell: &Cell, source: &Source) -> Headline {
    let journeys = || cell.metric(&format!("{}.journey.p50", source.name)).is_some();
    let has = |end: &str| cell.metric(&format!("{}{end}", source.to)).is_some();
    let scheduled = source.name.starts_with("schedules.");
    match source.to.split('.').next().unwrap_or_default() {
        "queues" if has(".concurrency") => Headline::new(Kind::Queue, &source.to),
        "streams" if has(".concurrency") => Headline::new(Kind::Stream, &source.to),
        "workflows" => Headline::new(Kind::Workflow, &source.to),
        "functions" if scheduled && has(".async.received") => Headline::new(Kind::Events, &source.to),
        "queues" | "streams" | "topics" | "stores" => {
            let behind = busiest(cell).filter(|(_, work)| *work >= 0.5 * work_of(cell, source));
            match behind {
                Some(_) if journeys() => Headline::new(Kind::Journeys, &source.name),
                Some((headline, _)) => headline,
                None => Headline::new(Kind::Requests, ""),
            }
        }
        _ if scheduled => Headline::new(Kind::Firings, &source.name),
        _ => Headline::new(Kind::Requests, ""),
    }
}

/// Where the work of each source is seen, and how much that is, in all cells together; the most work first.
pub fn all(summary: &Summary) -> Vec<(Headline, f64)> {
    let mut found: Vec<(Headline, f64)> = Vec::new();
    for cell in &summary.cells {
        for source in &cell.sources {
            let (headline, work) = (of_source(cell, source), work_of(cell, source));
            match found.iter_mut().find(|(other, _)| *other == headline) {
                Some((_, sum)) => *sum += work,
                None => found.push((headline, work)),
            }
        }
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found
}

/// What the summary's table is about. Where the work goes different ways in different variants, it is what all of them
/// have: answers.
pub fn of(summary: &Summary) -> Headline {
    let requests = Headline::new(Kind::Requests, "");
    let all = all(summary);
    let Some((most, work)) = all.first() else {
        return requests;
    };
    let everywhere = |headline: &Headline| {
        let seen = |cell: &&Cell| cell.sources.iter().any(|source| of_source(cell, source) == *headline);
        let running = summary.cells.iter().filter(|cell| cell.refused.is_none());
        running.clone().count() > 0 && { running }.all(|cell| seen(&cell))
    };
    if *work > 0.0 && everywhere(most) {
        most.clone()
    } else {
        requests
    }
}
