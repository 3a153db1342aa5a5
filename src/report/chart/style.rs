//! Colours by their role and sizes of text. A colour means one thing in a picture: variants, bill lines, states of work
//! and causes have scales of their own, which never meet.
//!
//! All pictures are 1600 pixels wide and are looked at from half that width on: nothing is smaller than 22 here.
//! The eight colours of variants are at least 16 apart (CAM02-UCS) under full deuteranomaly, protanomaly and
//! tritanomaly, and have a contrast of 3:1 against white.

use super::canvas::Colour;
use libm::pow;

/// Font size of the title, in bold.
pub const TITLE: f64 = 34.0;
/// Font size of the subtitle.
pub const SUBTITLE: f64 = 25.0;
/// Font size of the words above a panel, in bold.
pub const HEAD: f64 = 26.0;
/// Font size of labels.
pub const TEXT: f64 = 23.0;
/// Font size of ticks, remarks and of the foot.
pub const SMALL: f64 = 22.0;
/// Height of a line of text.
pub const LINE: f64 = 30.0;
/// Width of the line of a series.
pub const STROKE: f64 = 4.0;

/// Text.
pub const INK: Colour = Colour::rgb(0x1a, 0x1f, 0x24);
/// Secondary text.
pub const SOFT: Colour = Colour::rgb(0x5a, 0x63, 0x6b);
/// Grid lines.
pub const GRID: Colour = Colour::rgb(0xe3, 0xe6, 0xe8);
/// Axes and what joins things.
pub const AXIS: Colour = Colour::rgb(0x9a, 0xa3, 0xaa);
/// The warm-up, and cells of a map that are ruled out.
pub const QUIET: Colour = Colour::rgb(0xf1, 0xf2, 0xf3);
/// What stands behind the lines while something happened.
pub const EVENT: Colour = Colour::rgb(0xfb, 0xe9, 0xdc);
/// The ground.
pub const WHITE: Colour = Colour::rgb(255, 255, 255);
/// The answer among swept values, and the outline of what is feasible.
pub const ACCENT: Colour = Colour::rgb(0xa8, 0x38, 0x10);

/// Variants, in the order of the file.
pub const VARIANTS: [Colour; 8] = [
    Colour::rgb(0x18, 0x3e, 0x6e),
    Colour::rgb(0xa8, 0x38, 0x10),
    Colour::rgb(0x32, 0xa0, 0x80),
    Colour::rgb(0xa8, 0x54, 0xf6),
    Colour::rgb(0xb4, 0x8a, 0x0e),
    Colour::rgb(0x13, 0x6d, 0x7c),
    Colour::rgb(0x43, 0x11, 0x2d),
    Colour::rgb(0x4c, 0x4d, 0x45),
];

/// Swept values: one hue, from light to dark. Lines begin at the second.
pub const ORDERED: [Colour; 5] = [
    Colour::rgb(0xbb, 0xd3, 0xe8),
    Colour::rgb(0x8d, 0xb6, 0xd8),
    Colour::rgb(0x5b, 0x94, 0xc4),
    Colour::rgb(0x2e, 0x70, 0xa8),
    Colour::rgb(0x0e, 0x45, 0x77),
];

/// Work that ended well.
pub const GOOD: Colour = Colour::rgb(0xa9, 0xc8, 0xbf);
/// Work that failed or was refused.
pub const FAILED: Colour = Colour::rgb(0xb3, 0x26, 0x1e);
/// Work that was lost.
pub const LOST: Colour = Colour::rgb(0x4a, 0x19, 0x42);

/// The colour of a value of a sweep, the lowest first: `index` of `count`.
pub fn ordered(index: usize, count: usize) -> Colour {
    let scale = &ORDERED[1..];
    let last = (scale.len() - 1) as f64;
    let at = if count < 2 {
        last
    } else {
        last * index as f64 / (count - 1) as f64
    };
    let low = crate::kernel::number::whole_usize(libm::floor(at)).min(scale.len() - 2);
    scale[low].mixed(scale[low + 1], at - low as f64)
}

/// The colour of a cause, the same in all pictures; related causes have related hues.
pub fn cause(name: &str) -> Colour {
    match name {
        "init" | "cold start: init" => Colour::rgb(0xb5, 0x43, 0x2b),
        "placement" | "cold start: placement" => Colour::rgb(0xe3, 0x9a, 0x80),
        "queued" | "connection" | "connection wait" => Colour::rgb(0x5b, 0x3f, 0x8c),
        "backoff" | "throttled" => Colour::rgb(0xa8, 0x93, 0xcc),
        "timed out" => Colour::rgb(0x2a, 0x1f, 0x45),
        "compute" => Colour::rgb(0x2e, 0x83, 0xbb),
        "waiting" => Colour::rgb(0xa9, 0xd0, 0xe8),
        "store" => Colour::rgb(0x2f, 0x6b, 0x45),
        "gateway" | "network" => Colour::rgb(0xd8, 0xcf, 0xa8),
        _ => Colour::rgb(0xd6, 0xd9, 0xdc),
    }
}

/// Relative luminance. Source: WCAG 2.2, <https://www.w3.org/TR/WCAG22/#dfn-relative-luminance>.
fn luminance(colour: Colour) -> f64 {
    let linear = |part: u8| {
        let part = f64::from(part) / 255.0;
        if part <= 0.040_45 {
            part / 12.92
        } else {
            pow((part + 0.055) / 1.055, 2.4)
        }
    };
    let (red, green, blue) = colour.rgb;
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

/// The contrast of two colours, from 1 to 21.
fn contrast(a: Colour, b: Colour) -> f64 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    (a / b).max(b / a)
}

/// The colour, darkened until words in it can be read on white (4.5:1).
pub fn readable(colour: Colour) -> Colour {
    let darker = |step: u8| colour.mixed(INK, f64::from(step) * 0.05);
    let found = (0..=20).map(darker).find(|colour| contrast(*colour, WHITE) >= 4.5);
    found.unwrap_or(INK)
}

/// Ink for words on that ground.
pub fn on(ground: Colour) -> Colour {
    if contrast(ground, INK) >= contrast(ground, WHITE) {
        INK
    } else {
        WHITE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_can_be_read() {
        for colour in VARIANTS.into_iter().chain(ORDERED) {
            assert!(contrast(readable(colour), WHITE) >= 4.5);
        }
        for colour in VARIANTS {
            assert!(contrast(colour, WHITE) >= 3.0, "{colour:?}");
        }
        assert_eq!((on(GOOD), on(FAILED)), (INK, WHITE));
    }

    #[test]
    fn swept_values_go_from_light_to_dark() {
        let scale: Vec<f64> = (0..7).map(|index| luminance(ordered(index, 7))).collect();
        assert!(scale.is_sorted_by(|a, b| a > b), "{scale:?}");
        assert_eq!(ordered(0, 1), ORDERED[4]);
    }
}
