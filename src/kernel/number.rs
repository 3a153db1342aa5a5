//! Numbers from one type to another, without a silent change: what does not fit stops the program, and what is cut off
//! is named.
//!
//! `as` does either without a word, so the lints forbid it where it could; what goes up (`u16` to `u64`) has `From`.

/// A whole number in a type that has room for it.
///
/// # Panics
/// If it does not fit: counts are bounded where scenarios are read, so this is a mistake of the program.
#[inline(always)]
#[track_caller]
pub fn fit<T: TryFrom<N>, N: Copy + std::fmt::Display>(number: N) -> T {
    match T::try_from(number) {
        Ok(fitting) => fitting,
        Err(_) => too_large(&number),
    }
}

/// A place in a list, or a number of things in memory.
///
/// # Panics
/// If no list is so long: where addresses have 64 bits, never.
#[inline(always)]
#[track_caller]
#[expect(clippy::cast_possible_truncation, reason = "it has just been compared")]
pub const fn place(number: u64) -> usize {
    assert!(number <= usize::MAX as u64, "a list has no such place");
    number as usize
}

#[cold]
#[track_caller]
fn too_large(number: &dyn std::fmt::Display) -> ! {
    panic!("{number} does not fit into what should hold it")
}

/// The whole part of a number; 0 of what is negative or not a number, the largest of what is beyond.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "this is what the function is for"
)]
pub const fn whole(number: f64) -> u64 {
    number as u64
}

/// The same for small counts.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "this is what the function is for"
)]
pub const fn whole_u32(number: f64) -> u32 {
    number as u32
}

/// The same for counts of what is in memory.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "this is what the function is for"
)]
pub const fn whole_usize(number: f64) -> usize {
    number as usize
}

/// The same for sums that no 64 bits hold.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "this is what the function is for"
)]
pub const fn whole_u128(number: f64) -> u128 {
    number as u128
}

/// The whole part of a number, with its sign; the nearest that fits of what is beyond, 0 of what is not a number.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "this is what the function is for")]
pub const fn whole_i64(number: f64) -> i64 {
    number as i64
}

/// The same for places in a picture.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "this is what the function is for")]
pub const fn whole_i32(number: f64) -> i32 {
    number as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_what_it_is() {
        assert_eq!(fit::<u16, usize>(65_535), 65_535);
        assert_eq!(fit::<usize, u64>(7), 7);
        assert_eq!(fit::<u64, i64>(7), 7);
    }

    #[test]
    #[should_panic(expected = "65536 does not fit")]
    fn what_does_not_fit_does_not_wrap() {
        let _ = fit::<u16, usize>(65_536);
    }

    #[test]
    #[should_panic(expected = "-1 does not fit")]
    fn what_is_negative_does_not_become_large() {
        let _ = fit::<u64, i64>(-1);
    }

    #[test]
    fn parts_of_numbers_end_at_the_ends_of_their_types() {
        assert_eq!(
            (whole(2.9), whole(-2.9), whole(f64::NAN), whole(1e30)),
            (2, 0, 0, u64::MAX)
        );
        assert_eq!((whole_i64(-2.9), whole_i64(-1e30)), (-2, i64::MIN));
        assert_eq!(
            (whole_usize(2.9), whole_u128(1e30)),
            (2, 1_000_000_000_000_000_019_884_624_838_656)
        );
    }
}
