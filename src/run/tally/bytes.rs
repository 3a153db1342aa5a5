//! Numbers and texts as bytes: integers of any size in groups of seven bits, least first (LEB128), signed ones folded
//! so that small ones are short. Each number has one spelling only, so that equal contents are equal bytes.

use crate::kernel::number::fit;
use crate::run::summary::fnv1a;

/// Bytes that are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Out(pub(super) Vec<u8>);

impl Out {
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn wide(&mut self, mut value: u128) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(fit(value));
    }

    pub(super) fn number(&mut self, value: u64) {
        self.wide(u128::from(value));
    }

    pub(super) fn length(&mut self, value: usize) {
        self.wide(value as u128);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// Bytes that are read; whatever is not there, or spelt otherwise than [`Out`] does, is `None`.
#[derive(Clone, Debug)]
pub(super) struct In<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> In<'a> {
    /// From place `at` on.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The place of the next byte.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub(super) fn wide(&mut self) -> Option<u128> {
        let (mut value, mut shift) = (0_u128, 0);
        loop {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            let placed = bits.checked_shl(shift).filter(|placed| placed >> shift == bits)?;
            value |= placed;
            if byte < 0x80 {
                return (byte > 0 || shift == 0).then_some(value);
            }
            shift += 7;
        }
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        // Nearly all numbers are of one byte.
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Some(u64::from(byte))
            }
            _ => self.wide()?.try_into().ok(),
        }
    }

    pub(super) fn small(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    /// A number of things that take at least a byte each: no more than there are bytes.
    pub(super) fn length(&mut self) -> Option<usize> {
        let length = usize::try_from(self.number()?).ok()?;
        (length <= self.left()).then_some(length)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).ok()
    }
}

/// A signed number as one that is not: 0, -1, 1, -2, 2, ... become 0, 1, 2, 3, 4, ...
pub(super) const fn folded(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)).cast_unsigned()
}

/// The signed number that was [`folded`].
pub(super) const fn unfolded(value: u128) -> i128 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Bytes of the checksum at the end.
pub(super) const CHECKSUM: usize = 8;

/// Ends a record with its checksum.
pub(super) fn seal(bytes: &mut Vec<u8>, from: usize) {
    let checksum = fnv1a(&bytes[from..]);
    bytes.extend_from_slice(&checksum.to_le_bytes());
}

/// What stands before the checksum, if it is what was sealed.
pub(super) fn unseal(bytes: &[u8]) -> Option<&[u8]> {
    let (sealed, checksum) = bytes.split_last_chunk::<CHECKSUM>()?;
    (fnv1a(sealed).to_le_bytes() == *checksum).then_some(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_travel_and_have_one_spelling() {
        let values = [
            0,
            1,
            127,
            128,
            300,
            u128::from(u64::MAX),
            u128::from(u64::MAX) + 1,
            u128::MAX,
        ];
        let mut out = Out::default();
        for value in values {
            out.wide(value);
        }
        out.text("p99");
        let mut read = In::new(&out.0, 0);
        for value in values {
            assert_eq!(read.wide(), Some(value));
        }
        assert_eq!((read.text(), read.left(), read.byte()), (Some("p99"), 0, None));
        for bad in [&[0x80, 0x00][..], &[0x80], &[0xff; 19], &[]] {
            assert_eq!(In::new(bad, 0).wide(), None, "{bad:?}");
        }
        let mut larger = Out::default();
        larger.wide(1 << 64);
        assert_eq!(In::new(&larger.0, 0).number(), None, "more than 64 bits");
        assert_eq!(In::new(&[5, 1, 1], 0).length(), None, "more than there are bytes");
    }

    #[test]
    fn signed_numbers_fold_and_unfold() {
        for value in [0, -1, 1, -2, 1 << 100, -(1 << 100), i128::MAX, i128::MIN] {
            assert_eq!(unfolded(folded(value)), value);
        }
        assert_eq!([0, -1, 1, -2].map(folded), [0, 1, 2, 3]);
    }

    #[test]
    fn a_seal_breaks() {
        let mut bytes = b"abc".to_vec();
        seal(&mut bytes, 0);
        assert_eq!(unseal(&bytes), Some(&b"abc"[..]));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(unseal(&damaged), None);
        }
        assert_eq!(unseal(&bytes[..7]), None);
    }
}
