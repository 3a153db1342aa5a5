//! Fleets: queues with several servers, limited ones, and shared cores, as the text-book has them.

use super::lab::{Lab, times};
use super::page::{Case, Group};
use coldcurve::stats::formulas::{Md1, Mm1, Mmc, MmcK, mg1_mean_wait, ps_mean_response};
use std::sync::OnceLock;

/// A fleet of machines of one vCPU each that only compute.
fn fleet(lambda: f64, fleet: &str, cpu: &str, seconds: u32) -> Lab {
    Lab::run(
        &format!(
            "run: {{ length: {} s, warmup: 100 s, window: 1000 h }}\n\
             clients: {{ web: {{ to: f, arrivals: {{ poisson: {lambda}/s }} }} }}\n\
             fleets: {{ f: {{ vcpu: 1, {fleet}, handler: [ cpu: {cpu} ] }} }}\n",
            100 + seconds
        ),
        32,
    )
}

/// Times of each run in s.
fn seconds(lab: &Lab, name: &str, metric: &str) -> Vec<f64> {
    times(&lab.each(name, metric), 1e-9)
}

/// One line for several servers, limited or not.
pub fn lines() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        let shared = |count, queue: &str| format!("count: {count}, slots: 1, dispatch: shared-queue{queue}");
        for (lambda, count, length) in [(28.0, 4, 3000), (6.0, 1, 4000), (14.0, 2, 3000)] {
            let lab = fleet(lambda, &shared(count, ""), "{ exponential: 100 ms }", length);
            let theory = Mmc::new(lambda, 10.0, count);
            let inputs = format!("λ = {lambda}, S = 0.1, c = {count}");
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
            ]);
        }
        for (lambda, count, places) in [(33.0, 3, 2), (25.0, 2, 0), (50.0, 4, 5)] {
            let queue = format!(", queue: {places}");
            let lab = fleet(lambda, &shared(count, &queue), "{ exponential: 100 ms }", 600);
            let theory = MmcK::new(lambda, 10.0, count, count * (1 + places));
            let inputs = format!("λ = {lambda}, S = 0.1, c = {count}, K = {}", count * (1 + places));
            cases.push(Case::mean(
                &inputs,
                "refused",
                if places == 0 { "Erlang B" } else { "M/M/c/K" },
                theory.blocking(),
                &lab.each("f", "refused_ratio"),
            ));
            let busy = lab.each("f", "slots.busy");
            cases.push(Case::mean(&inputs, "busy", "M/M/c/K", theory.mean_busy(), &busy));
        }
        Group {
            title: "A fleet with one line",
            about: "Machines with one slot each that take from one line: M/M/c, and M/M/c/K where the line has places \
                    for a few requests only (as many for each machine) and refuses the others.",
            cases,
        }
    })
}

/// One server, with work of any distribution; and many at once on its cores.
pub fn servers() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let wait = |lab: &Lab| seconds(lab, "f", "queue_wait");
        let alone = |cpu: &str| fleet(5.0, "count: 1, slots: 1", cpu, 11_000);
        let inputs = "λ = 5, S = 0.1";
        let mixture = "{ mixture: [ { weight: 9, constant: 20 ms }, { weight: 1, constant: 320 ms } ] }";
        let sharing = fleet(14.0, "count: 1", mixture, 2000);
        let random = fleet(
            21.0,
            "count: 3, slots: 1, dispatch: random",
            "{ exponential: 100 ms }",
            1500,
        );
        let one = Mm1::new(7.0, 10.0);
        Group {
            title: "One server of a fleet",
            about: "A machine with one slot is M/D/1 or M/G/1 (Pollaczek-Khinchine: the wait depends on the first two \
                    moments of the work). Without a limit of slots its core is shared: the mean response depends on \
                    the mean work only. Three machines chosen at random are three queues of their own.",
            cases: vec![
                Case::mean(
                    inputs,
                    "wait, s",
                    "M/D/1",
                    Md1::new(5.0, 0.1).mean_wait(),
                    &wait(&alone("100 ms")),
                ),
                Case::mean(
                    format!("{inputs}, cv = 1.2"),
                    "wait, s",
                    "M/G/1",
                    mg1_mean_wait(5.0, 0.1, 0.01 * (1.0 + 1.2 * 1.2)),
                    &wait(&alone("{ mean: 100 ms, cv: 1.2 }")),
                ),
                Case::mean(
                    "λ = 14, S = 0.05, two values",
                    "response, s",
                    "M/G/1-PS",
                    ps_mean_response(0.05, 0.7),
                    &seconds(&sharing, "web", "latency"),
                ),
                Case::mean(
                    "λ = 14, S = 0.05, two values",
                    "at once",
                    "M/G/1-PS",
                    0.7 / 0.3,
                    &sharing.each("f", "slots.busy"),
                ),
                Case::mean(
                    "λ = 21, S = 0.1, 3 at random",
                    "response, s",
                    "M/M/1",
                    one.mean_response(),
                    &seconds(&random, "web", "latency"),
                ),
            ],
        }
    })
}

#[test]
fn one_line_is_a_queue_with_several_servers() {
    lines().assert_holds();
}

#[test]
fn one_server_is_a_queue_of_its_own() {
    servers().assert_holds();
}
