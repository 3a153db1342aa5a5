//! The judge of a month is a full simulated month: what a short run is billed must agree with what the meters of a
//! whole month, or of a whole year divided by twelve, cost as they are.
//!
//! The systems are small, and their prices invented so that what comes at times of its own is a good part of each bill:
//! scaled like continuous traffic, it would be billed many times over.

use crate::cases::says;
use crate::support::{Scratch, coldcurve};
use coldcurve::cost::MeterSet;
use coldcurve::run::summary::Outcome;
use coldcurve::run::verdict::Class;
use coldcurve::run::{Options, Study, load_text};
use std::path::Path;

/// Requests, memory kept ready, and cold starts at this price a GB-s, beside the catalog's price of compute.
fn book(init: &str) -> String {
    format!(
        "prices:
  aws.lambda:
    - {{ line: requests, meter: requests, unit: 1M requests, price: 2000 }}
    - {{ line: kept ready, meter: provisioned_mb_ms, unit: GB-s, price: 0.00001 }}
    - {{ line: init, meter: init_mb_ms, unit: GB-s, price: {init} }}
"
    )
}

const FUNCTION: &str = "service: aws.lambda, memory: 1024 MB, timeout: 10 min, idle_timeout: 30 min, \
                        code_init: { median: 3 s, p99: 9 s }";

fn study(text: &str) -> Study {
    let loaded = load_text(Path::new("month.yaml"), text, &Options::default(), &|| ());
    let complaints = loaded.diagnostics.render(&loaded.sources, false);
    loaded.study.unwrap_or_else(|| panic!("{complaints}"))
}

/// An amount and the half-width of its interval.
type Amount = (f64, f64);

/// Student's t for 95 % and three degrees of freedom.
const T: f64 = 3.182;

/// What so many months cost that were simulated as a whole: the mean over runs.
fn simulated(text: &str, months: u64) -> Amount {
    let study = study(text);
    let cell = study.cells[0].clone();
    let runs = study.replications;
    let tallies = study.tallies(&(0..runs), &|| ()).remove(0).expect("runs that end");
    let cost = |meters: &[MeterSet]| {
        let bill = cell.billing.bill_of_months(&cell.plan, meters, months);
        bill.total.as_f64()
    };
    let bills: Vec<f64> = tallies.packed().iter().map(|run| cost(&run.meters())).collect();
    let n = bills.len() as f64;
    let mean = bills.iter().sum::<f64>() / n;
    let variance = bills.iter().map(|bill| (bill - mean) * (bill - mean)).sum::<f64>() / (n - 1.0);
    assert!((n - 4.0).abs() < 0.1, "t is that of four runs");
    (mean, T * (variance / n).sqrt())
}

/// What a month costs by a short run.
fn billed(text: &str) -> Amount {
    let summary = study(text).run(&|| ()).expect("runs that end");
    let total = &summary.cells[0].bill.total;
    let (low, high) = total.interval.expect("several runs");
    (total.mean, (high - low) / 2.0)
}

/// What the measured time costs if all of it is scaled.
fn scaled(text: &str) -> f64 {
    let mut study = study(text);
    let cell = study.cells.remove(0);
    let tallies = self::study(text)
        .tallies(&(0..4), &|| ())
        .remove(0)
        .expect("runs that end");
    let run = tallies.packed()[0];
    let bill = cell.billing.bill(&cell.plan, &run.meters(), run.measured());
    bill.total.as_f64()
}

/// Holds a short run against whole months. `wrong` is how far off the bill would be at least without a calendar: a
/// case in which it makes no difference shows nothing.
#[track_caller]
fn agree(name: &str, short: &str, whole: &str, months: u64, wrong: f64) {
    let (found, own) = billed(short);
    let (expected, theirs) = simulated(whole, months);
    let naive = scaled(short);
    println!("{name}: {found:.3} ±{own:.3} for {expected:.3} ±{theirs:.3}, all scaled {naive:.3}");
    let off = (found - expected).abs();
    assert!(
        off <= 0.03 * expected,
        "{name}: {found} for {expected}, which is more than 3 %"
    );
    // Where nothing is left to chance, rounding is.
    assert!(
        off <= own + theirs + 1e-3 * expected,
        "{name}: {found} ±{own} for {expected} ±{theirs}"
    );
    assert!(
        (naive / expected - 1.0).abs() >= wrong,
        "{name}: {naive} for {expected} if all is scaled"
    );
}

fn run(length: &str, warmup: &str, replications: u32) -> String {
    format!(
        "{}run: {{ start: 2026-01-05, length: {length}, warmup: {warmup}, window: 10 min, replications: {replications} }}\n",
        book("0.001")
    )
}

fn web(arrivals: &str) -> String {
    format!(
        "clients: {{ web: {{ to: api, arrivals: {{ {arrivals} }} }} }}\nfunctions: {{ api: {{ {FUNCTION}, handler: [{{ wait: \
         2 s }}] }} }}\n"
    )
}

#[test]
fn steady_traffic_fills_a_month() {
    let system = web("poisson: 0.02/s");
    let (short, whole) = (run("25 h", "1 h", 24), run("731 h", "1 h", 4));
    agree("steady", &(short + &system), &(whole + &system), 1, 0.0);
}

#[test]
fn a_nightly_job_comes_every_night() {
    let system = web("poisson: 0.002/s") + "schedules: { report: { to: api, cron: \"0 3 * * *\", jobs: 60 } }\n";
    let (short, whole) = (run("12 h", "1 h", 16), run("8761 h", "1 h", 4));
    agree("nightly", &(short + &system), &(whole + &system), 12, 0.5);
}

#[test]
fn a_job_of_workdays_comes_on_workdays_and_what_is_kept_ready_stands_all_month() {
    let system = format!(
        "clients: {{ web: {{ to: api, arrivals: {{ poisson: 0.002/s }} }} }}
schedules: {{ report: {{ to: api, cron: \"30 8 * * MON-FRI\", time_zone: Europe/Berlin, jobs: 80 }} }}
functions: {{ api: {{ {FUNCTION}, provisioned_concurrency: 2, handler: [{{ wait: 2 s }}] }} }}
"
    );
    let (short, whole) = (run("10 h", "1 h", 16), run("8761 h", "1 h", 4));
    agree("workdays", &(short + &system), &(whole + &system), 12, 0.2);
}

#[test]
fn a_night_of_messages_through_a_queue_comes_every_night() {
    let system = format!(
        "clients: {{ web: {{ to: api, arrivals: {{ poisson: 0.001/s }} }} }}
schedules: {{ feed: {{ to: jobs, cron: \"0 3 * * *\", jobs: 100, flexible_window: 30 min }} }}
queues: {{ jobs: {{ to: api }} }}
functions: {{ api: {{ {FUNCTION}, handler: [{{ wait: {{ median: 5 s, p99: 20 s }} }}] }} }}
"
    );
    let (short, whole) = (run("8 h", "1 h", 16), run("8761 h", "1 h", 4));
    agree("queue", &(short + &system), &(whole + &system), 12, 0.5);
}

#[test]
fn a_deploy_comes_as_often_as_is_said() {
    let deploys = |times: &str| {
        format!(
            "clients: {{ web: {{ to: api, arrivals: {{ constant: 0.1/s }} }} }}
functions: {{ api: {{ {FUNCTION}, maximum_age: 1000 h, recycle: [{times}], handler: [{{ wait: 100 s }}] }} }}
"
        )
    };
    let each: Vec<String> = (0..20).map(|n| format!("{{ at: {} h }}", 20 + 35 * n)).collect();
    let dear = |text: String| text.replace(&book("0.001"), &book("0.2"));
    agree(
        "deploys",
        &dear(run("5 h", "1 h", 16) + &deploys("{ at: 3 h, per_month: 20 }")),
        &dear(run("731 h", "1 h", 4) + &deploys(&each.join(", "))),
        1,
        0.1,
    );
}

#[test]
fn a_spike_comes_once_unless_said() {
    let spike = |at: &str| {
        web(&format!(
            "poisson: 0.02/s, spikes: [{{ at: {at}, for: 1 min, rate: 100/s }}]"
        ))
    };
    agree(
        "spike",
        &(run("25 h", "1 h", 16) + &spike("5 h")),
        &(run("731 h", "1 h", 4) + &spike("400 h")),
        1,
        0.5,
    );
}

#[test]
fn what_rates_do_once_comes_once() {
    let surge = |from: u32| {
        let (from, to) = (from, from + 1);
        web(&format!(
            "rates: [{{ at: 0 s, rate: 0.02/s }}, {{ at: {from} h, rate: 2/s }}, {{ at: {to} h, rate: 0.02/s }}]"
        ))
    };
    let (short, whole) = (run("25 h", "1 h", 16) + &surge(5), run("731 h", "1 h", 4) + &surge(300));
    agree("rates", &short, &whole, 1, 0.5);
}

#[test]
fn a_fault_comes_once_and_its_retries_with_it() {
    let fault = |at: &str| {
        format!(
            "clients: {{ web: {{ to: api, arrivals: {{ poisson: 0.02/s }}, retry: {{ attempts: 3, base: 1 s }} }} }}
functions: {{ api: {{ {FUNCTION}, handler: [{{ call: shop }}] }} }}
externals: {{ shop: {{ latency: 2 s }} }}
faults: {{ slow: {{ on: shop, slow: 200, at: {at}, for: 3 h }} }}
"
        )
    };
    agree(
        "fault",
        &(run("13 h", "1 h", 16) + &fault("5 h")),
        &(run("731 h", "1 h", 4) + &fault("400 h")),
        1,
        0.2,
    );
}

#[test]
fn free_units_and_tiers_are_those_of_the_whole_month() {
    let prices = "billing: { free_tier: true }
prices:
  aws.lambda:
    - line: requests
      meter: requests
      unit: 1M requests
      free: { units: 0.02 }
      tiers: [{ up_to: 0.05, price: 4000 }, { price: 1000 }]
";
    let system = |times: &str| {
        web(&format!("poisson: 0.01/s, spikes: [{times}]"))
            + "schedules: { report: { to: api, cron: \"0 3 * * *\", jobs: 900 } }\n"
    };
    // A year has a spike in each month.
    let each: Vec<String> = (0..12)
        .map(|n| format!("{{ at: {} h, for: 1 min, rate: 100/s }}", 400 + 730 * n))
        .collect();
    let short = run("12 h", "1 h", 16) + &system("{ at: 5 h, for: 1 min, rate: 100/s }");
    let whole = run("8761 h", "1 h", 4) + &system(&each.join(", "));
    let dear = |text: String| text.replace(&book("0.001"), prices);
    let (short, whole) = (dear(short), dear(whole));
    let ((found, own), (expected, theirs)) = (billed(&short), simulated(&whole, 12));
    println!(
        "tiers: {found:.3} ±{own:.3} for {expected:.3} ±{theirs:.3}, all scaled {:.3}",
        scaled(&short)
    );
    let off = (found - expected).abs();
    assert!(
        off <= 0.03 * expected && off <= own + theirs + 1e-3 * expected,
        "{found} for {expected}"
    );
    // Requests of 730 h, of a spike and of 30.4 nights: beyond the free units and the first tier together.
    let requests = 0.01 * 730.0 * 3600.0 + 6_000.0 + 900.0 * 365.0 / 12.0;
    let by_hand = 0.03 * 4000.0 + (requests / 1e6 - 0.05) * 1000.0;
    assert!((found / by_hand - 1.0).abs() < 0.01, "{found} for {by_hand} by hand");
}

#[test]
fn the_figure_says_what_it_is_made_of() {
    let scratch = Scratch::new("month-words");
    let told = |name: &str, text: &str| {
        let outcome = coldcurve(scratch.path(), &["run", scratch.write(name, text), "--no-files"]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        outcome.stdout
    };
    let api =
        format!("functions: {{ api: {{ {FUNCTION}, recycle: [{{ at: 90 min }}], handler: [{{ wait: 2 s }}] }} }}\n");
    let web =
        "clients: { web: { to: api, arrivals: { poisson: 0.1/s, spikes: [{ at: 1 h, for: 1 min, rate: 2/s }] } } }\n";
    let jobs = "schedules:
  report: { to: api, cron: \"0 1 * * *\" }
  weekly: { to: api, cron: \"0 9 * * SUN\" }
";
    let run = run("2 h", "30 min", 2);
    let both = told("both.yaml", &format!("{run}{web}{jobs}{api}"));
    says(
        &both,
        &[
            "a month of 730 h, all of it like the measured 90 min",
            "a month has 30.4 × schedules.report, 1 × the spike of clients.web at 1 h, 1 × the recycling of functions.api \
             at 90 min (`per_month` says otherwise)",
            "schedules.weekly fires 4.3 times a month and never in the measured 90 min: its work is not in the bill",
        ],
    );
    assert!(!both.contains("($"), "a month can be told: {both}");
    // Nothing goes on, and nobody says how often it comes: that is no month.
    let once = "clients: { web: { to: api, arrivals: { rates: [{ at: 0 s, rate: 0/s }], spikes: [{ at: 1 h, for: 1 min, \
                rate: 2/s }] } } }\n";
    let api = api.replace("recycle: [{ at: 90 min }], ", "");
    let episode = told("once.yaml", &format!("{run}{once}{api}"));
    says(
        &episode,
        &[
            "everything comes once: this is the bill of the measured 90 min",
            "($",
            "bill of the",
        ],
    );
    let often = told(
        "often.yaml",
        &format!("{run}{}{api}", once.replace("2/s }]", "2/s, per_month: 12 }]")),
    );
    says(
        &often,
        &[
            "a month of 730 h: what stands there without traffic in all of it",
            "a month has 12 × the spike of clients.web at 1 h",
        ],
    );
    assert!(!often.contains("($"), "a month can be told: {often}");
}

#[test]
fn what_is_not_done_at_the_end_is_said_and_its_bill_is_none_of_a_month() {
    // 50 jobs of ten minutes with 2 GB, at 2 h.
    let report = |start: &str| {
        let text = format!(
            "run: {{ start: {start}, length: 20 min, warmup: 2 min, replications: 4 }}
clients: {{ web: {{ to: api, arrivals: {{ poisson: 5/s }} }} }}
functions:
  api: {{ service: aws.lambda, memory: 512 MB, handler: [ cpu: 20 ms ] }}
  report: {{ service: aws.lambda, memory: 2 GB, timeout: 15 min, handler: [ wait: 10 min ] }}
schedules: {{ nightly: {{ to: report, cron: 0 2 * * ? *, jobs: 50 }} }}
"
        );
        study(&text).run(&|| ()).expect("runs that end").cells.remove(0)
    };
    let (late, done) = (report("2026-11-02 01:45:00"), report("2026-11-02 01:55:00"));
    assert!(late.is(Class::Unfinished) && !late.has_month(), "{:?}", late.verdicts);
    let words = &late.verdicts[0].words;
    assert!(words.contains("schedules.nightly"), "{words}");
    assert!(!done.is(Class::Unfinished) && done.has_month(), "{:?}", done.verdicts);
    let a_night = 50.0 * 600.0 * 2.0 * 0.000_016_666_7;
    let nights = 365.0 / 12.0 * a_night;
    let differ = done.bill.total.mean - late.bill.total.mean;
    assert!((differ - nights).abs() < 0.03 * nights, "{differ} for {nights}");
}

/// A run that begins then.
fn from(start: &str, length: &str, replications: u32) -> String {
    let run = run(length, "1 h", replications);
    run.replace("2026-01-05", start)
}

const NIGHTLY: &str = "schedules: { report: { to: api, cron: \"0 3 * * *\", jobs: 60 } }\n";

#[test]
fn a_february_has_28_nights() {
    let system = web("poisson: 0.002/s") + NIGHTLY + "billing: { month: 2026-02 }\n";
    let (short, whole) = (run("12 h", "1 h", 16), from("2026-01-31T23:00", "673 h", 4));
    agree("February", &(short + &system), &(whole + &system), 1, 0.5);
}

#[test]
fn an_october_of_23_workdays_has_that_many_jobs_and_office_hours() {
    let system = format!(
        "billing: {{ month: 2025-10 }}
clients: {{ web: {{ to: api, arrivals: {{ poisson: 0.002/s }} }} }}
schedules: {{ report: {{ to: api, cron: \"30 8 * * MON-FRI\", jobs: 80 }} }}
functions: {{ api: {{ {FUNCTION}, provisioned_concurrency: {{ count: 0, schedule: [
  {{ cron: \"0 9 * * MON-FRI\", count: 2 }}, {{ cron: \"0 17 * * MON-FRI\", count: 0 }}] }}, handler: [{{ wait: 2 s }}] }} }}
"
    );
    let (short, whole) = (run("12 h", "1 h", 16), from("2025-09-30T23:00", "745 h", 4));
    agree("October", &(short + &system), &(whole + &system), 1, 0.2);
}

#[test]
fn a_march_of_berlin_has_an_hour_and_a_night_less() {
    let system = web("poisson: 0.002/s")
        + "schedules: { report: { to: api, cron: \"30 2 * * *\", time_zone: Europe/Berlin, jobs: 60 } }\n"
        + "billing: { month: 2026-03, time_zone: Europe/Berlin }\n";
    let (short, whole) = (run("12 h", "1 h", 16), from("2026-02-28T22:00", "744 h", 4));
    agree("March", &(short.clone() + &system), &(whole + &system), 1, 0.5);
    let bill = study(&(short + &system))
        .run(&|| ())
        .expect("runs that end")
        .cells
        .remove(0)
        .bill;
    let words = bill.notes.join("\n");
    assert!(
        words.contains("March 2026 (743 h, 22 workdays), all of it like"),
        "{words}"
    );
    assert!(words.contains("30 × schedules.report"), "{words}");
}

#[test]
fn schedules_that_a_year_has_equally_often_are_told_apart_in_a_month() {
    // September 2025 has five Mondays and four Wednesdays.
    let text = |month: &str| {
        format!(
            "run: {{ start: 2026-01-05, length: 72 h, warmup: 1 h, replications: 2 }}
billing: {{ {month} }}
schedules:
  monday: {{ to: api, cron: \"0 3 * * MON\", jobs: 100 }}
  wednesday: {{ to: api, cron: \"0 3 * * WED\", jobs: 10 }}
functions: {{ api: {{ service: aws.lambda, memory: 1024 MB, handler: [{{ wait: 2 s }}] }} }}
prices: {{ aws.lambda: [{{ line: requests, meter: requests, unit: 1M requests, price: 1000000 }}] }}
"
        )
    };
    let requests = |month: &str| {
        let bill = study(&text(month))
            .run(&|| ())
            .expect("runs that end")
            .cells
            .remove(0)
            .bill;
        let line = bill.lines.iter().find(|line| line.line == "requests").expect("a line");
        line.amount.mean
    };
    assert!((requests("month: 2025-09") - 540.0).abs() < 1e-6);
    assert!((requests("month: 2025-10") - 450.0).abs() < 1e-6);
    assert!((requests("free_tier: false") - (53.0 * 100.0 + 52.0 * 10.0) / 12.0).abs() < 1e-3);
}

const DIURNAL: &str = "diurnal: { mean: 0.02/s }";

#[test]
fn whole_days_of_a_course_of_a_day_fill_a_month() {
    let system = web(DIURNAL) + "billing: { month: 2026-04 }\n";
    let (short, whole) = (run("25 h", "1 h", 24), from("2026-03-31T23:00", "721 h", 4));
    agree("diurnal", &(short + &system), &(whole + &system), 1, 0.0);
    // Two nights and a day are no two days.
    let part = study(&(run("37 h", "1 h", 4) + &system))
        .run(&|| ())
        .expect("runs that end");
    let cell = &part.cells[0];
    assert!(cell.is(Class::Periodic) && !cell.has_month() && cell.bill.total.mean > 0.0);
    let words = &cell.verdicts[0].words;
    assert!(words.contains("`run.length` of 49 h would do"), "{words}");
}

#[test]
fn a_part_of_a_day_has_no_monthly_bill_and_expectations_say_why() {
    let expect = "expect: [{ metric: bill.month, below: $1000 }, { metric: error_ratio, below: 50% }]\n";
    let text = run("9 h", "1 h", 4) + &web(DIURNAL) + expect;
    let summary = study(&text).run(&|| ()).expect("runs that end");
    let bill = &summary.cells[0].bill;
    let why = bill.missing.as_deref().expect("a reason");
    assert!(bill.total.mean.is_nan() && bill.lines.is_empty(), "{bill:?}");
    let words =
        "clients.web repeats itself every 24 h, and 8 h are measured; write `length: 25 h`, the warm-up included";
    assert_eq!(why, format!("no monthly bill: {words}"));
    assert!(summary.cells[0].is(Class::Periodic));
    assert!(
        summary.expectations[0].condition.contains(words),
        "{:?}",
        summary.expectations
    );
    assert!(summary.expectations[0].seen.is_none());
    let outcomes: Vec<bool> = summary
        .expectations
        .iter()
        .map(|e| e.outcome == Outcome::Holds)
        .collect();
    assert_eq!(outcomes, [false, true]);
    // Who says how much of a month is like this has a bill.
    let often = study(&(text + "billing: { active_hours: 200 h }\n"))
        .run(&|| ())
        .expect("runs that end");
    assert!(often.cells[0].bill.missing.is_none() && often.cells[0].bill.total.mean > 0.0);
    // On the screen it is a dash, with the reason.
    let scratch = Scratch::new("part-of-a-day");
    let file = scratch.write("day.yaml", &(run("9 h", "1 h", 4) + &web(DIURNAL)));
    let outcome = coldcurve(scratch.path(), &["run", file, "--no-files"]);
    says(
        &outcome.stdout,
        &["no monthly bill: clients.web repeats itself every 24 h"],
    );
    assert!(!outcome.stdout.contains('$'), "{}", outcome.stdout);
}

#[test]
fn a_redrive_comes_once_with_the_outage_that_it_mends() {
    let outage = |at: u32| {
        format!(
            "clients: {{ web: {{ to: api, arrivals: {{ poisson: 0.04/s }} }} }}
functions:
  api: {{ {FUNCTION}, handler: [{{ wait: 2 s }}, {{ send: jobs }}] }}
  work: {{ {FUNCTION}, handler: [{{ wait: 30 s }}] }}
queues:
  jobs: {{ service: aws.sqs.standard, to: work, visibility_timeout: 10 min, maximum_receives: 2, dead_letter: dead }}
  dead: {{ service: aws.sqs.standard, redrive: {{ to: jobs, at: {} h, rate: 1/s }} }}
faults: {{ broken: {{ on: work, fail: 100%, at: {at} h, for: 12 h }} }}
",
            at + 14
        )
    };
    let dear = |text: String| {
        let price = "  aws.sqs.standard: [{ line: requests, meter: requests, unit: 1M requests, price: 2000 }]\n";
        text.replace("prices:\n", &format!("prices:\n{price}"))
    };
    let short = dear(run("25 h", "1 h", 16)) + &outage(2);
    agree(
        "redrive",
        &short,
        &(dear(run("731 h", "1 h", 4)) + &outage(400)),
        1,
        0.05,
    );
    let bill = study(&short).run(&|| ()).expect("runs that end").cells.remove(0).bill;
    let words = bill.notes.join("\n");
    assert!(words.contains("1 × the redrive of queues.dead at 16 h"), "{words}");
}

/// The bill of a schedule of 50 jobs of ten minutes with 2 GB, in a run that says nothing of its time.
fn left_open(when: &str) -> coldcurve::run::summary::Summary {
    let text = format!(
        "run: {{ replications: 2 }}
functions: {{ report: {{ service: aws.lambda, memory: 2 GB, timeout: 15 min, handler: [ wait: 10 min ] }} }}
schedules: {{ job: {{ to: report, {when}, jobs: 50 }} }}
"
    );
    study(&text).run(&|| ()).expect("runs that end")
}

#[test]
fn a_run_of_open_length_goes_on_until_schedules_have_fired_and_their_work_is_done() {
    let each = 50.0 * (600.0 * 2.0 * 0.000_016_666_7 + 2e-7);
    for (when, times, is_longer) in [
        ("cron: 0 3 * * ? *", 365.0 / 12.0, true),
        ("cron: 50 23 * * ? *", 365.0 / 12.0, true),
        ("cron: 0 * * * ? *", 730.0, false),
        ("rate: 5 min", 730.0 * 12.0, false),
        ("rate: 7 min", 730.0 * 60.0 / 7.0, true),
        ("rate: 12 h", 730.0 / 12.0, true),
        ("rate: 1 day", 730.0 / 24.0, true),
    ] {
        let summary = left_open(when);
        let cell = &summary.cells[0];
        assert!(cell.has_month(), "{when}: {:?}", cell.verdicts);
        let (seen, expected) = (cell.bill.total.mean, times * each);
        assert!((seen / expected - 1.0).abs() < 0.03, "{when}: {seen} for {expected}");
        assert_eq!(
            summary.warmup.longer.is_some(),
            is_longer,
            "{when}: {:?}",
            summary.warmup
        );
    }
    // Once a week is not within a day.
    let weekly = left_open("cron: 0 3 ? * THU *");
    let bill = &weekly.cells[0].bill;
    assert!(bill.notes.join("\n").contains("never in the measured"), "{bill:?}");
}

#[test]
fn a_run_of_much_traffic_is_not_made_longer() {
    let text = "run: { replications: 1, warmup: 1 min }
clients: { web: { to: api, arrivals: { constant: 20/s } } }
functions: { api: { service: aws.lambda, memory: 1024 MB, handler: [ wait: 10 ms ] } }
schedules: { nightly: { to: api, cron: 0 23 * * ? * } }
";
    let summary = study(text).run(&|| ()).expect("runs that end");
    assert_eq!(summary.warmup.longer, None);
    let notes = summary.cells[0].bill.notes.join("\n");
    assert!(
        notes.contains("schedules.nightly fires 30.4 times a month and never"),
        "{notes}"
    );
}

#[test]
fn a_gigabyte_for_a_month_costs_the_same_in_a_short_one() {
    let text = |billing: &str| {
        format!(
            "run: {{ length: 10 min, warmup: 1 min, replications: 1 }}
billing: {{ {billing} }}
clients: {{ web: {{ to: table, arrivals: {{ constant: 1/s }} }} }}
databases: {{ table: {{ service: aws.rds.postgres, instance: db.t4g.micro, storage: 100 GB }} }}
"
        )
    };
    let lines = |billing: &str| {
        let bill = study(&text(billing))
            .run(&|| ())
            .expect("runs that end")
            .cells
            .remove(0)
            .bill;
        let of = |unit: &str| {
            bill.lines
                .iter()
                .filter(|line| line.unit.ends_with(unit))
                .map(|line| line.amount.mean)
                .sum::<f64>()
        };
        (of("hour"), of("GB-month"))
    };
    let (mean, february) = (lines("free_tier: false"), lines("month: 2026-02"));
    assert!(
        (february.0 / mean.0 - 672.0 / 730.0).abs() < 1e-4,
        "{february:?} for {mean:?}"
    );
    assert!(
        mean.1 > 1.0 && (february.1 / mean.1 - 1.0).abs() < 1e-4,
        "{february:?} for {mean:?}"
    );
}
