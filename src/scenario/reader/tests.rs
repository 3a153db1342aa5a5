use super::*;
use crate::scenario::parse::parse;
use crate::scenario::tree::Sources;
use proptest::prelude::*;
use std::io::Write as _;

static RETRY: Table = Table {
    name: "retry",
    doc: "What a caller does about failures.",
    fields: &[
        Field::default("attempts", Kind::Count, "3", "How often at most.").within(1.0, 100.0),
        Field::required("backoff", Kind::Sampler, "The pause between two attempts."),
    ],
};

static FUNCTION: Table = Table {
    name: "function",
    doc: "A function.",
    fields: &[
        Field::required("memory", Kind::Size, "Its memory.").within(134_217_728.0, 10_737_418_240.0),
        Field::default("timeout", Kind::Duration, "3 s", "How long it may run.").positive(),
        Field::optional("concurrency", Kind::Count, "How many at once.").positive(),
        Field::optional("rate", Kind::Rate, "How often."),
        Field::default("hits", Kind::Share, "50%", "How often the cache has it."),
        Field::optional("price", Kind::Money, "What it costs."),
        Field::default("weight", Kind::Number, "1", "Its weight.").at_least(0.5),
        Field::default("traced", Kind::Flag, "false", "Whether it is traced."),
        Field::optional("note", Kind::Text, "A note."),
        Field::default(
            "start",
            Kind::Choice(&["cold", "warm", "snapshot"]),
            "cold",
            "How it starts.",
        ),
        Field::default(
            "work",
            Kind::Sampler,
            "{ median: 1 ms, p99: 2 ms }",
            "How long it works.",
        ),
        Field::optional("calls", Kind::Target(&["functions", "databases"]), "What it calls."),
        Field::optional("tags", Kind::List(&Kind::Text), "Some words."),
        Field::optional("retry", Kind::Block(&RETRY), "What it does about failures."),
        Field::optional("labels", Kind::Map(&Kind::Text), "Words by name."),
        Field::optional("handler", Kind::Steps, "What it does."),
    ],
};

/// Two small data files and one that is compressed.
struct Data;

impl Files for Data {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            "good.csv" => Ok(b"time,size\n10,1\n# note\n20,2\n,3\n".to_vec()),
            "bad.csv" => Ok(b"time,size\n10,1\nten,2\n".to_vec()),
            "nan.csv" => Ok(b"time\n1\nNaN\n".to_vec()),
            "negative.csv" => Ok(b"time\n-1\n".to_vec()),
            "ragged.csv" => Ok(b"time,size\n1,2\n3\n".to_vec()),
            "empty.csv" => Ok(b"time,size\n".to_vec()),
            "nothing.csv" => Ok(Vec::new()),
            "good.csv.gz" => {
                let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                gz.write_all(b"time\n7\n").map_err(|e| e.to_string())?;
                gz.finish().map_err(|e| e.to_string())
            }
            "torn.csv.gz" => Ok(vec![0x1f, 0x8b, 8, 0, 0]),
            _ => Err(format!("cannot open `{path}`: no such file")),
        }
    }
}

/// What a problem comes down to: code, line, message, suggestion.
type Seen = (Code, usize, String, Option<String>);

/// Reads everything that the tables can read out of a scenario, twice, and returns the problems.
fn problems(text: &str) -> Vec<Seen> {
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.add("scenario.yaml", text);
    if let Some(root) = parse(&sources, file, &diagnostics) {
        read_all(&root, &diagnostics);
        let once = diagnostics.len();
        read_all(&root, &diagnostics);
        assert_eq!(diagnostics.len(), once, "reading again says nothing new");
    }
    assert!(diagnostics.render(&sources, false).len() >= diagnostics.len());
    let seen = diagnostics.sorted().into_iter().map(|d| {
        let line = sources.line_column(d.primary.0.file, d.primary.0.start).0;
        (
            d.code,
            line,
            format!("{} | {}", d.message, d.help.unwrap_or_default()),
            d.suggestion.map(|s| s.1),
        )
    });
    seen.collect()
}

fn read_all(root: &Node, diagnostics: &Diagnostics) {
    let names = Names::collect(root, &["functions", "databases", "topics"], diagnostics);
    let cx = Context {
        diagnostics,
        names: &names,
        files: &Data,
        catalog: &Catalog::default(),
    };
    for (key, node) in root.get("functions").map_or(&[][..], Node::entries) {
        read_function(&Block::keyed(&cx, key, node, &FUNCTION));
    }
    for (_, node) in root.get("times").map_or(&[][..], Node::entries) {
        let sampler = read_sampler(&cx, node);
        assert!(sampler.mean() >= 0.0, "{sampler:?}");
    }
}

fn read_function(block: &Block) {
    assert!((134_217_728..=10_737_418_240).contains(&block.size("memory")));
    assert!(block.duration("timeout") > Duration::ZERO);
    assert!(block.count_opt("concurrency") != Some(0));
    let _ = (
        block.rate_opt("rate"),
        block.money_opt("price"),
        block.text_opt("note"),
        block.flag("traced"),
    );
    assert!((0.0..=1.0).contains(&block.share("hits")));
    assert!(block.number("weight") >= 0.5);
    assert!(block.choice("start") < 3);
    let _ = (block.sampler("work"), block.target_opt("calls"));
    block.list("tags").iter().for_each(|n| {
        read_text(block.context(), n);
    });
    if let Some(retry) = block.block("retry") {
        assert!((1..=100).contains(&retry.count("attempts")));
        let _ = retry.sampler("backoff");
    }
    block.entries("labels").iter().for_each(|e| {
        read_text(block.context(), &e.1);
    });
    block.list("handler").iter().for_each(|n| {
        single_key(block.context(), n);
    });
}

/// One problem is expected: its code and line, words of its message or help, and its suggestion.
fn one(text: &str, code: Code, line: usize, says: &str, suggestion: Option<&str>) {
    let seen = problems(text);
    let [problem] = seen.as_slice() else {
        panic!("{text}\n{seen:#?}")
    };
    assert_eq!(
        (problem.0, problem.1, problem.3.as_deref()),
        (code, line, suggestion),
        "{text}\n{problem:?}"
    );
    assert!(problem.2.contains(says), "{text}\n{problem:?}");
}

/// The same for a field of a function, which stands in line 4.
fn field(text: &str, code: Code, says: &str, suggestion: Option<&str>) {
    one(
        &format!("functions:\n  f:\n    memory: 1 GB\n    {text}\n"),
        code,
        4,
        says,
        suggestion,
    );
}

#[test]
fn good_values_are_typed() {
    let text = "functions:
  f: { memory: 1 GB, timeout: 5 min, concurrency: 1k, rate: 60/min, hits: 25%, price: $0.5, weight: 2, traced: on,
       note: hello there, start: warm, work: 7 ms, calls: db, tags: one, retry: { backoff: 1 s }, labels: { a: b },
       handler: [cpu: 1 ms, call: db] }
  g: { memory: 128 MB, timeout: ~ }
databases:
  db: {}
";
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.add("scenario.yaml", text);
    let root = parse(&sources, file, &diagnostics).unwrap();
    let names = Names::collect(&root, &["functions", "databases"], &diagnostics);
    let cx = Context {
        diagnostics: &diagnostics,
        names: &names,
        files: &Data,
        catalog: &Catalog::default(),
    };
    let functions = root.get("functions").unwrap();
    let f = Block::new(&cx, functions.get("f").unwrap(), &FUNCTION);
    assert_eq!(
        (f.size("memory"), f.duration("timeout")),
        (1 << 30, Duration::from_secs(300))
    );
    assert_eq!(
        (f.count_opt("concurrency"), f.rate_opt("rate")),
        (Some(1000), Some(1.0))
    );
    assert_eq!(
        (f.share("hits"), f.money_opt("price"), f.number("weight")),
        (0.25, Some(0.5), 2.0)
    );
    assert_eq!(
        (f.flag("traced"), f.text_opt("note"), f.choice("start")),
        (true, Some("hello there"), 1)
    );
    assert_eq!(f.sampler("work"), Sampler::Constant(7e6));
    assert_eq!(f.target_opt("calls"), Some(Target { kind: 1, index: 0 }));
    assert_eq!(f.list("tags").len(), 1, "a single value counts as a list");
    assert_eq!(
        f.block("retry").map(|r| (r.count("attempts"), r.sampler("backoff"))),
        Some((3, Sampler::Constant(1e9)))
    );
    assert_eq!(f.entries("labels").len(), 1);
    let steps: Vec<&str> = f
        .list("handler")
        .iter()
        .map(|n| single_key(&cx, n).unwrap().0.text.as_str())
        .collect();
    assert_eq!(steps, ["cpu", "call"]);

    let g = Block::new(&cx, functions.get("g").unwrap(), &FUNCTION);
    assert_eq!(g.duration("timeout"), Duration::from_secs(3), "null is absent");
    assert_eq!(
        g.sampler("work"),
        Sampler::lognormal_median_p99(1e6, 2e6),
        "defaults may be distributions"
    );
    assert_eq!((g.share("hits"), g.choice("start"), g.flag("traced")), (0.5, 0, false));
    assert!(g.rate_opt("rate").is_none() && g.target_opt("calls").is_none() && g.block("retry").is_none());
    assert!(!g.has("timeout") && g.list("handler").is_empty() && g.entries("labels").is_empty());
    assert_eq!(sources.slice(f.span_of("note")), "hello there");
    assert!(diagnostics.is_empty(), "{}", diagnostics.render(&sources, false));
}

#[test]
fn keys_and_shapes() {
    field(
        "memroy: 5 MB",
        Code::UnknownKey,
        "did you mean `memory`?",
        Some("memory"),
    );
    field(
        "time-out: 5 s",
        Code::UnknownKey,
        "did you mean `timeout`?",
        Some("timeout"),
    );
    field("colour: red", Code::UnknownKey, "fields are `memory`, `timeout`", None);
    one(
        "functions:\n  f:\n    timeout: 5 s\n",
        Code::MissingKey,
        2,
        "`f` lacks `memory` | add `memory: 512 MB`",
        None,
    );
    one("functions:\n  f:\n", Code::MissingKey, 2, "`f` lacks `memory`", None);
    one(
        "functions:\n  f: 400\n",
        Code::WrongShape,
        2,
        "expected a map (function), found `400`",
        None,
    );
    one(
        "functions:\n  f:\n    - memory: 1 GB\n",
        Code::WrongShape,
        3,
        "found a list",
        None,
    );
    field(
        "retry: { attempts: 2 }",
        Code::MissingKey,
        "`retry` lacks `backoff`",
        None,
    );
    field("retry: 3", Code::WrongShape, "expected a map (retry), found `3`", None);
    field(
        "timeout: [5 s]",
        Code::WrongShape,
        "expected a duration, found a list",
        None,
    );
    field("timeout: { p99: 5 s }", Code::WrongShape, "found a map", None);
    field("note: [a]", Code::WrongShape, "expected a text, found a list", None);
    field("labels: [a]", Code::WrongShape, "expected a map, found a list", None);
    field(
        "handler: [{ cpu: 1 ms, call: g }]",
        Code::NotOneKey,
        "more than one key",
        None,
    );
    field("handler: [cpu]", Code::NotOneKey, "found `cpu`", None);
}

#[test]
fn values() {
    field("timeout: 5", Code::MissingUnit, "write `5 s` or `5 ms`", None);
    field(
        "timeout: 5 GB",
        Code::WrongUnit,
        "expected a duration, found a size",
        None,
    );
    field("timeout: 5 S", Code::WrongUnit, "not a unit of a duration", Some("5 s"));
    field("timeout: -5 s", Code::OutOfRange, "negative", None);
    field("timeout: 0", Code::OutOfRange, "above zero", None);
    field("timeout: soon", Code::BadQuantity, "write a duration, such as", None);
    field("concurrency: 0", Code::OutOfRange, "above zero", None);
    field("concurrency: 1.5", Code::BadQuantity, "not a whole number", None);
    field("rate: 100", Code::MissingUnit, "`100/s`", None);
    field("hits: 60", Code::OutOfRange, "more than all", Some("60%"));
    field("hits: 120%", Code::OutOfRange, "from 0% to 100%", None);
    field("price: 0.2", Code::MissingUnit, "write `$0.2`", Some("$0.2"));
    field("weight: 0.1", Code::OutOfRange, "at least 0.5", None);
    field("weight: .inf", Code::BadQuantity, "not a number", None);
    field("traced: maybe", Code::BadQuantity, "neither `true` nor `false`", None);
    field(
        "start: wram",
        Code::UnknownChoice,
        "write `cold`, `warm` or `snapshot`",
        Some("warm"),
    );
    one(
        "functions:\n  f: { memory: 64 MB }\n",
        Code::OutOfRange,
        2,
        "from 128 MB to 10 GB",
        None,
    );
}

#[test]
fn names() {
    let rest = "databases:\n  orders: {}\ntopics:\n  news: {}\n";
    let call = |to: &str| format!("functions:\n  f: {{ memory: 1 GB, calls: {to} }}\n{rest}");
    assert_eq!(problems(&call("orders")), []);
    one(
        &call("order"),
        Code::UnknownName,
        2,
        "there is no component `order`",
        Some("orders"),
    );
    one(
        &call("xyz"),
        Code::UnknownName,
        2,
        "known under `functions` or `databases`: f, orders",
        None,
    );
    one(&call("news"), Code::WrongTarget, 2, "`news` is under `topics`", None);
    let twice = "functions:\n  a: { memory: 1 GB }\ndatabases:\n  a: {}\n";
    one(twice, Code::DuplicateName, 4, "two components are called `a`", None);
    one(
        "databases:\n  a.b: {}\n",
        Code::BadName,
        2,
        "`a.b` cannot name a component",
        Some("a_b"),
    );
    one(
        "databases:\n  a: {}\n  a: {}\n",
        Code::DuplicateKey,
        3,
        "appears twice",
        None,
    );
}

#[test]
fn every_problem_comes_at_once_and_in_order() {
    let text = "functions:\n  f:\n    memroy: 1 GB\n    timeout: 5\n    hits: 60\n    calls: nobody\n";
    let codes: Vec<(Code, usize)> = problems(text).iter().map(|p| (p.0, p.1)).collect();
    let expected = [
        (Code::MissingKey, 2),
        (Code::UnknownKey, 3),
        (Code::MissingUnit, 4),
        (Code::OutOfRange, 5),
        (Code::UnknownName, 6),
    ];
    assert_eq!(codes, expected);
}

/// The sampler of a text, which has to be in order.
fn sampler(text: &str) -> Sampler {
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.add("scenario.yaml", text);
    let node = parse(&sources, file, &diagnostics).unwrap();
    let cx = Context {
        diagnostics: &diagnostics,
        names: &Names::default(),
        files: &Data,
        catalog: &Catalog::default(),
    };
    let sampler = read_sampler(&cx, &node);
    assert!(diagnostics.is_empty(), "{}", diagnostics.render(&sources, false));
    sampler
}

#[test]
fn distributions() {
    assert_eq!(sampler("5 ms"), Sampler::Constant(5e6));
    assert_eq!(sampler("{ exponential: 5 ms }"), Sampler::Exponential { mean: 5e6 });
    let lognormal = Sampler::lognormal_median_p99(12e6, 40e6);
    assert_eq!(sampler("{ median: 12 ms, p99: 40 ms }"), lognormal);
    assert_eq!(sampler("lognormal: { median: 12 ms, p99: 40 ms }"), lognormal);
    assert_eq!(sampler("{ median: 12 ms, p99: 12 ms }"), Sampler::Constant(12e6));
    assert_eq!(
        sampler("{ mean: 12 ms, cv: 0.5 }"),
        Sampler::lognormal_mean_cv(12e6, 0.5)
    );
    assert_eq!(sampler("lognormal: { mean: 12 ms, cv: 0 }"), Sampler::Constant(12e6));
    assert_eq!(
        sampler("gamma: { mean: 8 ms, cv: 0.5 }"),
        Sampler::Gamma { shape: 4.0, scale: 2e6 }
    );
    assert_eq!(
        sampler("gamma: { shape: 4, scale: 2 ms }"),
        Sampler::Gamma { shape: 4.0, scale: 2e6 }
    );
    assert_eq!(
        sampler("weibull: { scale: 2 ms, shape: 0.7 }"),
        Sampler::Weibull { shape: 0.7, scale: 2e6 }
    );
    let pareto = Sampler::Pareto {
        minimum: 1e6,
        shape: 1.5,
    };
    assert_eq!(sampler("pareto: { minimum: 1 ms, shape: 1.5 }"), pareto);
    assert_eq!(
        sampler("uniform: [1 ms, 9 ms]"),
        Sampler::Uniform { low: 1e6, high: 9e6 }
    );
}

#[test]
fn distributions_out_of_data_and_of_others() {
    assert_eq!(
        sampler("empirical: { file: good.csv, column: time }"),
        Sampler::Empirical([10e6, 20e6].into())
    );
    assert_eq!(
        sampler("empirical: { file: good.csv, column: size, unit: s }"),
        Sampler::Empirical([1e9, 2e9, 3e9].into())
    );
    assert_eq!(
        sampler("empirical: { file: good.csv.gz, column: time }"),
        Sampler::Empirical([7e6].into())
    );
    let table = Sampler::Quantiles([(0.0, 1e6), (0.5, 5e6), (0.99, 40e6), (1.0, 1e9)].into());
    assert_eq!(
        sampler("quantiles: { max: 1 s, min: 1 ms, p99: 40 ms, p50: 5 ms }"),
        table
    );
    let mixture = Sampler::mixture(vec![
        (9.0, Sampler::Constant(5e6)),
        (1.0, Sampler::Exponential { mean: 1e9 }),
    ]);
    assert_eq!(
        sampler("mixture: [{ weight: 9, constant: 5 ms }, { weight: 1, exponential: 1 s }]"),
        mixture
    );
    assert_eq!(
        sampler("{ exponential: 5 ms, maximum: 1 s, offset: 2 ms }"),
        Sampler::Adjusted {
            inner: std::sync::Arc::new(Sampler::Exponential { mean: 5e6 }),
            factor: 1.0,
            offset: 2e6,
            maximum: 1e9,
        }
    );
    assert_eq!(
        sampler("{ constant: 5 ms, offset: 2 ms, maximum: 6 ms }"),
        Sampler::Constant(6e6)
    );
}

#[test]
fn impossible_distributions() {
    let bad = |text: &str, code, says| one(&format!("times:\n  x: {text}\n"), code, 2, says, None);
    bad(
        "{ median: 40 ms, p99: 12 ms }",
        Code::Impossible,
        "the p99 is below the median",
    );
    bad("{ median: 40 ms }", Code::Impossible, "`median` needs `p99`");
    bad("{ mean: 40 ms }", Code::Impossible, "or write `exponential:`");
    bad("{ mean: 40 ms, cv: -1 }", Code::OutOfRange, "from 0 to 1000");
    bad("{ mean: -4 ms, cv: 1 }", Code::OutOfRange, "negative");
    bad("{ median: -4 ms, p99: 5 ms }", Code::OutOfRange, "negative");
    bad("{ median: 4 ms, p99: 5 }", Code::MissingUnit, "lacks its unit");
    bad("{ exponential: 0 }", Code::OutOfRange, "above zero");
    bad(
        "{ exponential: 1 ms, uniform: [1 ms, 2 ms] }",
        Code::Impossible,
        "describe two distributions at once",
    );
    bad("{}", Code::Impossible, "describes no distribution");
    bad("{ maximum: 5 s }", Code::Impossible, "describes no distribution");
    bad("[1 ms]", Code::WrongShape, "found a list");
    bad("{ uniform: [9 ms, 1 ms] }", Code::Impossible, "lower end is above");
    bad("{ uniform: 9 ms }", Code::Impossible, "has two ends");
    bad(
        "{ quantiles: { min: 5 ms, p50: 4 ms, max: 9 ms } }",
        Code::Impossible,
        "higher quantile has a lower value",
    );
    bad(
        "{ quantiles: { p50: 4 ms, max: 9 ms } }",
        Code::Impossible,
        "from `min` to `max`",
    );
    bad(
        "{ quantiles: { min: 0, q5: 4 ms, max: 9 ms } }",
        Code::UnknownKey,
        "`q5` is not a quantile",
    );
    bad(
        "{ quantiles: { min: 0, p50: 4 ms, median: 4 ms, max: 9 ms } }",
        Code::Impossible,
        "given twice",
    );
}

#[test]
fn impossible_combinations_of_distributions() {
    let bad = |text: &str, code, says| one(&format!("times:\n  x: {text}\n"), code, 2, says, None);
    bad("{ mixture: [] }", Code::Impossible, "no parts");
    bad("{ mixture: [{ constant: 5 ms }] }", Code::MissingKey, "no `weight`");
    bad(
        "{ mixture: [{ weight: 0, constant: 5 ms }] }",
        Code::OutOfRange,
        "above zero",
    );
    bad("{ mixture: [5 ms] }", Code::WrongShape, "expected a map (distribution)");
    bad("{ constant: 5 ms, weight: 3 }", Code::Impossible, "within a mixture");
    bad(
        "{ exponential: 5 ms, offset: 2 s, maximum: 1 s }",
        Code::Impossible,
        "below the offset",
    );
    bad(
        "{ gamma: { mean: 5 ms, shape: 2 } }",
        Code::Impossible,
        "one of two ways",
    );
    bad("{ pareto: { minimum: 5 ms, shape: 0 } }", Code::OutOfRange, "from 0.01");
    bad(
        "{ weibull: { scale: 5 ms } }",
        Code::MissingKey,
        "`weibull` lacks `shape`",
    );
    one(
        "times:\n  x: { expnential: 5 ms, constant: 1 ms }\n",
        Code::UnknownKey,
        2,
        "distribution",
        Some("exponential"),
    );
}

#[test]
fn data_files() {
    let bad = |file: &str, column: &str, says: &str| {
        let text = format!("times:\n  x: {{ empirical: {{ file: {file}, column: {column} }} }}\n");
        one(&text, Code::BadData, 2, says, None);
    };
    bad("none.csv", "time", "no such file");
    bad("bad.csv", "time", "`bad.csv`, line 3: `ten` is not a number");
    bad("nan.csv", "time", "line 3: `NaN` is not a number");
    bad("negative.csv", "time", "the negative value -1");
    bad("ragged.csv", "time", "line 3");
    bad("empty.csv", "time", "no values in column `time`");
    bad("nothing.csv", "time", "`nothing.csv` is empty");
    bad("good.csv", "tme", "did you mean `time`?");
    bad("good.csv", "age", "columns are time, size");
    bad("torn.csv.gz", "time", "cannot decompress");
}

#[test]
fn tables_are_checked() {
    static WRONG: Table = Table {
        name: "wrong",
        doc: "A table with mistakes.",
        fields: &[
            Field::default("a", Kind::Duration, "5", "No unit."),
            Field::default("b", Kind::Count, "0", "Out of range.").positive(),
            Field::default("c", Kind::Choice(&["x", "y"]), "z", "No choice."),
            Field::default("d", Kind::Block(&RETRY), "{ attempts: 200 }", "Two mistakes."),
            Field::optional("a", Kind::Flag, "no sentence"),
            Field::default("e", Kind::List(&Kind::Size), "[1 MB, 2]", "A mistake in a list."),
        ],
    };
    assert_eq!(check_table(&FUNCTION), [""; 0]);
    assert_eq!(check_table(&crate::scenario::sampler::SAMPLER), [""; 0]);
    let wrong = check_table(&WRONG);
    let starts = [
        "wrong.a: `5`",
        "wrong.b: `0`",
        "wrong.c: `z`",
        "wrong.d:",
        "wrong.d:",
        "wrong.a is",
        "wrong.a needs",
        "wrong.e: `2`",
    ];
    assert_eq!(wrong.len(), starts.len(), "{wrong:#?}");
    for (message, start) in wrong.iter().zip(starts) {
        assert!(message.starts_with(start), "{wrong:#?}");
    }
}

#[test]
#[should_panic(expected = "the table function has no field colour")]
fn an_unknown_getter_is_a_programmers_error() {
    getter(|b| {
        b.text_opt("colour");
    });
}

#[test]
#[should_panic(expected = "function.memory is a size")]
fn a_getter_of_another_kind_is_a_programmers_error() {
    getter(|b| {
        b.duration("memory");
    });
}

#[test]
#[should_panic(expected = "function.note is optional")]
fn a_sure_getter_of_an_optional_field_is_a_programmers_error() {
    getter(|b| {
        b.text("note");
    });
}

fn getter(call: fn(&Block)) {
    let diagnostics = Diagnostics::new();
    let cx = Context {
        diagnostics: &diagnostics,
        names: &Names::default(),
        files: &Data,
        catalog: &Catalog::default(),
    };
    call(&Block::new(&cx, &Node::empty_map(Span::NOWHERE), &FUNCTION));
}

/// Arbitrary values for arbitrary fields.
fn scenario_text() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        4 => proptest::sample::select(FUNCTION.names().collect::<Vec<_>>()).prop_map(str::to_owned),
        1 => "[a-z]{1,8}",
    ];
    let value = "(5|-1|1e9|0)?( ?(s|ms|GB|/s|%|/month))?|\\$[0-9]|\\[5 ms\\]|\\{(median|p99|mean|cv|mixture|uniform|weight|quantiles|empirical): [0-9]( ms)?\\}|~|[a-z. ]{1,6}";
    proptest::collection::vec((key, value), 0..12).prop_map(|fields| {
        let lines: Vec<String> = fields.into_iter().map(|(k, v)| format!("    {k}: {v}\n")).collect();
        format!("functions:\n  f:\n{}times:\n  x: {{}}\n", lines.concat())
    })
}

proptest! {
    #[test]
    fn arbitrary_fields_never_panic(text in scenario_text()) {
        problems(&text);
    }
}
