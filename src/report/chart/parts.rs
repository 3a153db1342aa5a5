//! Which parts of a system have a picture of their own: all of a small system; of a large one those that had the most
//! trouble, since nobody looks at a thousand pictures and drawing them takes longer than the run.

use std::collections::BTreeMap;

use super::{Focus, levels};
use crate::report::format;
use crate::run::summary::{Timeline, name};

/// So many functions, fleets, queues and streams together have a picture each.
pub const MOST: usize = 64;
/// Of more, so many functions and fleets have one, and so many queues and streams.
pub const WORST: usize = 8;

/// What a group of parts is called, and what its worst had most of.
struct Group {
    parts: &'static str,
    trouble: &'static str,
    /// Ends of the timelines of which a part has a picture if it has one of them.
    drawn: &'static [&'static str],
    /// Ends of the timelines that add up to its trouble.
    troubles: &'static [&'static str],
    /// Ends of the timelines whose highest window decides between those of the same trouble.
    sizes: &'static [&'static str],
}

const INSTANCES: Group = Group {
    parts: "functions and fleets",
    trouble: "the most invocations that were throttled, were refused or met a cold start, then the most instances",
    drawn: &[name::INSTANCES_BUSY],
    troubles: &["cold_starts", "throttled", "refused"],
    sizes: &["instances"],
};

const QUEUES: Group = Group {
    parts: "queues and streams",
    trouble: "the most messages waiting",
    drawn: &[name::QUEUE_DEPTH, name::QUEUE_AGE],
    troubles: &[],
    sizes: &[name::QUEUE_DEPTH],
};

/// Ends of the timelines of levels.
const LEVEL_ENDS: [&str; levels::LEVELS.len()] = {
    let mut ends = [""; levels::LEVELS.len()];
    let mut index = 0;
    while index < ends.len() {
        ends[index] = levels::LEVELS[index].0;
        index += 1;
    }
    ends
};

const LEVELS: Group = Group {
    parts: "databases, proxies, workflows and other parts with levels",
    trouble: "the highest levels",
    drawn: &LEVEL_ENDS,
    troubles: &[],
    sizes: &LEVEL_ENDS,
};

/// The parts that have pictures, by their dotted paths.
pub struct Parts<'a> {
    /// Functions and fleets.
    pub instances: Vec<&'a str>,
    /// Queues and streams.
    pub queues: Vec<&'a str>,
    /// Whatever else has levels.
    pub levels: Vec<&'a str>,
    /// What was left out, in sentences; empty if nothing was.
    pub notes: Vec<String>,
}

/// How bad it was with a part, and how large it was.
#[derive(Clone, Copy, Default)]
struct Rank {
    trouble: f64,
    size: f64,
}

/// Chooses the parts of what a focus shows.
pub fn parts<'a>(focus: &Focus<'a>) -> Parts<'a> {
    let (instances, queues) = (all(focus, &INSTANCES), all(focus, &QUEUES));
    let mut levels = all(focus, &LEVELS);
    levels.retain(|(part, rank)| rank.size > 0.0 && queues.iter().all(|(queue, _)| queue != part));
    let mut notes = Vec::new();
    if instances.len() + queues.len() + levels.len() <= MOST {
        let paths = |ranked: Vec<(&'a str, Rank)>| ranked.into_iter().map(|part| part.0).collect();
        return Parts {
            instances: paths(instances),
            queues: paths(queues),
            levels: paths(levels),
            notes,
        };
    }
    Parts {
        instances: worst(instances, &INSTANCES, &mut notes),
        queues: worst(queues, &QUEUES, &mut notes),
        levels: worst(levels, &LEVELS, &mut notes),
        notes,
    }
}

/// The parts of a group in the order of their timelines.
fn all<'a>(focus: &Focus<'a>, group: &Group) -> Vec<(&'a str, Rank)> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut found: Vec<(&str, Rank)> = Vec::new();
    let ended = |timeline: &'a Timeline, ends: &[&str]| {
        let part = |end: &&str| {
            let part = timeline.name.strip_suffix(*end)?.strip_suffix('.')?;
            // The end may be the last of several words of a metric.
            (part.matches('.').count() == 1).then_some(part)
        };
        ends.iter().find_map(part)
    };
    let timelines = || focus.cells.iter().flat_map(|(_, cell)| &cell.timelines);
    for timeline in timelines().filter(|timeline| !timeline.mean.is_empty()) {
        if let Some(part) = ended(timeline, group.drawn) {
            places.entry(part).or_insert_with(|| {
                found.push((part, Rank::default()));
                found.len() - 1
            });
        }
    }
    for timeline in timelines() {
        let seen = || timeline.mean.iter().copied().filter(|value| value.is_finite());
        let rank = |ends| ended(timeline, ends).and_then(|part| places.get(part).copied());
        if let Some(place) = rank(group.troubles) {
            found[place].1.trouble += seen().sum::<f64>();
        }
        if let Some(place) = rank(group.sizes) {
            found[place].1.size = seen().fold(found[place].1.size, f64::max);
        }
    }
    found
}

/// The worst of a group, the worst first; of equal ones those that come first.
fn worst<'a>(mut ranked: Vec<(&'a str, Rank)>, group: &Group, notes: &mut Vec<String>) -> Vec<&'a str> {
    let of = ranked.len();
    ranked.sort_by(|(_, a), (_, b)| (b.trouble.total_cmp(&a.trouble)).then(b.size.total_cmp(&a.size)));
    ranked.truncate(WORST);
    if of > WORST {
        notes.push(format!(
            "Pictures of {WORST} of {} {}: those with {}; timeline.csv has all.",
            format::count(of as u64),
            group.parts,
            group.trouble
        ));
    }
    ranked.into_iter().map(|part| part.0).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{drawn, focus};
    use super::*;
    use crate::report::sample;
    use crate::run::summary::Summary;

    /// A summary of many functions, of which the one numbered 40 had the most cold starts and 41 the most instances.
    fn many(functions: usize) -> Summary {
        let mut summary = sample::one();
        let cell = &mut summary.cells[0];
        let pattern: Vec<Timeline> = cell.timelines.clone();
        cell.timelines.clear();
        for function in 0..functions {
            let mut add = |end: &str, value: f64| {
                let like = &pattern[0];
                cell.timelines.push(Timeline {
                    name: format!("functions.f{function}.{end}"),
                    mean: vec![value; like.mean.len()],
                    ..like.clone()
                });
            };
            add("cold_starts", if function == 40 { 5.0 } else { 1.0 });
            add("instances", if function == 41 { 9.0 } else { 2.0 });
            add(name::INSTANCES_BUSY, 1.0);
        }
        summary
    }

    #[test]
    fn a_small_system_has_a_picture_of_each_part() {
        let summary = many(MOST);
        let parts = parts(&focus(&summary));
        assert_eq!((parts.instances.len(), parts.notes.len()), (MOST, 0));
        assert_eq!(parts.instances[1], "functions.f1");
    }

    #[test]
    fn a_large_system_has_pictures_of_its_worst_parts_and_says_so() {
        let summary = many(MOST + 1);
        let parts = parts(&focus(&summary));
        let expected = [40, 41, 0, 1, 2, 3, 4, 5].map(|function| format!("functions.f{function}"));
        assert_eq!(parts.instances, expected);
        assert!(parts.notes[0].starts_with("Pictures of 8 of 65 functions and fleets: "));
        let drawn = drawn(&summary);
        let pictures = drawn
            .pictures
            .iter()
            .filter(|named| named.stem.starts_with("instances-"));
        assert_eq!((pictures.count(), drawn.notes), (WORST, parts.notes));
    }
}
