//! Bills over a book made by hand, so that nothing here depends on any provider's prices.

use super::super::book::{FixedFee, Metering, Provenance};
use super::*;
use proptest::prelude::*;

fn price(service: &str, line: &str, meter: Meter, tiers: &[(Option<u128>, i128)]) -> PriceLine {
    PriceLine {
        service: service.to_owned(),
        line: line.to_owned(),
        meter,
        unit: "7 things".to_owned(),
        quanta_per_unit: 7,
        tiers: tiers
            .iter()
            .map(|&(upper, p)| Tier { upper, price: Money(p) })
            .collect(),
        pool: None,
        free: None,
        when: BTreeMap::new(),
        metering: Metering::default(),
        provenance: Provenance {
            source: "made by hand".to_owned(),
            as_of: "2026".to_owned(),
            confidence: Confidence::High,
            note: String::new(),
        },
    }
}

fn book(lines: Vec<PriceLine>) -> PriceBook {
    PriceBook {
        name: "test".to_owned(),
        currency: "USD".to_owned(),
        as_of: "2026".to_owned(),
        region: "here".to_owned(),
        hours_per_month: 730,
        lines,
        fees: Vec::new(),
        machines: Vec::new(),
    }
}

fn usage(component: &str, service: &str, meter: Meter, quanta: u64) -> Usage {
    let mut meters = MeterSet::new();
    meters.add(meter, quanta);
    Usage {
        component: component.to_owned(),
        service: service.to_owned(),
        attributes: BTreeMap::new(),
        meters,
    }
}

const MONTH: u32 = 730;

#[test]
fn work_follows_traffic_and_standing_things_stand_all_month() {
    let hour = Extrapolation {
        measured: Duration::from_secs(3600),
        month: Duration::from_secs(u64::from(MONTH) * 3600),
        active_hours: Some(120.5),
    };
    assert_eq!(hour.scale(Scaling::Work, 1000), 120_500);
    assert_eq!(hour.scale(Scaling::Standing, 1000), 730_000);
    let all = Extrapolation {
        active_hours: None,
        ..hour
    };
    assert_eq!(all.scale(Scaling::Work, 1000), 730_000);
    let nothing = Extrapolation {
        measured: Duration::ZERO,
        ..hour
    };
    assert_eq!(nothing.scale(Scaling::Work, 1000), 0);
    assert_eq!(
        Extrapolation::whole_month(MONTH).scale(Scaling::Standing, 12_345),
        12_345
    );
}

#[test]
fn tiers_apply_to_the_pool_and_free_units_lie_at_the_bottom() {
    let mut line = price("a", "calls", Meter::Requests, &[(Some(700), 1000), (None, 500)]);
    line.free = Some(FreeTier {
        quanta: 70,
        pool: Some("free".to_owned()),
    });
    let book = book(vec![line]);
    let usages = [
        usage("x", "a", Meter::Requests, 700),
        usage("y", "a", Meter::Requests, 2100),
    ];
    let month = Extrapolation::whole_month(MONTH);
    // 100 units at 1000 and 300 at 500, one to three.
    let list = bill(&book, &usages, &month, false);
    let amounts: Vec<i128> = list.lines.iter().map(|l| l.amount.0).collect();
    assert_eq!(amounts, [62_500, 187_500]);
    assert_eq!(list.lines[0].price, "0.000000001 to 0.0000000005");
    // The first ten units are free, at the price of the first tier.
    let free = bill(&book, &usages, &month, true);
    assert_eq!(free.total, Money(240_000));
    assert!(
        (free.lines[0].free_quantity - 18.0 / 7.0).abs() < 1e-12,
        "17.5 of 70 quanta, rounded"
    );
}

#[test]
fn the_more_particular_price_replaces_and_other_labels_add() {
    let mut particular = price("a", "calls", Meter::Requests, &[(None, 2)]);
    particular.when.insert("kind".to_owned(), "fast".to_owned());
    let lines = vec![
        price("a", "calls", Meter::Requests, &[(None, 1)]),
        particular,
        price("a.b", "calls", Meter::Requests, &[(None, 3)]),
        price("a", "fee", Meter::Requests, &[(None, 4)]),
        price("a", "fee", Meter::Requests, &[(None, 5)]),
        price("ab", "calls", Meter::Requests, &[(None, 6)]),
    ];
    let book = book(lines);
    let fast: BTreeMap<String, String> = [("kind".to_owned(), "fast".to_owned())].into();
    assert_eq!(book.select("a", &BTreeMap::new(), Meter::Requests), [0, 4]);
    assert_eq!(book.select("a", &fast, Meter::Requests), [1, 4]);
    assert_eq!(book.select("a.b.c", &fast, Meter::Requests), [2, 4]);
    assert_eq!(book.select("ab", &fast, Meter::Requests), [5]);
    assert!(book.select("a", &fast, Meter::Messages).is_empty());
    assert!(book.knows("a.c") && !book.knows("b"));
}

#[test]
fn what_has_no_price_is_reported() {
    let book = book(vec![price("a", "calls", Meter::Requests, &[(None, 0)])]);
    let usages = [
        usage("x", "a", Meter::Messages, 5),
        usage("x", "a", Meter::NewConnections, 5),
        usage("x", "a", Meter::Requests, 5),
    ];
    let bill = bill(&book, &usages, &Extrapolation::whole_month(MONTH), false);
    assert_eq!(
        bill.unpriced.len(),
        1,
        "connections are informative, free requests are priced"
    );
    assert_eq!((bill.unpriced[0].meter, bill.unpriced[0].quanta), (Meter::Messages, 5));
    assert!(bill.lines.is_empty(), "free of charge");
}

#[test]
fn one_way_to_measure_machines_is_enough() {
    let mut free = price("own", "calls", Meter::Requests, &[(None, 0)]);
    free.provenance.note = "runs on nodes of your own".to_owned();
    let book = book(vec![price("a", "processors", Meter::CpuUs, &[(None, 7)]), free]);
    let usages = [
        usage("x", "a", Meter::CpuUs, 7),
        usage("x", "a", Meter::ComputeMbMs, 5),
        usage("x", "a", Meter::LogBytes, 5),
        usage("y", "own", Meter::Requests, 5),
    ];
    let bill = bill(&book, &usages, &Extrapolation::whole_month(MONTH), false);
    let unpriced: Vec<Meter> = bill.unpriced.iter().map(|u| u.meter).collect();
    assert_eq!(unpriced, [Meter::LogBytes]);
    assert_eq!(bill.notes, ["y (own) runs on nodes of your own"]);
}

#[test]
fn faults_are_found() {
    let good = price("a", "x", Meter::Requests, &[(Some(5), 1), (Some(9), 2), (None, 3)]);
    assert_eq!(book(vec![good.clone()]).faults(), [""; 0]);
    for tiers in [
        vec![],
        vec![(Some(5), 1)],
        vec![(Some(5), 1), (Some(5), 1), (None, 1)],
        vec![(None, 1), (None, 1)],
        vec![(None, -1)],
    ] {
        let faulty = book(vec![price("a", "x", Meter::Requests, &tiers)]);
        assert_eq!(faulty.faults().len(), 1, "{tiers:?}");
    }
    let mut good = good;
    good.pool = Some("pool".to_owned());
    let mut other = good.clone();
    other.tiers.pop();
    other.tiers.push(Tier {
        upper: None,
        price: Money(4),
    });
    assert_eq!(book(vec![good, other]).faults().len(), 1, "one pool, two prices");
}

fn graduated() -> impl Strategy<Value = Vec<(Option<u128>, i128)>> {
    let steps = prop::collection::vec((1_u128..1 << 40, 0_i128..1 << 45), 0..4);
    (steps, 0_i128..1 << 45).prop_map(|(steps, last)| {
        let mut upper = 0;
        let mut tiers: Vec<(Option<u128>, i128)> = Vec::new();
        for (width, price) in steps {
            upper += width;
            tiers.push((Some(upper), price));
        }
        tiers.push((None, last));
        tiers
    })
}

proptest! {
    #[test]
    fn components_sum_to_their_pool(
        tiers in graduated(),
        used in prop::collection::vec(1_u64..1 << 42, 1..6),
        free in 0_u128..1 << 42,
    ) {
        let mut line = price("a", "calls", Meter::Requests, &tiers);
        line.free = Some(FreeTier { quanta: free, pool: Some("free".to_owned()) });
        let book = book(vec![line]);
        let usages: Vec<Usage> = used.iter().map(|&q| usage("x", "a", Meter::Requests, q)).collect();
        let month = Extrapolation::whole_month(MONTH);
        let total: u128 = used.iter().map(|&q| u128::from(q)).sum();
        let list = bill(&book, &usages, &month, false);
        let all = &book.lines[0].tiers;
        prop_assert_eq!(list.total, tiered(all, 7, total));
        let less = bill(&book, &usages, &month, true);
        prop_assert_eq!(less.total, tiered(all, 7, total) - tiered(all, 7, free.min(total)));
        prop_assert!(less.lines.iter().all(|l| l.amount >= Money::ZERO && l.free_quantity <= l.quantity));
        prop_assert!(less.total <= list.total);
    }

    #[test]
    fn tiers_are_continuous_and_never_fall(tiers in graduated(), quanta in 0_u128..1 << 42) {
        let line = price("a", "calls", Meter::Requests, &tiers);
        let steepest = tiers.iter().map(|t| t.1).max().unwrap_or(0);
        let step = tiered(&line.tiers, 7, quanta + 1) - tiered(&line.tiers, 7, quanta);
        prop_assert!(step >= Money::ZERO && step.0 <= steepest / 7 + 2, "{step:?}");
        for (upper, _) in tiers.iter().filter_map(|t| t.0.map(|u| (u, t.1))) {
            let jump = tiered(&line.tiers, 7, upper + 1) - tiered(&line.tiers, 7, upper);
            prop_assert!(jump.0 <= steepest / 7 + 2);
        }
    }

    #[test]
    fn one_tier_scales_linearly(unit_price in 0_i128..1 << 45, quanta in 1_u64..1 << 40, hours in 1_u64..730) {
        let book = book(vec![price("a", "calls", Meter::Requests, &[(None, unit_price)])]);
        let measured = Extrapolation {
            measured: Duration::from_secs(3600),
            month: Duration::from_secs(u64::from(MONTH) * 3600),
            active_hours: Some(hours as f64),
        };
        let scaled = bill(&book, &[usage("x", "a", Meter::Requests, quanta)], &measured, false).total;
        let whole = Extrapolation::whole_month(MONTH);
        let times = bill(&book, &[usage("x", "a", Meter::Requests, quanta * hours)], &whole, false).total;
        prop_assert_eq!(scaled, times);
        let once = bill(&book, &[usage("x", "a", Meter::Requests, quanta)], &whole, false).total;
        // Each bill is rounded to a picodollar, so that the multiple may be off by half of one per hour.
        prop_assert!((scaled.0 - once.0 * i128::from(hours)).abs() <= i128::from(hours));
    }
}

#[test]
fn a_fixed_fee_is_due_once_where_a_component_meets_its_condition() {
    let mut book = book(Vec::new());
    book.fees.push(FixedFee {
        service: "a".to_owned(),
        line: "plan".to_owned(),
        price: Money(7),
        when: [("kind".to_owned(), "fast".to_owned())].into(),
        provenance: price("a", "plan", Meter::Requests, &[]).provenance,
    });
    let of = |kinds: &[&str]| {
        let component = |kind: &&str| Usage {
            attributes: [("kind".to_owned(), (*kind).to_owned())].into(),
            ..usage("x", "a.b", Meter::Requests, 1)
        };
        let usages: Vec<Usage> = kinds.iter().map(component).collect();
        bill(&book, &usages, &Extrapolation::whole_month(MONTH), false).total
    };
    assert_eq!(of(&["slow"]), Money::ZERO);
    assert_eq!(of(&["slow", "fast", "fast"]), Money(7));
}
