//! Events as two words. An enum with fields of several sizes is stored in pieces and loaded as a whole, and a processor
//! cannot forward the pieces to the load: each event that is put on the agenda and popped soon after would stall it.
//! Two integers stay in registers.

/// An event as the agenda keeps it: the tag and what is small in `head`, a key in `body`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Words {
    head: u64,
    body: u64,
}

impl Words {
    /// No event: a tag that no variant has.
    pub const NOTHING: Self = Self {
        head: u64::MAX,
        body: 0,
    };

    /// The tag.
    #[inline(always)]
    pub const fn tag(self) -> u8 {
        self.head.to_le_bytes()[0]
    }

    /// The same with a mark, which is no part of the event: tags stay below it.
    #[inline(always)]
    #[must_use]
    pub const fn marked(self) -> Self {
        Self {
            head: self.head | MARK,
            ..self
        }
    }

    /// Whether it has the mark.
    #[inline(always)]
    pub const fn is_marked(self) -> bool {
        self.head & MARK != 0
    }

    /// The event alone.
    #[inline(always)]
    #[must_use]
    pub const fn unmarked(self) -> Self {
        Self {
            head: self.head & !MARK,
            ..self
        }
    }

    /// The field that fills the second word.
    #[inline]
    pub fn body<T: Bits>(self) -> T {
        T::from_bits(self.body)
    }

    /// Whether this is [`Words::NOTHING`].
    #[inline]
    pub const fn is_nothing(self) -> bool {
        self.head == u64::MAX
    }
}

/// What the agenda can keep. `packed!` implements it for an enum.
pub trait Pack: Copy {
    /// As two words.
    fn pack(self) -> Words;
    /// Back from two words that [`Pack::pack`] made.
    fn unpack(words: Words) -> Self;
}

/// A field of an event.
pub trait Bits: Copy {
    /// How many bits it has: 64 at most.
    const WIDTH: u32;
    /// Its bits; those above the width are zero.
    fn to_bits(self) -> u64;
    /// The field of these bits; those above the width are ignored.
    fn from_bits(bits: u64) -> Self;
}

macro_rules! unsigned {
    ($($t:ty)*) => { $(impl Bits for $t {
        const WIDTH: u32 = <$t>::BITS;
        #[inline(always)]
        fn to_bits(self) -> u64 {
            u64::from(self)
        }
        #[inline(always)]
        #[allow(clippy::cast_possible_truncation, reason = "bits above the width are ignored")]
        fn from_bits(bits: u64) -> Self {
            bits as Self
        }
    })* };
}
unsigned!(u8 u16 u32 u64);

/// Where the next field goes: the head as long as it has room, then the body. All of it is known when the program is
/// compiled.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    words: Words,
    head_used: u32,
    body_used: u32,
}

/// The mark: the upper bit of a tag.
const MARK: u64 = 1 << (TAG - 1);

/// Bits of a tag.
const TAG: u32 = 8;
/// Bits of the head that an event may use, so that one more tag has room.
const HEAD: u32 = u64::BITS - TAG;

impl Cursor {
    /// To write after a tag.
    #[inline(always)]
    pub const fn writing(tag: u8) -> Self {
        Self {
            words: Words {
                head: tag as u64,
                body: 0,
            },
            head_used: TAG,
            body_used: 0,
        }
    }

    /// To read, and the tag.
    #[inline(always)]
    pub const fn reading(words: Words) -> (u8, Self) {
        let cursor = Self {
            words,
            head_used: TAG,
            body_used: 0,
        };
        (words.head.to_le_bytes()[0], cursor)
    }

    /// Writes a field.
    #[inline(always)]
    pub fn put<T: Bits>(&mut self, field: T) {
        if self.head_used + T::WIDTH <= HEAD {
            self.words.head |= field.to_bits() << self.head_used;
            self.head_used += T::WIDTH;
        } else {
            debug_assert!(self.body_used + T::WIDTH <= u64::BITS, "an event has two words");
            self.words.body |= field.to_bits() << self.body_used;
            self.body_used += T::WIDTH;
        }
    }

    /// Reads the field that was written in this place.
    #[inline(always)]
    pub fn take<T: Bits>(&mut self) -> T {
        if self.head_used + T::WIDTH <= HEAD {
            self.head_used += T::WIDTH;
            T::from_bits(self.words.head >> (self.head_used - T::WIDTH))
        } else {
            self.body_used += T::WIDTH;
            T::from_bits(self.words.body >> (self.body_used - T::WIDTH))
        }
    }

    /// Writes an event that has a tag of its own.
    #[inline(always)]
    pub fn nest<E: Pack>(&mut self, event: E) {
        let inner = event.pack();
        self.words.head |= inner.head << TAG;
        self.words.body = inner.body;
    }

    /// Reads an event that has a tag of its own.
    #[inline(always)]
    pub fn nested<E: Pack>(&mut self) -> E {
        E::unpack(Words {
            head: self.words.head >> TAG,
            body: self.words.body,
        })
    }

    /// The words, when all fields are written.
    #[inline(always)]
    pub const fn words(self) -> Words {
        self.words
    }
}

#[cfg(test)]
impl Pack for u32 {
    fn pack(self) -> Words {
        Words {
            head: 0,
            body: u64::from(self),
        }
    }
    fn unpack(words: Words) -> Self {
        Self::from_bits(words.body)
    }
}

/// Implements [`Pack`] for an enum: its variants with the names of their fields, in any order, as in
/// `packed!(Event { Arrive { client }, Think { client, user } })`. A variant with one unnamed field holds another
/// packed enum. The fields of a variant may have 112 bits in all, and one of 64 bits stands alone in its word.
macro_rules! packed {
    ($event:ident { $($variant:ident $({ $($field:ident),* })? $(($inner:ident))?),* $(,)? }) => {
        impl $crate::kernel::pack::Pack for $event {
            #[inline(always)]
            #[allow(unused_mut)]
            fn pack(self) -> $crate::kernel::pack::Words {
                enum Tag { $($variant),* }
                match self {
                    $(Self::$variant $({ $($field),* })? $(($inner))? => {
                        let mut cursor = $crate::kernel::pack::Cursor::writing(Tag::$variant as u8);
                        $($(cursor.put($field);)*)?
                        $(cursor.nest($inner);)?
                        cursor.words()
                    })*
                }
            }

            #[inline(always)]
            #[allow(unused_mut)]
            fn unpack(words: $crate::kernel::pack::Words) -> Self {
                enum Tag { $($variant),* }
                let (tag, mut cursor) = $crate::kernel::pack::Cursor::reading(words);
                $(if tag == Tag::$variant as u8 {
                    return Self::$variant
                        $({ $($field: cursor.take()),* })?
                        $(({ let $inner = cursor.nested(); $inner }))?;
                })*
                unreachable!("only what was packed is unpacked")
            }
        }
    };
}

pub(crate) use packed;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Key;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Inner {
        Long { small: u16, number: u32, key: Key },
        Wide { number: u32, other: u32, small: u16 },
    }
    packed!(Inner { Long { small, number, key }, Wide { number, other, small } });

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Outer {
        Bare,
        Key { key: Key, hop: u8 },
        Inner(Inner),
    }
    packed!(Outer { Bare, Key { key, hop }, Inner(inner) });

    #[test]
    fn a_mark_leaves_the_event_alone() {
        let event = Outer::Key {
            key: Key::NONE,
            hop: 0xFF,
        }
        .pack();
        assert!(!event.is_marked() && event.marked().is_marked());
        assert_eq!(event.marked().unmarked(), event);
        assert_eq!(event.marked().body::<Key>(), Key::NONE);
    }

    #[test]
    fn what_is_packed_comes_back() {
        let key = Key {
            index: 0x89AB_CDEF,
            generation: 0xFEDC_BA98,
        };
        let (small, number, other) = (0x8765, 0x8765_4321, 0xFFFF_FFFE);
        let events = [
            Outer::Bare,
            Outer::Key { key, hop: 0xA5 },
            Outer::Inner(Inner::Long { small, number, key }),
            Outer::Inner(Inner::Wide { number, other, small }),
        ];
        for event in events {
            assert_eq!(Outer::unpack(event.pack()), event);
        }
    }
}
