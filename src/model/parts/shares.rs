//! Weights and the shares that come of them.

/// Weights to cumulative shares; the last one is 1.
pub fn cumulative<T: Copy>(weights: &[(f64, T)]) -> Vec<(f64, T)> {
    let total: f64 = weights.iter().map(|w| w.0).sum();
    let mut sum = 0.0;
    let last = weights.len().saturating_sub(1);
    let share = |(i, &(weight, what)): (usize, &(f64, T))| {
        sum += weight / total;
        (if i == last { 1.0 } else { sum }, what)
    };
    weights.iter().enumerate().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_one() {
        assert_eq!(cumulative(&[(1.0, 'a'), (3.0, 'b')]), [(0.25, 'a'), (1.0, 'b')]);
    }
}
