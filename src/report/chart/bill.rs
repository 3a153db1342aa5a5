//! The bill of a month by what it is paid for, in colours that no variant has.

use super::axis::Axis;
use super::bars::{Bar, Bars};
use super::canvas::Colour;
use super::panel::Head;
use super::words::{self, around, foot};
use super::{Focus, Named, colours, stack};
use crate::report::format;
use crate::report::verdicts;
use crate::run::summary::{BillLine, Cell, Summary, Unit, name};

/// What a line of a bill is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Paid {
    /// Capacity that is there whether it is used or not.
    KeptReady,
    /// Compute while it is used.
    Compute,
    /// Each request, message, transition, read or write.
    PerRequest,
    /// Bytes that leave, or come in.
    Data,
    /// Storage, logs and what is none of these.
    Other,
}

impl Paid {
    /// All, in the order in which bars show them.
    pub const ALL: [Self; 5] = [
        Self::KeptReady,
        Self::Compute,
        Self::PerRequest,
        Self::Data,
        Self::Other,
    ];

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::KeptReady => "kept ready",
            Self::Compute => "compute used",
            Self::PerRequest => "per request",
            Self::Data => "data moved",
            Self::Other => "storage and other",
        }
    }

    /// Its colour in all pictures.
    pub fn colour(self) -> Colour {
        match self {
            Self::KeptReady => Colour::rgb(0x37, 0x42, 0x4e),
            Self::Compute => Colour::rgb(0x7f, 0x8f, 0xa1),
            Self::PerRequest => Colour::rgb(0xc7, 0x9a, 0x4b),
            Self::Data => Colour::rgb(0xe6, 0xd2, 0xa6),
            Self::Other => Colour::rgb(0xcf, 0xcf, 0xcf),
        }
    }

    /// What a line is paid for, by its words and by the unit that is priced.
    pub fn of(line: &BillLine) -> Self {
        let (words, unit) = (line.line.as_str(), line.unit.as_str());
        let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
        if has(&["storage", "stored", "volumes", "log ", "disk"]) && !has(&["operations"]) {
            Self::Other
        } else if has(&["data out", "data in", "data between"]) {
            Self::Data
        } else if unit.starts_with(|letter: char| letter.is_ascii_digit()) {
            Self::PerRequest
        } else if has(&["provisioned concurrency", "kept", "cache", "idle", "pollers", "plan"]) {
            Self::KeptReady
        } else if has(&[
            "active",
            "compute",
            "initialisation",
            "duration",
            "processor time",
            "surplus",
        ]) || unit.ends_with("-s")
        {
            Self::Compute
        } else if unit.ends_with("-hour") || unit.ends_with("month") {
            Self::KeptReady
        } else {
            Self::Other
        }
    }
}

/// The dollars of a cell by what they are paid for.
pub fn parts(cell: &Cell) -> [f64; 5] {
    let mut parts = [0.0; 5];
    for line in &cell.bill.lines {
        let amount = line.amount.mean;
        if amount.is_finite() {
            parts[Paid::of(line) as usize] += amount;
        }
    }
    parts
}

/// Whether there is a bill to draw.
pub fn has_bill(cell: &Cell) -> bool {
    !cell.bill.lines.is_empty() && cell.bill.total.mean.is_finite() && cell.bill.total.mean > 0.0
}

/// The bars of all cells of a focus; none if nobody has a bill.
pub fn bars(summary: &Summary, focus: &Focus) -> Option<Bars> {
    if !focus.cells.iter().any(|(_, cell)| has_bill(cell)) {
        return None;
    }
    let colours = colours(summary, focus);
    let bar = |(index, (label, cell)): (usize, &(String, &Cell))| {
        let whole = verdicts::has_whole_bill(cell) && !words::fails_all(cell);
        let amounts = parts(cell);
        let (total, half) = verdicts::bill(cell, format::money_short(&cell.bill.total));
        let half = if whole && half.starts_with('±') {
            half
        } else {
            String::new()
        };
        let total = if has_bill(cell) { total } else { "no bill".to_owned() };
        let money = |amount: &f64| format!("${}", format::grouped(*amount, if *amount < 9.995 { 2 } else { 0 }));
        Bar {
            label: label.clone(),
            colour: colours[index],
            words: amounts.iter().map(money).collect(),
            parts: amounts
                .iter()
                .zip(Paid::ALL)
                .map(|(amount, paid)| (*amount, paid.colour()))
                .collect(),
            hatched: !whole,
            total: if half.is_empty() {
                total
            } else {
                format!("{total} {half}")
            },
            remark: words::bill_remark(summary, focus, index),
            interval: cell.bill.total.drawn_interval().filter(|_| whole && cell.has_month()),
        }
    };
    let bars: Vec<Bar> = focus.cells.iter().enumerate().map(bar).collect();
    let sum = |bar: &Bar| bar.parts.iter().map(|part| part.0.max(0.0)).sum::<f64>();
    let x = Axis::from_zero("", Unit::Dollars, bars.iter().map(sum));
    let paid = |paid: &Paid| bars.iter().any(|bar| bar.parts[*paid as usize].0 > sum(bar) * 1e-3);
    let key = Paid::ALL
        .into_iter()
        .filter(paid)
        .map(|paid| (paid.words().to_owned(), paid.colour()));
    let hatched = if bars.iter().any(|bar| bar.hatched) {
        "; hatched: not to be compared"
    } else {
        ""
    };
    Some(Bars {
        head: Head::new(
            "Bill of a month",
            format!("by what it is paid for{hatched}   ({})", name::BILL_MONTH),
        ),
        x,
        key: key.collect(),
        bars,
        left: 0.0,
    })
}

/// The picture of the bills alone.
pub fn picture(summary: &Summary, focus: &Focus) -> Option<Named> {
    let bars = bars(summary, focus)?;
    let words = around(
        summary,
        None,
        "What is a month, and what is it paid for?",
        foot(summary, "whiskers and ±", &[&focus.note]),
    );
    Some(Named {
        stem: "bill".into(),
        caption: "The bill of a month by what it is paid for.".into(),
        picture: stack::picture(&words, vec![stack::Block::Bars(bars)]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn line(words: &str, unit: &str) -> Paid {
        let mut line = sample::one().cells[0].bill.lines[0].clone();
        (line.line, line.unit) = (words.into(), unit.into());
        Paid::of(&line)
    }

    #[test]
    fn lines_are_sorted_by_what_they_are_paid_for() {
        for (words, unit, paid) in [
            ("compute", "GB-s", Paid::Compute),
            ("initialisation", "GB-s", Paid::Compute),
            ("provisioned concurrency", "GB-s", Paid::KeptReady),
            ("provisioned compute", "GB-s", Paid::Compute),
            ("instances", "instance-hour", Paid::KeptReady),
            ("serverless capacity", "ACU-hour", Paid::KeptReady),
            ("active processors", "vCPU-hour", Paid::Compute),
            ("requests", "1M requests", Paid::PerRequest),
            ("state transitions", "1k transitions", Paid::PerRequest),
            ("internet data out", "GB", Paid::Data),
            ("database storage", "GB-month", Paid::Other),
            ("storage operations", "1M operations", Paid::PerRequest),
        ] {
            assert_eq!(line(words, unit), paid, "{words}");
        }
    }

    #[test]
    fn the_parts_of_a_bar_are_the_whole_bill() {
        for (label, cell) in super::super::focus(&sample::four()).cells {
            let sum: f64 = parts(cell).iter().sum();
            assert!((sum - cell.bill.total.mean).abs() < 1e-6 * sum, "{label}");
        }
    }
}
