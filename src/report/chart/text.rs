//! Words in a room: nothing is ever cut, it goes on in the next line.

use super::canvas::text_width;

/// The words in lines that are no wider than so many pixels. A word that is wider by itself is taken apart, rather
/// behind what joins its parts.
pub fn wrap(words: &str, size: f64, bold: bool, width: f64) -> Vec<String> {
    let fits = |text: &str| text_width(text, size, bold) <= width;
    let mut lines: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        if let Some(last) = lines.last_mut() {
            let longer = format!("{last} {word}");
            if fits(&longer) {
                *last = longer;
                continue;
            }
        }
        lines.extend(apart(word, &fits));
    }
    lines
}

/// A word in as many parts as it takes.
fn apart(word: &str, fits: &impl Fn(&str) -> bool) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = word;
    while !fits(rest) {
        let ends: Vec<usize> = rest.char_indices().skip(1).map(|(at, _)| at).collect();
        let Some(first) = ends.first() else { break };
        let joint = |end: &&usize| rest[..**end].ends_with(['_', '-', '.', ',', '/', ':']);
        let fitting = || ends.iter().filter(|end| fits(&rest[..**end]));
        let end = fitting().rfind(joint).or_else(|| fitting().next_back());
        let (part, more) = rest.split_at(*end.unwrap_or(first));
        parts.push(part.to_owned());
        rest = more;
    }
    parts.push(rest.to_owned());
    parts
}

/// With its first letter in upper case, unless the first word is a quantity such as `p99`.
pub fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    match letters.next() {
        Some(first) if !words.starts_with("p99") => first.to_uppercase().chain(letters).collect(),
        _ => words.into(),
    }
}

/// Names in a sentence, at most so many; the rest is counted.
pub fn list(names: &[String], most: usize) -> String {
    let more = names.len().saturating_sub(most);
    match (&names[..names.len() - more], more) {
        ([], _) => String::new(),
        ([one], 0) => one.clone(),
        (named, 0) => {
            let (last, before) = named.split_last().expect("there are several");
            format!("{} and {last}", before.join(", "))
        }
        (named, more) => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_when_words_are_wrapped() {
        for words in [
            "a variant with a very long name",
            "provisioned_concurrency_400_of_checkout",
            "x",
        ] {
            let lines = wrap(words, 23.0, false, 150.0);
            assert!(
                lines.iter().all(|line| text_width(line, 23.0, false) <= 150.0),
                "{lines:?}"
            );
            let joined = if words.contains(' ') {
                lines.join(" ")
            } else {
                lines.concat()
            };
            assert_eq!(joined, words);
        }
        assert!(wrap("provisioned_concurrency", 23.0, false, 190.0)[0].ends_with('_'));
        // A room that holds nothing still ends.
        assert_eq!(wrap("abc", 23.0, false, 0.0), ["a", "b", "c"]);
    }

    #[test]
    fn names_are_counted_from_some_number_on() {
        let names: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).into();
        assert_eq!(list(&names, 4), "a, b, c and d");
        assert_eq!(list(&names, 2), "a, b and 2 more");
        assert_eq!(list(&names[..1], 2), "a");
    }
}
