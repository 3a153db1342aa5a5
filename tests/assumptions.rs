//! What a scenario does not say and what decides its answer: it is named where it does, and only there.

use coldcurve::{Results, Scenario};

/// A function that is mostly cold: a request every two minutes or so, and an instance is kept for five.
const QUIET: &str = "
run: { length: 6 h, warmup: 20 min, replications: 4, seed: 1 }
clients: { web: { to: hello, arrivals: { poisson: 20/h } } }
functions:
  hello:
    service: aws.lambda
    memory: 512 MB
    handler: [ cpu: 5 ms, wait: { median: 20 ms, p99: 60 ms } ]
";

/// A function that waits for a partner.
const PARTNER: &str = "
run: { length: 20 min, warmup: 6 min, replications: 4, seed: 1 }
clients: { web: { to: pay, arrivals: { poisson: 5/s }, timeout: 20 s } }
functions:
  pay: { service: aws.lambda, memory: 512 MB, handler: [ cpu: 5 ms, call: bank ] }
externals:
  bank: { latency: 80 ms }
";

fn scenario(text: &str) -> Scenario {
    text.parse::<Scenario>().expect("a scenario").assumptions()
}

fn run(scenario: &Scenario) -> Results {
    scenario.run(&coldcurve::Silent).expect("results")
}

/// The fields that are named, with their components.
fn named(results: &Results) -> Vec<String> {
    let all = results.summary().assumptions.iter();
    all.map(|one| format!("{}.{}", one.components.join(" "), one.field))
        .collect()
}

#[test]
fn the_start_up_code_of_a_cold_function_is_named_unless_it_is_said() {
    let found = run(&scenario(QUIET));
    assert_eq!(named(&found), ["functions.hello.code_init"]);
    let assumption = &found.summary().assumptions[0];
    let effect = &assumption.effects[0];
    assert_eq!(effect.metric, "latency.p99");
    let moved = effect.to - effect.from;
    assert!(
        (0.8..1.2).contains(&moved),
        "a second more of start-up code makes {moved} s"
    );
    assert_eq!((assumption.used.as_str(), assumption.runs), ("0 ms", 4));
    let screen = found.text(110);
    assert!(
        screen.contains("Not said, and it decides (4 runs of 340 min each, the same dice)"),
        "{screen}"
    );
    assert!(screen.contains("Say `functions.hello.code_init`."), "{screen}");

    for (path, value) in [("code_init", "0 ms"), ("init", "120 ms")] {
        let said = run(&scenario(QUIET).set(&format!("functions.hello.{path}"), value));
        assert_eq!(named(&said), [""; 0], "{path} is said");
        assert!(
            !said.text(110).contains("Not said"),
            "nothing decides, so there is no block"
        );
    }
}

#[test]
fn a_variant_or_a_sweep_may_say_it() {
    let variant = format!("{QUIET}variants: {{ tuned: {{ functions: {{ hello: {{ code_init: 400 ms }} }} }} }}\n");
    assert_eq!(named(&run(&scenario(&variant))), [""; 0]);
    let swept = format!("{QUIET}sweep: [ {{ parameter: functions.hello.code_init, values: [0 ms, 1 s] }} ]\n");
    assert_eq!(named(&run(&scenario(&swept))), [""; 0]);
    let other = format!("{QUIET}sweep: [ {{ parameter: functions.hello.memory, values: [512 MB, 1 GB] }} ]\n");
    assert_eq!(named(&run(&scenario(&other))), ["functions.hello.code_init"]);
}

#[test]
fn a_partner_whose_answers_all_take_the_same_time_is_named() {
    let found = run(&scenario(PARTNER));
    assert_eq!(named(&found), ["externals.bank.latency"]);
    let assumption = &found.summary().assumptions[0];
    assert_eq!(assumption.words, "every answer of `bank` takes the same 80 ms");
    // The partner's p99 of 400 ms, and what the function computes on 0.29 of a processor.
    let to = assumption.effects[0].to;
    assert!((0.38..0.46).contains(&to), "{to}");
    let said = scenario(PARTNER).set("externals.bank.latency", "{ median: 80 ms, p99: 200 ms }");
    assert_eq!(named(&run(&said)), [""; 0]);
}

#[test]
fn the_figures_and_what_is_said_about_the_text_stay_the_same() {
    let with = run(&scenario(PARTNER));
    let without = PARTNER
        .parse::<Scenario>()
        .and_then(|text| text.run(&coldcurve::Silent))
        .expect("results");
    assert_eq!(without.summary().assumptions, []);
    assert_eq!(with.warnings(), without.warnings());
    let figures = |results: &Results| {
        let rows = results.table();
        rows.iter().map(|row| format!("{row:?}")).collect::<Vec<_>>()
    };
    assert_eq!(figures(&with), figures(&without));
}

#[test]
fn one_run_tells_nothing() {
    assert_eq!(named(&run(&scenario(QUIET).replications(1))), [""; 0]);
}

#[test]
fn the_number_of_threads_decides_nothing() {
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("threads");
        pool.install(|| run(&scenario(QUIET)).summary().assumptions.clone())
    };
    let one = with(1);
    assert!(!one.is_empty());
    assert_eq!(one, with(2));
}
