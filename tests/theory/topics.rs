//! Topics and schedules: who gets what, how often and when.

use super::events::Trace;
use super::lab::{Lab, times, with};
use super::page::{Case, Group};
use std::sync::OnceLock;

const LONG: &str = "length: 1000 s";

/// Deliveries one by one.
fn fan_out() -> Vec<Case> {
    // Functions and queues take a message at once; the fleet answers when its work of 2 s is done.
    let three = Trace::of(
        "a message to a function, a queue and a fleet of 2 s, after 500 ms",
        &[0],
        LONG,
        "topics: { door: { delivery_latency: 500 ms, subscriptions: [f, q, w] } }\n\
         functions: { f: { handler: [ wait: 1 s ] } }\nqueues: { q: {} }\n\
         fleets: { w: { vcpu: 1, memory: 1 GB, handler: [ wait: 2 s ] } }",
    )
    .count("door", "delivered", 3.0)
    .count("f", "async.done", 1.0)
    .count("q", "sent", 1.0)
    .time("door", "delivery", (0.5e9 + 0.5e9 + 2.5e9) / 3.0, 2.5e9)
    .time("door", "fan_out", 2.5e9, 2.5e9)
    .time("web", "latency", 0.0, 0.0);
    // Two deliveries a second, the first four at once, so the fifth and the sixth wait half a second and one.
    let quota = Trace::of(
        "two messages to three queues each, 2 deliveries a second after a burst of 4",
        &[0, 0],
        LONG,
        "topics: { door: { delivery_quota: { rate: 2/s, burst: 4 }, subscriptions: [a, b, c] } }\n\
         queues: { a: {}, b: {}, c: {} }",
    )
    .count("door", "delayed", 2.0)
    .time("door", "delivery", 0.25e9, 1e9)
    .time("door", "fan_out", 0.5e9, 1e9);
    let refused = Trace::of(
        "three publish calls at once, a quota of 1/s and 2 at once",
        &[0, 0, 0],
        LONG,
        "topics: { door: { publish_quota: { rate: 1/s, burst: 2 }, to: q } }\nqueues: { q: {} }",
    )
    .count("door", "throttled", 1.0)
    .count("door", "published", 2.0)
    .count("web", "throttled_429", 1.0);
    let twice = Trace::of(
        "every delivery comes twice",
        &[0],
        LONG,
        "topics: { door: { duplicate_rate: 100%, to: q } }\nqueues: { q: {} }",
    )
    .count("door", "duplicates", 1.0)
    .count("q", "sent", 2.0);
    [three.cases, quota.cases, refused.cases, twice.cases].concat()
}

/// A target that refuses.
fn refusals() -> Vec<Case> {
    // The gateway lets one request in at once and then one every 100 s. The second message, at 1 s, is refused 0, 1, 3,
    // 7, 15, 31 and 63 s after it came and taken 127 s after it.
    let gate = |policy: &str, dead: &str| {
        format!(
            "topics: {{ door: {{ delivery: {{ {policy} }}, subscriptions: [ {{ to: gate{dead} }} ] }} }}\n\
             gateways: {{ gate: {{ to: q, throttle: {{ rate: 0.01/s, burst: 1 }} }} }}\nqueues: {{ q: {{}}, dead: {{}} }}"
        )
    };
    let grown = Trace::of(
        "a gateway that takes 1 message in 100 s; messages at 0 and 1 s, waits 1, 2, 4 ... s",
        &[0, 1_000],
        LONG,
        &gate("wait: 1 s", ""),
    )
    .count("door", "retried", 7.0)
    .count("door", "delivered", 2.0)
    .time("door", "delivery", 63.5e9, 127e9);
    let few = Trace::of(
        "the same with 4 tries 20 s apart and a dead-letter queue",
        &[0, 1_000],
        LONG,
        &gate("attempts: 4, wait: 20 s, factor: 1", ", dead_letter: dead"),
    )
    .count("door", "retried", 3.0)
    .count("door", "dropped_attempts", 1.0)
    .count("door", "lost", 0.0)
    .count("dead", "sent", 1.0)
    .level_ms("door", "pending", 60_000.0);
    // After 31 s it would wait for 32 more: it goes at 60 s.
    let old = Trace::of(
        "the same with waits 1, 2, 4 ... s and an age of 60 s",
        &[0, 1_000],
        LONG,
        &gate("wait: 1 s, maximum_age: 60 s", ""),
    )
    .count("door", "dropped_age", 1.0)
    .count("door", "lost", 1.0)
    .level_ms("door", "pending", 60_000.0);
    [grown.cases, few.cases, old.cases].concat()
}

/// The last of n exponential times.
fn fork_join(n: usize) -> Vec<Case> {
    let names: Vec<String> = (0..n).map(|i| format!("w{i}")).collect();
    let fleet =
        |name: &String| format!("{name}: {{ vcpu: 1, memory: 1 GB, handler: [ wait: {{ exponential: 1 s }} ] }}");
    let fleets: Vec<String> = names.iter().map(fleet).collect();
    let lab = Lab::run(
        &format!(
            "run: {{ length: 4000 s, warmup: 100 s, window: 100 h }}\n\
             clients: {{ web: {{ to: all, arrivals: {{ poisson: 20/s }} }} }}\n\
             topics: {{ all: {{ subscriptions: [{}] }} }}\nfleets: {{ {} }}",
            names.join(", "),
            fleets.join(", ")
        ),
        16,
    );
    let inputs = format!("messages to {n} subscribers without limits, exponential 1 s each, 20/s");
    let harmonic: f64 = (1..=n).map(|k| 1.0 / k as f64).sum();
    vec![
        Case::mean(
            &inputs,
            "last answer, s",
            "S H_n",
            harmonic,
            &times(&lab.each("all", "fan_out"), 1e-9),
        ),
        Case::mean(
            &inputs,
            "under way",
            "λ n S",
            20.0 * n as f64,
            &lab.each("all", "pending"),
        ),
    ]
}

/// Every message brings three jobs to one server.
fn bulk() -> Vec<Case> {
    let (n, rate) = (3.0, 0.2);
    let lab = Lab::run(
        "run: { length: 60000 s, warmup: 2000 s, window: 100 h }\n\
         clients: { web: { to: all, arrivals: { poisson: 0.2/s } } }\n\
         topics: { all: { subscriptions: [w, w, w] } }\n\
         fleets: { w: { vcpu: 1, memory: 1 GB, slots: 1, queue: 100000, handler: [ wait: { exponential: 1 s } ] } }",
        32,
    );
    let load = rate * n;
    let inputs = "three deliveries of each message to one server, exponential 1 s, 0.2 messages/s";
    let level = load * (n + 1.0) / (2.0 * (1.0 - load));
    vec![Case::mean(
        inputs,
        "jobs in the system",
        "M^[X]/M/1: ρ (n + 1) / 2 (1 - ρ)",
        level,
        &lab.each("all", "pending"),
    )]
}

/// Filters.
fn filters() -> Vec<Case> {
    let lab = Lab::run(
        "run: { length: 20000 s, warmup: 0 s, window: 100 h }\n\
         clients: { web: { to: bus, arrivals: { poisson: 20/s } } }\n\
         topics: { bus: { attributes: { type: { a: 5, b: 3, c: 2 }, size: { large: 1, small: 3 } }, subscriptions: [ \
         { to: x, match: { type: [a, c] } }, { to: y, match: { type: b, size: large } }, \
         { to: z, match: { type: a }, share: 20% } ] } }\n\
         queues: { x: {}, y: {}, z: {} }",
        16,
    );
    let published = lab.each("bus", "published");
    let share = |values: &[f64]| with(values, &published, |part, whole| part / whole);
    let inputs = "types a 50 %, b 30 %, c 20 %; sizes large 25 %, small 75 %";
    let case = |quantity: &str, source, expected, values: &[f64]| {
        Case::mean(inputs, quantity, source, expected, &share(values))
    };
    vec![
        case("gets types a and c", "p_a + p_c", 0.7, &lab.each("x", "sent")),
        case(
            "gets large ones of type b",
            "p_b p_large",
            0.075,
            &lab.each("y", "sent"),
        ),
        case("gets a fifth of type a", "p_a / 5", 0.1, &lab.each("z", "sent")),
        // Small ones of type b match nothing.
        case("matches nothing", "p_b p_small", 0.225, &lab.each("bus", "unmatched")),
    ]
}

/// Topics.
pub fn topics() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| Group {
        title: "Topics",
        about: "Deliveries followed by hand: latency, quotas, refusals, ages, dead letters. Filters let through what \
                the weights of attributes say. The last answer of n subscribers with exponential times comes after the \
                n-th harmonic number of them (fork-join without queues), and a message that brings three jobs to one \
                server makes it a queue with bulk arrivals.",
        cases: [fan_out(), refusals(), filters(), fork_join(4), fork_join(10), bulk()].concat(),
    })
}

/// Instants followed by hand.
fn instants() -> Vec<Case> {
    // A schedule a client has nothing to do with; the client is there because every trace has one.
    let trace = |what, run: &str, schedules: &str| {
        let rest = format!(
            "queues: {{ door: {{}}, q: {{}}, dead: {{}} }}\nschedules: {{ {schedules} }}\n\
             gateways: {{ gate: {{ to: q, throttle: {{ rate: 0.01/s, burst: 1 }} }} }}"
        );
        Trace::of(what, &[0], run, &rest)
    };
    // Winter, changing night, summer: 2:30 does not exist on 2026-03-29, and comes twice on 2026-10-25.
    let spring = trace(
        "daily at 2:30 in Berlin, four days from 2026-03-27",
        "start: 2026-03-27, length: 96 h",
        "s: { to: q, cron: 30 2 * * *, time_zone: Europe/Berlin }",
    )
    .count("s", "fired", 3.0);
    let autumn = trace(
        "daily at 2:30 in Berlin, three days from 2026-10-24",
        "start: 2026-10-24, length: 72 h",
        "s: { to: q, cron: 'cron(30 2 * * ? *)', time_zone: Europe/Berlin }",
    )
    .count("s", "fired", 3.0);
    let weekdays = trace(
        "every quarter of an hour from 8 to 17 on weekdays, a week from Monday 2026-01-05",
        "length: 168 h",
        "s: { to: q, cron: '*/15 8-17 * * MON-FRI' }",
    )
    .count("s", "fired", 200.0)
    .count("q", "sent", 200.0);
    let rate = trace(
        "every five minutes from 30 s on, ten jobs each, for an hour",
        "length: 1 h",
        "s: { to: q, rate: rate(5 minutes), first: 30 s, jobs: 10 }",
    )
    .count("s", "fired", 12.0)
    .count("s", "delivered", 120.0);
    let once = trace(
        "once at noon of 2026-01-05 in New York, and once with an offset",
        "length: 24 h",
        "s: { to: q, at: ['2026-01-05T12:00', '2026-01-05T06:00+01:00'], time_zone: America/New_York }",
    )
    .count("s", "fired", 2.0);
    // Two jobs at one instant: the second is refused for 100 s, as in a topic's trace.
    let collide = trace(
        "two jobs at once at a gateway that takes 1 in 100 s; 4 tries 20 s apart",
        "length: 1000 s",
        "s: { to: gate, rate: 10 min, jobs: 2, delivery: { attempts: 4, wait: 20 s, factor: 1 }, dead_letter: dead }",
    )
    .count("s", "retried", 3.0)
    .count("dead", "sent", 1.0)
    .level_ms("s", "pending", 60_000.0);
    let cases = [spring, autumn, weekdays, rate, once, collide];
    cases.into_iter().flat_map(|trace| trace.cases).collect()
}

/// A flexible window spreads its jobs.
fn windows() -> Vec<Case> {
    let lab = Lab::run(
        "run: { length: 100 h, warmup: 0 s, window: 100 h }\n\
         schedules: { s: { to: q, rate: 1 h, jobs: 400, flexible_window: 10 min } }\nqueues: { q: {} }",
        16,
    );
    // 99 firings of 400 jobs, each of which waits 5 minutes on average.
    let expected = 99.0 * 400.0 * 300.0 / 360_000.0;
    vec![Case::mean(
        "400 jobs an hour within 10 minutes, 99 times in 100 hours",
        "jobs that wait for their moment",
        "λ W / 2",
        expected,
        &lab.each("s", "pending"),
    )]
}

/// Schedules.
pub fn schedules() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| Group {
        title: "Schedules",
        about: "Instants that follow from the calendar, daylight-saving changes included; jobs that are refused; jobs \
                spread uniformly over a flexible window.",
        cases: [instants(), windows()].concat(),
    })
}

#[test]
fn messages_reach_their_subscribers_as_theory_says() {
    topics().assert_holds();
}

#[test]
fn schedules_fire_when_the_calendar_says() {
    schedules().assert_holds();
}
