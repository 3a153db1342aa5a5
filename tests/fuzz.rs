//! Scenarios with random damage are refused or accepted, and never do anything else: no panic, no endless reading, no
//! mountain of memory. The damage is what editors and people do to files: lines lost, doubled, swapped, shifted, cut
//! off, words and numbers exchanged for others, and bytes of anything.

use crate::support::{Scratch, repository};
use coldcurve::kernel::stream::below;
use coldcurve::kernel::{Stream, StreamKey};
use coldcurve::run::{Options, load};
use std::fs;
use std::time::{Duration, Instant};

/// What takes the place of a value.
const VALUES: [&str; 32] = [
    "0",
    "-1",
    "1e308",
    "NaN",
    "inf",
    "",
    "999999999999999999999999",
    "1e-300",
    "18446744073709551616",
    "-5 s",
    "5000 d",
    "1e12/s",
    "1e-12/s",
    "101%",
    "1 TB",
    "~",
    "[]",
    "{}",
    "true",
    "\"x\"",
    "*a",
    "&a 1",
    "!!int 3",
    "1 ns",
    "0 s",
    "0/s",
    "$-1",
    "4096",
    "10M",
    "0 MB",
    "[[[[x]]]]",
    "{a: {a: {a: 1}}}",
];
/// What takes the place of a name.
const NAMES: [&str; 8] = ["\"\"", "\"a b\"", "a.b", "\"ü\"", "\"../x\"", "\"*\"", "-", "null"];

/// A place in a text where a word of letters begins, and its length.
fn word(text: &str, dice: &mut Stream) -> Option<(usize, usize)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let words: Vec<&str> = text.split(|c| !is_part(c)).filter(|word| word.len() > 1).collect();
    let chosen = *words.get(below(dice, words.len().max(1) as u64) as usize)?;
    Some((chosen.as_ptr() as usize - text.as_ptr() as usize, chosen.len()))
}

fn damage(text: &str, dice: &mut Stream) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (i, j) = (
        below(dice, lines.len() as u64) as usize,
        below(dice, lines.len() as u64) as usize,
    );
    match below(dice, 12) {
        0 => drop(lines.remove(i)),
        1 => lines.insert(j, lines[i].clone()),
        2 => lines.swap(i, j),
        3 => lines[i] = format!("{}{}", " ".repeat(below(dice, 8) as usize), lines[i].trim_start()),
        4 => lines.truncate(i),
        5 => lines.insert(i, format!("x: {}", "[".repeat(below(dice, 3_000) as usize))),
        6 => {
            let bytes: String = (0..4).map(|_| char::from(below(dice, 256) as u8)).collect();
            lines[i].push_str(&bytes);
        }
        kind => {
            if let Some((at, length)) = word(text, dice) {
                let with = match kind {
                    7..10 => VALUES[below(dice, VALUES.len() as u64) as usize],
                    10 => NAMES[below(dice, NAMES.len() as u64) as usize],
                    _ => word(text, dice).map_or("", |(at, length)| &text[at..at + length]),
                };
                return format!("{}{with}{}", &text[..at], &text[at + length..]);
            }
        }
    }
    lines.join("\n") + "\n"
}

#[test]
fn damaged_scenarios_are_read_without_panic_and_in_no_time() {
    let folder = repository().join("scenarios");
    let entries = fs::read_dir(&folder).expect("the scenarios");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    let texts: Vec<String> = files
        .iter()
        .map(|file| fs::read_to_string(file).expect("text"))
        .collect();
    let scratch = Scratch::new("fuzz");
    let mut dice = Stream::new(1, 0, StreamKey::new("fuzz", "damage"));
    let (mut refused, mut accepted) = (0, 0);
    for _ in 0..400 {
        let mut text = texts[below(&mut dice, texts.len() as u64) as usize].clone();
        for _ in 0..=below(&mut dice, 4) {
            text = damage(&text, &mut dice);
        }
        let name = scratch.write("damaged.yaml", &text);
        let began = Instant::now();
        let loaded = load(&scratch.path().join(name), &Options::default());
        let complaint = loaded.diagnostics.render(&loaded.sources, false);
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{:?} for\n{text}",
            began.elapsed()
        );
        assert_eq!(
            loaded.study.is_none(),
            loaded.diagnostics.has_errors(),
            "{complaint}\n{text}"
        );
        *(if loaded.study.is_some() {
            &mut accepted
        } else {
            &mut refused
        }) += 1;
    }
    // Both must happen, or the damage is too great or too small to find anything.
    assert!(refused > 100 && accepted > 40, "{refused} refused, {accepted} accepted");
}
