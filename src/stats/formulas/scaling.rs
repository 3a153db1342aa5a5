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
    fn throughput_peaks_at_the_best_size() {
        // Percona's published fit of a database on 32 cores: sigma 0.02671, kappa 0.000769, hence a peak near 35.
        let (sigma, kappa) = (0.026_71, 0.000_769);
        let best = usl_best(sigma, kappa);
        assert!((best - 35.58).abs() < 0.01, "{best}");
        let x = |n| usl_throughput(995.648_6, sigma, kappa, n);
        assert!(x(best) > x(best - 1.0) && x(best) > x(best + 1.0));
        assert!(usl_best(0.1, 0.0).is_infinite());
        assert!((usl_best(0.5, 2.0) - 1.0).abs() < 1e-12);
    }
}
