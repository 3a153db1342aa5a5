//! Dice. A [`Stream`] belongs to a component and a purpose; its seed is a hash of (master seed, run number, component
//! name, purpose), so adding a component leaves every other draw unchanged. A [`Luck`] belongs to one request: what the
//! request needs at any step is a pure function of its luck and the step, so request k is the same request in every
//! variant (common random numbers), whatever the order in which components serve it.
//!
//! Sources: xoshiro256++ (Blackman and Vigna 2021, doi 10.1145/3460772); `SplitMix64` (Steele, Lea and Flood 2014,
//! doi 10.1145/2714064.2660195).

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng, TryRng};
use std::convert::Infallible;

/// The increment of `SplitMix64`: the odd integer nearest to 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of `SplitMix64` (variant 13 of Stafford's mixers): every output bit depends on every input bit.
#[inline]
pub const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The inverse of [`mix`]: its steps undone, last one first (the factors are the inverses modulo 2^64).
const fn unmix(mut z: u64) -> u64 {
    z = (z ^ (z >> 31) ^ (z >> 62)).wrapping_mul(0x3196_42B2_D24D_8EC3);
    z = (z ^ (z >> 27) ^ (z >> 54)).wrapping_mul(0x96DE_1B17_3F11_9089);
    z ^ (z >> 30) ^ (z >> 60)
}

/// What a stream is for: a hash of the component's name and the purpose of the draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey(pub u64);

impl StreamKey {
    /// The key for draws of `purpose` by the component called `name` (FNV-1a over both, then mixed).
    pub const fn new(name: &str, purpose: &str) -> Self {
        const PRIME: u64 = 0x0000_0100_0000_01B3;
        let mut hash: u64 = 0xCBF2_9CE4_8422_2325;
        let (mut i, bytes) = (0, name.as_bytes());
        while i < bytes.len() {
            hash = (hash ^ bytes[i] as u64).wrapping_mul(PRIME);
            i += 1;
        }
        // A byte that no UTF-8 text contains keeps ("ab", "c") and ("a", "bc") apart.
        hash = (hash ^ 0xFF).wrapping_mul(PRIME);
        let (mut j, bytes) = (0, purpose.as_bytes());
        while j < bytes.len() {
            hash = (hash ^ bytes[j] as u64).wrapping_mul(PRIME);
            j += 1;
        }
        Self(mix(hash))
    }
}

/// Uniform on [0, 1) with 53 random bits.
#[inline]
pub fn unit(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// Uniform on (0, 1]: safe to take the logarithm of.
#[inline]
pub fn unit_open(rng: &mut impl Rng) -> f64 {
    ((rng.next_u64() >> 11) + 1) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// A uniform integer in `0..n` (Lemire's multiply-shift; its bias is below n / 2^64). `n` must not be zero.
#[inline]
pub fn below(rng: &mut impl Rng, n: u64) -> u64 {
    debug_assert!(n > 0, "nothing to choose from");
    ((u128::from(rng.next_u64()) * u128::from(n)) >> 64) as u64
}

/// True with probability `p`.
#[inline]
pub fn chance(rng: &mut impl Rng, p: f64) -> bool {
    p > 0.0 && unit(rng) < p
}

/// A component's own dice for one purpose: xoshiro256++.
#[derive(Clone, Debug)]
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The stream of `key` in replication `run` of a study with master seed `seed`.
    pub fn new(seed: u64, run: u64, key: StreamKey) -> Self {
        let base = mix(mix(seed ^ GOLDEN).wrapping_add(run.wrapping_mul(GOLDEN))) ^ key.0;
        let mut state = [0_u8; 32];
        let mut z = base;
        for chunk in state.chunks_exact_mut(8) {
            z = z.wrapping_add(GOLDEN);
            chunk.copy_from_slice(&mix(z).to_le_bytes());
        }
        Self(Xoshiro256PlusPlus::from_seed(state))
    }
}

impl TryRng for Stream {
    type Error = Infallible;
    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }
    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }
    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(dst);
        Ok(())
    }
}

/// One request's own dice. It is a value: deriving a luck for a step draws nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Luck(pub u64);

impl Luck {
    /// The dice of this request for `step` (any number that tells the step apart from the request's other steps).
    #[inline]
    pub const fn dice(self, step: u64) -> Dice {
        Dice(self.derive(step).0)
    }

    /// The luck of a part of this request: an attempt, a nested call, one turn of a loop.
    #[inline]
    #[must_use]
    pub const fn derive(self, part: u64) -> Self {
        Self(mix(self.0 ^ part.wrapping_add(1).wrapping_mul(GOLDEN)))
    }
}

impl Luck {
    /// The luck that gave this one by [`Luck::derive`] with the same `part`: what the attempts of a request have in
    /// common.
    #[must_use]
    pub const fn underive(self, part: u64) -> Self {
        Self(unmix(self.0) ^ part.wrapping_add(1).wrapping_mul(GOLDEN))
    }
}

/// A short sequence of draws for one step of one request: `SplitMix64`.
#[derive(Clone, Copy, Debug)]
pub struct Dice(u64);

impl TryRng for Dice {
    type Error = Infallible;
    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.try_next_u64()? >> 32) as u32)
    }
    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(GOLDEN);
        Ok(mix(self.0))
    }
    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for chunk in dst.chunks_mut(8) {
            let bytes = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::place;

    #[test]
    fn a_luck_can_be_traced_back() {
        for (luck, part) in [(0, 0), (1, 1 << 34), (u64::MAX, 7), (0x0123_4567_89AB_CDEF, u64::MAX)] {
            assert_eq!(Luck(luck).derive(part).underive(part), Luck(luck));
        }
    }

    #[test]
    fn streams_are_told_apart_by_each_part_of_their_name() {
        let first = |seed, run, key| Stream::new(seed, run, key).next_u64();
        let key = StreamKey::new("web", "arrivals");
        let base = first(1, 0, key);
        assert_eq!(base, first(1, 0, key), "the same name gives the same dice");
        assert_ne!(base, first(2, 0, key));
        assert_ne!(base, first(1, 1, key));
        assert_ne!(base, first(1, 0, StreamKey::new("web", "luck")));
        assert_ne!(StreamKey::new("ab", "c"), StreamKey::new("a", "bc"));
    }

    #[test]
    fn a_luck_is_uniform_over_requests_for_one_step() {
        // 100,000 consecutive requests, one draw each for the same step: chi-square over 100 cells, 99 degrees of
        // freedom, mean 99, standard deviation 14.07; four of them is a chance of about 1 in 10,000.
        let mut stream = Stream::new(7, 0, StreamKey::new("web", "luck"));
        let mut cells = [0_u32; 100];
        for _ in 0..100_000 {
            let mut dice = Luck(stream.next_u64()).dice(3);
            cells[place(below(&mut dice, 100))] += 1;
        }
        let chi: f64 = cells.iter().map(|&n| (f64::from(n) - 1000.0).powi(2) / 1000.0).sum();
        assert!((chi - 99.0).abs() < 4.0 * 14.07, "chi-square {chi}");
    }

    #[test]
    fn steps_of_one_luck_are_uncorrelated() {
        let mut stream = Stream::new(8, 0, StreamKey::new("web", "luck"));
        let (mut sum, n) = (0.0, 100_000);
        for _ in 0..n {
            let luck = Luck(stream.next_u64());
            sum += (unit(&mut luck.dice(0)) - 0.5) * (unit(&mut luck.dice(1)) - 0.5);
        }
        // The product of two independent centred uniforms has variance 1/144.
        let z = sum / f64::from(n) / (1.0 / 144.0 / f64::from(n)).sqrt();
        assert!(z.abs() < 4.0, "z = {z}");
    }
}
