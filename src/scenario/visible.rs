//! Text that others wrote, before it reaches a terminal or a page: characters that steer instead of showing become
//! visible. A title may hold escape sequences, and a name marks that turn the direction of reading; what is printed
//! should be what is there.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character does something other than show: control characters (of both ranges), marks of direction, other
/// separators of lines, and invisible tags. Joiners are none of these: scripts and emoji need them.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0001}'..='\u{e007f}'
        )
}

/// The text with hidden characters as `\u{1b}`; line ends stay, tabs become spaces.
pub fn visible(text: &str) -> Cow<'_, str> {
    replaced(text, |c| c == '\n')
}

/// The same on one line: line ends are spaces, too, and those at the end go.
pub fn visible_line(text: &str) -> Cow<'_, str> {
    match replaced(text, |_| false) {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
        Cow::Owned(text) => Cow::Owned(text.trim_end().to_owned()),
    }
}

fn replaced(text: &str, stays: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(|c| is_hidden(c) && !stays(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !is_hidden(c) || stays(c) => out.push(c),
            '\n' | '\r' | '\t' => out.push(' '),
            c => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_becomes_visible_and_the_rest_stays() {
        for (text, expected) in [
            ("p99 of Zürich, 東京, עברית, 👩‍💻", "p99 of Zürich, 東京, עברית, 👩‍💻"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\u{9b}31mb\u{7f}", "a\\u{9b}31mb\\u{7f}"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
            ("\u{feff}x\u{2069}\u{200f}", "\\u{feff}x\\u{2069}\\u{200f}"),
            ("a\tb\r\nc\n", "a b \nc\n"),
        ] {
            assert_eq!(visible(text), expected);
            assert!(!visible(text).contains(|c| is_hidden(c) && c != '\n'));
        }
        assert_eq!(visible_line("two\nlines\n"), "two lines");
        assert!(matches!(visible("plain\n"), Cow::Borrowed(_)));
    }
}
