//! Every field of the tables refuses what it cannot be: a value of another kind, and one out of its range. The problem
//! is told at the value itself, with a code and a remedy.

use crate::support::Scratch;
use coldcurve::model::handler::read::{CACHE, CALL, IDEMPOTENT, LOOP};
use coldcurve::model::world::build::ROOT;
use coldcurve::run::{Loaded, Options, load};
use coldcurve::scenario::{Field, Kind, Presence, Range, Severity, Table};

/// What no field takes.
const BAD: &str = "zz-bad-zz";

/// A field, and a scenario around its value: what comes before it and what comes after it.
struct Place {
    path: String,
    before: String,
    after: String,
    field: &'static Field,
}

/// All fields that a table leads to. A table that is inside itself is visited once on each way.
fn places(table: &'static Table, path: &str, around: (&str, &str), above: &[&str], out: &mut Vec<Place>) {
    if above.contains(&table.name) {
        return;
    }
    let above = [above, &[table.name]].concat();
    for field in table.fields {
        let path = format!("{path}{}", field.name);
        let before = format!("{}{{ {}: ", around.0, field.name);
        let after = format!(" }}{}", around.1);
        inside(&field.kind, &path, (&before, &after), &above, out);
        out.push(Place {
            path,
            before,
            after,
            field,
        });
    }
}

/// The fields below a value of this kind.
fn inside(kind: &'static Kind, path: &str, around: (&str, &str), above: &[&str], out: &mut Vec<Place>) {
    let (before, after) = around;
    match kind {
        Kind::Block(table) => places(table, &format!("{path}."), around, above, out),
        Kind::Map(kind) => inside(
            kind,
            &format!("{path}.x"),
            (&format!("{before}{{ x: "), &format!(" }}{after}")),
            above,
            out,
        ),
        Kind::List(kind) => inside(
            kind,
            &format!("{path}[]"),
            (&format!("{before}[ "), &format!(" ]{after}")),
            above,
            out,
        ),
        _ => {}
    }
}

/// All fields of a scenario, and those of the steps of a handler.
fn all() -> Vec<Place> {
    let mut out = Vec::new();
    places(&ROOT, "", ("", ""), &[], &mut out);
    for (step, table) in [
        ("call", &CALL),
        ("loop", &LOOP),
        ("cache", &CACHE),
        ("idempotent", &IDEMPOTENT),
    ] {
        let before = format!("{{ functions: {{ x: {{ handler: [ {{ {step}: ");
        places(table, &format!("{step}."), (&before, " } ] } } }"), &[], &mut out);
    }
    out
}

/// A client with what it must have.
const CLIENT: &str = "functions: { f: {} }, clients: { x: { to: f, arrivals: { poisson: 1/s },";

/// What some fields are only read beside: where the path begins so, what is written where.
const BESIDE: [(&str, &str, &str); 17] = [
    ("clients.x.arrivals.spikes", "arrivals: {", "arrivals: { poisson: 1/s,"),
    ("clients.x.breaker", "clients: { x: {", CLIENT),
    ("clients.x.hedge", "clients: { x: {", CLIENT),
    ("clients.x.network", "clients: { x: {", CLIENT),
    ("clients.x.paths", "clients: { x: {", CLIENT),
    (
        "gateways.x.overhead",
        "gateways: { x: {",
        "functions: { f: {} }, gateways: { x: { to: f,",
    ),
    (
        "gateways.x.capacity_units",
        "gateways: { x: {",
        "functions: { f: {} }, gateways: { x: { to: f,",
    ),
    (
        "gateways.x.throttle",
        "gateways: { x: {",
        "functions: { f: {} }, gateways: { x: { to: f,",
    ),
    (
        "proxies.x.overhead",
        "proxies: { x: {",
        "databases: { d: {} }, proxies: { x: { to: d,",
    ),
    (
        "proxies.x.connect_time",
        "proxies: { x: {",
        "databases: { d: {} }, proxies: { x: { to: d,",
    ),
    (
        "fleets.x.cooldowns",
        "fleets: { x: {",
        "fleets: { x: { scaling: { target: 50%, maximum: 9 },",
    ),
    (
        "fleets.x.alarm_periods",
        "fleets: { x: {",
        "fleets: { x: { scaling: { target: 50%, maximum: 9 },",
    ),
    (
        "schedules.x.dead_letter",
        "schedules: { x: {",
        "functions: { f: {} }, schedules: { x: { to: f, rate: 5 min,",
    ),
    (
        "faults.x.for",
        "faults: { x: {",
        "functions: { f: {} }, faults: { x: { on: f, at: 1 s, slow: 2,",
    ),
    (
        "faults.x.again_after",
        "faults: { x: {",
        "functions: { f: {} }, faults: { x: { on: f, at: 1 s, for: 1 s, slow: 2,",
    ),
    (
        "faults.x.lower",
        "faults: { x: {",
        "functions: { f: {} }, faults: { x: { on: f, at: 1 s,",
    ),
    ("loop.steps", "loop: {", "loop: { times: 2,"),
];

/// Reads the scenario with this value at its place.
fn read(scratch: &Scratch, place: &Place, value: &str) -> Loaded {
    let mut before = place.before.clone();
    for (_, from, to) in BESIDE.iter().filter(|(path, ..)| place.path.starts_with(path)) {
        before = before.replacen(from, to, 1);
    }
    let text = format!("{before}\n  {value}\n{}\n", place.after);
    let name = scratch.write("field.yaml", &text);
    load(&scratch.path().join(name), &Options::default())
}

/// Whether a problem is told at this value, with a remedy.
fn refused(scratch: &Scratch, place: &Place, value: &str) -> bool {
    let loaded = read(scratch, place, value);
    loaded.diagnostics.sorted().iter().any(|problem| {
        problem.severity == Severity::Error
            && loaded.sources.slice(problem.primary.0).contains(value)
            && (problem.help.is_some() || problem.suggestion.is_some())
    })
}

/// A value of another kind; `None` if the table does not say what the field takes.
fn of_another_kind(kind: &Kind) -> Option<String> {
    match kind {
        Kind::Any => None,
        Kind::Text => Some(format!("[ {BAD} ]")),
        _ => Some(BAD.to_owned()),
    }
}

/// A value as it is written; `None` if the field takes no figures.
fn write(field: &Field, value: f64) -> Option<String> {
    match field.kind {
        Kind::Duration | Kind::Sampler => Some(format!("{value} ns")),
        Kind::Size => Some(format!("{value} B")),
        Kind::Rate => Some(format!("{value}/s")),
        Kind::Count | Kind::Number | Kind::Share => Some(format!("{value}")),
        _ => None,
    }
}

/// Values out of the range, as they are written.
fn out_of_range(field: &Field) -> Vec<String> {
    let values = match field.range {
        Range::Any => vec![],
        Range::Positive => vec![0.0],
        Range::AtLeast(low) => vec![low - 1.0],
        Range::Within(low, high) => vec![low - 1.0, high * 10.0 + 1.0],
    };
    values.into_iter().filter_map(|value| write(field, value)).collect()
}

#[test]
fn every_field_refuses_what_it_cannot_be_at_its_place() {
    let scratch = Scratch::new("fields");
    let (mut tried, mut wrong) = (0, Vec::new());
    for place in all() {
        let values = of_another_kind(&place.field.kind)
            .into_iter()
            .chain(out_of_range(place.field));
        for value in values {
            tried += 1;
            if !refused(&scratch, &place, &value) {
                wrong.push(format!("{}: {value}", place.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried > 600, "only {tried} values");
}

#[test]
fn the_largest_value_of_every_field_has_room() {
    let scratch = Scratch::new("largest");
    let mut tried = 0;
    for place in all() {
        let values = match place.field.range {
            Range::Within(_, high) => vec![high],
            // What no field says is said by the units: more than a double or 64 bits hold as a whole is refused.
            _ => vec![65_536.0, 4_294_967_296.0, 9e15, 9e18],
        };
        for value in values.into_iter().filter_map(|value| write(place.field, value)) {
            tried += 1;
            let reading = std::panic::AssertUnwindSafe(|| read(&scratch, &place, &value));
            assert!(std::panic::catch_unwind(reading).is_ok(), "{}: {value}", place.path);
        }
    }
    assert!(tried > 800, "only {tried} values");
}

#[test]
fn every_default_that_is_a_figure_says_where_it_comes_from() {
    let mut wrong = Vec::new();
    for place in all() {
        let Presence::Default(default) = place.field.default else {
            continue;
        };
        assert!(place.field.doc.ends_with('.'), "{} lacks its meaning", place.path);
        // None, one and all are no figures, nor is the name of a status; nor is what belongs to the simulation alone.
        let number: String = default.chars().take_while(char::is_ascii_digit).collect();
        let word = matches!(place.field.kind, Kind::Choice(_));
        let figure = !word && !["", "0", "1"].contains(&number.as_str()) && default != "100%";
        let of_the_run = place.path.starts_with("run.") || default.starts_with("20");
        if figure && !of_the_run && place.field.source.is_empty() {
            wrong.push(format!("{}: {default}", place.path));
        }
    }
    assert!(wrong.is_empty(), "no source:\n{}", wrong.join("\n"));
}
