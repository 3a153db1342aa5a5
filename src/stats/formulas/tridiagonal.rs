//! Eigenvalues of a symmetric tridiagonal matrix, and products of given row vectors with its eigenvectors.
//!
//! Source: the QL algorithm with implicit shifts, Dubrulle, Martin and Wilkinson (1968), in *Handbook for Automatic
//! Computation* II (1971), contribution II/4.

/// Turns `diagonal` into the eigenvalues, in no particular order, and each of `rows` into its products with the unit
/// eigenvectors, in the same order. `off[i]` couples i and i + 1; the last element is scratch. Takes time quadratic in
/// the order of the matrix, because no eigenvector is ever written down.
pub(super) fn diagonalise<const R: usize>(diagonal: &mut [f64], off: &mut [f64], rows: &mut [Vec<f64>; R]) {
    let n = diagonal.len();
    assert_eq!(off.len(), n, "one coupling per row, the last unused");
    if let Some(last) = off.last_mut() {
        *last = 0.0;
    }
    for low in 0..n {
        // Two or three sweeps per eigenvalue are usual; the bound is there so that NaN cannot loop forever.
        for _ in 0..100 {
            let split = (low..n - 1)
                .find(|&m| off[m].abs() <= f64::EPSILON * (diagonal[m].abs() + diagonal[m + 1].abs()))
                .unwrap_or(n - 1);
            if split == low {
                break;
            }
            sweep(diagonal, off, rows, low, split);
        }
    }
}

/// One implicit QL sweep over the block from `low` to `high`, which its first eigenvalue is about to leave.
fn sweep<const R: usize>(d: &mut [f64], e: &mut [f64], rows: &mut [Vec<f64>; R], low: usize, high: usize) {
    let half = (d[low + 1] - d[low]) / (2.0 * e[low]);
    let root = libm::hypot(half, 1.0);
    let mut g = d[high] - d[low] + e[low] / (half + root.copysign(half));
    let (mut sine, mut cosine, mut shift) = (1.0, 1.0, 0.0);
    for i in (low..high).rev() {
        let f = sine * e[i];
        let b = cosine * e[i];
        let length = libm::hypot(f, g);
        e[i + 1] = length;
        if length == 0.0 {
            // The block has come apart of itself: the next sweep works on a smaller one.
            d[i + 1] -= shift;
            e[high] = 0.0;
            return;
        }
        sine = f / length;
        cosine = g / length;
        g = d[i + 1] - shift;
        let turned = (d[i] - g) * sine + 2.0 * cosine * b;
        shift = sine * turned;
        d[i + 1] = g + shift;
        g = cosine * turned - b;
        for row in rows.iter_mut() {
            let upper = row[i + 1];
            row[i + 1] = sine * row[i] + cosine * upper;
            row[i] = cosine * row[i] - sine * upper;
        }
    }
    d[low] -= shift;
    e[low] = g;
    e[high] = 0.0;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    #[test]
    fn the_second_difference_has_known_eigenvalues() {
        // 2 on the diagonal, -1 beside it: 2 - 2 cos(k pi / (n + 1)), first components sqrt(2/(n+1)) sin(...).
        const N: usize = 50;
        let (mut d, mut e) = (vec![2.0; N], vec![-1.0; N]);
        let mut first = vec![0.0; N];
        first[0] = 1.0;
        let mut rows = [first];
        diagonalise(&mut d, &mut e, &mut rows);
        let mut found: Vec<(f64, f64)> = d.iter().copied().zip(rows[0].iter().copied()).collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (k, (value, component)) in found.iter().enumerate() {
            let angle = (k + 1) as f64 * PI / (N + 1) as f64;
            assert!((value - (2.0 - 2.0 * angle.cos())).abs() < 1e-13);
            assert!((component.abs() - (2.0 / (N + 1) as f64).sqrt() * angle.sin()).abs() < 1e-13);
        }
    }

    #[test]
    fn rows_are_rotated_not_stretched() {
        let mut d = vec![4.0, 0.0, -3.0, 1e-9, 7.0];
        let mut e = vec![1.0, 0.0, 1e-5, 2.0, 0.0];
        let (before, trace) = (d.clone(), d.iter().sum::<f64>());
        let mut rows = [vec![1.0, 2.0, 3.0, 4.0, 5.0], vec![0.0, 0.0, 1.0, 0.0, 0.0]];
        diagonalise(&mut d, &mut e, &mut rows);
        assert!((d.iter().sum::<f64>() - trace).abs() < 1e-12);
        assert!((rows[0].iter().map(|x| x * x).sum::<f64>() - 55.0).abs() < 1e-12);
        // Row times matrix times row is unchanged: here simply the matrix's third diagonal element.
        let quadratic: f64 = d.iter().zip(&rows[1]).map(|(l, x)| l * x * x).sum();
        assert!((quadratic - before[2]).abs() < 1e-12);
    }
}
