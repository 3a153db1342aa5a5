//! Fleets: queues with several servers, limited ones, and shared cores, as the text-book has them.

use super::lab::{Lab, times};
use super::page::{Case, Group};
use coldcurve::stats::formulas::{Md1, Mm1, Mmc, MmcK, erlang_b, mg1_mean_wait, ps_mean_response};
use std::sync::OnceLock;

/// A fleet of machines that only compute, of one vCPU each if it does not say.
fn fleet(lambda: f64, fleet: &str, cpu: &str, seconds: u32) -> Lab {
    let vcpu = if fleet.contains("vcpu") { "" } else { "vcpu: 1, " };
    Lab::run(
        &format!(
            "run: {{ length: {} s, warmup: 100 s, window: 1000 h }}\n\
             clients: {{ web: {{ to: f, arrivals: {{ poisson: {lambda}/s }} }} }}\n\
             fleets: {{ f: {{ {vcpu}{fleet}, handler: [ cpu: {cpu} ] }} }}\n",
            100 + seconds
        ),
        32,
    )
}

/// 2^27 - 1 ns, the end of a bucket: 134 ms.
const EDGE_NS: u64 = (1 << 27) - 1;
const EDGE: f64 = (EDGE_NS + 1) as f64 / 1e9;
const WORK: &str = "{ exponential: 100 ms }";
/// Nine in ten take 20 ms, one 320 ms.
const TWO_VALUES: &str = "{ mixture: [ { weight: 9, constant: 20 ms }, { weight: 1, constant: 320 ms } ] }";

/// Times of each run in s.
fn seconds(lab: &Lab, name: &str, metric: &str) -> Vec<f64> {
    times(&lab.each(name, metric), 1e-9)
}

/// So many machines with one slot each that take from one line.
fn shared(count: u32, queue: &str) -> String {
    format!("count: {count}, slots: 1, dispatch: shared-queue{queue}")
}

/// One line for several servers, without a limit.
pub fn lines() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (lambda, count, length) in [(28.0, 4, 3000), (6.0, 1, 4000), (14.0, 2, 3000), (70.0, 10, 700)] {
            let lab = fleet(lambda, &shared(count, ""), WORK, length);
            let theory = Mmc::new(lambda, 10.0, count);
            let inputs = format!("λ = {lambda}, S = 0.1, c = {count}");
            cases.push(Case::mean(
                &inputs,
                "share that waits",
                "Erlang C",
                theory.p_wait(),
                &lab.shares_above("f", "queue_wait", 0),
            ));
            if count == 10 {
                // Few wait, and then for long: the mean would take five times as many requests.
                continue;
            }
            cases.extend([
                Case::mean(
                    &inputs,
                    "wait, s",
                    "Erlang C",
                    theory.mean_wait(),
                    &seconds(&lab, "f", "queue_wait"),
                ),
                Case::mean(
                    &inputs,
                    "waiting",
                    "Erlang C",
                    theory.mean_queue(),
                    &lab.each("f", "queue"),
                ),
                Case::mean(
                    &inputs,
                    "share above 134 ms",
                    "M/M/c response",
                    theory.response_above(EDGE),
                    &lab.shares_above("web", "latency", EDGE_NS),
                ),
            ]);
        }
        Group {
            title: "A fleet with one line",
            about: "Machines with one slot each that take from one line: M/M/c. Who waits at all is Erlang C, and so are \
                    the mean wait and the mean number that waits.",
            cases,
        }
    })
}

/// The same with places for a few only.
pub fn limits() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        let mut case = |lambda: f64, servers: u32, capacity: u32, lab: &Lab| {
            let theory = MmcK::new(lambda, 10.0, servers, capacity);
            let inputs = format!("λ = {lambda}, S = 0.1, c = {servers}, K = {capacity}");
            let (refused, source) = if servers == capacity {
                (erlang_b(lambda / 10.0, servers), "Erlang B")
            } else {
                (theory.blocking(), "M/M/c/K")
            };
            cases.extend([
                Case::mean(&inputs, "refused", source, refused, &lab.each("f", "refused_ratio")),
                Case::mean(&inputs, "busy", source, theory.mean_busy(), &lab.each("f", "slots.busy")),
            ]);
            if servers < capacity {
                let waits = seconds(lab, "f", "queue_wait");
                cases.push(Case::mean(&inputs, "wait, s", source, theory.mean_wait(), &waits));
            }
        };
        for (lambda, count, places) in [(33.0, 3, 2), (25.0, 2, 0), (50.0, 4, 5)] {
            let lab = fleet(lambda, &shared(count, &format!(", queue: {places}")), WORK, 600);
            case(lambda, count, count * (1 + places), &lab);
        }
        let one = fleet(33.0, "count: 1, vcpu: 3, slots: 3, queue: 4", WORK, 600);
        case(33.0, 3, 7, &one);
        // Whatever the distribution of work.
        let lab = fleet(60.0, &shared(5, ", queue: 0"), TWO_VALUES, 400);
        let lost = lab.each("f", "refused_ratio");
        cases.push(Case::mean(
            "λ = 60, S = 0.05, c = K = 5, two values",
            "refused",
            "Erlang B",
            erlang_b(3.0, 5),
            &lost,
        ));
        Group {
            title: "A fleet that refuses",
            about: "A line with places for a few requests only, as many for each machine: M/M/c/K, whose K counts those \
                    being served. Without places it is Erlang's loss system, for work of any \
                    distribution. The last but \
                    one is a single machine with three cores and slots.",
            cases,
        }
    })
}

/// The wait for a machine with one slot.
fn waits(cases: &mut Vec<Case>) {
    let alone = |lambda: f64, cpu: &str, length: u32| fleet(lambda, "count: 1, slots: 1", cpu, length);
    let lab = alone(5.0, "100 ms", 11_000);
    let theory = Md1::new(5.0, 0.1);
    let waits = seconds(&lab, "f", "queue_wait");
    let late = lab.shares_above("f", "queue_wait", EDGE_NS);
    cases.extend([
        Case::mean("λ = 5, S = 0.1", "wait, s", "M/D/1", theory.mean_wait(), &waits),
        Case::mean(
            "λ = 5, S = 0.1",
            "share that waits above 134 ms",
            "M/D/1",
            theory.wait_above(EDGE),
            &late,
        ),
    ]);
    for (lambda, work, what, mean, square, length) in [
        (
            5.0,
            "{ mean: 100 ms, cv: 1.2 }",
            "S = 0.1, cv = 1.2",
            0.1,
            0.0244,
            11_000,
        ),
        (
            6.0,
            "{ uniform: [0 ms, 200 ms] }",
            "S = 0.1, uniform",
            0.1,
            0.04 / 3.0,
            3000,
        ),
        (12.0, TWO_VALUES, "S = 0.05, two values", 0.05, 0.0106, 4500),
    ] {
        let lab = alone(lambda, work, length);
        let inputs = format!("λ = {lambda}, {what}");
        let waiting = lab.shares_above("f", "queue_wait", 0);
        let waits = seconds(&lab, "f", "queue_wait");
        let expected = mg1_mean_wait(lambda, mean, square);
        cases.extend([
            Case::mean(&inputs, "wait, s", "M/G/1, Pollaczek-Khinchine", expected, &waits),
            Case::mean(&inputs, "share that waits", "ρ", lambda * mean, &waiting),
        ]);
    }
}

/// Any number of requests on one core.
fn sharing(cases: &mut Vec<Case>) {
    for (lambda, work, what, mean, length) in [
        (6.0, WORK, "S = 0.1, exponential", 0.1, 3500),
        (6.0, "100 ms", "S = 0.1, constant", 0.1, 2500),
        (14.0, TWO_VALUES, "S = 0.05, two values", 0.05, 2000),
    ] {
        let lab = fleet(lambda, "count: 1", work, length);
        let (inputs, rho) = (format!("λ = {lambda}, {what}"), lambda * mean);
        let source = if work == WORK { "M/M/1-PS" } else { "M/G/1-PS" };
        let (response, at_once) = (seconds(&lab, "web", "latency"), lab.each("f", "slots.busy"));
        let expected = ps_mean_response(mean, rho);
        cases.extend([
            Case::mean(&inputs, "response, s", source, expected, &response),
            Case::mean(&inputs, "at once", source, rho / (1.0 - rho), &at_once),
            Case::mean(&inputs, "utilisation", "ρ", rho, &lab.each("f", "cpu_utilisation")),
        ]);
    }
}

/// One server, with work of any distribution; and many at once on its cores.
pub fn servers() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        waits(&mut cases);
        sharing(&mut cases);
        let random = fleet(21.0, "count: 3, slots: 1, dispatch: random", WORK, 1500);
        let (inputs, one) = ("λ = 21, S = 0.1, 3 at random", Mm1::new(7.0, 10.0));
        let response = seconds(&random, "web", "latency");
        cases.push(Case::mean(
            inputs,
            "response, s",
            "M/M/1",
            one.mean_response(),
            &response,
        ));
        cases.push(Case::mean(
            inputs,
            "share above 134 ms",
            "M/M/1",
            libm::exp(-EDGE / one.mean_response()),
            &random.shares_above("web", "latency", EDGE_NS),
        ));
        Group {
            title: "One server of a fleet",
            about: "A machine with one slot is M/D/1 or M/G/1 (Pollaczek-Khinchine: the wait depends on the first two \
                    moments of the work). Without a limit of slots its core is shared: the mean response depends on \
                    the mean work only. Three machines chosen at random are three queues of their own.",
            cases,
        }
    })
}

#[test]
fn one_line_is_a_queue_with_several_servers() {
    lines().assert_holds();
}

#[test]
fn a_limited_line_refuses_as_it_should() {
    limits().assert_holds();
}

#[test]
fn one_server_is_a_queue_of_its_own() {
    servers().assert_holds();
}
