//! The program as its users meet it: exit codes, what goes to which stream, what is left on the disk.

use crate::support::{Scratch, coldcurve, contents};
use serde_json::Value;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

/// A small system with variants, a sweep and expectations; a run of it takes milliseconds.
const SHOP: &str = "title: A small shop
run: { length: 2 min, warmup: 20 s, window: 10 s, replications: 3, seed: 7 }
clients:
  web: { to: api, arrivals: { poisson: 20/s }, timeout: 5 s, retry: aws-sdk-standard }
gateways:
  api: { service: aws.api_gateway.http, to: checkout }
functions:
  checkout:
    service: aws.lambda
    memory: 512 MB
    runtime: python3.13
    handler: [cpu: { median: 8 ms, p99: 30 ms }, call: stock]
  stock: { service: aws.lambda, memory: 1 GB, handler: [wait: { exponential: 5 ms }] }
variants:
  small: {}
  large: { functions: { checkout: { memory: 1769 MB } } }
sweep:
  - { parameter: clients.web.arrivals.poisson, values: [10/s, 20/s] }
expect:
  - { metric: error_ratio, below: 1% }
";

/// One cell and no expectation.
const PLAIN: &str = "run: { length: 1 min, warmup: 10 s, window: 10 s, replications: 2 }
clients:
  web: { to: hello, arrivals: { poisson: 5/s } }
functions:
  hello: { service: aws.lambda, memory: 512 MB, handler: [cpu: 5 ms] }
";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON: {error}\n{text}"))
}

fn metric(summary: &Value, cell: usize, name: &str) -> f64 {
    let metrics = summary["cells"][cell]["metrics"].as_array().expect("metrics");
    let metric = metrics.iter().find(|metric| metric["name"] == name);
    metric.expect(name)["estimate"]["mean"].as_f64().expect("a number")
}

#[test]
fn exit_codes_say_fine_failed_or_bad_input() {
    let scratch = Scratch::new("exit-codes");
    let folder = scratch.path();
    let good = scratch.write("good.yaml", SHOP);
    let failing = scratch.write("failing.yaml", &SHOP.replace("below: 1%", "above: 99%"));
    let broken = scratch.write("broken.yaml", &SHOP.replace("memory", "memroy"));
    let cases: [(&[&str], i32); 14] = [
        (&["run", good, "--no-files"], 0),
        (&["check", good], 0),
        (&["test", good], 0),
        (&["explain"], 0),
        (&["--version"], 0),
        (&["--help"], 0),
        (&["test", failing], 1),
        (&["test", good, failing], 1),
        (&["run", broken], 2),
        (&["check", good, broken], 2),
        (&["test", failing, broken], 2),
        (&["check", "absent.yaml"], 2),
        (&["explain", "flux-capacitor"], 2),
        (&["fly"], 2),
    ];
    for (arguments, code) in cases {
        let outcome = coldcurve(folder, arguments);
        let said = format!("{arguments:?}: {}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.code, Some(code), "{said}");
        assert!(code != 2 || !outcome.stderr.is_empty(), "silent: {said}");
        assert!(code == 2 || outcome.stderr.is_empty(), "noisy: {said}");
    }
    assert!(
        !folder.join("output").exists(),
        "something wrote results that nobody asked for"
    );
}

#[test]
fn a_failed_expectation_says_what_was_seen_and_where_it_stands() {
    let scratch = Scratch::new("failed-expectation");
    let failing = scratch.write("shop.yaml", &SHOP.replace("below: 1%", "above: 99%"));
    let outcome = coldcurve(scratch.path(), &["test", failing]);
    assert!(outcome.stdout.contains("shop.yaml:20"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("above 99%"), "{}", outcome.stdout);
    assert!(
        outcome.stdout.ends_with("0 expectations hold, 4 do not\n"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn json_goes_to_standard_output_and_nothing_else() {
    let scratch = Scratch::new("json");
    let shop = scratch.write("shop.yaml", SHOP);
    let outcome = coldcurve(scratch.path(), &["run", shop, "--format", "json", "--out", "results"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let summary = json(&outcome.stdout);
    assert_eq!(summary["cells"].as_array().map(Vec::len), Some(4));
    let file = std::fs::read_to_string(scratch.path().join("results/summary.json")).expect("a summary");
    assert_eq!(json(&file), summary);
}

#[test]
fn a_run_writes_a_folder_and_says_where() {
    let scratch = Scratch::new("folder");
    let plain = scratch.write("plain.yaml", PLAIN);
    let outcome = coldcurve(scratch.path(), &["run", plain]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let files = contents(&scratch.path().join("output/plain"));
    assert!(
        outcome
            .stdout
            .contains(&format!("{} files in output/plain", files.len())),
        "{}",
        outcome.stdout
    );
    for name in ["manifest.json", "summary.json", "runs.csv", "report.html"] {
        assert!(files.contains_key(Path::new(name)), "{name}");
    }
    let manifest = json(&String::from_utf8_lossy(&files[Path::new("manifest.json")]));
    let command = manifest.to_string();
    assert!(
        command.contains("coldcurve run plain.yaml --seed 1 --replications 2"),
        "{command}"
    );
    // The second run replaces the folder, and says where to look as the first did.
    let again = coldcurve(scratch.path(), &["run", plain]);
    let line = "Look at output/plain/overview.svg, then report.html\n";
    assert!(again.stdout.contains(line), "{}", again.stdout);
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let scratch = Scratch::new("foreign");
    let plain = scratch.write("plain.yaml", PLAIN);
    std::fs::create_dir(scratch.path().join("thesis")).expect("a folder");
    std::fs::write(scratch.path().join("thesis/thesis.tex"), "years of work").expect("a file");
    let outcome = coldcurve(scratch.path(), &["run", plain, "--out", "thesis"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("not replaced"), "{}", outcome.stderr);
    assert_eq!(contents(&scratch.path().join("thesis")).len(), 1);
}

#[test]
fn results_depend_neither_on_threads_nor_on_the_day() {
    let scratch = Scratch::new("threads");
    let shop = scratch.write("shop.yaml", SHOP);
    for (threads, out) in [("1", "one"), ("2", "two"), ("2", "again")] {
        let outcome = coldcurve(scratch.path(), &["run", shop, "--threads", threads, "--out", out]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    }
    let [one, two, again] = ["one", "two", "again"].map(|out| contents(&scratch.path().join(out)));
    assert!(one.len() > 10, "{:?}", one.keys());
    for (name, bytes) in &one {
        assert!(
            two.get(name) == Some(bytes),
            "{} differs with two threads",
            name.display()
        );
        assert!(
            again.get(name) == Some(bytes),
            "{} differs the next time",
            name.display()
        );
    }
    assert_eq!((one.len(), two.len()), (two.len(), again.len()));
}

#[test]
fn overrides_change_what_they_name_and_nothing_else() {
    let scratch = Scratch::new("overrides");
    let plain = scratch.write("plain.yaml", PLAIN);
    let run = |more: &[&str]| {
        let arguments = [&["run", plain, "--no-files", "--format", "json"], more].concat();
        let outcome = coldcurve(scratch.path(), &arguments);
        assert_eq!(outcome.code, Some(0), "{more:?}: {}", outcome.stderr);
        json(&outcome.stdout)
    };
    let base = run(&[]);
    assert_eq!(base["seed"], 1);
    let faster = run(&["--set", "clients.web.arrivals.poisson=50/s"]);
    assert!(metric(&faster, 0, "offered") > 5.0 * metric(&base, 0, "offered"));
    assert_eq!(faster["manifest"]["overrides"][0], "clients.web.arrivals.poisson=50/s");
    let seeded = run(&["--seed", "2"]);
    assert_eq!(seeded["seed"], 2);
    assert_ne!(seeded["cells"][0]["metrics"], base["cells"][0]["metrics"]);
    assert_eq!(run(&["--seed", "1"])["cells"], base["cells"]);
    let more = run(&["--replications", "5"]);
    assert_eq!(more["replications"], 5);
    let first = |summary: &Value| summary["cells"][0]["metrics"][0]["per_replication"][1].clone();
    assert_eq!(first(&more), first(&base), "more replications change the ones before");
}

#[test]
fn a_variant_can_be_picked_and_stays_what_it_was() {
    let scratch = Scratch::new("variant");
    let shop = scratch.write("shop.yaml", SHOP);
    let run = |more: &[&str]| {
        let arguments = [&["run", shop, "--no-files", "--format", "json"], more].concat();
        json(&coldcurve(scratch.path(), &arguments).stdout)
    };
    let all = run(&[]);
    let large = run(&["--variant", "large"]);
    assert_eq!(large["cells"].as_array().map(Vec::len), Some(2));
    assert_eq!(large["cells"][0], all["cells"][2]);
    let base = run(&["--variant", "base"]);
    assert_eq!(base["cells"][0]["variant"], "base");
    let outcome = coldcurve(scratch.path(), &["run", shop, "--variant", "larg"]);
    assert_eq!(outcome.code, Some(2));
    assert!(
        outcome.stderr.contains("did you mean `--variant large`?"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn bad_overrides_are_refused_at_their_place() {
    let scratch = Scratch::new("bad-overrides");
    let plain = scratch.write("plain.yaml", PLAIN);
    for (argument, message) in [
        ("functions.hello.memroy=1 GB", "`memroy` is not a field of a function"),
        ("functions.helo.memory=1 GB", "there is no `helo` under `functions`"),
        ("functions.hello.memory", "`--set` needs a path, `=` and a value"),
        ("functions.hello.memory=1", "`1` lacks its unit"),
        ("functions.hello.memory.x=1 GB", "`x` cannot be inside `512 MB`"),
        (
            "functions.hello.handler.4.cpu=1 ms",
            "`4` is no position in a list of 1",
        ),
        ("=5", "empty segment"),
        ("functions.hello.memory=[1", "this is not valid YAML"),
    ] {
        let outcome = coldcurve(scratch.path(), &["run", plain, "--no-files", "--set", argument]);
        assert_eq!(outcome.code, Some(2), "{argument}: {}", outcome.stdout);
        let place = outcome.stderr.contains("--> --set:1:");
        assert!(
            outcome.stderr.contains(message) && place,
            "{argument}: {}",
            outcome.stderr
        );
    }
    for arguments in [
        ["--replications", "0"],
        ["--threads", "0"],
        ["--seed", "x"],
        ["--replications", "1000000"],
    ] {
        let outcome = coldcurve(
            scratch.path(),
            &[&["run", plain, "--no-files"][..], &arguments[..]].concat(),
        );
        assert_eq!(outcome.code, Some(2), "{arguments:?}");
        assert!(outcome.stderr.contains(arguments[0]), "{}", outcome.stderr);
    }
}

#[test]
fn explain_knows_fields_codes_services_and_metrics() {
    let here = Scratch::new("explain");
    for (word, part) in [
        ("functions.memory", "Memory of an instance."),
        ("memory", "Memory of an instance."),
        ("reserved_concurrency", "also caps it"),
        ("function", "warm and cold life"),
        ("functions.provisioned_concurrency", "such as `10`"),
        ("lambda", "AWS Lambda"),
        ("sqs", "SQS"),
        ("dynamodb", "DynamoDB"),
        ("region", "has no region"),
        ("state", "A state of a workflow"),
        ("state", "Markov"),
        ("cpu", "cpu (step of a handler)"),
        ("cpu", "function.cpu"),
        ("wait", "wait (step of a handler)"),
        ("C012", "an unknown key"),
        ("w004", "nothing uses"),
        ("aws.lambda", "AWS Lambda"),
        ("aws.lambda", "serve one request at a time"),
        ("aws.lambda", "requests: $0.2 per 1M requests"),
        ("aws.lambda", "asynchronous.retries: 2"),
        ("latency.p99", "as clients see it"),
        ("functions.checkout.cold_ratio", "had to start an instance"),
        ("bill.month", "in dollars"),
        ("metrics", "functions.NAME.cold_ratio"),
        ("services", "aws.api_gateway.http"),
        ("codes", "C070  an unknown metric"),
    ] {
        let outcome = coldcurve(here.path(), &["explain", word]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{word}");
        assert!(outcome.stdout.contains(part), "{word}: {}", outcome.stdout);
    }
    for (word, meant) in [
        ("memroy", "memory"),
        ("lamda", "lambda"),
        ("dynamo", "dynamodb"),
        ("aws.lamda", "aws.lambda"),
        ("cal", "call"),
        ("sendd", "send"),
        ("provisioned_concurency", "provisioned_concurrency"),
    ] {
        let near = coldcurve(here.path(), &["explain", word]);
        assert_eq!((near.code, near.stdout.as_str()), (Some(2), ""));
        let help = format!("did you mean `{meant}`?");
        assert!(near.stderr.contains(&help), "{}", near.stderr);
        assert_eq!(coldcurve(here.path(), &["explain", meant]).code, Some(0), "{meant}");
    }
    let provider = coldcurve(here.path(), &["explain", "azure"]);
    assert_eq!(provider.code, Some(2));
    assert!(provider.stderr.contains("azure.functions.flex"), "{}", provider.stderr);
    json(&coldcurve(here.path(), &["explain", "--all", "schema"]).stdout);
}

#[test]
fn every_metric_of_a_run_is_explained() {
    let scratch = Scratch::new("metrics");
    let shop = SHOP
        .replace("memory: 1 GB", "memory: 1 GB, provisioned_concurrency: 3")
        .replace("call: stock", "call: flow")
        .replace(
            "variants:",
            "workflows: { flow: { states: { take: { task: stock } } } }\nvariants:",
        );
    let shop = scratch.write("shop.yaml", &shop);
    let outcome = coldcurve(scratch.path(), &["run", shop, "--no-files", "--format", "json"]);
    let summary = json(&outcome.stdout);
    let metrics = summary["cells"][0]["metrics"].as_array().expect("metrics");
    let names = metrics.iter().map(|metric| metric["name"].as_str().expect("a name"));
    let unknown: Vec<&str> = names
        .filter(|name| coldcurve::run::metrics::explain(name).is_none())
        .collect();
    assert!(
        unknown.is_empty(),
        "no explanation in src/run/metrics.rs for {unknown:?}"
    );
}

#[test]
fn new_writes_a_scenario_that_runs_and_overwrites_nothing() {
    let scratch = Scratch::new("new");
    let outcome = coldcurve(scratch.path(), &["new", "mine.yaml"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let before = contents(scratch.path());
    let again = coldcurve(scratch.path(), &["new", "mine.yaml"]);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("mine.yaml"), "{}", again.stderr);
    assert!(contents(scratch.path()) == before);
    assert_eq!(
        coldcurve(scratch.path(), &["new", "no/such/folder/mine.yaml"]).code,
        Some(2)
    );
    let checked = coldcurve(scratch.path(), &["check", "mine.yaml"]);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
    let short = [
        "--set",
        "run.length=2 min",
        "--set",
        "run.warmup=20 s",
        "--replications",
        "2",
    ];
    let tested = coldcurve(scratch.path(), &[&["test", "mine.yaml"][..], &short[..]].concat());
    assert_eq!(tested.code, Some(0), "{}{}", tested.stdout, tested.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_coldcurve"))
        .args(["explain", "--all", "schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let status = child.wait().expect("the program ends");
    let mut said = String::new();
    child
        .stderr
        .take()
        .expect("a stream")
        .read_to_string(&mut said)
        .expect("text");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_provider_is_one_file_in_a_folder_of_ones_own() {
    let scratch = Scratch::new("own-provider");
    std::fs::create_dir(scratch.path().join("ours")).expect("a folder");
    scratch.write(
        "ours/acme.yaml",
        "service: acme.functions\nkind: functions\ntitle: Acme\ndefaults:\n  \
         memory: { value: 1024 MB, source: here }\nprices:\n  \
         - { line: calls, meter: requests, unit: 1M calls, price: 1 }\n  \
         - { line: compute, meter: compute_mb_ms, unit: GB-s, price: 0 }\n",
    );
    let text = PLAIN.replace("aws.lambda, memory: 512 MB", "acme.functions");
    let scenario = scratch.write("plain.yaml", &text);
    assert_eq!(coldcurve(scratch.path(), &["check", scenario]).code, Some(2));
    let arguments = ["run", scenario, "--catalog", "ours", "--no-files", "--format", "json"];
    let outcome = coldcurve(scratch.path(), &arguments);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let summary = json(&outcome.stdout);
    let per_million = metric(&summary, 0, "bill.per_million");
    assert!((per_million - 1.0).abs() < 1e-9, "a dollar per million, {per_million}");
    let command = summary["manifest"]["command"].as_str().expect("a command");
    assert!(command.contains("--catalog=ours"), "{command}");
    let explained = coldcurve(scratch.path(), &["explain", "acme.functions", "--catalog", "ours"]);
    assert!(explained.stdout.contains("1024 MB"), "{}", explained.stdout);
    // The same price in the scenario wins over that of the file.
    let own = format!(
        "prices: {{ acme.functions: [ {{ line: calls, meter: requests, unit: 1M calls, price: 3 }} ] }}\n{text}"
    );
    scratch.write("plain.yaml", &own);
    let summary = json(&coldcurve(scratch.path(), &arguments).stdout);
    assert!((metric(&summary, 0, "bill.per_million") - 3.0).abs() < 1e-9);
}

#[test]
fn bills_say_whose_nodes_they_are_and_pollers_cap_functions() {
    let scratch = Scratch::new("own-nodes");
    let text = PLAIN.replace("aws.lambda, memory: 512 MB", "knative.service");
    let scenario = scratch.write("plain.yaml", &text);
    let outcome = coldcurve(scratch.path(), &["run", scenario, "--no-files", "--format", "json"]);
    assert_eq!(outcome.stderr, "", "no warning about a price that nobody asks for");
    assert!(outcome.stdout.contains("nodes of your own"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("no price for"), "{}", outcome.stdout);
    let piped = "clients: { web: { to: q, arrivals: { poisson: 5/s } } }
queues: { q: { service: aws.sqs.standard, to: work, poller: { maximum_concurrency: 20 } } }
functions: { work: { service: aws.lambda, timeout: 5 s, handler: [ call: db ] } }
databases: { db: { service: aws.rds.postgres, instance: db.t4g.micro } }
";
    let checked = coldcurve(scratch.path(), &["check", scratch.write("piped.yaml", piped)]);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
    let direct = piped.replace("to: q, ", "to: work, ");
    let checked = coldcurve(scratch.path(), &["check", scratch.write("direct.yaml", &direct)]);
    assert!(checked.stderr.contains("W003"), "{}", checked.stderr);
}

#[test]
fn a_fleet_that_no_size_makes_fast_enough_is_an_error_and_leaves_the_folder_as_it_was() {
    let scratch = Scratch::new("unreachable");
    let text = "run: { length: 2 min, warmup: 10 s, replications: 2 }
clients: { web: { to: shop, arrivals: { poisson: 20/s } } }
fleets: { shop: { vcpu: 1, size: { p99: 200 ms, utilisation: 60% }, handler: [ wait: 100 ms ] } }
";
    let scenario = scratch.write("shop.yaml", text);
    assert_eq!(coldcurve(scratch.path(), &["run", scenario]).code, Some(0));
    let before = contents(&scratch.path().join("output/shop"));
    scratch.write("shop.yaml", &text.replace("p99: 200 ms", "p99: 90 ms"));
    let outcome = coldcurve(scratch.path(), &["run", scenario]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stdout.contains("refused, no figures"), "{}", outcome.stdout);
    for part in ["error[C082]", "`shop`", "the p99 is 100 ms"] {
        assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
    }
    assert!(contents(&scratch.path().join("output/shop")) == before);
}

#[test]
fn bills_say_how_the_month_was_made() {
    let scratch = Scratch::new("month");
    let plain = scratch.write("plain.yaml", PLAIN);
    let run = |more: &[&str]| {
        let printed = coldcurve(scratch.path(), &[&["run", plain, "--no-files"], more].concat()).stdout;
        printed.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let whole = run(&[]);
    assert!(whole.contains("Bill: a month of 730 h, all of it like"), "{whole}");
    let part = run(&["--set", "billing.active_hours=200 h"]);
    assert!(part.contains("200 h of traffic like that"), "{part}");
}

#[test]
fn thousands_of_mistakes_are_told_in_no_time() {
    let scratch = Scratch::new("mistakes");
    let function = |number| format!("  f{number}: {{ memroy: 1 GB, handler: [ call: gg ] }}\n");
    let functions: Vec<String> = (0..4_000).map(function).collect();
    let head = "clients: { web: { to: f0, arrivals: { poisson: 1/s } } }\nfunctions:\n";
    let scenario = scratch.write("many.yaml", &[head, &functions.concat()].concat());
    let began = std::time::Instant::now();
    let outcome = coldcurve(scratch.path(), &["check", scenario]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("did you mean `memory`?"));
    assert!(
        outcome.stderr.contains("many.yaml:52:"),
        "the right line number far down"
    );
    // It used to take a minute.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn a_handler_that_one_variant_does_not_use_and_keys_that_hold_anchors_are_no_errors() {
    let here = Scratch::new("lenient");
    let text = "x-sizes: { small: &small { memory: 512 MB } }
clients: { web: { to: f, arrivals: { constant: 1/s }, paths: { /work: 1 } } }
functions:
  f: { service: aws.lambda, <<: *small, handlers: { /work: [{ wait: 30 ms }], /ping: [{ wait: 5 ms }] } }
run: { length: 1 min, warmup: 0 s, replications: 1 }
variants:
  nothing: {}
  pings: { clients: { ping: { to: f, arrivals: { constant: 1/s }, paths: { /ping: 1 } } } }
";
    let file = here.write("pings.yaml", text);
    let checked = coldcurve(here.path(), &["check", file]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(
        checked.stderr.contains("warning[W004]: no client asks for `/ping`"),
        "{}",
        checked.stderr
    );
    assert!(checked.stderr.ends_with("0 errors, 1 warning\n"), "{}", checked.stderr);
    let tested = coldcurve(here.path(), &["test", file]);
    assert_eq!(tested.code, Some(0), "{}", tested.stderr);
    let clear = tested.stdout.contains("nothing was checked") && tested.stdout.contains("expect: [{ metric: ");
    assert!(clear, "{}", tested.stdout);
}

#[test]
fn keys_of_ones_own_hold_anchors_at_every_level() {
    let here = Scratch::new("own-keys");
    let text = "x-top: &small { memory: 512 MB }
clients:
  x-traffic: &calm { arrivals: { constant: 1/s } }
  web: { <<: *calm, to: f }
functions:
  x-java: &java { runtime: java21, x-note: 'until the migration' }
  x-ray: { handler: [{ wait: 1 ms }] }
  f: { service: aws.lambda, <<: [*small, *java], handler: [{ wait: 30 ms }, { call: x-ray }] }
run: { x-why: &long 2 min, length: *long, warmup: 0 s, replications: 1 }
variants:
  plain: {}
  double: { x-rate: &fast { constant: 2/s }, clients: { x-a: *fast, web: { arrivals: *fast, x-b: *fast } } }
";
    let file = here.write("own.yaml", text);
    let checked = coldcurve(here.path(), &["check", file]);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
    let read = json(&coldcurve(here.path(), &["run", file, "--no-files", "--format", "json"]).stdout);
    // What something names is a component, whatever it is called.
    assert!((metric(&read, 0, "functions.x-ray.invocations") - 120.0).abs() < 1e-9);
    assert!((metric(&read, 1, "clients.web.requests") - 240.0).abs() < 1e-9);
    // Other slips are still found.
    let slip = here.write("slip.yaml", &text.replace("x-note:", "y-note:"));
    let checked = coldcurve(here.path(), &["check", slip]);
    assert_eq!(checked.code, Some(2));
    assert!(
        checked.stderr.contains("`y-note` is not a field of a function"),
        "{}",
        checked.stderr
    );
}

#[test]
fn scenarios_of_one_file_name_keep_their_results() {
    let scratch = Scratch::new("namesakes");
    for folder in ["a", "b"] {
        std::fs::create_dir(scratch.path().join(folder)).unwrap();
    }
    let (first, second) = (
        scratch.write("a/plain.yaml", PLAIN),
        scratch.write("b/plain.yaml", PLAIN),
    );
    let run = |scenario: &str, seed: &str| {
        let outcome = coldcurve(scratch.path(), &["run", scenario, "--no-pictures", "--seed", seed]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        outcome.stderr
    };
    let seed = |folder: &str| {
        let manifest = std::fs::read(scratch.path().join(folder).join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        (manifest["seed"].as_u64().unwrap(), manifest["scenario_path"].clone())
    };
    assert!(!run(first, "1").contains("note:"));
    let said = run(second, "2");
    for part in [
        "output/plain has the results of a/plain.yaml",
        "b/plain.yaml go to output/b-plain",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(seed("output/plain"), (1, "../../a/plain.yaml".into()));
    assert_eq!(seed("output/b-plain"), (2, "../../b/plain.yaml".into()));
    // Each finds its own again, also after it has been edited.
    scratch.write("a/plain.yaml", &format!("{PLAIN}\n# edited\n"));
    assert!(!run(first, "3").contains("note:"));
    assert!(run(second, "4").contains("note:"));
    assert_eq!((seed("output/plain").0, seed("output/b-plain").0), (3, 4));
    // A file that was moved brings its results along.
    std::fs::rename(scratch.path().join("a"), scratch.path().join("moved")).unwrap();
    assert!(!run("moved/plain.yaml", "5").contains("note:"));
    assert_eq!(seed("output/plain"), (5, "../../moved/plain.yaml".into()));
}
