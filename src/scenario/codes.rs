//! The registry of problems: each has a stable code, a title and an explanation for `coldcurve explain CODE`.

use super::diagnostic::Severity;

macro_rules! codes {
    ($($variant:ident $id:literal $title:literal $explanation:literal)*) => {
        /// A kind of problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = concat!($id, ": ", $title, ".")] $variant,)*
        }

        /// Every code with its title and its explanation.
        pub const CODES: &[(&str, &str, &str)] = &[$(($id, $title, $explanation),)*];

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];
        }
    };
}

codes! {
    Unreadable "C001" "a file cannot be read"
        "The file does not exist, may not be read, is larger than 8 MiB, or is not UTF-8 text."
    Syntax "C002" "not valid YAML"
        "The text is not YAML 1.2 (JSON is YAML, too). Frequent causes: tabs or uneven indentation, a missing `:` or space after it, quotes or brackets that are not closed."
    DuplicateKey "C003" "a key appears twice"
        "YAML maps have each key once. Usually a block was copied and its name left as it was."
    TooMuch "C004" "too deep or too large"
        "Nesting and the number of values (with aliases expanded) are limited so that a small file cannot exhaust the memory."
    EmptyFile "C005" "an empty file"
        "The file holds nothing but white space or comments. `coldcurve new` writes a scenario to start from."
    WrongShape "C010" "a map, a list or a single value was expected"
        "The value has another shape than the field needs. A map is `key: value` lines (or `{ key: value }`), a list is `- item` lines (or `[item, item]`)."
    NotOneKey "C011" "a step has exactly one key"
        "Each step of a handler, and each alternative, is a map with one key that says what it is, such as `- cpu: 12 ms`."
    UnknownKey "C012" "an unknown key"
        "The block has no field of this name. `coldcurve explain BLOCK` lists the fields."
    MissingKey "C013" "a required key is missing"
        "The block cannot do without this field."
    BadQuantity "C020" "a value that cannot be read"
        "The text is not a quantity of the kind that the field needs."
    MissingUnit "C021" "a unit is missing"
        "Durations, sizes, rates and money carry their units, so that nobody has to guess: `5 s`, `512 MB`, `100/s`, `$0.20`. Only zero needs none."
    WrongUnit "C022" "a unit of another kind"
        "The quantity has a unit, but not one that fits the field, such as a duration where a size is needed."
    OutOfRange "C023" "a value out of range"
        "The field has limits; they are in the reference with their source."
    UnknownChoice "C024" "not one of the choices"
        "The field takes one of a few words."
    Impossible "C025" "an impossible distribution"
        "The numbers do not describe a distribution: a p99 below the median, a negative spread, no values, a table that is not ascending, or two descriptions at once."
    BadData "C026" "a data file that cannot be used"
        "A CSV file is missing, lacks the column, or has a row that is not a number. The message names the line."
    UnknownName "C030" "an unknown component"
        "Nothing in the scenario has this name."
    WrongTarget "C031" "a component of the wrong kind"
        "The component exists, but the field cannot point to components of its kind."
    DuplicateName "C032" "two components with one name"
        "Components refer to one another by name alone, so a name belongs to one component, whatever its kind."
    BadName "C033" "an unusable name"
        "Names consist of letters, digits, `_` and `-`. Dots separate the segments of paths in sweeps and `--set`."
    UnknownService "C034" "an unknown service"
        "No catalog file describes this service. `coldcurve explain services` lists them."
    WrongService "C035" "a service of another kind"
        "The service is a preset for another kind of component than the one that names it."
    Cycle "C036" "a cycle"
        "Components that wait for one another in a circle never finish."
    ShapeConflict "C040" "an overlay of another shape"
        "A variant replaces a whole section or component by something that is not a map. Give the fields that differ, or `null` to remove the component."
    BadPath "C041" "a path that leads nowhere"
        "A dotted path goes through maps by their keys and through lists by position (from 0). It cannot go through a single value."
    BadSweep "C042" "an unusable sweep"
        "A sweep names a parameter by its dotted path and lists its values."
    UnknownVariant "C043" "an unknown variant"
        "Nothing under `variants` has this name."
    BadCatalog "C050" "a catalog file that cannot be used"
        "A catalog file names its `service` and `kind`, and each default has a `value` and a `source`."
    BadPrices "C051" "prices that cannot be used"
        "Prices are lines by service: a `line` (what the bill calls it), a `meter`, a `unit` and a `price`; or the name of a price file. A line without a meter is a monthly fee."
    Conflict "C060" "fields that exclude each other"
        "Two fields of one block say different things about the same matter. Keep one of them."
    Inconsistent "C061" "values that cannot be true together"
        "Two values contradict each other, such as a minimum above its maximum."
    Unsupported "C062" "a combination that is not modelled"
        "The fields make sense, but the model does not have this combination. The page of the mechanism says what is modelled."
    TooMany "C063" "more components than fit"
        "A scenario holds at most 65,535 components of each kind."
    UnknownMetric "C070" "an unknown metric"
        "`coldcurve explain metrics` lists the metrics."
    BadExpectation "C071" "an unusable expectation"
        "An expectation names a metric and its limits."
    Stalled "C080" "a run that does not get on"
        "Something in the system goes round and round without taking any simulated time, so that a run would never end. Such loops have nothing that waits: no latency, no back-off, no visibility timeout, no thinking."
    Crowded "C081" "a run that does not fit into memory"
        "Requests pile up without end: each takes memory as long as it is under way. Usually a rate or a size is in the wrong unit, or a component sends more to itself than it gets."
    Unreachable "C082" "a fleet that cannot be sized"
        "Instances that have nothing to do are still too slow or refuse requests, so more of them are no remedy. The goal is below what the handler itself takes, or an instance without a queue refuses what comes at the same moment."
    GatewayTimeout "W001" "the gateway gives up before the function"
        "The gateway's timeout is below the function's: clients get errors while the work goes on and is billed."
    VisibilityTimeout "W002" "the visibility timeout is short"
        "A queue's visibility timeout should be at least six times the function's timeout (AWS Lambda Developer Guide, SQS event sources); below it, messages are delivered again while they are being worked on."
    ConnectionLimit "W003" "fewer connections than callers"
        "Callers can run more requests at once than the database has connections: a burst waits or fails."
    Unused "W004" "a component that nothing uses"
        "No client, trigger or handler leads to this component."
    NoEffect "W005" "a setting without effect"
        "The value is the same as without it, or another setting makes it irrelevant."
    MissingPrice "W006" "no price"
        "A meter is counted that the price book has no price for; the bill lacks it."
    Hopeless "W007" "nothing can succeed in time"
        "What a handler always takes is longer than the time that it, its caller or its queue allows, so that all of its work fails or is done again and again."
    Multiplies "W008" "work that multiplies"
        "A handler always sends several messages to what it is fed by, so that there are ever more of them, until a limit holds them up or the memory is used up."
}

impl Code {
    /// The stable code, such as "C012".
    pub fn id(self) -> &'static str {
        CODES[self as usize].0
    }

    /// A few words.
    pub fn title(self) -> &'static str {
        CODES[self as usize].1
    }

    /// A few sentences.
    pub fn explanation(self) -> &'static str {
        CODES[self as usize].2
    }

    /// The code of an id, in either case.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.id().eq_ignore_ascii_case(id))
    }

    /// Codes that start with W warn, the others are errors.
    pub fn severity(self) -> Severity {
        if self.id().starts_with('W') {
            Severity::Warning
        } else {
            Severity::Error
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_ascending_and_explained() {
        for pair in CODES.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} before {}", pair[0].0, pair[1].0);
        }
        for &code in Code::ALL {
            assert_eq!(Code::from_id(&code.id().to_lowercase()), Some(code));
            assert!(
                !code.title().is_empty() && code.explanation().ends_with('.'),
                "{}",
                code.id()
            );
        }
        assert_eq!(Code::UnknownKey.id(), "C012");
        assert_eq!(Code::Unused.severity(), Severity::Warning);
        assert_eq!(Code::from_id("C999"), None);
    }
}
