//! What a call asks of a store or of an external service: the fields of a call that databases have no use for.

use crate::scenario::Block;

/// What is done to the items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Items are read one by one.
    #[default]
    Read,
    /// Items are put, changed or deleted.
    Write,
    /// Items are read together: their sizes add up before they are rounded to units.
    Query,
}

/// How a store reads and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// Reads may miss the latest writes: half the price.
    #[default]
    Eventual,
    /// Reads see all writes.
    Strong,
    /// All items or none: twice the price of a strong one.
    Transactional,
}

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What is done.
    pub action: Action,
    /// To how many items (or units, of an external service).
    pub items: u64,
    /// The size of each in bytes; `None` for the store's usual one.
    pub item_bytes: Option<u64>,
    /// How.
    pub consistency: Consistency,
}

impl Default for Operation {
    fn default() -> Self {
        Self {
            action: Action::Read,
            items: 1,
            item_bytes: None,
            consistency: Consistency::Eventual,
        }
    }
}

/// The words for [`Action`], in its order.
pub const ACTIONS: [&str; 3] = ["read", "write", "query"];
/// The words for [`Consistency`], in its order.
pub const CONSISTENCIES: [&str; 3] = ["eventual", "strong", "transactional"];

impl Operation {
    /// A write of one item of the usual size.
    pub const WRITE: Self = Self {
        action: Action::Write,
        items: 1,
        item_bytes: None,
        consistency: Consistency::Eventual,
    };

    /// The fields of a call that say what a store has to do.
    pub const FIELDS: [&str; 4] = ["operation", "items", "item_size", "consistency"];

    /// Reads them from a call.
    pub fn read(call: &Block) -> Self {
        Self {
            action: [Action::Read, Action::Write, Action::Query][call.choice("operation")],
            items: call.count("items"),
            item_bytes: call.size_opt("item_size"),
            consistency: [Consistency::Eventual, Consistency::Strong, Consistency::Transactional]
                [call.choice("consistency")],
        }
    }

    /// Whether it changes anything.
    pub fn writes(self) -> bool {
        self.action == Action::Write
    }

    /// Bytes of all items together, of `usual` bytes each where the call does not say.
    pub fn bytes(self, usual: u64) -> u64 {
        self.items.saturating_mul(self.item_bytes.unwrap_or(usual))
    }

    /// What it takes from a store's throughput, in halves of a unit. A unit is so many bytes of one item, rounded up; a
    /// store without a size of units counts requests, whatever their size.
    pub fn half_units(self, unit_bytes: Option<u64>, usual: u64) -> u64 {
        let Some(unit) = unit_bytes else {
            return 2 * if self.action == Action::Query { 1 } else { self.items };
        };
        let each = self.item_bytes.unwrap_or(usual);
        let units = match self.action {
            Action::Query => self.bytes(usual).div_ceil(unit).max(1),
            Action::Read | Action::Write => self.items.saturating_mul(each.div_ceil(unit).max(1)),
        };
        let halves = match (self.action, self.consistency) {
            (_, Consistency::Transactional) => 4,
            (Action::Write, _) | (_, Consistency::Strong) => 2,
            (_, Consistency::Eventual) => 1,
        };
        units.saturating_mul(halves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_follow_size_consistency_and_count() {
        let kb = 1024;
        let operation = |action, items, size: u64, consistency| Operation {
            action,
            items,
            item_bytes: Some(size),
            consistency,
        };
        let read = |items, size, how| operation(Action::Read, items, size, how).half_units(Some(4 * kb), 0);
        let write = |items, size, how| operation(Action::Write, items, size, how).half_units(Some(kb), 0);
        // Half a unit for 4 KB read eventually, a whole one strongly, two in a transaction; above 4 KB twice that.
        assert_eq!(read(1, 4 * kb, Consistency::Eventual), 1);
        assert_eq!(read(1, 4 * kb + 1, Consistency::Eventual), 2);
        assert_eq!(read(1, 4 * kb, Consistency::Strong), 2);
        assert_eq!(read(3, 5 * kb, Consistency::Transactional), 3 * 2 * 4);
        assert_eq!(write(1, 1, Consistency::Eventual), 2);
        assert_eq!(write(25, 3 * kb / 2, Consistency::Strong), 25 * 2 * 2);
        assert_eq!(write(2, kb, Consistency::Transactional), 8);
        // Ten items of 1 KB: a query reads 10 KB, which is three units; one by one they are ten.
        assert_eq!(
            operation(Action::Query, 10, kb, Consistency::Strong).half_units(Some(4 * kb), 0),
            6
        );
        assert_eq!(read(10, kb, Consistency::Strong), 20);
        let requests = |action, items| operation(action, items, 99, Consistency::Strong).half_units(None, 0);
        assert_eq!((requests(Action::Read, 5), requests(Action::Query, 5)), (10, 2));
        assert_eq!(Operation::default().half_units(Some(4 * kb), 400 * kb), 100);
    }
}
