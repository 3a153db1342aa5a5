//! Many servers: Erlang B and C, M/M/c and M/M/c/K.
//!
//! Sources: Erlang (1917); Kleinrock, *Queueing Systems* I (1975), chapter 3; Gross et al., *Fundamentals of Queueing
//! Theory* (2008), sections 2.3 to 2.5; peakedness of overflow, Wilkinson (1956) after Riordan.

/// Erlang B: the fraction of arrivals that find all `servers` busy and are lost, at `a` erlangs offered.
///
/// Also the fraction of requests that spill over from `servers` provisioned instances, each of which takes one request
/// at a time, to on-demand ones, whatever the distribution of service times.
pub fn erlang_b(a: f64, servers: u32) -> f64 {
    (1..=servers).fold(1.0, |b, k| a * b / (f64::from(k) + a * b))
}

/// Erlang C: the probability that an arrival must wait, at `a` erlangs on `servers`; 1 if the queue is unstable.
pub fn erlang_c(a: f64, servers: u32) -> f64 {
    let rho = a / f64::from(servers);
    if rho.is_nan() || rho >= 1.0 {
        return 1.0;
    }
    let b = erlang_b(a, servers);
    b / (1.0 - rho * (1.0 - b))
}

/// Variance over mean of how many overflow requests are in service on unlimited spare servers: 1 for Poisson traffic,
/// above that because overflow comes in bursts.
pub fn overflow_peakedness(a: f64, servers: u32) -> f64 {
    let overflow = a * erlang_b(a, servers);
    1.0 - overflow + a / (f64::from(servers) + 1.0 - a + overflow)
}

/// M/M/c: Poisson arrivals, exponential service, `servers` servers, one unlimited queue, first come first served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mmc {
    /// Arrivals per unit of time.
    pub lambda: f64,
    /// Services per unit of time and server.
    pub mu: f64,
    /// The number of servers.
    pub servers: u32,
}

impl Mmc {
    /// Arrivals at rate `lambda`, `servers` servers each of rate `mu`.
    pub const fn new(lambda: f64, mu: f64, servers: u32) -> Self {
        Self { lambda, mu, servers }
    }

    /// How much faster the busy servers are than arrivals: the rate at which a wait decays. Positive if stable.
    fn spare(self) -> f64 {
        f64::from(self.servers) * self.mu - self.lambda
    }

    /// The probability of waiting (Erlang C).
    pub fn p_wait(self) -> f64 {
        erlang_c(self.lambda / self.mu, self.servers)
    }

    /// The mean wait, over all requests; infinite if unstable.
    pub fn mean_wait(self) -> f64 {
        if self.spare() > 0.0 {
            self.p_wait() / self.spare()
        } else {
            f64::INFINITY
        }
    }

    /// The mean response time: wait and service.
    pub fn mean_response(self) -> f64 {
        self.mean_wait() + 1.0 / self.mu
    }

    /// The mean number of requests waiting (Little's law).
    pub fn mean_queue(self) -> f64 {
        self.lambda * self.mean_wait()
    }

    /// P(wait > `t`), `t` >= 0.
    pub fn wait_above(self, t: f64) -> f64 {
        if self.spare() > 0.0 {
            self.p_wait() * libm::exp(-self.spare() * t)
        } else {
            1.0
        }
    }

    /// The `q`-quantile of the wait; zero for those quantiles that do not wait.
    pub fn wait_quantile(self, q: f64) -> f64 {
        if self.spare() > 0.0 {
            (libm::log(self.p_wait() / (1.0 - q)) / self.spare()).max(0.0)
        } else {
            f64::INFINITY
        }
    }

    /// P(response > `t`), `t` >= 0: service alone, or an exponential wait and then service.
    pub fn response_above(self, t: f64) -> f64 {
        let (mu, spare) = (self.mu, self.spare());
        if spare <= 0.0 {
            return 1.0;
        }
        // (exp(-spare t) - exp(-mu t)) / (mu - spare), written so that it neither cancels nor overflows; its limit for
        // equal rates is t exp(-mu t).
        let gap = mu - spare;
        let slower = libm::exp(-mu.min(spare) * t);
        let mixed = if gap == 0.0 {
            t * slower
        } else {
            slower * -libm::expm1(-gap.abs() * t) / gap.abs()
        };
        libm::exp(-mu * t) + self.p_wait() * mu * mixed
    }

    /// The `q`-quantile of the response time, `q` in 0..1.
    pub fn response_quantile(self, q: f64) -> f64 {
        if self.spare() > 0.0 {
            invert(|t| self.response_above(t), 1.0 - q, 1.0 / self.mu)
        } else {
            f64::INFINITY
        }
    }
}

/// M/M/c/K: as M/M/c, but an arrival that finds `capacity` requests in the system, served or waiting, is lost.
#[derive(Clone, Debug, PartialEq)]
pub struct MmcK {
    lambda: f64,
    servers: u32,
    probabilities: Vec<f64>,
}

impl MmcK {
    /// Arrivals at rate `lambda`, `servers` servers each of rate `mu`, room for `capacity` >= `servers` requests.
    pub fn new(lambda: f64, mu: f64, servers: u32, capacity: u32) -> Self {
        assert!(
            capacity >= servers,
            "a system with room for fewer requests than servers"
        );
        // Weights relative to the likeliest state, in logarithms: a^n / n! itself overflows from a few hundred erlangs.
        let mut logs = vec![0.0];
        for n in 1..=capacity {
            logs.push(logs[n as usize - 1] + libm::log(lambda / (f64::from(n.min(servers)) * mu)));
        }
        let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = logs.iter().map(|l| libm::exp(l - top)).collect();
        let total: f64 = weights.iter().sum();
        Self {
            lambda,
            servers,
            probabilities: weights.iter().map(|w| w / total).collect(),
        }
    }

    /// P(n requests in the system), for n from 0 to the capacity.
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// The fraction of arrivals that are lost.
    pub fn blocking(&self) -> f64 {
        self.probabilities[self.probabilities.len() - 1]
    }

    /// The mean number of requests in the system.
    pub fn mean_number(&self) -> f64 {
        self.probabilities.iter().enumerate().map(|(n, p)| n as f64 * p).sum()
    }

    /// The mean number of busy servers.
    pub fn mean_busy(&self) -> f64 {
        let busy = |n: usize| n.min(self.servers as usize) as f64;
        self.probabilities.iter().enumerate().map(|(n, p)| busy(n) * p).sum()
    }

    /// The mean response time of accepted requests (Little's law).
    pub fn mean_response(&self) -> f64 {
        self.mean_number() / (self.lambda * (1.0 - self.blocking()))
    }

    /// The mean wait of accepted requests.
    pub fn mean_wait(&self) -> f64 {
        (self.mean_number() - self.mean_busy()) / (self.lambda * (1.0 - self.blocking()))
    }

    /// The probability that an accepted request must wait.
    pub fn p_wait(&self) -> f64 {
        let full = self.probabilities.len() - 1;
        let waiting: f64 = self.probabilities[(self.servers as usize).min(full)..full].iter().sum();
        waiting / (1.0 - self.blocking())
    }
}

/// Where the falling function `above` comes down to `level`; `scale` is a first guess of the right order.
pub(super) fn invert(above: impl Fn(f64) -> f64, level: f64, scale: f64) -> f64 {
    let (mut low, mut high) = (0.0, scale);
    if above(low) <= level {
        return low;
    }
    while above(high) > level {
        (low, high) = (high, 2.0 * high);
        if high > 1e12 * scale {
            return f64::INFINITY;
        }
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if above(middle) > level {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64, relative: f64) {
        assert!(
            (a - b).abs() <= relative * b.abs(),
            "{a} is not {b} to within {relative}"
        );
    }

    #[test]
    fn erlang_b_matches_tables_and_its_definition() {
        // Erlang's tables: 1 % blocking takes 4.461 erlangs on 10 servers, 84.06 on 100.
        near(erlang_b(4.461, 10), 0.01, 1e-3);
        near(erlang_b(84.06, 100), 0.01, 1e-3);
        // The definition, a^c/c! over its partial sum, for 3 servers at 2 erlangs: (8/6) / (1 + 2 + 2 + 8/6) = 4/19.
        near(erlang_b(2.0, 3), 4.0 / 19.0, 1e-15);
        near(erlang_b(2.0, 0), 1.0, 0.0);
        // As many servers as erlangs: B tends to sqrt(2 / (pi a)), from below by a fraction of order 1 / sqrt(a).
        near(
            erlang_b(1e5, 100_000),
            (2.0 / (std::f64::consts::PI * 1e5)).sqrt(),
            2e-3,
        );
    }

    #[test]
    fn the_overflow_of_erlang_b_is_peaked() {
        near(overflow_peakedness(100.0, 110), 5.5, 0.02);
        near(overflow_peakedness(3.0, 0), 1.0, 1e-12);
    }

    #[test]
    fn erlang_c_matches_published_values() {
        // Gross et al., example 2.3: 6 arrivals/h, 3/h per server, 3 servers: Lq = 8/9, W = 4/27 h + 1/3 h.
        let q = Mmc::new(6.0, 3.0, 3);
        near(q.p_wait(), 4.0 / 9.0, 1e-14);
        near(q.mean_queue(), 8.0 / 9.0, 1e-14);
        near(q.mean_response(), 4.0 / 27.0 + 1.0 / 3.0, 1e-14);
        // One server is the M/M/1, two have C = 2 rho^2 / (1 + rho).
        near(erlang_c(0.7, 1), 0.7, 1e-14);
        near(erlang_c(1.6, 2), 2.0 * 0.64 / 1.8, 1e-14);
        near(erlang_c(5.0, 4), 1.0, 0.0);
        assert!(Mmc::new(5.0, 1.0, 4).mean_wait().is_infinite());
    }

    #[test]
    fn waits_and_responses_are_consistent() {
        for q in [
            Mmc::new(6.0, 3.0, 3),
            Mmc::new(0.8, 1.0, 1),
            Mmc::new(8.0, 1.0, 9),
            Mmc::new(97.0, 1.0, 100),
        ] {
            near(q.wait_above(0.0), q.p_wait(), 1e-14);
            near(q.wait_above(q.wait_quantile(0.999)), 0.001, 1e-10);
            assert!(q.wait_quantile(0.0) == 0.0);
            near(q.response_above(q.response_quantile(0.99)), 0.01, 1e-10);
            // The mean is the integral of the tail (trapezoids).
            let (step, mut area) = (0.005 / q.mu, 0.0);
            for i in 0..40_000 {
                let t = f64::from(i) * step;
                area += 0.5 * step * (q.response_above(t) + q.response_above(t + step));
            }
            near(area, q.mean_response(), 1e-4);
        }
    }

    #[test]
    fn equal_rates_are_a_limit_not_a_hole() {
        // 3 servers at rate 1 and 2 arrivals: the wait decays at rate 1, exactly as service does.
        let at = |lambda: f64| Mmc::new(lambda, 1.0, 3).response_above(2.0);
        near(at(2.0), (-2.0_f64).exp() * (1.0 + 2.0 * erlang_c(2.0, 3)), 1e-14);
        near(at(2.0 + 1e-9), at(2.0), 1e-8);
        near(at(2.0 - 1e-9), at(2.0), 1e-8);
    }

    #[test]
    fn a_finite_queue_meets_its_limits() {
        // No waiting room: Erlang B. Vast waiting room: M/M/c.
        near(MmcK::new(8.0, 1.0, 10, 10).blocking(), erlang_b(8.0, 10), 1e-12);
        let wide = MmcK::new(8.0, 1.0, 10, 400);
        let open = Mmc::new(8.0, 1.0, 10);
        near(wide.mean_response(), open.mean_response(), 1e-12);
        near(wide.mean_wait(), open.mean_wait(), 1e-12);
        near(wide.p_wait(), open.p_wait(), 1e-12);
        near(wide.mean_busy(), 8.0, 1e-12);
        // Gross et al., example 2.5: 1 car/min, 6 min inspection, 3 stalls, room for 4 more. Weights 1, 6, 18, 36, 72,
        // 144, 288, 576 sum to 1141; the book rounds L to 6.06 cars and W to 12.3 min.
        let station = MmcK::new(1.0, 1.0 / 6.0, 3, 7);
        near(station.mean_number(), 6918.0 / 1141.0, 1e-13);
        near(station.mean_response(), 6918.0 / 565.0, 1e-13);
        near(station.blocking(), 576.0 / 1141.0, 1e-13);
        // M/M/1/K: P(full) = (1 - rho) rho^K / (1 - rho^(K+1)).
        near(
            MmcK::new(0.5, 1.0, 1, 4).blocking(),
            0.5 * 0.0625 / (1.0 - 0.031_25),
            1e-14,
        );
        assert!(MmcK::new(2000.0, 1.0, 1900, 2500).blocking().is_finite());
        near(
            MmcK::new(2000.0, 1.0, 1900, 2500).probabilities().iter().sum(),
            1.0,
            1e-12,
        );
    }
}
