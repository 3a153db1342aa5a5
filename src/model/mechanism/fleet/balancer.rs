//! Which instance of a fleet serves a request: the balancer's policy over the instances in service.
//!
//! Sources: Elastic Load Balancing user guide, "Routing algorithms" (round robin by default, least outstanding
//! requests).

use crate::kernel::number::fit;
use crate::kernel::stream::below;
use crate::kernel::{Luck, Purpose};

/// How requests are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatch {
    /// One instance after the other.
    RoundRobin,
    /// The instance with the fewest requests, working or waiting.
    LeastOutstanding,
    /// Any, with equal probability; the choice belongs to the request.
    Random,
    /// The instance with the fewest requests; when all slots are taken, requests wait in one line for all instances.
    SharedQueue,
}

impl Dispatch {
    /// The names in scenarios, in the order of [`Dispatch::ALL`].
    pub const NAMES: &'static [&'static str] = &["round-robin", "least-outstanding", "random", "shared-queue"];
    /// All policies.
    pub const ALL: [Self; 4] = [
        Self::RoundRobin,
        Self::LeastOutstanding,
        Self::Random,
        Self::SharedQueue,
    ];
}

/// The step of a luck that a random choice is drawn from.
const DISPATCH_STEP: u64 = Purpose::Dispatch.step();

/// The instances in service and how many requests each has.
#[derive(Clone, Debug, Default)]
pub(super) struct Balancer {
    /// Instances in the order in which they came into service.
    members: Vec<u32>,
    /// Requests of each, by the same places: a dense array, since some policies look at all of them for each request.
    load: Vec<u32>,
    /// Whose turn it is.
    turn: usize,
}

impl Balancer {
    /// Instances in service.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// The instance at a place.
    #[inline]
    pub(super) fn member(&self, place: usize) -> u32 {
        self.members[place]
    }

    /// Requests of the instance at a place.
    #[inline]
    pub(super) fn load(&self, place: usize) -> u32 {
        self.load[place]
    }

    /// Brings an idle instance into service; its place is the last one.
    pub(super) fn join(&mut self, instance: u32) -> u32 {
        self.members.push(instance);
        self.load.push(0);
        fit(self.members.len() - 1)
    }

    /// Takes the instance at a place out of service; those behind it move up by one place.
    pub(super) fn leave(&mut self, place: usize) -> u32 {
        self.load.remove(place);
        if place < self.turn {
            self.turn -= 1;
        }
        let gone = self.members.remove(place);
        if self.turn >= self.members.len() {
            self.turn = 0;
        }
        gone
    }

    /// The instance at `place` has one request more.
    #[inline]
    pub(super) fn more(&mut self, place: u32) {
        self.load[place as usize] += 1;
    }

    /// The instance at `place` has one request less.
    #[inline]
    pub(super) fn less(&mut self, place: u32) {
        self.load[place as usize] -= 1;
    }

    /// The place of the instance that gets the next request; `None` if none is in service.
    #[inline]
    pub(super) fn choose(&mut self, dispatch: Dispatch, luck: Luck) -> Option<usize> {
        let n = self.members.len();
        if n == 0 {
            return None;
        }
        let place = match dispatch {
            Dispatch::Random => return Some(fit(below(&mut luck.dice(DISPATCH_STEP), n as u64))),
            Dispatch::RoundRobin => self.turn,
            Dispatch::LeastOutstanding | Dispatch::SharedQueue => self.least(),
        };
        self.turn = if place + 1 == n { 0 } else { place + 1 };
        Some(place)
    }

    /// The place with the least load; among equals the one whose turn comes first.
    #[inline]
    fn least(&self) -> usize {
        let least = self.load.iter().copied().min().unwrap_or(0);
        let (before, from) = self.load.split_at(self.turn);
        match from.iter().position(|&load| load == least) {
            Some(place) => self.turn + place,
            None => before.iter().position(|&load| load == least).unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(members: &[u32]) -> Balancer {
        let mut balancer = Balancer::default();
        for &member in members {
            balancer.join(member);
        }
        balancer
    }

    #[test]
    fn round_robin_keeps_its_turn_when_members_come_and_go() {
        let mut balancer = of(&[10, 11, 12]);
        let next = |balancer: &mut Balancer| {
            let place = balancer.choose(Dispatch::RoundRobin, Luck(0)).unwrap();
            balancer.member(place)
        };
        assert_eq!([next(&mut balancer), next(&mut balancer)], [10, 11]);
        assert_eq!(balancer.leave(0), 10);
        assert_eq!([next(&mut balancer), next(&mut balancer)], [12, 11]);
        balancer.join(13);
        assert_eq!([next(&mut balancer), next(&mut balancer)], [12, 13]);
        assert_eq!(balancer.leave(0), 11);
        assert_eq!(balancer.leave(1), 13);
        assert_eq!(balancer.leave(0), 12);
        assert_eq!(balancer.choose(Dispatch::RoundRobin, Luck(0)), None);
    }

    #[test]
    fn the_least_loaded_is_chosen_and_equals_take_turns() {
        let mut balancer = of(&[0, 1, 2]);
        let mut places = Vec::new();
        for _ in 0..5 {
            let place = balancer.choose(Dispatch::LeastOutstanding, Luck(0)).unwrap();
            balancer.more(fit(place));
            places.push(place);
        }
        assert_eq!(places, [0, 1, 2, 0, 1]);
        balancer.less(1);
        balancer.less(1);
        assert_eq!(balancer.choose(Dispatch::LeastOutstanding, Luck(0)), Some(1));
        assert_eq!((balancer.load(0), balancer.load(1), balancer.len()), (2, 0, 3));
    }

    #[test]
    fn a_random_choice_belongs_to_the_request() {
        let mut balancer = of(&[0, 1, 2, 3]);
        let mut counts = [0_u32; 4];
        for luck in 0..40_000_u64 {
            let place = balancer.choose(Dispatch::Random, Luck(luck)).unwrap();
            assert_eq!(balancer.choose(Dispatch::Random, Luck(luck)), Some(place));
            counts[place] += 1;
        }
        // Chi-square with three degrees of freedom: 21.1 is a chance of 1 in 10,000.
        let chi: f64 = counts
            .iter()
            .map(|&n| (f64::from(n) - 10_000.0).powi(2) / 10_000.0)
            .sum();
        assert!(chi < 21.1, "chi-square {chi}");
    }
}
