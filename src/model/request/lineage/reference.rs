//! The slow way: all units and what descends from each in maps, without batches of batches. Builds with debug
//! assertions follow the first units of a run both ways, and both have to say the same.

use super::{End, Fate, Lineage, State, Worst};
use crate::kernel::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// Units are followed both ways up to this one: tests with millions of them would take too long.
const MOST: u64 = 50_000;

/// A unit as the slow way knows it.
#[derive(Debug)]
struct Known {
    things: u64,
    worst: Worst,
    partly: bool,
    last: Instant,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Reference {
    arrived: u64,
    known: BTreeMap<u64, Known>,
    /// The units that something descends from.
    of: BTreeMap<u32, BTreeSet<u64>>,
}

impl Reference {
    pub(super) fn arrive(&mut self, unit: Lineage, now: Instant) {
        self.arrived += 1;
        self.of.remove(&unit.0);
        if self.arrived <= MOST {
            let known = Known {
                things: 1,
                worst: Worst::default(),
                partly: false,
                last: now,
            };
            self.known.insert(self.arrived, known);
            self.of.insert(unit.0, BTreeSet::from([self.arrived]));
        }
    }

    fn each(&mut self, of: Lineage, mut what: impl FnMut(&mut Known)) {
        let units = self.of.get(&of.0).into_iter().flatten();
        for unit in units {
            what(
                self.known
                    .get_mut(unit)
                    .expect("a unit that something descends from is there"),
            );
        }
    }

    pub(super) fn fork(&mut self, of: Lineage) {
        self.each(of, |unit| unit.things += 1);
    }

    pub(super) fn join(&mut self, batch: Lineage, members: &[Lineage]) {
        let units = members.iter().filter_map(|member| self.of.get(&member.0)).flatten();
        let units = units.copied().collect();
        self.of.insert(batch.0, units);
        self.fork(batch);
    }

    pub(super) fn note(&mut self, of: Lineage, at: Instant, end: Option<End>) {
        self.each(of, |unit| {
            unit.last = unit.last.max(at);
            match end {
                Some(End { state: State::Good, .. }) => unit.partly = true,
                Some(end) => unit.worst = unit.worst.or(Worst::of(end, at)),
                None => {}
            }
        });
    }

    pub(super) fn leave(&mut self, of: Lineage) {
        self.each(of, |unit| unit.things -= 1);
    }

    /// A unit has ended the fast way.
    pub(super) fn close(&mut self, unit: Lineage, fate: &Fate) {
        let Some(number) = self.of.remove(&unit.0).and_then(|units| units.into_iter().next()) else {
            return;
        };
        let known = self.known.remove(&number).expect("it ends once");
        assert_eq!(
            (known.things, known.worst, known.partly, known.last),
            (0, fate.worst, fate.partly, fate.last),
            "a unit ends as the slow way says"
        );
    }
}
