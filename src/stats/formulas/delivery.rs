//! Deliveries that come again, and work that is done in batches.

use crate::kernel::number::whole_usize;

/// How often a message is received on average if it is received again every visibility timeout until the first of these
/// handlings ends. `above(j)` is the probability that a handling takes longer than `j` visibility timeouts; handlings
/// are independent.
///
/// The handling that began j timeouts ago still runs with that probability, so there are more than n receipts with
/// probability above(1) above(2) ... above(n).
pub fn mean_receives(above: impl Fn(u32) -> f64) -> f64 {
    let (mut all, mut mean) = (1.0, 1.0);
    for n in 1..10_000 {
        all *= above(n);
        mean += all;
        if all < 1e-15 * mean {
            break;
        }
    }
    mean
}

/// The bulk queue M/D(1,B)/1: Poisson arrivals, one server that takes all who wait, up to B of them and at least one,
/// and needs a constant time for them together; who comes meanwhile waits for the next turn. Source: Bailey 1954, "On
/// queueing processes with bulk service"; Chaudhry and Templeton 1983, chapter 4 (the chain of those left behind).
#[derive(Clone, Debug)]
pub struct BulkQueue {
    lambda: f64,
    service: f64,
    batch: usize,
    /// Probability that so many wait when a service has just ended.
    left: Vec<f64>,
}

impl BulkQueue {
    /// Arrivals `lambda`, service time `service`, at most `batch` at a time. It must be stable.
    pub fn new(lambda: f64, service: f64, batch: usize) -> Self {
        let load = lambda * service;
        // Long enough that its end is never reached: geometric tails with the ratio of the load.
        let most = batch * 4 + whole_usize(60.0 * load / (1.0 - load / batch as f64).max(0.01)) + 60;
        let mut arrivals = vec![libm::exp(-load)];
        while arrivals.len() <= most {
            arrivals.push(arrivals[arrivals.len() - 1] * load / arrivals.len() as f64);
        }
        let mut left = vec![0.0; most + 1];
        left[0] = 1.0;
        for _ in 0..200_000 {
            let mut next = vec![0.0; most + 1];
            for (waiting, &probability) in left.iter().enumerate().filter(|(_, p)| **p > 1e-18) {
                let behind = waiting.saturating_sub(batch);
                for (came, share) in arrivals.iter().enumerate().take_while(|(k, a)| *k < 60 || **a > 1e-18) {
                    next[(behind + came).min(most)] += probability * share;
                }
            }
            let change: f64 = left.iter().zip(&next).map(|(a, b)| (a - b).abs()).sum();
            left = next;
            if change < 1e-13 {
                break;
            }
        }
        Self {
            lambda,
            service,
            batch,
            left,
        }
    }

    /// From the end of a service to the end of the next one, idle time included.
    fn cycle(&self) -> f64 {
        self.service + self.left[0] / self.lambda
    }

    /// How many are served together, on average over services.
    pub fn mean_batch(&self) -> f64 {
        self.lambda * self.cycle()
    }

    /// From arrival to the end of the service.
    pub fn mean_response(&self) -> f64 {
        let behind = |waiting: usize| waiting.saturating_sub(self.batch) as f64;
        let mean_behind: f64 = self.left.iter().enumerate().map(|(n, p)| p * behind(n)).sum();
        // While a service runs, those left behind wait, and those who come, on average for half of it.
        let waiting = (mean_behind * self.service + self.lambda * self.service * self.service / 2.0) / self.cycle();
        waiting / self.lambda + self.service
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::formulas::Md1;

    #[test]
    fn receipts_of_constant_work_can_be_counted() {
        let constant = |work: f64, timeout: f64| mean_receives(|j| f64::from(work > f64::from(j) * timeout));
        assert!((constant(29.0, 30.0) - 1.0).abs() < 1e-12 && (constant(45.0, 30.0) - 2.0).abs() < 1e-12);
        // Three run at 75 s, and the first of them is the first to end.
        assert!((constant(75.0, 30.0) - 3.0).abs() < 1e-12);
        let exponential = mean_receives(|j| (-f64::from(j)).exp());
        assert!((exponential - (1.0 + (-1.0_f64).exp() + (-3.0_f64).exp() + (-6.0_f64).exp())).abs() < 1e-4);
    }

    #[test]
    fn batches_of_one_are_the_queue_m_d_1() {
        for rho in [0.3, 0.8] {
            let queue = BulkQueue::new(rho, 1.0, 1);
            let response = Md1::new(rho, 1.0).mean_wait() + 1.0;
            assert!((queue.mean_response() / response - 1.0).abs() < 1e-6);
            assert!((queue.mean_batch() - 1.0).abs() < 1e-9);
        }
        // Hardly any traffic: alone. As much as fits: nearly full batches.
        assert!((BulkQueue::new(1e-4, 1.0, 10).mean_response() - 1.0).abs() < 1e-3);
        assert!(BulkQueue::new(9.5, 1.0, 10).mean_batch() > 9.49);
    }
}
