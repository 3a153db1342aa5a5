//! Steady cells keep quiet, growing ones are named: a small form of `cargo run --release --example classify`.

#[path = "../../examples/classify/systems.rs"]
mod systems;

use systems::{STEADY, overloaded, study};

#[test]
fn steady_cells_are_rarely_taken_for_others() {
    const CELLS: u64 = 60;
    for (name, text) in STEADY {
        let found = study(text, CELLS, 500, 77);
        // Of 60 at one in ten and in a hundred, that many come less than once in 2,000 studies.
        assert!(found.tenth <= 15, "{name}: {found:?}");
        assert!(found.hundredth <= 5, "{name}: {found:?}");
        assert_eq!(found.named, 0, "{name}: {found:?}");
    }
}

#[test]
fn an_overloaded_queue_is_named_as_growing() {
    let found = study(&overloaded(1), 10, 500, 5);
    assert_eq!(found.named, 10, "{found:?}");
}
