//! Requests that arrive together, and requests that are served together.

use super::erlang::invert;
use crate::kernel::number::whole_usize;

/// The bulk-service queue M/M(1,K)/1: Poisson arrivals, one server that takes all who wait, up to K of them and at
/// least one, and needs an exponential time for them together; who comes meanwhile waits for the next turn. The number
/// that waits while the server is busy is geometric, with the root of `mu z^(K+1) - (lambda + mu) z + lambda` below
/// one. Source: Bailey 1954, "On queueing processes with bulk service"; Gross and Harris, section 3.2.
#[derive(Clone, Copy, Debug)]
pub struct BatchServer {
    lambda: f64,
    mu: f64,
    root: f64,
}

impl BatchServer {
    /// Arrivals `lambda`, batches at the rate `mu`, at most `batch` requests in each. It must be stable:
    /// `lambda < batch x mu`.
    pub fn new(lambda: f64, mu: f64, batch: u32) -> Self {
        // Divided by 1 - z, the equation says what comes and what goes between n and n + 1 who wait.
        let goes = |z: f64| mu * (1..=batch).map(|k| libm::pow(z, f64::from(k))).sum::<f64>();
        let stable = lambda < f64::from(batch) * mu;
        let root = invert(|z| lambda - goes(z), 0.0, 1.0);
        Self {
            lambda,
            mu,
            root: if stable { root } else { f64::NAN },
        }
    }

    /// Probability that the server is busy.
    pub fn busy(self) -> f64 {
        // Idle for 1 / lambda after each busy spell that ends with nobody left: idle : busy = (1 - z) mu / lambda : 1.
        1.0 / (1.0 + (1.0 - self.root) * self.mu / self.lambda)
    }

    /// From arrival to the end of the batch.
    pub fn mean_response(self) -> f64 {
        self.busy() * self.root / (1.0 - self.root) / self.lambda + 1.0 / self.mu
    }

    /// How many are served together, on average over batches.
    pub fn mean_batch(self) -> f64 {
        self.lambda / (self.mu * self.busy())
    }
}

/// Batches that close when `size` requests are together or `window` after the first of them, whichever comes first,
/// under Poisson arrivals `lambda` and with enough servers for all of them: the mean size of a batch, and the mean time
/// that a request waits for it to close. Each batch begins anew, so both are renewal means: with N(t) who came since
/// the first, the size is the sum of P(N(window) >= j) for j from 0 to size - 1, and while the batch has j + 1 the
/// requests wait together for (j + 1) P(N(window) > j) / lambda on average.
pub fn window_batch(lambda: f64, window: f64, size: u32) -> (f64, f64) {
    let load = lambda * window;
    let (mut at_least, mut exactly) = (1.0, libm::exp(-load));
    let (mut together, mut waited) = (0.0, 0.0);
    for j in 0..size {
        together += at_least;
        at_least -= exactly;
        exactly *= load / f64::from(j + 1);
        if j + 1 < size {
            waited += f64::from(j + 1) * at_least / lambda;
        }
    }
    (together, waited / together)
}

/// Arrivals in batches of a fixed size: M^\[X\]/M/c, or with a limited room M^\[X\]/M/c/K, where those of a batch that
/// find room stay and the others are lost. Source: balance over the cut between n and n + 1 (Chaudhry and Templeton
/// 1983, chapter 3): a batch of X that comes at n - X + 1 or above crosses it upwards, and only one end of service
/// downwards.
#[derive(Clone, Debug)]
pub struct BulkArrivals {
    lambda: f64,
    batch: usize,
    servers: u32,
    capacity: Option<usize>,
    probabilities: Vec<f64>,
}

impl BulkArrivals {
    /// Batches of `batch` requests at the rate `lambda`, `servers` servers each of rate `mu`, and room for `capacity`
    /// requests, those in service included; without a limit it must be stable.
    pub fn new(lambda: f64, batch: usize, mu: f64, servers: u32, capacity: Option<usize>) -> Self {
        let load = lambda * batch as f64 / (mu * f64::from(servers));
        // Without a limit, to where the tail is beyond the digits of a double.
        let most = capacity.unwrap_or_else(|| {
            let scale = 40.0 * batch as f64 / (1.0 - load).max(1e-3);
            servers as usize + whole_usize(scale)
        });
        let mut weights = vec![1.0];
        for n in 0..most {
            let crossing: f64 = weights[(n + 1).saturating_sub(batch)..=n].iter().sum();
            let down = mu * f64::from(servers).min((n + 1) as f64);
            weights.push(crossing * lambda / down);
        }
        let total: f64 = weights.iter().sum();
        Self {
            lambda,
            batch,
            servers,
            capacity,
            probabilities: weights.iter().map(|w| w / total).collect(),
        }
    }

    fn mean(&self, of: impl Fn(usize) -> f64) -> f64 {
        self.probabilities.iter().enumerate().map(|(n, p)| of(n) * p).sum()
    }

    /// The share of requests that are lost; nothing is without a limit.
    pub fn blocking(&self) -> f64 {
        let Some(capacity) = self.capacity else { return 0.0 };
        self.mean(|n| (n + self.batch).saturating_sub(capacity) as f64) / self.batch as f64
    }

    /// The mean number of requests in the system.
    pub fn mean_number(&self) -> f64 {
        self.mean(|n| n as f64)
    }

    /// The mean number of busy servers.
    pub fn mean_busy(&self) -> f64 {
        self.mean(|n| f64::from(self.servers).min(n as f64))
    }

    /// From arrival to the end of service, of those that are not lost (Little's law).
    pub fn mean_response(&self) -> f64 {
        self.mean_number() / (self.lambda * self.batch as f64 * (1.0 - self.blocking()))
    }
}

/// The mean response of two servers between which each request is split, and which it waits for both of: Poisson
/// arrivals `lambda`, exponential service at the rate `mu` at either, each with a queue of its own. Exact. Source:
/// Flatto and Hahn 1984, "Two parallel queues created by arrivals with two demands I"; Nelson and Tantawi 1988.
pub fn fork_join_of_two(lambda: f64, mu: f64) -> f64 {
    let rho = lambda / mu;
    if rho >= 1.0 {
        return f64::INFINITY;
    }
    (12.0 - rho) / 8.0 / (mu - lambda)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::fit;
    use crate::stats::formulas::{Mm1, Mmc, MmcK, erlang_b};

    fn near(a: f64, b: f64) {
        assert!((a / b - 1.0).abs() < 1e-9, "{a} is not {b}");
    }

    #[test]
    fn batches_of_one_are_the_queues_that_everybody_knows() {
        for lambda in [0.2, 0.7, 0.9] {
            let one = BatchServer::new(lambda, 1.0, 1);
            near(one.mean_response(), Mm1::new(lambda, 1.0).mean_response());
            near(one.busy(), lambda);
            near(one.mean_batch(), 1.0);
            near(
                BulkArrivals::new(lambda * 3.0, 1, 1.0, 3, None).mean_response(),
                Mmc::new(lambda * 3.0, 1.0, 3).mean_response(),
            );
        }
        let limited = BulkArrivals::new(3.0, 1, 1.0, 2, Some(5));
        let known = MmcK::new(3.0, 1.0, 2, 5);
        near(limited.blocking(), known.blocking());
        near(limited.mean_response(), known.mean_response());
        near(
            BulkArrivals::new(8.0, 1, 1.0, 10, Some(10)).blocking(),
            erlang_b(8.0, 10),
        );
    }

    #[test]
    fn a_server_of_large_batches_takes_whoever_waits() {
        // Who comes during a service leaves with the next one: an M/M queue that never overflows. The number that waits
        // is geometric with lambda / (lambda + mu).
        let all = BatchServer::new(2.0, 1.0, 400);
        near(all.root, 2.0 / 3.0);
        assert!(BatchServer::new(5.0, 1.0, 5).mean_response().is_nan(), "unstable");
    }

    #[test]
    fn bulk_arrivals_at_one_server_have_a_closed_form() {
        for (batch, lambda) in [(2, 0.3), (5, 0.15)] {
            let x = f64::from(batch);
            let rho = lambda * x;
            let queue = BulkArrivals::new(lambda, fit(batch), 1.0, 1, None);
            near(queue.mean_number(), rho * (x + 1.0) / (2.0 * (1.0 - rho)));
            near(queue.mean_busy(), rho);
        }
        // Two at once, one server, no place to wait: the second is always lost, and the first if the server is busy.
        let lost = BulkArrivals::new(1.0, 2, 1.0, 1, Some(1));
        near(lost.blocking(), 0.75);
    }

    #[test]
    fn windows_close_full_or_in_time() {
        // Nobody else comes; everybody comes at once.
        let (size, waited) = window_batch(1e-6, 2.0, 10);
        assert!((size - 1.0).abs() < 1e-5 && (waited - 2.0).abs() < 1e-5);
        let (size, waited) = window_batch(1e4, 2.0, 10);
        assert!((size - 10.0).abs() < 1e-9 && (waited - 4.5e-4).abs() < 1e-9);
        // One more fits: P(it comes in time) = 1 - e^-1, and until then or the end the first waits 1 - e^-1 on average.
        let (size, waited) = window_batch(1.0, 1.0, 2);
        near(size, 2.0 - libm::exp(-1.0));
        near(waited, (1.0 - libm::exp(-1.0)) / size);
    }

    #[test]
    fn splitting_costs_a_half_at_most_without_queues_and_three_eighths_in_heavy_traffic() {
        near(fork_join_of_two(1e-9, 1.0), 1.5);
        near(fork_join_of_two(0.999, 1.0) * 0.001, 11.001 / 8.0);
        assert!(fork_join_of_two(1.0, 1.0).is_infinite());
    }
}
