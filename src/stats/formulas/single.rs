//! One server: M/M/1, M/G/1, M/D/1, M/D/1/K (which is a token bucket) and processor sharing.
//!
//! Sources: Kleinrock, *Queueing Systems* I (1975), chapters 3 and 5, and II (1976), section 4.4; the wait of M/D/1 in
//! terms without alternating signs, Franx (2001), *Operations Research Letters* 29(5); loss in M/G/1/K from
//! departures, Cooper, *Introduction to Queueing Theory* (1981), chapter 5; variance under processor sharing, Coffman,
//! Muntz and Trotter (1970), *Journal of the ACM* 17(1); breakdowns, White and Christie (1958), *Operations Research*
//! 6(1).

use super::erlang::invert;
use crate::kernel::number::whole_usize;

/// M/M/1, first come first served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mm1 {
    /// Arrivals per unit of time.
    pub lambda: f64,
    /// Services per unit of time.
    pub mu: f64,
}

impl Mm1 {
    /// Arrivals at rate `lambda`, one server of rate `mu`.
    pub const fn new(lambda: f64, mu: f64) -> Self {
        Self { lambda, mu }
    }

    /// The mean response time; infinite if unstable.
    pub fn mean_response(self) -> f64 {
        if self.lambda < self.mu {
            1.0 / (self.mu - self.lambda)
        } else {
            f64::INFINITY
        }
    }

    /// The `q`-quantile of the response time, which is exponential.
    pub fn response_quantile(self, q: f64) -> f64 {
        -libm::log1p(-q) * self.mean_response()
    }

    /// The mean number of requests in the system.
    pub fn mean_number(self) -> f64 {
        self.lambda * self.mean_response()
    }

    /// The mean response time if the server breaks down, busy or not, after exponential times of mean `up`, is mended
    /// after exponential times of mean `down`, and then goes on where it stopped; infinite if unstable.
    pub fn mean_response_with_breakdowns(self, up: f64, down: f64) -> f64 {
        let (breaks, mends) = (1.0 / up, 1.0 / down);
        let both = breaks + mends;
        let spare = self.mu * mends - self.lambda * both;
        if spare > 0.0 {
            (both * both + self.mu * breaks) / (both * spare)
        } else {
            f64::INFINITY
        }
    }
}

/// The mean wait of M/G/1, first come first served (Pollaczek-Khinchine): arrivals at rate `lambda`, service times of
/// mean `mean` and second moment `second_moment` = E[S^2]. Infinite if unstable.
pub fn mg1_mean_wait(lambda: f64, mean: f64, second_moment: f64) -> f64 {
    let rho = lambda * mean;
    if rho < 1.0 {
        lambda * second_moment / (2.0 * (1.0 - rho))
    } else {
        f64::INFINITY
    }
}

/// The mean response under processor sharing of a request that alone would take `alone`, at utilisation `rho`: whatever
/// the distribution of the others, everyone is slowed down by 1 / (1 - rho). With the mean service time for `alone`
/// this is the overall mean response of M/G/1-PS, and of M/M/1-PS.
pub fn ps_mean_response(alone: f64, rho: f64) -> f64 {
    if rho < 1.0 { alone / (1.0 - rho) } else { f64::INFINITY }
}

/// The variance of the response time of M/M/1-PS with mean service time `mean` at utilisation `rho`.
pub fn mm1_ps_response_variance(mean: f64, rho: f64) -> f64 {
    if rho < 1.0 {
        mean * mean * (2.0 + rho) / ((1.0 - rho) * (1.0 - rho) * (2.0 - rho))
    } else {
        f64::INFINITY
    }
}

/// M/D/1: Poisson arrivals, each served for exactly the same time, first come first served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Md1 {
    /// Arrivals per unit of time.
    pub lambda: f64,
    /// The service time.
    pub service: f64,
}

impl Md1 {
    /// Arrivals at rate `lambda`, each served for `service`.
    pub const fn new(lambda: f64, service: f64) -> Self {
        Self { lambda, service }
    }

    /// The utilisation.
    pub fn rho(self) -> f64 {
        self.lambda * self.service
    }

    /// The mean wait; infinite if unstable.
    pub fn mean_wait(self) -> f64 {
        mg1_mean_wait(self.lambda, self.service, self.service * self.service)
    }

    /// P(wait > `t`), `t` >= 0, to about 1e-12 absolutely. The work grows as the square of `t` / service.
    pub fn wait_above(self, t: f64) -> f64 {
        if self.rho() >= 1.0 {
            return 1.0;
        }
        let whole = whole_usize((t / self.service).floor()) + 1;
        self.wait_above_given(t, &cumulative_number(self.rho(), whole))
    }

    /// The `q`-quantile of the wait, `q` in 0..1.
    pub fn wait_quantile(self, q: f64) -> f64 {
        if self.rho() >= 1.0 {
            return f64::INFINITY;
        }
        invert(|t| self.wait_above(t), 1.0 - q, self.service)
    }

    /// P(wait > t) where `cumulative[n]` = P(at most n requests in the system).
    ///
    /// Write t = k D - u with 0 < u <= D, and look at the system u before the arrival: n requests are there, and j more
    /// come before ours. Within k D a busy server finishes exactly k, so ours has started t after it arrived exactly if
    /// n + j <= k; n and j are independent (Franx). No term of the sum is negative.
    fn wait_above_given(self, t: f64, cumulative: &[f64]) -> f64 {
        let whole = whole_usize((t / self.service).floor()) + 1;
        let mean = self.lambda * (whole as f64 * self.service - t);
        let mut poisson = libm::exp(-mean);
        let mut sum = 0.0;
        for j in 0..whole {
            sum += poisson * cumulative[whole - j];
            poisson *= mean / (j + 1) as f64;
        }
        (1.0 - sum).clamp(0.0, 1.0)
    }
}

/// P(at most n requests in a stable M/D/1) for n in 0..=`most`.
fn cumulative_number(rho: f64, most: usize) -> Vec<f64> {
    let mut sum = 0.0;
    departure_weights(rho, most + 1)
        .iter()
        .map(|w| {
            sum += w * (1.0 - rho);
            sum
        })
        .collect()
}

/// How often departures leave n requests behind, for n in 0..`states`, relative to n = 0, when `rho` arrivals are
/// expected per service. The same for any capacity above n.
///
/// By balance across each level: a departure that leaves n + 1 and is followed by a service without arrivals is as
/// frequent as services that lift the number from at most n to above n. No term is negative, so nothing cancels.
fn departure_weights(rho: f64, states: usize) -> Vec<f64> {
    let above = poisson_tails(rho, states);
    let none = libm::exp(-rho);
    let mut weights = vec![1.0];
    for n in 0..states.saturating_sub(1) {
        let mut up = above[n];
        for (j, w) in weights.iter().enumerate().skip(1) {
            up += w * above[n - j + 1];
        }
        weights.push(up / none);
    }
    weights
}

/// P(more than m arrivals) for m in 0..`n`, of Poisson with this `mean`, summed from the small end.
fn poisson_tails(mean: f64, n: usize) -> Vec<f64> {
    let last = n + 40 + whole_usize(mean + 12.0 * mean.sqrt());
    let log_mean = libm::log(mean);
    let mut tails = vec![0.0; last + 1];
    for m in (0..last).rev() {
        let k = (m + 1) as f64;
        tails[m] = tails[m + 1] + libm::exp(k * log_mean - mean - libm::lgamma(k + 1.0));
    }
    tails.truncate(n.max(1));
    tails
}

/// The fraction of arrivals lost by M/D/1/K with `rho` expected arrivals per service and room for `capacity` >= 1
/// requests, the one in service included; to about 1e-14 absolutely. `rho` may exceed 1.
pub fn md1k_blocking(rho: f64, capacity: u32) -> f64 {
    assert!(capacity >= 1, "a server without room for the request it serves");
    let empty = 1.0 / departure_weights(rho, capacity as usize).iter().sum::<f64>();
    ((empty + rho - 1.0) / (empty + rho)).max(0.0)
}

/// The fraction of a Poisson stream of rate `lambda` that a token bucket refuses, which fills at `rate` tokens per unit
/// of time continuously and holds at most `burst` >= 1.
///
/// Tokens missing from the bucket are work in the queue of an M/D/1/K with service 1 / rate and K = burst: an arrival
/// adds one unit of it if that fits.
pub fn token_bucket_refusals(lambda: f64, rate: f64, burst: u32) -> f64 {
    md1k_blocking(lambda / rate, burst)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::whole_i32;
    use crate::kernel::sample::exp1;
    use crate::kernel::stream::{Stream, StreamKey};

    fn near(a: f64, b: f64, relative: f64) {
        assert!(
            (a - b).abs() <= relative * b.abs(),
            "{a} is not {b} to within {relative}"
        );
    }

    #[test]
    fn one_exponential_server() {
        let q = Mm1::new(0.8, 1.0);
        near(q.mean_response(), 5.0, 1e-14);
        near(q.response_quantile(0.99), 23.025_850_929_940_457, 1e-12);
        near(q.mean_number(), 4.0, 1e-14);
        assert!(Mm1::new(1.0, 1.0).mean_response().is_infinite());
        // The stationary distribution of (number, up or down) summed numerically: 2.375 requests.
        near(
            Mm1::new(50.0, 100.0).mean_response_with_breakdowns(0.9, 0.1),
            2.375 / 50.0,
            1e-12,
        );
        near(q.mean_response_with_breakdowns(1e12, 1.0), q.mean_response(), 1e-9);
        assert!(Mm1::new(0.9, 1.0).mean_response_with_breakdowns(1.0, 1.0).is_infinite());
    }

    #[test]
    fn the_mean_wait_depends_on_two_moments() {
        // Exponential: rho / (mu - lambda). Constant: half of that.
        near(mg1_mean_wait(0.8, 1.0, 2.0), 4.0, 1e-14);
        near(Md1::new(0.8, 1.0).mean_wait(), 2.0, 1e-14);
        near(mg1_mean_wait(1.0, 0.5, 1.0), 1.0, 1e-14);
        assert!(mg1_mean_wait(2.0, 0.5, 1.0).is_infinite());
    }

    #[test]
    fn the_wait_of_constant_service_matches_erlangs_series() {
        // Erlang (1909): P(W <= t) = (1 - rho) sum over k <= t/D of exp(x) (-x)^k / k!, x = lambda (t - k D).
        for (lambda, service) in [(0.5, 1.0), (0.9, 1.0), (0.3, 2.0)] {
            let q = Md1::new(lambda, service);
            for t in [0.0, 0.3, 1.0, 1.7, 3.999, 6.5] {
                let (mut series, mut factorial) = (0.0, 1.0);
                for k in 0..=whole_i32(t / service) {
                    let x = lambda * (t - f64::from(k) * service);
                    factorial *= f64::from(k.max(1));
                    series += x.exp() * (-x).powi(k) / factorial;
                }
                near(1.0 - q.wait_above(t), (1.0 - q.rho()) * series, 1e-10);
            }
            near(q.wait_above(0.0), q.rho(), 1e-12);
            near(q.wait_above(q.wait_quantile(0.99)), 0.01, 1e-9);
        }
    }

    #[test]
    fn the_mean_of_the_wait_is_the_area_under_its_tail() {
        let q = Md1::new(0.7, 1.0);
        let cumulative = cumulative_number(0.7, 41);
        let (n, step) = (40_000, 0.001);
        let area: f64 = (0..n)
            .map(|i| q.wait_above_given((f64::from(i) + 0.5) * step, &cumulative) * step)
            .sum();
        near(area, q.mean_wait(), 1e-6);
        assert!(q.wait_above(300.0) < 1e-12, "and the far tail stays clean");
        assert!(q.wait_quantile(0.2) <= 0.0, "three in ten do not wait");
    }

    #[test]
    fn loss_of_constant_service() {
        for rho in [0.2, 0.9, 1.0, 3.0] {
            // One place: rho / (1 + rho), as for any service time. Two: the departures leave 0 or 1 behind in
            // proportion 1 : e^rho - 1, so P(lost) = 1 - 1 / (e^-rho + rho).
            near(md1k_blocking(rho, 1), rho / (1.0 + rho), 1e-13);
            near(md1k_blocking(rho, 2), 1.0 - 1.0 / ((-rho).exp() + rho), 1e-12);
        }
        near(md1k_blocking(2.0, 200), 0.5, 1e-12);
        assert!(md1k_blocking(0.5, 60).abs() < 1e-14);
    }

    #[test]
    fn a_token_bucket_is_that_queue() {
        const RUNS: u64 = 30;
        let (lambda, rate, burst) = (11.0, 10.0, 5);
        let refused: Vec<f64> = (0..RUNS)
            .map(|run| {
                let mut rng = Stream::new(5, run, StreamKey::new("bucket", "gaps"));
                let (mut tokens, mut refused, n) = (f64::from(burst), 0, 40_000);
                for _ in 0..n {
                    tokens = (tokens + rate * exp1(&mut rng) / lambda).min(f64::from(burst));
                    if tokens >= 1.0 {
                        tokens -= 1.0;
                    } else {
                        refused += 1;
                    }
                }
                f64::from(refused) / f64::from(n)
            })
            .collect();
        let mean = refused.iter().sum::<f64>() / RUNS as f64;
        let variance = refused.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (RUNS * (RUNS - 1)) as f64;
        let z = (mean - token_bucket_refusals(lambda, rate, burst)) / variance.sqrt();
        assert!(z.abs() < 3.3, "{mean} is {z} standard errors away");
        assert!(variance.sqrt() / mean < 0.01, "and the test is sharp");
    }

    #[test]
    fn sharing_slows_everyone_down_alike() {
        near(ps_mean_response(3.0, 0.75), 12.0, 1e-14);
        near(ps_mean_response(1.0, 0.8), Mm1::new(0.8, 1.0).mean_response(), 1e-14);
        assert!(ps_mean_response(1.0, 1.0).is_infinite() && mm1_ps_response_variance(1.0, 1.5).is_infinite());
        near(mm1_ps_response_variance(2.0, 0.0), 4.0, 1e-14);
    }

    /// Sojourn times in an M/M/1-PS with unit service, by stepping from event to event.
    fn shared(rho: f64, requests: usize, run: u64) -> (f64, f64) {
        let mut rng = Stream::new(5, run, StreamKey::new("sharing", "all"));
        let (mut now, mut next, mut jobs) = (0.0, 0.0, Vec::<(f64, f64)>::new());
        let (mut done, mut sum, mut squares) = (0_usize, 0.0, 0.0);
        while done < requests {
            let n = jobs.len() as f64;
            let least = jobs.iter().map(|j| j.1).fold(f64::INFINITY, f64::min);
            if jobs.is_empty() || next <= now + least * n {
                let served = if jobs.is_empty() { 0.0 } else { (next - now) / n };
                for job in &mut jobs {
                    job.1 -= served;
                }
                now = next;
                jobs.push((now, exp1(&mut rng)));
                next = now + exp1(&mut rng) / rho;
            } else {
                now += least * n;
                for job in &mut jobs {
                    job.1 -= least;
                }
                let (at, _) = jobs.remove(jobs.iter().position(|j| j.1 <= 0.0).expect("the least is through"));
                done += 1;
                sum += now - at;
                squares += (now - at) * (now - at);
            }
        }
        let mean = sum / requests as f64;
        (mean, squares / requests as f64 - mean * mean)
    }

    #[test]
    fn sharing_agrees_with_a_simulation() {
        const RUNS: u64 = 30;
        let results: Vec<(f64, f64)> = (0..RUNS).map(|run| shared(0.5, 30_000, run)).collect();
        let z = |of: fn(&(f64, f64)) -> f64, truth: f64| {
            let mean = results.iter().map(of).sum::<f64>() / RUNS as f64;
            let spread: f64 = results.iter().map(|r| (of(r) - mean) * (of(r) - mean)).sum();
            (mean - truth) / (spread / (RUNS * (RUNS - 1)) as f64).sqrt()
        };
        let (mean, variance) = (
            z(|r| r.0, ps_mean_response(1.0, 0.5)),
            z(|r| r.1, mm1_ps_response_variance(1.0, 0.5)),
        );
        assert!(
            mean.abs() < 3.3 && variance.abs() < 3.3,
            "z-scores {mean} and {variance}"
        );
    }
}
