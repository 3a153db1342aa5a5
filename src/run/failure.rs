//! Why a study could not be carried out: what shows only when it runs.

use crate::kernel::Instant;
use crate::model::world::{CROWD, Halt};
use crate::scenario::{Code, Diagnostic, Span};

/// Why a study could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The variant in which it happened.
    pub variant: String,
    /// What happened.
    pub cause: Cause,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A run was given up.
    Halted(Halt),
    /// No number of instances keeps the goals of a fleet's `size`.
    Unreachable {
        /// The fleet's name.
        fleet: String,
        /// Instances that were tried last.
        count: u64,
        /// The 99th percentile that these had, in ns.
        p99_ns: u64,
    },
}

fn seconds(at: Instant) -> f64 {
    at.since(Instant::ZERO).as_secs_f64()
}

impl Failure {
    /// The failure in words, for people.
    pub fn diagnostic(&self) -> Diagnostic {
        let variant = match self.variant.as_str() {
            "base" => String::new(),
            name => format!(" (variant `{name}`)"),
        };
        let (code, message, help) = match &self.cause {
            Cause::Halted(Halt::Stalled(at)) => (
                Code::Stalled,
                format!("the simulated time stands still at {} s{variant}", seconds(*at)),
                "something goes round without taking time: users who think for 0 s and are answered at once, a \
                 `visibility_timeout` of 0 s, a component that sends to itself; give it a time, such as `think: 100 ms`"
                    .to_owned(),
            ),
            Cause::Halted(Halt::Crowded(at)) => (
                Code::Crowded,
                format!(
                    "more than {} million requests are under way at {} s{variant}",
                    CROWD / 1_000_000,
                    seconds(*at)
                ),
                "what arrives is never finished: is there a rate in the wrong unit, or a component that calls or sends \
                 to itself several times over? Limits and time-outs bound what can pile up"
                    .to_owned(),
            ),
            Cause::Unreachable { fleet, count, p99_ns } => (
                Code::Unreachable,
                format!("no number of instances of `{fleet}` keeps the goals of its `size`{variant}"),
                format!(
                    "{count} of them are idle nearly all the time, and yet the p99 is {} ms; ask for a p99 above what \
                     the handler itself takes, or give each instance more slots or a queue",
                    (p99_ns + 500_000) / 1_000_000
                ),
            ),
        };
        Diagnostic::new(code, Span::NOWHERE, message).help(help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_say_what_happened_and_what_to_do() {
        let words = |variant: &str, cause| {
            let failure = Failure {
                variant: variant.to_owned(),
                cause,
            };
            let diagnostic = failure.diagnostic();
            assert!(diagnostic.help.is_some_and(|help| help.len() > 40));
            diagnostic.message
        };
        let at = Instant(1_500_000_000);
        assert_eq!(
            words("base", Cause::Halted(Halt::Stalled(at))),
            "the simulated time stands still at 1.5 s"
        );
        assert_eq!(
            words("large", Cause::Halted(Halt::Crowded(at))),
            "more than 15 million requests are under way at 1.5 s (variant `large`)"
        );
    }
}
