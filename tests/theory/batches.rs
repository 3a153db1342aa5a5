//! Requests that are served together, that arrive together, and that are split over two queues.

use super::lab::{Lab, times, with};
use super::page::{Case, Group};
use coldcurve::stats::formulas::{BatchServer, BulkArrivals, BulkQueue, Mm1, fork_join_of_two, window_batch};
use std::sync::OnceLock;

fn seconds(lab: &Lab, name: &str, metric: &str) -> Vec<f64> {
    times(&lab.each(name, metric), 1e-9)
}

/// A queue whose poller has this, before a function that needs so long for a batch, however many messages it has.
fn polled(lambda: f64, poller: &str, work: &str, messages: f64) -> Lab {
    Lab::run(
        &format!(
            "run: {{ length: {} s, warmup: 500 s, window: 1000 h }}\n\
             clients: {{ web: {{ to: q, arrivals: {{ poisson: {lambda}/s }} }} }}\n\
             queues: {{ q: {{ to: f, visibility_timeout: 2 h, poller: {{ {poller} }} }} }}\n\
             functions: {{ f: {{ timeout: 10 min, handler: [ {work} ] }} }}\n",
            500.0 + messages / lambda
        ),
        32,
    )
}

fn per_batch(lab: &Lab) -> Vec<f64> {
    with(&lab.each("q", "deleted"), &lab.each("q", "batches"), |messages, n| {
        messages / n
    })
}

/// One batch at a time: the next one takes whoever waits.
fn one_at_a_time(cases: &mut Vec<Case>) {
    let one = |batch: u32| format!("batch_size: {batch}, start: 1, ceiling: 1");
    for (lambda, batch, messages) in [(2.0, 10, 80_000.0), (3.0, 4, 200_000.0), (8.0, 10, 180_000.0)] {
        let lab = polled(lambda, &one(batch), "batch: [ wait: { exponential: 1 s } ]", messages);
        let theory = BatchServer::new(lambda, 1.0, batch);
        let inputs = format!("λ = {lambda}, up to {batch} at once, exponential 1 s for all");
        let source = "M/M(1,K)/1";
        let response = theory.mean_response();
        cases.extend([
            Case::mean(
                &inputs,
                "from sending to the end, s",
                source,
                response,
                &seconds(&lab, "q", "latency"),
            ),
            Case::mean(
                &inputs,
                "messages of a batch",
                source,
                theory.mean_batch(),
                &per_batch(&lab),
            ),
            Case::mean(&inputs, "busy", source, theory.busy(), &lab.each("f", "instances.busy")),
        ]);
    }
    let (lambda, batch) = (4.0, 5_u32);
    let lab = polled(lambda, &one(batch), "batch: [ wait: 1 s ]", 80_000.0);
    let theory = BulkQueue::new(lambda, 1.0, batch as usize);
    let inputs = format!("λ = {lambda}, up to {batch} at once, 1 s for all");
    let response = theory.mean_response();
    cases.extend([
        Case::mean(
            &inputs,
            "from sending to the end, s",
            "M/D(1,K)/1",
            response,
            &seconds(&lab, "q", "latency"),
        ),
        Case::mean(
            &inputs,
            "messages of a batch",
            "M/D(1,K)/1",
            theory.mean_batch(),
            &per_batch(&lab),
        ),
    ]);
}

/// As many batches at once as there are: a message waits until its batch is closed.
fn windows(cases: &mut Vec<Case>) {
    for (lambda, window, batch) in [(2.0, 2.0, 10), (5.0, 2.0, 10), (20.0, 1.0, 10), (0.5, 20.0, 10)] {
        let poller = format!("batch_size: {batch}, batch_window: {window} s, start: 1000");
        let lab = polled(lambda, &poller, "", 20_000.0);
        let (size, wait) = window_batch(lambda, window, batch);
        let inputs = format!("λ = {lambda}, up to {batch} within {window} s, no work");
        cases.extend([
            Case::mean(&inputs, "messages of a batch", "renewal", size, &per_batch(&lab)),
            Case::mean(
                &inputs,
                "wait for the batch, s",
                "renewal",
                wait,
                &seconds(&lab, "q", "latency"),
            ),
        ]);
    }
}

/// Messages that are handled together.
pub fn served_together() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        one_at_a_time(&mut cases);
        windows(&mut cases);
        Group {
            title: "Messages that are handled together",
            about: "A poller that has one batch under way takes all who wait, up to its batch size K, when that one is \
                    done: the bulk-service queue (Bailey 1954). For exponential work the number that waits while it is \
                    busy is geometric, with the root below one of μ z^(K+1) - (λ + μ) z + λ; for constant work the \
                    chain of those left behind is solved. With a window and enough batches at once each batch is a \
                    renewal: it closes when it is full or when its window ends, and has Σ P(N(window) ≥ j) messages, j < K.",
            cases,
        }
    })
}

/// Machines with one slot each that take from one line, or so many instances and no line.
fn bulk_case(cases: &mut Vec<Case>, (lambda, batch, servers): (f64, u32, u32), room: Option<usize>) {
    let system = if room.is_some() {
        format!(
            "functions: {{ f: {{ reserved_concurrency: {servers}, handler: [ wait: {{ exponential: 1 s }} ] }} }}\n"
        )
    } else {
        format!(
            "fleets: {{ f: {{ vcpu: 1, count: {servers}, slots: 1, dispatch: shared-queue, handler: [ wait: {{ \
             exponential: 1 s }} ] }} }}\n"
        )
    };
    let lab = Lab::run(
        &format!(
            "run: {{ length: {} s, warmup: 200 s, window: 1000 h }}\n\
             clients: {{ web: {{ to: f, arrivals: {{ poisson: {lambda}/s, batch: {batch} }} }} }}\n{system}",
            200.0 + 90_000.0 / (lambda * f64::from(batch))
        ),
        32,
    );
    let theory = BulkArrivals::new(lambda, batch as usize, 1.0, servers, room);
    let inputs = format!("batches of {batch}, λ = {lambda}, S = 1, c = {servers}");
    if room.is_some() {
        let source = "M^[X]/M/c/c";
        cases.extend([
            Case::mean(
                &inputs,
                "refused",
                source,
                theory.blocking(),
                &lab.each("f", "throttle_ratio"),
            ),
            Case::mean(
                &inputs,
                "busy",
                source,
                theory.mean_busy(),
                &lab.each("f", "instances.busy"),
            ),
        ]);
    } else {
        let response = theory.mean_response();
        let source = "M^[X]/M/c";
        cases.extend([
            Case::mean(
                &inputs,
                "response, s",
                source,
                response,
                &seconds(&lab, "web", "latency"),
            ),
            Case::mean(
                &inputs,
                "busy",
                source,
                theory.mean_busy(),
                &lab.each("f", "slots.busy"),
            ),
        ]);
    }
}

/// Requests that come together.
pub fn arriving_together() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for system in [(0.2, 3, 1), (0.5, 4, 3), (0.3, 20, 10)] {
            bulk_case(&mut cases, system, None);
        }
        for (lambda, batch, servers) in [(0.5, 4, 5), (0.4, 20, 10), (2.0, 5, 15)] {
            bulk_case(&mut cases, (lambda, batch, servers), Some(servers as usize));
        }
        let lab = Lab::run(
            "run: { length: 6200 s, warmup: 200 s, window: 1000 h }\n\
             clients: { web: { to: f, arrivals: { poisson: 2/s, batch: 10 } } }\n\
             functions: { f: { handler: [ wait: { uniform: [0 s, 1 s] } ] } }\n",
            32,
        );
        let inputs = "batches of 10, λ = 2, S = 0.5, uniform, unlimited";
        let busy = lab.each("f", "instances.busy");
        cases.push(Case::mean(inputs, "busy", "M^[X]/G/∞: λ X S", 10.0, &busy));
        Group {
            title: "Requests that arrive together",
            about: "Poisson arrivals of whole batches: with c servers and one line M^[X]/M/c, with reserved concurrency \
                    M^[X]/M/c/c, where those of a batch that find room are served and the others refused (balance over \
                    the cuts between n and n + 1 requests; Chaudhry and Templeton 1983). λ counts batches.",
            cases,
        }
    })
}

/// A request that is split over queues ends when its last part does.
pub fn split() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let lab = |lambda: f64, parts: usize, seconds: u32| {
            let names: Vec<String> = (0..parts).map(|i| format!("s{i}")).collect();
            let calls: Vec<String> = names.iter().map(|name| format!("[ call: {name} ]")).collect();
            let machine = "{ vcpu: 1, slots: 1, handler: [ wait: { exponential: 100 ms } ] }";
            let machines: Vec<String> = names.iter().map(|name| format!("{name}: {machine}")).collect();
            Lab::run(
                &format!(
                    "run: {{ length: {} s, warmup: 100 s, window: 1000 h }}\n\
                     clients: {{ web: {{ to: f, arrivals: {{ poisson: {lambda}/s }} }} }}\n\
                     functions: {{ f: {{ handler: [ parallel: [ {} ] ] }} }}\n\
                     fleets: {{ {} }}\n",
                    100 + seconds,
                    calls.join(", "),
                    machines.join(", ")
                ),
                32,
            )
        };
        let mut cases = Vec::new();
        for (lambda, length) in [(3.0, 3000), (5.0, 3000), (7.0, 6000)] {
            let two = lab(lambda, 2, length);
            cases.push(Case::mean(
                format!("λ = {lambda}, two servers of S = 0.1, exponential"),
                "until both are done, s",
                "Flatto-Hahn: (12 - ρ) / 8 × M/M/1",
                fork_join_of_two(lambda, 10.0),
                &seconds(&two, "web", "latency"),
            ));
        }
        let five = seconds(&lab(5.0, 5, 1000), "web", "latency");
        let mean = five.iter().sum::<f64>() / five.len() as f64;
        let harmonic: f64 = (1..=5).map(|k| 1.0 / f64::from(k)).sum();
        let inputs = "λ = 5, five servers of S = 0.1, exponential";
        let above = harmonic * Mm1::new(5.0, 10.0).mean_response();
        cases.extend([
            Case::at_most(inputs, "until all are done, s", "as if independent: H₅ × M/M/1", above, mean),
            Case::at_least(inputs, "until all are done, s", "no queues: H₅ S", 0.1 * harmonic, mean),
        ]);
        Group {
            title: "Requests that are split over queues",
            about: "A handler calls several servers at once, each with a queue of its own, and waits for all of them: the \
                    fork-join queue. For two there is an exact mean (Flatto and Hahn 1984; Nelson and Tantawi 1988). \
                    For more there are bounds: the queues fill together, so that the last one ends sooner than if they \
                    were independent, and not before it would without any queues. The model has no priorities between \
                    requests, so no formula of theirs is checked.",
            cases,
        }
    })
}

/// One server at 80 %: what a thousandth of slow requests does, and who sees it.
pub fn omission() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        // 0.1 ms on average, and one in a thousand 10 ms: 0.1099 ms in all, so 7,279/s are 80 %.
        let lab = |client: &str| {
            let work = "{ mixture: [ { weight: 999, exponential: 100 us }, { weight: 1, exponential: 10 ms } ] }";
            Lab::run(
                &format!(
                    "run: {{ length: 30 s, warmup: 5 s, window: 5 s }}\n\
                     clients: {{ web: {{ to: s, {client} }} }}\n\
                     fleets: {{ s: {{ vcpu: 1, slots: 1, handler: [ wait: {work} ] }} }}\n"
                ),
                8,
            )
        };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let p99 = |lab: &Lab| {
            let of = lab.histograms("web", "latency");
            mean(&of.iter().map(|h| h.quantile(0.99) as f64 / 1e6).collect::<Vec<_>>())
        };
        let open = lab("arrivals: { poisson: 7279/s }");
        let closed = lab("users: { count: 1, think: { exponential: 22 us } }");
        let patient = "arrivals: { poisson: 7279/s }, timeout: 15 ms, retry: none";
        let retry = "arrivals: { poisson: 7279/s }, timeout: 15 ms, retry: { attempts: 3, base: 0 ms, jitter: none }";
        let [once, collapsed] = [patient, retry].map(|client| mean(&lab(client).each("web", "error_ratio")));
        let inputs = "one server, 0.1 ms, one in a thousand 10 ms, exponential";
        let source = "Brooker 2023";
        Group {
            title: "What a closed client does not see",
            about: "M. Brooker's example of May 2023: open arrivals at 80 % of one server see a p99 above 25 ms, a client \
                    that asks again only when it has its answer sees less than 1 ms, and a timeout of 15 ms with \
                    retries makes the queue grow without end, so that hardly anybody is served in time, who nearly all \
                    were without retries. His figures are the limits for p99; those for the errors were set beforehand.",
            cases: vec![
                Case::at_least(format!("{inputs}, open"), "p99, ms", source, 25.0, p99(&open)),
                Case::at_most(format!("{inputs}, one user"), "p99, ms", source, 1.0, p99(&closed)),
                Case::at_most(format!("{inputs}, open, timeout 15 ms"), "too late", "threshold", 0.15, once),
                Case::at_least(format!("{inputs}, the same, 3 attempts"), "too late", "threshold", 0.9, collapsed),
            ],
        }
    })
}

#[test]
fn batches_are_served_as_bulk_queues_say() {
    served_together().assert_holds();
}

#[test]
fn batches_arrive_as_bulk_queues_say() {
    arriving_together().assert_holds();
}

#[test]
fn a_split_request_ends_with_its_last_part() {
    split().assert_holds();
}

#[test]
fn an_open_client_sees_what_a_closed_one_does_not() {
    omission().assert_holds();
}
