//! The built-in prices against published bills, and the reader against good and bad files.

use super::*;
use crate::cost::{Extrapolation, MeterSet, Usage, bill};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(default)]
    free_tier: bool,
    published: Option<Published>,
    prices: Option<String>,
    #[serde(rename = "use")]
    uses: Vec<CaseUse>,
    expect: BTreeMap<String, String>,
}

/// What a source prints where it rounds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    total: String,
    within: String,
    because: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseUse {
    service: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    meters: BTreeMap<String, Vec<u64>>,
}

fn usage(service: &str, attributes: &[(&str, &str)], meters: &[(Meter, u64)]) -> Usage {
    let mut set = MeterSet::new();
    for &(meter, quanta) in meters {
        set.add(meter, quanta);
    }
    Usage {
        component: "one".to_owned(),
        service: service.to_owned(),
        attributes: attributes
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        meters: set,
    }
}

fn money(text: &str) -> Money {
    text.parse().expect("a decimal")
}

/// A price file around the lines of one service.
fn file_of(service: &str, lines: &str) -> String {
    format!(
        "book: {{ name: acme, currency: EUR, region: moon, as_of: 2026-11 }}\nsources: {{ list: Acme's list }}\n\
         services:\n  {service}:\n{lines}"
    )
}

#[test]
fn published_bills_are_reproduced_to_the_cent() {
    let cases: Vec<Case> = serde_saphyr::from_str(include_str!("../../../tests/data/cost_cases.yaml")).expect("cases");
    assert!(cases.len() >= 28, "all cases are read");
    for case in cases {
        let mut book = built_in().clone();
        if let Some(text) = &case.prices {
            book.extend(read(&case.id, text).expect("the case's own prices"));
        }
        let mut usages = Vec::new();
        for used in &case.uses {
            let mut one = usage(&used.service, &[], &[]);
            one.attributes.clone_from(&used.attributes);
            for (name, factors) in &used.meters {
                let meter = Meter::from_name(name).expect("a meter");
                let (last, others) = factors.split_last().expect("a factor");
                one.meters.add_product(meter, others.iter().product(), *last);
            }
            usages.push(one);
        }
        let bill = bill(&book, &usages, &Extrapolation::whole_month(730), case.free_tier);
        assert_eq!(bill.unpriced, [], "{}", case.id);
        assert_eq!(bill.notes, [""; 0], "{}", case.id);
        for (line, expected) in &case.expect {
            let amount = if line == "total" {
                bill.total
            } else {
                bill.amount_of(line)
            };
            assert_eq!(
                amount.cents(),
                money(expected).cents(),
                "{}: {line} is {amount}",
                case.id
            );
        }
        if let Some(printed) = &case.published {
            let off = (bill.total.cents() - money(&printed.total).cents()).abs();
            let (id, total, why) = (&case.id, bill.total, &printed.because);
            assert!(
                off <= money(&printed.within).cents(),
                "{id}: {total}, printed {}: {why}",
                printed.total
            );
        }
        let parts: Money = bill.by_component().into_values().sum();
        assert_eq!(parts, bill.total, "{}", case.id);
    }
}

#[test]
fn machines_and_classes_are_found() {
    let m5 = instance_type("m5.large").expect("listed");
    assert_eq!(
        (m5.vcpu_milli, m5.memory_mb, m5.architecture.as_str()),
        (2000, 8192, "x86")
    );
    assert_eq!(m5.hourly["on_demand"], money("0.096"));
    assert_eq!(instance_type("t3.medium").and_then(|m| m.baseline_milli), Some(200));
    let r6g = database_class("db.r6g.large").expect("listed");
    assert_eq!((r6g.vcpu_milli, r6g.memory_mb), (2000, 16384));
    assert_eq!(r6g.hourly["postgres"], money("0.225"));
    assert_eq!(database_class("db.r4.large").map(|m| m.memory_mb), Some(15616));
    assert!(instance_type("m5.enormous").is_none());
    for machine in &built_in().machines {
        assert!(machine.vcpu_milli > 0 && machine.memory_mb > 0, "{}", machine.name);
        assert!(
            ["x86", "arm"].contains(&machine.architecture.as_str()),
            "{}",
            machine.name
        );
    }
}

#[test]
fn every_price_says_where_it_comes_from() {
    for line in &built_in().lines {
        let named = format!("{} {}", line.service, line.line);
        assert!(line.provenance.source.contains(' '), "{named}");
        assert!(line.provenance.as_of.starts_with("202"), "{named}");
        let remembered = line.provenance.source.starts_with("from memory");
        assert!(!remembered || line.provenance.confidence == Confidence::Low, "{named}");
    }
}

#[test]
fn commitments_are_priced_by_listed_or_typical_figures() {
    let hours = |kind: &str, commitment: &str| {
        let used = usage(
            "aws.ec2",
            &[("instance_type", kind), ("commitment", commitment)],
            &[(Meter::InstanceMs, 3_600_000_000)],
        );
        bill(built_in(), &[used], &Extrapolation::whole_month(730), false)
    };
    // A listed reserved price beats the typical discount; another type gets the typical one and the bill says so.
    let listed = &hours("t3.medium", "reserved_1y").lines[0];
    assert_eq!((listed.amount, listed.confidence), (money("26.1"), Confidence::High));
    let typical = &hours("m5.large", "reserved_1y").lines[0];
    assert_eq!(
        (typical.amount, typical.confidence),
        (money("60.48"), Confidence::Medium)
    );
    assert!(typical.note.contains("typical"));
    assert_eq!(hours("m5.large", "none").total, money("96"));
    for machine in built_in().machines.iter().filter(|m| m.table == "aws.ec2") {
        for commitment in ["savings_1y", "savings_3y", "reserved_1y", "reserved_3y", "spot"] {
            let bill = hours(&machine.name, commitment);
            assert!(
                bill.total < hours(&machine.name, "none").total && bill.notes.is_empty(),
                "{}",
                machine.name
            );
        }
    }
}

#[test]
fn an_unmet_commitment_is_said() {
    let used = usage(
        "aws.alb",
        &[("commitment", "spot")],
        &[(Meter::LoadBalancerMs, 3_600_000)],
    );
    let bill = bill(built_in(), &[used], &Extrapolation::whole_month(730), false);
    assert_eq!(bill.notes.len(), 1);
    assert_eq!(bill.total, money("0.0225"));
}

#[test]
fn provisioned_beats_on_demand_from_sixty_percent_use() {
    // Break-even at 0.0000041667 / (0.0000166667 - 0.0000097222) = 60.0%.
    let cost = |provisioned: u64, busy: u64, meter| {
        let meters = [(Meter::ProvisionedMbMs, provisioned), (meter, busy)];
        let used = usage("aws.lambda", &[("architecture", "x86")], &meters);
        bill(built_in(), &[used], &Extrapolation::whole_month(730), false).total
    };
    let month = 1024 * 730 * 3_600_000;
    for (percent, wins) in [(59, false), (61, true)] {
        let busy = month / 100 * percent;
        let provisioned = cost(month, busy, Meter::ProvisionedComputeMbMs);
        assert_eq!(provisioned < cost(0, busy, Meter::ComputeMbMs), wins, "{percent}%");
    }
}

#[test]
fn plans_with_included_amounts_charge_the_base_once() {
    let two = [
        usage(
            "cloudflare.workers",
            &[],
            &[(Meter::Requests, 15_000_000), (Meter::CpuUs, 20_000_000_000)],
        ),
        usage(
            "cloudflare.workers",
            &[],
            &[(Meter::Requests, 5_000_000), (Meter::CpuUs, 20_000_000_000)],
        ),
    ];
    let bill = bill(built_in(), &two, &Extrapolation::whole_month(730), false);
    // 5 + 10 million more at 0.30 + 10 million ms more at 0.02.
    assert_eq!(bill.total, money("8.2"));
    assert_eq!(bill.by_component()["(account)"], money("5"));
}

#[test]
fn other_clouds_and_databases_have_prices() {
    let hour = 3_600_000;
    for (service, attributes, meters, expected) in [
        (
            "google.cloud_run",
            vec![("billing", "request")],
            vec![(Meter::ActiveVcpuMs, 1000 * hour)],
            "0.0864",
        ),
        (
            "google.cloud_run",
            vec![("billing", "instance")],
            vec![(Meter::VcpuMs, 1000 * hour)],
            "0.0648",
        ),
        (
            "azure.functions.consumption",
            vec![],
            vec![(Meter::ComputeMbMs, 1_024_000_000)],
            "0.016",
        ),
        ("vercel.functions", vec![], vec![(Meter::CpuUs, 1000 * hour)], "0.128"),
        (
            "aws.rds.postgres",
            vec![("instance_type", "db.r6g.large")],
            vec![(Meter::DatabaseMs, hour)],
            "0.225",
        ),
        (
            "aws.rds.mysql",
            vec![("instance_type", "db.t3.large"), ("deployment", "multi_az")],
            vec![(Meter::DatabaseMs, hour), (Meter::StorageMbMs, 1024 * 730 * hour)],
            "0.387",
        ),
        (
            "aws.aurora.postgres",
            vec![],
            vec![(Meter::AcuMs, 2000 * hour), (Meter::StorageIos, 1_000_000)],
            "0.44",
        ),
        (
            "aws.rds.postgres",
            vec![],
            vec![(Meter::ProxyVcpuMs, 2000 * hour)],
            "0.03",
        ),
        ("aws.sqs.fifo", vec![], vec![(Meter::Requests, 2_000_000)], "1"),
        (
            "aws.dynamodb.provisioned",
            vec![],
            vec![
                (Meter::WriteCapacityMs, 1000 * hour),
                (Meter::ReadCapacityMs, 1000 * hour),
            ],
            "0.78",
        ),
        (
            "aws.aurora.serverless_v2",
            vec![],
            vec![(Meter::AcuMs, 500 * hour)],
            "0.06",
        ),
        (
            "aws.opensearch",
            vec![("instance_type", "c4.2xlarge.search")],
            vec![(Meter::InstanceMs, hour)],
            "0.587",
        ),
        (
            "aws.rekognition",
            vec![],
            vec![(Meter::Requests, 2_000_000), (Meter::Items, 2_000_000)],
            "1800",
        ),
        (
            "aws.lambda",
            vec![],
            vec![(Meter::BytesOut, 10 << 30), (Meter::LogBytes, 1 << 30)],
            "1.4",
        ),
        (
            "aws.ec2",
            vec![],
            vec![(Meter::SurplusVcpuMs, 1000 * hour), (Meter::NatBytes, 1 << 30)],
            "0.095",
        ),
    ] {
        let bill = bill(
            built_in(),
            &[usage(service, &attributes, &meters)],
            &Extrapolation::whole_month(730),
            false,
        );
        assert_eq!(
            (bill.total, bill.unpriced),
            (money(expected), vec![]),
            "{service} {attributes:?}"
        );
    }
}

#[test]
fn metering_rules_come_with_the_prices() {
    let attributes = BTreeMap::new();
    let queue = built_in().metering("aws.sqs.standard", &attributes, Meter::Requests);
    assert_eq!(queue.chunk_bytes, Some(65_536));
    let function = usage("aws.lambda", &[("architecture", "arm")], &[]);
    let rounding = |meter| {
        built_in()
            .metering("aws.lambda", &function.attributes, meter)
            .round_up_ms
    };
    assert_eq!(rounding(Meter::ProvisionedMbMs), Some(300_000));
    assert_eq!(rounding(Meter::ComputeMbMs), Some(1));
    assert_eq!(rounding(Meter::EphemeralMbMs), None);
}

#[test]
fn a_new_provider_is_a_new_file() {
    let text = file_of(
        "acme.functions",
        "    - { line: calls, meter: requests, unit: 10k requests, tiers: [{ up_to: 2, price: 1 }, { price: 0.5 }], \
         free: { units: 1 }, source: list, as_of: 2026-11, confidence: high }\n\
         \x20   - { line: seat, price: 3, source: list, as_of: 2026-11, confidence: low }\n",
    );
    let book = read("acme.yaml", &text).expect("a good file");
    assert_eq!(book.currency, "EUR");
    let used = usage(
        "acme.functions.v2",
        &[],
        &[(Meter::Requests, 40_000), (Meter::LogBytes, 7)],
    );
    let month = Extrapolation::whole_month(730);
    let list = bill(&book, std::slice::from_ref(&used), &month, false);
    assert_eq!(list.total, money("6"));
    assert_eq!(list.lines[0].price, "1 to 0.5");
    assert_eq!(list.unpriced.len(), 1, "log bytes have no price at Acme");
    assert_eq!(bill(&book, &[used], &month, true).total, money("5"));
}

#[test]
fn prices_of_ones_own_replace_the_listed_ones() {
    let own = "    - { line: instances, meter: instance_ms, unit: instance-hour, price: 0.05, \
               when: { instance_type: m5.large }, source: list, as_of: 2026-11, confidence: high }\n";
    let mut book = built_in().clone();
    let lines = book.lines.len();
    book.extend(read("own.yaml", &file_of("aws.ec2", own)).expect("a good file"));
    assert_eq!((book.lines.len(), book.faults()), (lines, vec![]));
    let used = usage(
        "aws.ec2",
        &[("instance_type", "m5.large")],
        &[(Meter::InstanceMs, 7_200_000)],
    );
    let bill = bill(&book, &[used], &Extrapolation::whole_month(730), false);
    assert_eq!(bill.total, money("0.1"));
}

#[test]
fn the_free_tier_is_shared_between_architectures() {
    // 300,000 GB-s each: 600,000 less 400,000 free, half of the rest at either price.
    let each = 300_000 * 1_024_000;
    let used = ["x86", "arm"].map(|a| usage("aws.lambda", &[("architecture", a)], &[(Meter::ComputeMbMs, each)]));
    let bill = bill(built_in(), &used, &Extrapolation::whole_month(730), true);
    let amounts: Vec<String> = bill.lines.iter().map(|l| l.amount.exact()).collect();
    assert_eq!(amounts, ["1.66667", "1.33334"]);
}

#[test]
fn bad_files_say_what_is_wrong() {
    let problems = |lines: &str| -> Vec<String> {
        let read = read("bad.yaml", &file_of("acme.functions", lines));
        read.expect_err("a bad file").iter().map(ToString::to_string).collect()
    };
    let tail = "source: list, as_of: 2026-11, confidence: high }\n";
    for (line, expected) in [
        (
            "line: a, meter: request, unit: 1M requests, price: 1",
            "there is no meter 'request'",
        ),
        (
            "line: a, meter: requests, unit: 1M requests, price: $1",
            "'$1' is no price",
        ),
        (
            "line: a, meter: requests, unit: 1M requests, price: -1",
            "a price is negative",
        ),
        (
            "line: a, meter: compute_mb_ms, unit: GB, price: 1",
            "something like 'GB-s'",
        ),
        (
            "line: a, meter: requests, unit: requests",
            "exactly one of 'price', 'tiers' and 'per_machine'",
        ),
        ("line: a, meter: requests, price: 1", "a 'unit' is missing"),
        ("line: a", "needs a 'price'"),
        (
            "line: a, meter: requests, unit: requests, tiers: []",
            "there is no price",
        ),
        (
            "line: a, meter: requests, unit: requests, tiers: [{ up_to: 5, price: 1 }]",
            "must be open",
        ),
        (
            "line: a, meter: instance_ms, unit: hour, per_machine: { table: x, attribute: t, price: p }",
            "no machine of a table 'x'",
        ),
    ] {
        let found = problems(&format!("    - {{ {line}, {tail}"));
        assert!(found.iter().any(|p| p.contains(expected)), "{line}: {found:?}");
    }
    let two = problems(
        "    - { line: a, meter: requests, unit: requests, price: 1, pool: p, source: list, as_of: 1, confidence: low }\n\
         \x20   - { line: b, meter: requests, unit: requests, price: 2, pool: p, source: lost, as_of: 1, confidence: low }\n",
    );
    assert_eq!(two.len(), 2, "{two:?}");
    assert!(
        two[0].contains("'lost' is not among") && two[1].contains("shares pool 'p'"),
        "{two:?}"
    );
}

#[test]
fn a_misspelt_key_is_pointed_at() {
    let text = file_of("acme.functions", "    - { line: a, metre: requests }\n");
    let errors = read("bad.yaml", &text).expect_err("a bad file");
    assert_eq!(errors[0].place.map(|p| p.0), Some(5), "{}", errors[0]);
    assert!(errors[0].to_string().starts_with("bad.yaml:5:"), "{}", errors[0]);
    assert!(errors[0].message.contains("metre"), "{}", errors[0]);
}
