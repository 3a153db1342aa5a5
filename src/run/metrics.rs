//! What the metrics mean, for `coldcurve explain` and for whoever mistypes one.

use crate::model::KINDS;
use crate::model::limits::Limit;
use std::fmt::Write as _;

/// A metric: whose it is (a kind of components, or empty for the whole system), its name, its meaning. A name that ends
/// in `.*` is a distribution of durations, with `mean`, `p50`, `p90`, `p95`, `p99`, `p99.9` and `max`.
pub const METRICS: &[(&str, &str, &str)] = &[
    (
        "",
        "offered",
        "Requests of all clients per second, retries not counted again.",
    ),
    ("", "throughput", "Requests of all clients that ended well, per second."),
    (
        "",
        "error_ratio",
        "Requests of all clients that ended badly, after their retries, over all.",
    ),
    (
        "",
        "latency.*",
        "From sending a request to its last answer, retries included, as clients see it.",
    ),
    (
        "",
        "latency.p99.worst_window",
        "The largest p99 among the windows of a run: what an operator's dashboard shows.",
    ),
    (
        "",
        "cold_ratio",
        "Invocations of all functions that had to start an instance, over all.",
    ),
    ("", "bill.month", "The bill scaled to a month, in dollars."),
    (
        "",
        "bill.per_million",
        "The bill per million requests of clients, in dollars.",
    ),
    (
        "",
        "limits.LIMIT",
        "How often a limit was run into in a run, such as `limits.account_concurrency`; `explain limits` lists them.",
    ),
    ("clients", "requests", "Requests that ended."),
    (
        "clients",
        "latency.p99.worst_window",
        "The largest p99 of its answers among the windows of a run.",
    ),
    (
        "queues",
        "latency.p99.worst_window",
        "The largest p99, from sending to deleting a message, among the windows of a run.",
    ),
    (
        "clients",
        "error_ratio",
        "Requests that ended badly, after their retries, over all.",
    ),
    (
        "clients",
        "attempts_per_request",
        "Attempts per request: 1 is no retry.",
    ),
    ("clients", "throttled_429", "Requests that ended throttled (429)."),
    (
        "clients",
        "failed_500",
        "Requests that ended in an error of a handler (500).",
    ),
    (
        "clients",
        "bad_gateway_502",
        "Requests that ended in an error behind a gateway (502).",
    ),
    ("clients", "unavailable_503", "Requests that nobody could take (503)."),
    (
        "clients",
        "gateway_timeout_504",
        "Requests that a gateway gave up on (504).",
    ),
    ("clients", "timed_out", "Requests that the client gave up on."),
    (
        "clients",
        "too_large_413",
        "Requests that were larger than their target takes (413).",
    ),
    (
        "clients",
        "latency.*",
        "From sending a request to its last answer, retries included.",
    ),
    ("gateways", "requests", "Requests that arrived."),
    (
        "gateways",
        "throttled",
        "Requests refused by its own or its account's rate limit.",
    ),
    (
        "gateways",
        "timeouts",
        "Requests whose target took longer than the gateway waits.",
    ),
    (
        "functions",
        "offered",
        "Invocations asked for, throttled ones included.",
    ),
    ("functions", "invocations", "Invocations that found an instance."),
    ("functions", "cold_starts", "Invocations that had to start an instance."),
    (
        "functions",
        "cold_ratio",
        "Invocations that had to start an instance, over all.",
    ),
    (
        "functions",
        "throttled_concurrency",
        "Refused for lack of concurrency: reserved, or of the account.",
    ),
    (
        "functions",
        "throttled_rate",
        "Refused by the limit on requests per second.",
    ),
    (
        "functions",
        "throttled_scaling",
        "Refused because instances may not be added that fast.",
    ),
    (
        "functions",
        "throttled_pending",
        "Refused after waiting for a slot or an instance as long as they may.",
    ),
    (
        "functions",
        "pending",
        "Requests that wait for a slot or an instance, mean over time.",
    ),
    ("functions", "pending.peak", "Most requests that waited at once."),
    ("functions", "throttle_ratio", "Refused invocations over offered ones."),
    ("functions", "failed", "Invocations that failed."),
    (
        "functions",
        "timed_out",
        "Invocations cut off by the function's timeout.",
    ),
    ("functions", "instances", "Instances alive, mean over time."),
    ("functions", "instances.busy", "Instances at work, mean over time."),
    (
        "functions",
        "instances.starting",
        "Instances being placed or initialised, mean over time.",
    ),
    ("functions", "instances.peak", "Most instances alive at once."),
    ("functions", "instances.busy_peak", "Most instances at work at once."),
    ("functions", "provisioned", "Instances provisioned, mean over time."),
    (
        "functions",
        "provisioned.busy",
        "Provisioned instances at work, mean over time.",
    ),
    (
        "functions",
        "spill_ratio",
        "Invocations that found no provisioned instance, over all.",
    ),
    (
        "functions",
        "duration.*",
        "Time that the handler takes, the init left out.",
    ),
    (
        "functions",
        "cold_start.*",
        "Placement and init together, of invocations that waited for them.",
    ),
    ("functions", "init.*", "Init of the instances that were started."),
    (
        "functions",
        "async.received",
        "Events accepted for asynchronous invocation.",
    ),
    ("functions", "async.duplicates", "Events that were delivered twice."),
    (
        "functions",
        "async.duplicates_processed",
        "Second deliveries that were worked on to the end.",
    ),
    (
        "functions",
        "async.retried",
        "Further tries of events after an error of the function.",
    ),
    (
        "functions",
        "async.throttled",
        "Tries that the function refused; their events went back to its queue.",
    ),
    ("functions", "async.done", "Events done, duplicates not counted."),
    (
        "functions",
        "async.dropped_errors",
        "Events given up after their last retry.",
    ),
    (
        "functions",
        "async.dropped_age",
        "Events given up because they became too old.",
    ),
    (
        "functions",
        "async.dropped_switched_off",
        "Events given up because the function has no concurrency at all.",
    ),
    (
        "functions",
        "async.lost",
        "Events given up that went to no dead-letter queue and no destination.",
    ),
    (
        "functions",
        "async.depth",
        "Events neither done nor given up, mean over time.",
    ),
    ("functions", "async.depth.peak", "Most such events at once."),
    (
        "functions",
        "async.age.*",
        "From accepting an event to the start of each of its invocations.",
    ),
    (
        "functions",
        "async.latency.*",
        "From accepting an event to the end of the invocation that did it.",
    ),
    (
        "functions",
        "effects",
        "Times that the effects of its handler happened, each time counted.",
    ),
    (
        "functions",
        "effects.distinct",
        "Messages, records or requests whose effects happened at least once.",
    ),
    (
        "functions",
        "effects.duplicate",
        "Times that an effect happened again for the same message, record or request.",
    ),
    (
        "functions",
        "idempotency.skipped",
        "Deliveries whose idempotent steps were skipped, because they had been done.",
    ),
    (
        "functions",
        "idempotency.conflicts",
        "Deliveries that failed, because another invocation was at the same idempotent steps.",
    ),
    (
        "fleets",
        "effects",
        "Times that the effects of its handler happened, each time counted.",
    ),
    (
        "fleets",
        "effects.distinct",
        "Messages, records or requests whose effects happened at least once.",
    ),
    (
        "fleets",
        "effects.duplicate",
        "Times that an effect happened again for the same message, record or request.",
    ),
    (
        "fleets",
        "idempotency.skipped",
        "Requests whose idempotent steps were skipped, because they had been done.",
    ),
    (
        "fleets",
        "idempotency.conflicts",
        "Requests that failed, because another one was at the same idempotent steps.",
    ),
    ("topics", "published", "Messages published."),
    ("topics", "throttled", "Publish calls beyond the quota, refused (429)."),
    ("topics", "unmatched", "Messages that no subscription wanted."),
    ("topics", "duplicates", "Deliveries that were made twice."),
    ("topics", "delayed", "Deliveries that waited for the quota."),
    (
        "topics",
        "fan_out.*",
        "From publishing a message to the last answer of those who get it.",
    ),
    (
        "topics",
        "deliveries",
        "Deliveries begun: one for each target that is to get a message.",
    ),
    ("topics", "delivered", "Deliveries that their target took."),
    (
        "topics",
        "retried",
        "Further tries of deliveries that a target refused or failed.",
    ),
    (
        "topics",
        "dropped_attempts",
        "Deliveries given up after their last try.",
    ),
    (
        "topics",
        "dropped_age",
        "Deliveries given up because they became too old.",
    ),
    (
        "topics",
        "lost",
        "Deliveries given up for which there was no dead-letter queue.",
    ),
    (
        "topics",
        "pending",
        "Deliveries neither taken nor given up, mean over time.",
    ),
    ("topics", "pending.peak", "Most such deliveries at once."),
    (
        "topics",
        "delivery.*",
        "From publishing, or the moment of a job, to the target's answer; functions and queues answer at once.",
    ),
    ("schedules", "fired", "Times that it fired."),
    (
        "schedules",
        "deliveries",
        "Deliveries begun: one for each target that is to get a message.",
    ),
    ("schedules", "delivered", "Deliveries that their target took."),
    (
        "schedules",
        "retried",
        "Further tries of deliveries that a target refused or failed.",
    ),
    (
        "schedules",
        "dropped_attempts",
        "Deliveries given up after their last try.",
    ),
    (
        "schedules",
        "dropped_age",
        "Deliveries given up because they became too old.",
    ),
    (
        "schedules",
        "lost",
        "Deliveries given up for which there was no dead-letter queue.",
    ),
    (
        "schedules",
        "pending",
        "Deliveries neither taken nor given up, mean over time.",
    ),
    ("schedules", "pending.peak", "Most such deliveries at once."),
    (
        "schedules",
        "delivery.*",
        "From publishing, or the moment of a job, to the target's answer; functions and queues answer at once.",
    ),
    ("queues", "sent", "Messages that senders put in."),
    (
        "queues",
        "copies",
        "Second copies that the service made of its own accord.",
    ),
    (
        "queues",
        "moved_in",
        "Messages moved in from other queues, as a dead-letter queue gets them.",
    ),
    ("queues", "received", "Messages handed to workers, each time counted."),
    ("queues", "deleted", "Messages done with."),
    ("queues", "dead_lettered", "Messages moved to the dead-letter queue."),
    ("queues", "redriven", "Messages moved to another queue by a redrive."),
    ("queues", "expired", "Messages older than the retention period."),
    (
        "queues",
        "duplicates_processed",
        "Messages worked on again after they had been done.",
    ),
    ("queues", "messages_failed", "Times that the work on a message failed."),
    ("queues", "batches", "Batches handed to workers."),
    ("queues", "batches_failed", "Batches whose work failed."),
    ("queues", "batches_throttled", "Batches that the function refused."),
    (
        "queues",
        "batches_abandoned",
        "Batches whose messages came back while they were worked on.",
    ),
    ("queues", "remaining", "Messages in the queue at the end of the run."),
    ("queues", "depth", "Messages waiting, mean over time."),
    ("queues", "depth.peak", "Most messages waiting at once."),
    (
        "queues",
        "in_flight",
        "Messages received and not yet deleted, mean over time.",
    ),
    ("queues", "in_flight.peak", "Most messages in flight at once."),
    ("queues", "age_oldest.*", "Age of the oldest message waiting."),
    ("queues", "concurrency", "Batches being worked on, mean over time."),
    ("queues", "concurrency.peak", "Most batches being worked on at once."),
    ("queues", "wait.*", "From sending a message to the start of its work."),
    ("queues", "latency.*", "From sending a message to the end of its work."),
    (
        "streams",
        "records",
        "Records that were put and accepted, or that reached a further consumer.",
    ),
    ("streams", "throttled", "Puts refused by their shard's limits."),
    ("streams", "throttle_ratio", "Refused puts over all."),
    (
        "streams",
        "hottest_shard",
        "Puts offered to the shard that was offered most, over all.",
    ),
    ("streams", "shards", "Open shards, mean over time."),
    ("streams", "shards.peak", "Most open shards at once."),
    (
        "streams",
        "delivered",
        "Records handed to the function, each time counted.",
    ),
    (
        "streams",
        "redelivered",
        "Of these, records that were handed over before.",
    ),
    ("streams", "processed", "Records done with."),
    (
        "streams",
        "discarded",
        "Records given up after their tries or at their maximum age.",
    ),
    ("streams", "expired", "Records older than the retention period."),
    (
        "streams",
        "skipped",
        "Records put before a mapping that begins with the latest.",
    ),
    ("streams", "remaining", "Records not done with at the end of the run."),
    (
        "streams",
        "batches",
        "Batches handed to the function, each try counted.",
    ),
    (
        "streams",
        "batches_failed",
        "Batches of which at least one record failed.",
    ),
    ("streams", "batches_throttled", "Batches that the function refused."),
    ("streams", "bisections", "Failed batches that were split in two."),
    ("streams", "depth", "Records put and not done, mean over time."),
    ("streams", "depth.peak", "Most records put and not done at once."),
    ("streams", "concurrency", "Batches being worked on, mean over time."),
    ("streams", "concurrency.peak", "Most batches being worked on at once."),
    (
        "streams",
        "blocked",
        "Lanes of shards held up by records that failed, mean over time.",
    ),
    ("streams", "blocked.peak", "Most lanes held up at once."),
    (
        "streams",
        "iterator_age.*",
        "Age of the last record of a batch when it was handed over.",
    ),
    (
        "streams",
        "age_oldest.*",
        "Age of the oldest record not done, by window.",
    ),
    (
        "streams",
        "latency.*",
        "From the put of a record to the end of its work.",
    ),
    (
        "streams",
        "latency.p99.worst_window",
        "The largest p99, from put to done, among the windows of a run.",
    ),
    ("databases", "queries", "Queries that were run."),
    ("databases", "refused", "Queries refused for lack of a connection."),
    ("databases", "refused_ratio", "Refused queries over all."),
    (
        "databases",
        "cancelled",
        "Queries that the server cancelled at their time-out.",
    ),
    ("databases", "connections", "Connections open, mean over time."),
    ("databases", "connections.peak", "Most connections open at once."),
    ("databases", "connections.new", "Connections opened."),
    ("databases", "running", "Queries running, mean over time."),
    ("databases", "running.peak", "Most queries running at once."),
    ("databases", "cpu", "Share of its processors in use."),
    (
        "databases",
        "capacity",
        "Capacity units of a serverless one, mean over time; 0 of another.",
    ),
    (
        "databases",
        "capacity.peak",
        "Most capacity units, rounded up to whole ones.",
    ),
    (
        "databases",
        "resumes",
        "How often a serverless one was woken from a pause.",
    ),
    ("databases", "connect.*", "Time that opening a connection takes."),
    ("databases", "query.*", "Time from a query's arrival to its end."),
    ("proxies", "queries", "Queries that passed."),
    ("proxies", "timeouts", "Queries that found no connection in time."),
    (
        "proxies",
        "abandoned",
        "Queries whose caller gave up while they waited.",
    ),
    (
        "proxies",
        "pool.busy",
        "Connections of the pool in use, mean over time.",
    ),
    ("proxies", "pool.peak", "Most connections of the pool in use at once."),
    (
        "proxies",
        "waiting",
        "Queries waiting for a connection, mean over time.",
    ),
    ("proxies", "waiting.peak", "Most queries waiting at once."),
    ("proxies", "borrow.*", "Time that a query waits for a connection."),
    ("fleets", "requests", "Requests that arrived."),
    ("fleets", "refused", "Requests refused because the queue was full."),
    ("fleets", "refused_ratio", "Refused requests over all."),
    ("fleets", "served", "Requests that were served."),
    ("fleets", "failed", "Requests that failed."),
    (
        "fleets",
        "instances",
        "Instances launched and not yet gone, mean over time.",
    ),
    ("fleets", "instances.peak", "Most instances at once."),
    (
        "fleets",
        "instances.running",
        "Instances that take requests, mean over time.",
    ),
    ("fleets", "launches", "Instances launched."),
    ("fleets", "slots.busy", "Slots in use, mean over time."),
    ("fleets", "slots.busy_peak", "Most slots in use at once."),
    ("fleets", "queue", "Requests waiting for a slot, mean over time."),
    ("fleets", "queue.peak", "Most requests waiting at once."),
    ("fleets", "cpu_utilisation", "Share of its processors in use."),
    ("fleets", "service_time.*", "Time that a request is worked on."),
    ("fleets", "queue_wait.*", "Time that a request waits for a slot."),
    ("workflows", "offered", "Executions asked for, throttled ones included."),
    (
        "workflows",
        "throttled",
        "Executions refused: too many started, or too many open.",
    ),
    ("workflows", "started", "Executions that were started."),
    ("workflows", "succeeded", "Executions that ended well."),
    (
        "workflows",
        "failed",
        "Executions that ended with a failure; time-outs are not among them.",
    ),
    ("workflows", "timed_out", "Executions that took longer than they may."),
    (
        "workflows",
        "failure_ratio",
        "Executions that failed or timed out, over all that ended.",
    ),
    ("workflows", "items", "Items of distributed maps that were started."),
    (
        "workflows",
        "transitions",
        "State transitions as the service counts them, retries included.",
    ),
    (
        "workflows",
        "transitions_delayed",
        "Transitions that waited for the quota on them.",
    ),
    (
        "workflows",
        "transitions_per_execution",
        "Transitions of an execution that ended, on average.",
    ),
    ("workflows", "retries", "Times that a state was tried again."),
    ("workflows", "caught", "Failures that a catcher led on."),
    (
        "workflows",
        "history_exceeded",
        "Executions and items that failed because of the size of their history.",
    ),
    (
        "workflows",
        "orchestration_share",
        "Share of the time of executions that transitions and overheads take, those of gateways included.",
    ),
    (
        "workflows",
        "retry_share",
        "Share of the time of executions that passes waiting for retries and quotas.",
    ),
    ("workflows", "open", "Executions open, mean over time."),
    ("workflows", "open.peak", "Most executions open at once."),
    (
        "workflows",
        "duration.*",
        "Time from the start of an execution to its end.",
    ),
    ("workflows", "state.STATE.visits", "How often the state was entered."),
    (
        "workflows",
        "state.STATE.errors",
        "How often the state failed, each try counted.",
    ),
    (
        "workflows",
        "state.STATE.time.*",
        "Time from entering the state to leaving it, retries and overheads included.",
    ),
    ("stores", "operations", "Operations that were done."),
    ("stores", "reads", "Reads and queries that were done."),
    ("stores", "writes", "Writes that were done."),
    ("stores", "read_units", "Read units that were taken."),
    ("stores", "write_units", "Write units that were taken."),
    ("stores", "throttled", "Operations refused for lack of throughput."),
    (
        "stores",
        "throttled_table",
        "Operations refused because the whole had no capacity left.",
    ),
    (
        "stores",
        "throttled_partition",
        "Operations refused because their partition had none left: hot keys.",
    ),
    (
        "stores",
        "throttle_ratio",
        "Operations refused for lack of throughput, over all.",
    ),
    ("stores", "rejected", "Operations refused because a queue was full."),
    ("stores", "refused", "Operations refused for lack of a connection."),
    ("stores", "failed", "Operations that failed."),
    ("stores", "hit_ratio", "Reads that a cache answered itself, over all."),
    (
        "stores",
        "read_capacity",
        "Read units a second of the whole, mean over time.",
    ),
    (
        "stores",
        "write_capacity",
        "Write units a second of the whole, mean over time.",
    ),
    ("stores", "partitions", "Most partitions."),
    ("stores", "utilisation", "Share of its threads in use."),
    ("stores", "waiting", "Operations waiting for a thread, mean over time."),
    ("stores", "waiting.peak", "Most operations waiting at one node."),
    ("stores", "connections", "Connections open, mean over time."),
    ("stores", "connections.peak", "Most connections open at once."),
    (
        "stores",
        "latency.*",
        "Time from an operation's arrival to its end, misses included.",
    ),
    ("externals", "calls", "Calls that were answered."),
    ("externals", "failed", "Calls that were answered badly."),
    ("externals", "items", "Items that are billed."),
    ("externals", "throttled", "Calls refused by a quota."),
    (
        "externals",
        "throttled_rate",
        "Calls refused by the quota of calls or items a second.",
    ),
    (
        "externals",
        "throttled_concurrency",
        "Calls refused by the quota of calls at once.",
    ),
    ("externals", "throttle_ratio", "Refused calls over all."),
    ("externals", "concurrency", "Calls under way, mean over time."),
    ("externals", "concurrency.peak", "Most calls under way at once."),
    ("externals", "latency.*", "Time from a call to its answer."),
];

/// The full name of a metric in general: `functions.NAME.cold_ratio`.
fn full(owner: &str, name: &str) -> String {
    match owner {
        "" => name.to_owned(),
        owner => format!("{owner}.NAME.{name}"),
    }
}

/// Whether a word is a metric of this name; `.*` stands for the mean, the maximum and the quantiles.
fn is(name: &str, word: &str) -> bool {
    if name == "limits.LIMIT" {
        let limit = word.strip_prefix("limits.").unwrap_or_default();
        return Limit::ALL.iter().any(|known| known.name() == limit);
    }
    if let Some(name) = name.strip_prefix("state.STATE.") {
        let of_state = word.strip_prefix("state.").and_then(|word| word.split_once('.'));
        return of_state.is_some_and(|(_, word)| is(name, word));
    }
    let part =
        |end: &str| end == "mean" || end == "max" || end.strip_prefix('p').is_some_and(|p| p.parse::<f64>().is_ok());
    match name.strip_suffix(".*") {
        None => name == word,
        Some(stem) => word
            .strip_prefix(stem)
            .is_some_and(|end| end.is_empty() || end.strip_prefix('.').is_some_and(part)),
    }
}

/// What a metric means: by its whole name (`functions.checkout.cold_ratio`) or by its last part (`cold_ratio`).
pub fn explain(word: &str) -> Option<String> {
    let mut parts = word.splitn(3, '.');
    let (owner, _, rest) = (parts.next().unwrap_or(""), parts.next(), parts.next());
    let whole = rest.filter(|_| KINDS.contains(&owner));
    let fits = |metric: &&(&str, &str, &str)| match whole {
        Some(rest) => metric.0 == owner && is(metric.1, rest),
        None => is(metric.1, word),
    };
    let mut text = String::new();
    for (owner, name, meaning) in METRICS.iter().filter(fits) {
        let _ = writeln!(text, "{} (metric)\n    {meaning}", full(owner, name));
        if name.ends_with(".*") {
            text.push_str("    A distribution of durations: .mean, .p50, .p90, .p95, .p99, .p99.9 and .max.\n");
        }
    }
    (!text.is_empty()).then_some(text)
}

/// All metrics, a line for each.
pub fn list() -> String {
    let mut text = String::from("Metrics (those of a component have its kind and name in front):\n");
    for (owner, name, meaning) in METRICS {
        let _ = writeln!(text, "  {:<36} {meaning}", full(owner, name));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_by_whole_and_last_name() {
        let about = |word| explain(word).unwrap_or_default();
        assert!(about("latency.p99").contains("as clients see it") && about("latency.p99").contains("queues.NAME"));
        assert!(about("functions.checkout.cold_ratio").starts_with("functions.NAME.cold_ratio (metric)\n"));
        assert!(about("functions.checkout.init.p99.9").contains("Init of the instances"));
        assert!(about("latency.p99.worst_window").contains("dashboard"));
        assert!(about("limits.init_limit").starts_with("limits.LIMIT (metric)"));
        for word in [
            "limits.patience",
            "functions.checkout.colour",
            "latency.p",
            "latencyp99",
            "happiness",
            "",
        ] {
            assert_eq!(explain(word), None, "{word}");
        }
    }

    #[test]
    fn every_owner_is_a_kind() {
        for (owner, name, meaning) in METRICS {
            assert!(owner.is_empty() || KINDS.contains(owner), "{owner}.{name}");
            assert!(meaning.ends_with('.'), "{owner}.{name}");
        }
    }
}
