//! Sizes of machine classes: virtual CPUs and memory by the name that providers give them.
//!
//! Database classes have the same sizes under the prefix `db.`.
//! Source: catalog/data/aws-instances.csv.

use std::sync::LazyLock;

const TEXT: &str = include_str!("../../catalog/data/aws-instances.csv");

/// The size of a class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// Virtual CPUs.
    pub vcpus: f64,
    /// Memory in GiB.
    pub memory_gib: f64,
}

static CLASSES: LazyLock<Vec<(String, Machine)>> = LazyLock::new(|| {
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(TEXT.as_bytes());
    let classes = reader.records().map(|record| {
        let record = record.expect("the embedded table is well formed");
        let number = |i: usize| record[i].parse::<f64>().expect("the embedded table holds numbers");
        let machine = Machine {
            vcpus: number(1),
            memory_gib: number(2),
        };
        (record[0].to_owned(), machine)
    });
    classes.collect()
});

/// The size of a class such as `m6g.large`, `db.m6g.large` or `cache.m6g.large`.
pub fn machine(class: &str) -> Option<Machine> {
    let bare = class
        .strip_prefix("db.")
        .or(class.strip_prefix("cache."))
        .unwrap_or(class);
    CLASSES
        .iter()
        .find(|(name, _)| name == bare)
        .map(|(_, machine)| *machine)
}

/// The names of all classes, without prefix.
pub fn classes() -> impl Iterator<Item = &'static str> {
    CLASSES.iter().map(|(name, _)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_class_has_the_size_of_its_machine() {
        let machine = machine("db.r6g.large").unwrap();
        assert_eq!((machine.vcpus, machine.memory_gib), (2.0, 16.0));
        assert!(super::machine("db.huge").is_none() && classes().any(|class| class == "t3.medium"));
    }
}
