//! Cron expressions beside croner, an implementation that knows nothing of ours: a few hundred expressions run at the
//! same times, and each difference that there is on purpose is written down.

use coldcurve::scenario::cron::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::ToSpan;
use jiff::civil::{Date, date};

const MINUTES: [&str; 6] = ["0", "*/15", "5-20/5", "0,30", "*", "59"];
const HOURS: [&str; 6] = ["*", "3", "9-17", "*/6", "22-23", "0,12"];
const MONTHS: [&str; 8] = ["*", "2", "JAN", "jul", "6-8", "*/3", "feb-apr", "12"];
/// Both day fields of the classic five; `*/2` beside a restricted field stands among the differences.
const CLASSIC_DAYS: [&str; 7] = ["*", "1", "13", "31", "1-7", "10-20/5", "29,30"];
const CLASSIC_WEEKDAYS: [&str; 9] = ["*", "0", "7", "1-5", "MON-FRI", "SUN", "5", "sat", "SUN-TUE"];
/// The two day fields of the six, one of them `?`.
const DAYS: [(&str, &str); 28] = [
    ("L", "?"),
    ("LW", "?"),
    ("1W", "?"),
    ("15W", "?"),
    ("31W", "?"),
    ("30W", "?"),
    ("1", "?"),
    ("15", "?"),
    ("1-7", "?"),
    ("29", "?"),
    ("31", "?"),
    ("*/5", "?"),
    ("1,L", "?"),
    ("1W,15", "?"),
    ("*", "?"),
    ("?", "2-6"),
    ("?", "MON-FRI"),
    ("?", "6L"),
    ("?", "3#2"),
    ("?", "FRI#5"),
    ("?", "SATL"),
    ("?", "1"),
    ("?", "7"),
    ("?", "*/2"),
    ("?", "6#1,6#3"),
    ("?", "2,4L"),
    ("?", "SUN"),
    ("?", "*"),
];
const YEARS: [&str; 5] = ["*", "2025", "2024-2026", "2024,2026", "2024-2199/2"];

fn theirs(text: &str, six: bool) -> Result<croner::Cron, String> {
    let parser = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Optional)
        // Sunday is 1 in the six fields.
        .alternative_weekdays(six)
        .build();
    let text = if six { format!("0 {text}") } else { text.to_owned() };
    parser.parse(&text).map_err(|error| error.to_string())
}

/// The days from December 2023 to January 2028 on which they disagree, or the times of a day.
fn differences(text: &str, six: bool) -> Vec<String> {
    let (ours, theirs) = (Cron::parse(text).unwrap(), theirs(text, six).unwrap());
    let times: Vec<(i8, i8)> = ours.times().collect();
    let runs = |day: Date, (hour, minute): (i8, i8)| theirs.is_time_matching(&day.at(hour, minute, 0, 0)).unwrap();
    let days = || {
        date(2023, 12, 1)
            .series(1.day())
            .take_while(|day| *day < date(2028, 2, 1))
    };
    let wrong = days().filter(|day| ours.fits(*day) != runs(*day, times[0]));
    let mut found: Vec<String> = wrong.map(|day| format!("{text}: {day}")).collect();
    if let Some(day) = days().find(|day| ours.fits(*day)) {
        let all = (0..24).flat_map(|hour| (0..60).map(move |minute| (hour, minute)));
        let wrong = all.filter(|at| times.contains(at) != runs(day, *at));
        found.extend(wrong.map(|(hour, minute)| format!("{text}: {hour}:{minute}")));
    }
    found
}

#[test]
fn hundreds_of_expressions_run_when_croner_says() {
    let mut seen = 0;
    // Lists of lengths without a common divisor would repeat late; these repeat after thousands.
    for n in 0..400 {
        let part = |list: &'static [&'static str], stride: usize| list[n * stride % list.len()];
        let (minute, hour, month) = (MINUTES[n % 6], HOURS[n / 6 % 6], MONTHS[n / 3 % 8]);
        let classic = format!(
            "{minute} {hour} {} {month} {}",
            part(&CLASSIC_DAYS, 1),
            part(&CLASSIC_WEEKDAYS, 1)
        );
        let (day, weekday) = DAYS[n % 28];
        let six = format!("{minute} {hour} {day} {month} {weekday} {}", part(&YEARS, 1));
        for (text, is_six) in [(classic, false), (six, true)] {
            let found = differences(&text, is_six);
            assert!(found.is_empty(), "{} differences, the first {}", found.len(), found[0]);
            seen += 1;
        }
    }
    assert_eq!(seen, 800);
}

#[test]
fn what_differs_differs_on_purpose() {
    // `EventBridge` writes steps from a first value; croner has none of them.
    for text in ["0/15 * * * ? *", "0 10/4 * * ? *", "0 0 5/10 * ? *", "0 0 1 1 ? 2024/2"] {
        assert!(Cron::parse(text).is_ok() && theirs(text, true).is_err(), "{text}");
    }
    // A lone `L` is the last day of the week there, Saturday; croner runs it on no such day.
    let last = "0 0 ? * L *";
    assert!(Cron::parse(last).unwrap().fits(date(2026, 1, 3)));
    assert!(differences(last, true).contains(&"0 0 ? * L *: 2026-01-03".to_owned()));
    // A field that begins with `*` restricts nothing in Vixie cron's rule on the two day fields, even with a step: both
    // have to fit. 2026-01-02 is a Friday, but no odd day; croner runs on either.
    let stepped = "0 0 */2 * 5";
    assert!(!Cron::parse(stepped).unwrap().fits(date(2026, 1, 2)));
    assert!(Cron::parse(stepped).unwrap().fits(date(2026, 1, 9)));
    assert!(differences(stepped, false).contains(&"0 0 */2 * 5: 2026-01-02".to_owned()));
    // What `EventBridge` refuses and croner takes: neither day field or both `?`, several days before `#`.
    for text in ["0 0 * * * *", "0 0 ? * ? *", "0 0 ? * MON-FRI#2 *"] {
        assert!(Cron::parse(text).is_err() && theirs(text, true).is_ok(), "{text}");
    }
    // What Vixie cron refuses and croner takes: a week that goes round its end.
    assert!(Cron::parse("0 0 * * FRI-SUN").is_err() && theirs("0 0 * * FRI-SUN", false).is_ok());
}
