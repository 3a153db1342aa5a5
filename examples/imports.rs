//! Draws which room of the code imports which: `cargo run --example imports | dot -Tsvg > imports.svg` (Graphviz).
//! With `-- --floors`, as text: the rooms by floors, lowest first, each with what it imports from.

#[path = "../tests/imports.rs"]
mod imports;

use std::fmt::Write as _;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let arrows = imports::arrows(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))?;
    if !std::env::args().any(|argument| argument == "--floors") {
        print!("{}", dot(&arrows));
        return Ok(());
    }
    let (floors, circle) = imports::floors(&arrows);
    for (number, floor) in floors.iter().enumerate() {
        for room in floor {
            let all: Vec<&str> = arrows[room].iter().map(String::as_str).collect();
            println!("{number:>2}  {room}  <-  {}", all.join(", "));
        }
    }
    for room in circle {
        println!(" ?  {room} is part of a circle");
    }
    Ok(())
}

/// The graph for Graphviz, with an arrow from each room to those that it imports from.
fn dot(arrows: &imports::Arrows) -> String {
    let mut text = String::from("digraph imports {\n  rankdir = BT; node [shape = box];\n");
    for (from, all) in arrows {
        for to in all {
            let _ = writeln!(text, "  \"{from}\" -> \"{to}\";");
        }
    }
    text + "}\n"
}
