//! Cores shared by running jobs: processor sharing, with contention that grows past the knee.
//!
//! Model: n jobs on c cores each run at speed min(1, c / n), divided by a loss 1 + sigma (m - 1) + kappa m (m - 1) with
//! m = max(1, n / c): the Universal Scalability Law in units of the load per core. Nothing is lost up to the knee
//! (n = c); beyond it throughput is c / loss and falls, since the cores are busy already. sigma = kappa = 0 is plain
//! egalitarian processor sharing.
//! One virtual clock (work done per job) serves all jobs, in fixed point (2^-32 ns): exact, and one event per change.
//! Sources: Kleinrock (1967), "Time-shared systems"; Gunther, "Guerrilla Capacity Planning" (2007), chapter 4.
//! Validated by: M/G/1-PS and M/M/c response times (tests/theory), throughput against the law (unit test).

use crate::kernel::number::whole;
use crate::kernel::{Duration, Instant, Key};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Binary digits after the point of work and speed.
const POINT: u32 = 32;

/// How fast each of n jobs runs, by n.
#[derive(Clone, Debug, PartialEq)]
pub struct Speeds {
    cores: f64,
    sigma: f64,
    kappa: f64,
    /// How many times slower all of them are.
    slow: f64,
}

impl Speeds {
    /// `cores` may be a fraction of one; `sigma` is the contention and `kappa` the coherency of the law.
    pub fn new(cores: f64, sigma: f64, kappa: f64) -> Self {
        Self {
            cores,
            sigma,
            kappa,
            slow: 1.0,
        }
    }

    /// The same, but that everything takes so many times longer.
    #[must_use]
    pub fn slowed(self, factor: f64) -> Self {
        Self { slow: factor, ..self }
    }

    /// From now on everything takes so many times longer than usual.
    fn slow_down(&mut self, factor: f64) {
        self.slow = factor;
    }

    /// Speed of each of `n` jobs, as a fraction of one core.
    pub fn of(&self, n: usize) -> f64 {
        let n = n as f64;
        let load = (n / self.cores).max(1.0);
        let loss = 1.0 + self.sigma * (load - 1.0) + self.kappa * load * (load - 1.0);
        (self.cores / n).min(1.0) / loss / self.slow
    }

    /// Whether n jobs never disturb each other as long as there are at most this many.
    pub fn cores(&self) -> f64 {
        self.cores
    }
}

/// When the station must be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// The instant.
    pub at: Instant,
    /// The epoch that must still be the station's for the event to mean anything.
    pub epoch: u32,
}

/// The cores and the jobs on them.
#[derive(Clone, Debug)]
pub struct Station {
    speeds: Speeds,
    /// Speeds by number of jobs, in fixed point, as far as they were needed.
    table: Vec<u64>,
    /// (work at which it is done, order of arrival, job).
    jobs: BinaryHeap<Reverse<(u128, u64, Key)>>,
    /// Work done per job so far, in fixed-point nanoseconds.
    work: u128,
    updated: Instant,
    arrivals: u64,
    epoch: u32,
    scheduled: Instant,
    /// Cores in use x ns so far.
    used_ns: f64,
}

impl Station {
    /// An idle station.
    pub fn new(speeds: Speeds) -> Self {
        Self {
            speeds,
            table: vec![1 << POINT],
            jobs: BinaryHeap::new(),
            work: 0,
            updated: Instant::ZERO,
            arrivals: 0,
            epoch: 0,
            scheduled: Instant::NEVER,
            used_ns: 0.0,
        }
    }

    /// Jobs running.
    #[inline]
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether no job is running.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Cores in use: all of them, or as many as there are jobs.
    pub fn cores_in_use(&self) -> f64 {
        (self.jobs.len() as f64).min(self.speeds.cores)
    }

    /// Cores in use x ns so far, up to now.
    pub fn used_ns(&mut self, now: Instant) -> f64 {
        self.advance(now);
        self.used_ns
    }

    #[inline]
    fn speed(&mut self) -> u64 {
        let n = self.jobs.len();
        while self.table.len() <= n {
            let speed = self.speeds.of(self.table.len()) * (1_u64 << POINT) as f64;
            self.table.push(whole(speed.round()).max(1));
        }
        self.table[n]
    }

    #[inline]
    fn advance(&mut self, now: Instant) {
        let passed = now.since(self.updated).0;
        if passed > 0 && !self.jobs.is_empty() {
            self.work += u128::from(passed) * u128::from(self.speed());
            self.used_ns += passed as f64 * self.cores_in_use();
        }
        self.updated = now;
    }

    /// Adds a job that needs `demand` of one core's time.
    #[inline]
    pub fn add(&mut self, now: Instant, demand: Duration, job: Key) {
        self.advance(now);
        self.arrivals += 1;
        self.jobs.push(Reverse((
            self.work + (u128::from(demand.0) << POINT),
            self.arrivals,
            job,
        )));
    }

    /// Takes a job that is done by now.
    #[inline]
    pub fn pop_done(&mut self, now: Instant) -> Option<Key> {
        self.advance(now);
        match self.jobs.peek() {
            Some(Reverse((done_at, _, _))) if *done_at <= self.work => self.jobs.pop().map(|Reverse((_, _, job))| job),
            _ => None,
        }
    }

    /// Takes a job off the cores before it is done.
    pub fn cancel(&mut self, now: Instant, job: Key) {
        self.advance(now);
        self.jobs.retain(|Reverse((_, _, other))| *other != job);
    }

    /// From now on jobs run at other speeds. What they have done stays done; see [`Self::wake`] for when to look again.
    pub fn change(&mut self, now: Instant, speeds: Speeds) {
        self.advance(now);
        self.speeds = speeds;
        self.table.truncate(1);
    }

    /// From now on jobs take so many times longer than usual.
    pub fn slow_down(&mut self, now: Instant, factor: f64) {
        self.advance(now);
        self.speeds.slow_down(factor);
        self.table.truncate(1);
    }

    /// Whether an event of this epoch still means something.
    #[inline]
    pub fn is_current(&self, epoch: u32) -> bool {
        epoch == self.epoch
    }

    /// After changes: when to look again, if that is not what is already on the agenda. The caller puts it there.
    #[inline]
    pub fn wake(&mut self, now: Instant) -> Option<Wake> {
        let at = match self.jobs.peek() {
            None => Instant::NEVER,
            Some(Reverse((done_at, _, _))) => {
                let left = done_at.saturating_sub(self.work);
                let speed = u128::from(self.speed());
                now + Duration(u64::try_from(left.div_ceil(speed)).unwrap_or(u64::MAX))
            }
        };
        if at == self.scheduled {
            return None;
        }
        self.scheduled = at;
        self.epoch = self.epoch.wrapping_add(1);
        (at < Instant::NEVER).then_some(Wake { at, epoch: self.epoch })
    }

    /// The event of the current epoch has happened: nothing is on the agenda any more.
    #[inline]
    pub fn woken(&mut self) {
        self.scheduled = Instant::NEVER;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn key(index: u32) -> Key {
        Key { index, generation: 0 }
    }

    #[test]
    fn two_jobs_share_one_core() {
        let mut station = Station::new(Speeds::new(1.0, 0.0, 0.0));
        station.add(Instant(0), Duration(100), key(1));
        assert_eq!(
            station.wake(Instant(0)),
            Some(Wake {
                at: Instant(100),
                epoch: 1
            })
        );
        // At 50 the second one comes: 50 left for the first at half speed, so it ends at 150; the second at 200.
        station.add(Instant(50), Duration(100), key(2));
        assert_eq!(
            station.wake(Instant(50)),
            Some(Wake {
                at: Instant(150),
                epoch: 2
            })
        );
        assert!(!station.is_current(1) && station.is_current(2));
        station.woken();
        assert_eq!(
            (station.pop_done(Instant(150)), station.pop_done(Instant(150))),
            (Some(key(1)), None)
        );
        assert_eq!(
            station.wake(Instant(150)),
            Some(Wake {
                at: Instant(200),
                epoch: 3
            })
        );
        assert_eq!(station.pop_done(Instant(200)), Some(key(2)));
    }

    #[test]
    fn a_job_goes_on_at_another_speed() {
        let mut station = Station::new(Speeds::new(0.25, 0.0, 0.0));
        station.add(Instant(0), Duration(100), key(1));
        assert_eq!(station.wake(Instant(0)).map(|wake| wake.at), Some(Instant(400)));
        // After 200 at a quarter of a core half is done; on a whole core the rest takes 50.
        station.change(Instant(200), Speeds::new(1.0, 0.0, 0.0));
        assert_eq!(station.wake(Instant(200)).map(|wake| wake.at), Some(Instant(250)));
        assert_eq!(station.pop_done(Instant(250)), Some(key(1)));
    }

    #[test]
    fn enough_cores_leave_the_first_event_alone() {
        let mut station = Station::new(Speeds::new(2.0, 0.0, 0.0));
        station.add(Instant(0), Duration(100), key(1));
        assert!(station.wake(Instant(0)).is_some());
        station.add(Instant(10), Duration(200), key(2));
        assert_eq!(
            station.wake(Instant(10)),
            None,
            "nothing changes for the one that is done first"
        );
        station.cancel(Instant(20), key(1));
        assert_eq!(station.wake(Instant(20)).map(|wake| wake.at), Some(Instant(210)));
    }

    #[test]
    fn throughput_follows_the_universal_scalability_law_past_the_knee() {
        let speeds = Speeds::new(2.0, 0.05, 0.002);
        let throughput = |n: usize| speeds.of(n) * n as f64;
        assert!((throughput(1) - 1.0).abs() < 1e-12 && (throughput(2) - 2.0).abs() < 1e-12);
        // n = 40 on two cores is a load of m = 20: 2 / (1 + 0.05 x 19 + 0.002 x 20 x 19) = 2 / 2.71.
        assert!((throughput(40) - 2.0 / 2.71).abs() < 1e-12);
    }
}
