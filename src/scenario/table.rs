//! Tables of fields: name, kind, default, range, one line of meaning and its source. One table feeds the reader,
//! `explain`, the reference and the editor schema.

use super::units;
use crate::kernel::Duration;
use crate::kernel::number::whole;

/// The fields of a block of a scenario.
#[derive(Debug)]
pub struct Table {
    /// What the block is called, such as "function".
    pub name: &'static str,
    /// What the block is for: a sentence or a few.
    pub doc: &'static str,
    /// Its fields, in the order in which the reference shows them.
    pub fields: &'static [Field],
}

/// One field of a block.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The key in the scenario.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it has to be there, and what holds if it is not.
    pub default: Presence,
    /// Its limits.
    pub range: Range,
    /// One line of meaning.
    pub doc: &'static str,
    /// Where default and range come from; empty if from nowhere in particular.
    pub source: &'static str,
    /// What may be written, for kinds that do not say it.
    pub sample: &'static str,
}

/// Whether a field has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The block cannot do without it.
    Required,
    /// Nothing holds in its place.
    Optional,
    /// This holds in its place: scenario text, read by the same code.
    Default(&'static str),
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A length of time.
    Duration,
    /// Bytes.
    Size,
    /// Something per time.
    Rate,
    /// A whole number.
    Count,
    /// A number.
    Number,
    /// A share of one; within 0 and 1 unless the field has a range.
    Share,
    /// US dollars.
    Money,
    /// True or false.
    Flag,
    /// Any text.
    Text,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A distribution of durations.
    Sampler,
    /// The name of a component of one of these kinds, such as "functions".
    Target(&'static [&'static str]),
    /// A list (a single value counts as a list of one).
    List(&'static Kind),
    /// A block with a table of its own.
    Block(&'static Table),
    /// A map with free keys.
    Map(&'static Kind),
    /// A list of steps: maps with one key each.
    Steps,
    /// Whatever the reader of this field understands; the docstring of the field says what.
    Any,
}

/// The limits of a field in its base unit: nanoseconds, bytes, per second, a share of one, US dollars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// No limits beyond those of the kind.
    Any,
    /// Above zero.
    Positive,
    /// This or more.
    AtLeast(f64),
    /// Between two values, both included.
    Within(f64, f64),
}

impl Range {
    /// Whether a value in the base unit lies within.
    pub fn contains(self, v: f64) -> bool {
        match self {
            Self::Any => true,
            Self::Positive => v > 0.0,
            Self::AtLeast(low) => v >= low,
            Self::Within(low, high) => (low..=high).contains(&v),
        }
    }

    /// A value within, to go on with after a problem: the smallest, or one unit.
    pub fn harmless(self) -> f64 {
        match self {
            Self::Any => 0.0,
            Self::Positive => 1.0,
            Self::AtLeast(low) | Self::Within(low, _) => low,
        }
    }
}

impl Field {
    const fn new(name: &'static str, kind: Kind, default: Presence, doc: &'static str) -> Self {
        Self {
            name,
            kind,
            default,
            range: Range::Any,
            doc,
            source: "",
            sample: "",
        }
    }

    /// A field that has to be there.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self::new(name, kind, Presence::Required, doc)
    }

    /// A field that may be absent.
    pub const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self::new(name, kind, Presence::Optional, doc)
    }

    /// A field with a default, given as scenario text.
    pub const fn default(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Self::new(name, kind, Presence::Default(default), doc)
    }

    /// Limits the value on both sides (base unit, both ends included).
    #[must_use]
    pub const fn within(mut self, low: f64, high: f64) -> Self {
        self.range = Range::Within(low, high);
        self
    }

    /// Limits the value from below (base unit, included).
    #[must_use]
    pub const fn at_least(mut self, low: f64) -> Self {
        self.range = Range::AtLeast(low);
        self
    }

    /// Excludes zero.
    #[must_use]
    pub const fn positive(mut self) -> Self {
        self.range = Range::Positive;
        self
    }

    /// Says what may be written.
    #[must_use]
    pub const fn sample(mut self, sample: &'static str) -> Self {
        self.sample = sample;
        self
    }

    /// What may be written, by example.
    pub fn example(&self) -> String {
        match (self.sample, self.default, self.kind) {
            ("", Presence::Default(text), Kind::Any) => text.to_owned(),
            ("", ..) => self.kind.example(),
            (sample, ..) => sample.to_owned(),
        }
    }

    /// Says where default and range come from.
    #[must_use]
    pub const fn source(mut self, source: &'static str) -> Self {
        self.source = source;
        self
    }
}

impl Table {
    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// The block in a sentence: "a function", "an expectation", "arrivals".
    pub fn called(&self) -> String {
        let article = match self.name.chars().next() {
            _ if self.name.ends_with('s') => "",
            Some('a' | 'e' | 'i' | 'o' | 'u') => "an ",
            _ => "a ",
        };
        format!("{article}{}", self.name)
    }

    /// The names of all fields.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|f| f.name)
    }
}

impl Kind {
    /// Whether it is a single value that means the same wherever it stands.
    pub fn is_plain(&self) -> bool {
        matches!(
            self,
            Self::Duration
                | Self::Size
                | Self::Rate
                | Self::Count
                | Self::Number
                | Self::Share
                | Self::Money
                | Self::Flag
                | Self::Text
                | Self::Choice(_)
        )
    }

    /// What to write, in words.
    pub fn describe(&self) -> String {
        match self {
            Self::Duration => "a duration".to_owned(),
            Self::Size => "a size".to_owned(),
            Self::Rate => "a rate".to_owned(),
            Self::Count => "a whole number".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Share => "a share".to_owned(),
            Self::Money => "an amount of money".to_owned(),
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Text => "a text".to_owned(),
            Self::Choice(words) => format!("one of {}", list_words(words)),
            Self::Sampler => "a duration or a distribution of durations".to_owned(),
            Self::Target(kinds) => format!("the name of a component under {}", list_words(kinds)),
            Self::List(of) => format!("a list, each {}", of.describe()),
            Self::Block(table) => format!("a map ({})", table.name),
            Self::Map(of) => format!("a map of names, each {}", of.describe()),
            Self::Steps => "a list of steps".to_owned(),
            Self::Any => "a value".to_owned(),
        }
    }

    /// What to write, by example.
    pub fn example(&self) -> String {
        match self {
            Self::Duration => "250 ms".to_owned(),
            Self::Size => "512 MB".to_owned(),
            Self::Rate => "100/s".to_owned(),
            Self::Count => "1000".to_owned(),
            Self::Number => "1.5".to_owned(),
            Self::Share => "60%".to_owned(),
            Self::Money => "$0.20".to_owned(),
            Self::Flag => "true".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Choice(words) => words.first().copied().unwrap_or("").to_owned(),
            Self::Sampler => "{ median: 12 ms, p99: 40 ms }".to_owned(),
            Self::Target(_) => "orders".to_owned(),
            Self::List(of) => format!("[{}]", of.example()),
            Self::Block(table) => table
                .fields
                .first()
                .map_or_else(|| "{}".to_owned(), |f| format!("{{ {}: {} }}", f.name, f.example())),
            Self::Map(of) => format!("{{ name: {} }}", of.example()),
            Self::Steps => "[cpu: 12 ms]".to_owned(),
            Self::Any => "...".to_owned(),
        }
    }

    /// Prints a value of the base unit in this kind's own notation.
    pub fn show(&self, v: f64) -> String {
        match self {
            Self::Duration | Self::Sampler => units::show_duration(Duration::from_nanos_f64(v)),
            Self::Size => units::show_size(whole(v)),
            Self::Rate => units::show_rate(v),
            Self::Count => units::show_count(whole(v)),
            Self::Share => units::show_share(v),
            Self::Money => units::show_money(v),
            _ => units::show_number(v),
        }
    }
}

impl Range {
    /// The limits in words, in the notation of a kind; empty if there are none.
    pub fn describe(self, kind: &Kind) -> String {
        match self {
            Self::Any => String::new(),
            Self::Positive => "above zero".to_owned(),
            Self::AtLeast(low) => format!("at least {}", kind.show(low)),
            Self::Within(low, high) => format!("from {} to {}", kind.show(low), kind.show(high)),
        }
    }
}

/// `a`, `b` or `c`.
pub(crate) fn list_words(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} or {last}", head.join(", ")),
    }
}
