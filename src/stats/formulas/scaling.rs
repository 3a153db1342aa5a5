//! The universal scalability law.
//!
//! Source: Gunther, *Guerrilla Capacity Planning* (2007), chapter 4.

/// Throughput with `n` workers: `gamma` is one worker's, `sigma` the cost of contention (what is serial) and `kappa`
/// that of coherence (what everyone must agree on).
pub fn usl_throughput(gamma: f64, sigma: f64, kappa: f64, n: f64) -> f64 {
    gamma * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0))
}

/// The number of workers at which throughput is greatest; infinite without coherence costs, and at least 1.
pub fn usl_best(sigma: f64, kappa: f64) -> f64 {
    if kappa == 0.0 {
        f64::INFINITY
    } else {
        ((1.0 - sigma).max(0.0) / kappa).sqrt().max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_law_has_its_limits() {
        assert!(
            (usl_throughput(10.0, 0.0, 0.0, 8.0) - 80.0).abs() < 1e-12,
            "no penalty: linear"
        );
        // Amdahl with 5 % serial work on 20 processors: 1 / (0.05 + 0.95 / 20) = 10.256.
        assert!((usl_throughput(1.0, 0.05, 0.0, 20.0) - 1.0 / 0.0975).abs() < 1e-12);
        assert!(
            (usl_throughput(7.0, 0.3, 0.1, 1.0) - 7.0).abs() < 1e-12,
            "one worker meets nobody"
        );
    }

    #[test]
    fn published_figures() {
        // The tables and fits in the tests of R's `usl` package (github.com/smoeding/usl), to the digits given there.
        let table = [
            (1.0, 1.0),
            (2.0, 1.8868),
            (4.0, 3.0769),
            (6.0, 3.5294),
            (8.0, 3.5398),
            (10.0, 3.3557),
        ];
        for (n, x) in table {
            assert!((usl_throughput(1.0, 0.02, 0.02, n) - x).abs() < 5e-5, "{n} workers");
        }
        // SPEC SDM91 on a SPARCcenter 2000: the fit peaks at a load of 97 and gives 1100 at 20, in two digits.
        let (gamma, sigma, kappa) = (90.0, 0.027_73, 1.044e-4);
        let best = usl_best(sigma, kappa);
        assert!((96.0..97.5).contains(&best), "{best}");
        assert!((1050.0..1150.0).contains(&usl_throughput(gamma, sigma, kappa, 20.0)));
        let x = |n| usl_throughput(gamma, sigma, kappa, n);
        assert!(x(best) > x(best - 1.0) && x(best) > x(best + 1.0));
    }

    #[test]
    fn the_best_size_has_its_limits() {
        assert!(usl_best(0.1, 0.0).is_infinite());
        assert!((usl_best(0.5, 2.0) - 1.0).abs() < 1e-12);
    }
}
