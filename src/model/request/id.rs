//! The number of a component among those of its kind: a proxy's can never be taken for a database's.

use super::kind::KINDS;
use crate::kernel::pack::Bits;
use crate::scenario::Target;

/// A component of the kind of number `KIND`, or something else that is numbered: its place in its list, at most 65,535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<const KIND: u8>(u16);

impl<const KIND: u8> Id<KIND> {
    /// The component at `place` of the list of its kind.
    ///
    /// # Panics
    /// Beyond 65,535: scenarios with more components of a kind are refused when names are collected.
    #[inline]
    pub const fn new(place: usize) -> Self {
        Self(Target::new(KIND, place).index)
    }

    /// The same, or nothing beyond 65,535.
    pub fn checked(place: usize) -> Option<Self> {
        u16::try_from(place).ok().map(Self)
    }

    /// All of a kind, one after another, to be zipped with a list of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..).map(Self::new)
    }

    /// The component as what is called, whatever its kind.
    #[inline(always)]
    pub const fn target(self) -> Target {
        const { assert!((KIND as usize) < KINDS.len(), "this is no component") };
        Target {
            kind: KIND,
            index: self.0,
        }
    }
}

impl<const KIND: u8> From<Target> for Id<KIND> {
    /// # Panics
    /// If the component is of another kind.
    #[inline(always)]
    fn from(target: Target) -> Self {
        assert!(
            target.kind == KIND,
            "a component of kind {} for one of kind {KIND}",
            target.kind
        );
        Self(target.index)
    }
}

impl<const KIND: u8> From<Id<KIND>> for usize {
    #[inline(always)]
    fn from(id: Id<KIND>) -> Self {
        Self::from(id.0)
    }
}

impl<const KIND: u8> From<Id<KIND>> for u32 {
    #[inline(always)]
    fn from(id: Id<KIND>) -> Self {
        Self::from(id.0)
    }
}

impl<const KIND: u8> From<Id<KIND>> for u64 {
    #[inline(always)]
    fn from(id: Id<KIND>) -> Self {
        Self::from(id.0)
    }
}

impl<const KIND: u8> Bits for Id<KIND> {
    const WIDTH: u32 = u16::BITS;
    #[inline(always)]
    fn to_bits(self) -> u64 {
        u64::from(self.0)
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        Self(u16::from_bits(bits))
    }
}

/// The kind of what is no component: calls with guards, among all of the plan.
const GUARD: u8 = u8::MAX;
/// The kind of faults, among all of the plan.
const FAULT: u8 = u8::MAX - 1;

/// A call with guards.
pub type GuardId = Id<GUARD>;
/// A fault.
pub type FaultId = Id<FAULT>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::request::kind::{DATABASE, PROXY};

    #[test]
    fn an_id_is_a_place_among_those_of_one_kind() {
        let id = Id::<DATABASE>::new(65_535);
        assert_eq!((usize::from(id), Id::from(id.target())), (65_535, id));
        assert_eq!(Id::<DATABASE>::from_bits(id.to_bits()), id);
    }

    #[test]
    #[should_panic(expected = "65536 is one component too many")]
    fn a_place_that_does_not_fit_is_not_another() {
        let _ = Id::<DATABASE>::new(65_536);
    }

    #[test]
    #[should_panic(expected = "for one of kind")]
    fn a_proxy_is_no_database() {
        let _ = Id::<DATABASE>::from(Id::<PROXY>::new(1).target());
    }
}
