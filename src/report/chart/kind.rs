//! What kind of system a summary is of: which picture says at once how it does.

use crate::run::summary::{Cell, Summary, name};

/// A kind of system, with the component whose figures come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Clients wait for answers.
    Requests,
    /// Most of what comes goes through a queue: its dotted path.
    Queue(String),
    /// Most of what comes goes through a stream: its dotted path.
    Stream(String),
    /// Nobody waits: something fires or is put in, and a workflow or a function runs. The metric of how long that
    /// takes.
    Job(String),
}

/// What is waited for in a system: its metric, and what that is in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waited {
    /// Such as `latency.p99` or `queues.jobs.latency.p99`; there may be a timeline of that name.
    pub metric: String,
    /// For the head of a panel.
    pub words: &'static str,
    /// For a sentence.
    pub short: &'static str,
}

/// What is waited for in the system of a summary.
pub fn waited(summary: &Summary) -> Waited {
    let p99 = |path: &str| format!("{path}.{}", name::LATENCY_P99);
    let (metric, words, short) = match of(summary) {
        Kind::Requests => (
            name::LATENCY_P99.to_owned(),
            "99 of 100 requests are answered within",
            "how long the slowest 1 % wait",
        ),
        Kind::Queue(path) => (
            p99(&path),
            "99 of 100 messages are done within",
            "how old the slowest 1 % of messages get",
        ),
        Kind::Stream(path) => (
            p99(&path),
            "99 of 100 records are done within",
            "how old the slowest 1 % of records get",
        ),
        Kind::Job(metric) => (metric, "How long it takes", "how long it takes"),
    };
    Waited { metric, words, short }
}

/// Share of what clients offer that has to go through a queue or a stream for these to come first.
const MOST_OF_IT: f64 = 0.5;
/// With fewer executions in a run, their mean says more than a percentile.
const FEW: f64 = 100.0;

fn mean(cell: &Cell, metric: &str) -> f64 {
    let mean = cell.metric(metric).map_or(0.0, |metric| metric.estimate.mean);
    if mean.is_finite() { mean } else { 0.0 }
}

/// Components with that metric below the section, each with the sum of it over all cells, the largest first.
fn components(summary: &Summary, section: &str, end: &str) -> Vec<(String, f64)> {
    let mut found: Vec<(String, f64)> = Vec::new();
    for metric in summary.cells.iter().flat_map(|cell| &cell.metrics) {
        let Some(path) = metric.name.strip_suffix(end).and_then(|path| path.strip_suffix('.')) else {
            continue;
        };
        let of_section = path.strip_prefix(section).and_then(|rest| rest.strip_prefix('.'));
        if of_section.is_none_or(|name| name.contains('.')) || !metric.estimate.mean.is_finite() {
            continue;
        }
        match found.iter_mut().find(|(known, _)| known == path) {
            Some((_, sum)) => *sum += metric.estimate.mean,
            None => found.push((path.to_owned(), metric.estimate.mean)),
        }
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found
}

/// The kind of a system.
pub fn of(summary: &Summary) -> Kind {
    let offered = |cell: &Cell| {
        let of_clients = cell.metrics.iter().filter(|metric| {
            let name = metric
                .name
                .strip_prefix("clients.")
                .and_then(|name| name.strip_suffix(".offered"));
            name.is_some_and(|name| !name.contains('.'))
        });
        of_clients
            .map(|metric| metric.estimate.mean)
            .filter(|mean| mean.is_finite())
            .sum::<f64>()
    };
    let all: f64 = summary.cells.iter().map(offered).sum();
    if all <= 0.0 {
        return job(summary);
    }
    let through = |section, came, done| {
        let main = components(summary, section, came).into_iter();
        let worked = |path: &str| {
            summary
                .cells
                .iter()
                .any(|cell| mean(cell, &format!("{path}.{done}")) > 0.0)
        };
        main.filter(|(path, came)| *came >= MOST_OF_IT * all && worked(path))
            .map(|(path, _)| path)
            .next()
    };
    if let Some(path) = through("queues", "sent", "deleted") {
        return Kind::Queue(path);
    }
    match through("streams", "records", "processed") {
        Some(path) => Kind::Stream(path),
        None => events(summary).map_or(Kind::Requests, Kind::Job),
    }
}

/// The metric of how long events take to be done with, where nobody waits for an answer: putting in takes no time.
fn events(summary: &Summary) -> Option<String> {
    if summary.cells.iter().any(|cell| mean(cell, name::LATENCY_P99) > 0.0) {
        return None;
    }
    // To the last thing that they cause, if that was followed, else to the end of the work on them.
    let ways = [
        ("clients", "journeys.good", "journey.p99"),
        ("functions", "async.done", "async.latency.p99"),
    ];
    ways.into_iter().find_map(|(section, done, long)| {
        let (path, _) = components(summary, section, done).into_iter().next()?;
        let metric = format!("{path}.{long}");
        let seen = summary.cells.iter().any(|cell| mean(cell, &metric) > 0.0);
        seen.then_some(metric)
    })
}

/// The metric of how long what fires takes: that of the workflow that is started, or of the work that takes longest.
fn job(summary: &Summary) -> Kind {
    let workflows = components(summary, "workflows", "started");
    if let Some((path, started)) = workflows.first().filter(|(_, started)| *started > 0.0) {
        let few = *started / (summary.cells.len().max(1) as f64) < FEW;
        return Kind::Job(format!("{path}.duration.{}", if few { "mean" } else { "p99" }));
    }
    let work = ["functions", "fleets"]
        .into_iter()
        .flat_map(|section| components(summary, section, "duration.mean"));
    match work.max_by(|a, b| a.1.total_cmp(&b.1)) {
        Some((path, _)) => Kind::Job(format!("{path}.duration.p99")),
        None => Kind::Requests,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::run::summary::{Metric, Unit};

    fn add(summary: &mut Summary, name: &str, value: f64) {
        let like = summary.cells[0].metrics[0].clone();
        summary.cells[0].metrics.push(Metric {
            name: name.into(),
            unit: Unit::Count,
            estimate: crate::run::summary::Estimate::exact(value),
            ..like
        });
    }

    fn offered(requests: f64) -> Summary {
        let mut summary = sample::one();
        add(&mut summary, "clients.web.offered", requests);
        summary
    }

    #[test]
    fn the_kind_follows_where_the_work_goes() {
        assert_eq!(of(&offered(1000.0)), Kind::Requests);
        let mut queue = offered(1000.0);
        add(&mut queue, "queues.jobs.sent", 900.0);
        // Dead letters nobody works on.
        assert_eq!(of(&queue), Kind::Requests);
        add(&mut queue, "queues.jobs.deleted", 800.0);
        assert_eq!(of(&queue), Kind::Queue("queues.jobs".into()));
        let mut side = offered(1000.0);
        add(&mut side, "queues.mail.sent", 20.0);
        add(&mut side, "queues.mail.deleted", 20.0);
        assert_eq!(of(&side), Kind::Requests);
        let mut stream = offered(1000.0);
        add(&mut stream, "streams.clicks.records", 1000.0);
        add(&mut stream, "streams.clicks.processed", 10.0);
        assert_eq!(of(&stream), Kind::Stream("streams.clicks".into()));
    }

    #[test]
    fn events_that_are_only_put_in_are_a_job() {
        let mut uploads = offered(1000.0);
        add(&mut uploads, "functions.thumbnail.async.done", 990.0);
        add(&mut uploads, "functions.thumbnail.async.latency.p99", 3.0);
        assert_eq!(of(&uploads), Kind::Requests, "its clients wait for answers");
        let latency = uploads.cells[0]
            .metrics
            .iter_mut()
            .find(|metric| metric.name == name::LATENCY_P99);
        latency.unwrap().estimate.mean = 0.0;
        assert_eq!(of(&uploads), Kind::Job("functions.thumbnail.async.latency.p99".into()));
        add(&mut uploads, "clients.web.journeys.good", 990.0);
        add(&mut uploads, "clients.web.journey.p99", 3.5);
        assert_eq!(of(&uploads), Kind::Job("clients.web.journey.p99".into()));
    }

    #[test]
    fn what_nobody_waits_for_is_a_job() {
        let mut night = offered(0.0);
        add(&mut night, "workflows.job.started", 1.0);
        assert_eq!(of(&night), Kind::Job("workflows.job.duration.mean".into()));
        let mut cron = offered(0.0);
        add(&mut cron, "functions.report.duration.mean", 4.0);
        add(&mut cron, "functions.report.state.x.duration.mean", 9.0);
        assert_eq!(of(&cron), Kind::Job("functions.report.duration.p99".into()));
    }
}
