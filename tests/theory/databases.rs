//! Databases: shared cores, the limit of connections, a proxy's line, and throughput past the knee.

use super::lab::{Lab, times};
use super::page::{Case, Group};
use coldcurve::stats::formulas::{Mmc, MmcK, erlang_b, ps_mean_response, usl_throughput};
use std::sync::OnceLock;

/// Queries of 10 ms to a database whose connections cost nothing.
fn lab(load: &str, database: &str, proxy: &str, seconds: u32) -> Lab {
    let to = if proxy.is_empty() { "db" } else { "pool" };
    Lab::run(
        &format!(
            "run: {{ length: {} s, warmup: 50 s, window: 1000 h }}\n\
             clients: {{ web: {{ to: {to}, {load} }} }}\n{proxy}\
             databases:\n  db: {{ connect_time: 0 s, connect_cpu: 0 s, {database} }}\n",
            50 + seconds
        ),
        32,
    )
}

/// Times of each run in ms.
fn ms(lab: &Lab, name: &str, metric: &str) -> Vec<f64> {
    times(&lab.each(name, metric), 1e-6)
}

/// Cores, connections and a pool, each against the queue that it is.
pub fn queues() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let open = |rate: f64| format!("arrivals: {{ poisson: {rate}/s }}");
        let free = "contention: 0, coherency: 0, latency: 0 s";
        let mut cases = Vec::new();
        for (shape, query) in [
            ("exponential", "{ exponential: 10 ms }"),
            ("constant", "10 ms"),
            ("cv = 2", "{ mean: 10 ms, cv: 2 }"),
        ] {
            let lab = lab(
                &open(70.0),
                &format!("{free}, cores: 1, maximum_connections: 10000, query: {query}"),
                "",
                400,
            );
            let inputs = format!("λ = 70, S = 0.01, {shape}");
            let (expected, query) = (ps_mean_response(10.0, 0.7), ms(&lab, "db", "query"));
            cases.push(Case::mean(&inputs, "query, ms", "M/G/1-PS", expected, &query));
            cases.push(Case::mean(&inputs, "utilisation", "ρ", 0.7, &lab.each("db", "cpu")));
        }
        let four = format!("{free}, cores: 4, maximum_connections: 10000, query: {{ exponential: 10 ms }}");
        cases.push(Case::mean(
            "λ = 320, S = 0.01, 4 cores",
            "query, ms",
            "M/M/c",
            1e3 * Mmc::new(320.0, 100.0, 4).mean_response(),
            &ms(&lab(&open(320.0), &four, "", 200), "db", "query"),
        ));
        let six = format!(
            "{free}, cores: 2, maximum_connections: 6, reserved_connections: 0, query: {{ exponential: 10 ms }}"
        );
        cases.push(Case::mean(
            "λ = 200, S = 0.01, 2 cores, 6 connections",
            "refused",
            "M/M/c/K",
            MmcK::new(200.0, 100.0, 2, 6).blocking(),
            &lab(&open(200.0), &six, "", 200).each("db", "refused_ratio"),
        ));
        // As many connections as cores: nobody shares, and the distribution does not matter.
        let loss = format!("{free}, cores: 6, maximum_connections: 6, reserved_connections: 0, query: 10 ms");
        cases.push(Case::mean(
            "λ = 300, S = 0.01, constant, 6 cores, 6 connections",
            "refused",
            "Erlang B",
            erlang_b(3.0, 6),
            &lab(&open(300.0), &loss, "", 100).each("db", "refused_ratio"),
        ));
        let three = "contention: 0, coherency: 0, query: 0 s, latency: { exponential: 10 ms }, \
                     maximum_connections: 3, reserved_connections: 0";
        let pool = "proxies: { pool: { to: db, borrow_timeout: 1 h, overhead: 0 s, connect_time: 0 s } }\n";
        let (lab, theory) = (lab(&open(240.0), three, pool, 300), Mmc::new(240.0, 100.0, 3));
        let inputs = "λ = 240, S = 0.01, pool of 3";
        let (waiting, borrow) = (lab.shares_above("pool", "borrow", 0), ms(&lab, "pool", "borrow"));
        let (wait, busy) = (1e3 * theory.mean_wait(), lab.each("pool", "pool.busy"));
        cases.extend([
            Case::mean(inputs, "share that waits", "Erlang C", theory.p_wait(), &waiting),
            Case::mean(inputs, "wait for a connection, ms", "Erlang C", wait, &borrow),
            Case::mean(inputs, "connections in use", "a", 2.4, &busy),
        ]);
        Group {
            title: "Databases and proxies",
            about: "One core is processor sharing, whose mean does not depend on the distribution of the queries; with \
                    exponential queries several cores are M/M/c, a limit of connections M/M/c/K \
                    (Erlang B if there are as many \
                    cores), and a proxy's pool a \
                    line before as many servers as it has connections (queries that wait and do not compute).",
            cases,
        }
    })
}

/// Closed load past the knee.
pub fn scalability() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let (sigma, kappa, cores) = (0.05, 0.002, 2.0);
        let case = |users: f64| {
            let database = format!(
                "cores: {cores}, contention: {sigma}, coherency: {kappa}, latency: 0 s, maximum_connections: 10000, \
                 query: {{ exponential: 10 ms }}"
            );
            let lab = lab(&format!("users: {{ count: {users}, think: 0 s }}"), &database, "", 60);
            // The law's efficiency X(m) / (m X(1)) at m queries per core, on as many cores as are in use.
            let load = (users / cores).max(1.0);
            let efficiency = usl_throughput(1.0, sigma, kappa, load) / load;
            Case::mean(
                format!("{users} users on {cores} cores"),
                "queries/s",
                "Universal Scalability Law",
                100.0 * users.min(cores) * efficiency,
                &lab.per_second("db", "queries"),
            )
        };
        Group {
            title: "Throughput past the knee",
            about: "Users who ask again at once: queries of 10 ms, contention 0.05, coherency 0.002. Throughput rises \
                    until the cores are busy and falls after that (Gunther, Guerrilla Capacity Planning, 2007).",
            cases: [1.0, 2.0, 10.0, 40.0, 120.0].map(case).into(),
        }
    })
}

#[test]
fn databases_are_the_queues_that_they_are_said_to_be() {
    queues().assert_holds();
}

#[test]
fn throughput_falls_past_the_knee() {
    scalability().assert_holds();
}
