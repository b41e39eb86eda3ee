//! Medians and their confidence intervals.

use serde::Serialize;

/// A median and its 95 % confidence interval. With fewer than six values the interval has all of
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The lower end.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The upper end.
    pub high: f64,
}

impl Spread {
    /// Computes the spread of values. The interval is between two of them, by the sign test, which
    /// assumes no distribution.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let count = sorted.len();
        let middle = count / 2;
        let median = match count % 2 {
            0 => f64::midpoint(at(middle.saturating_sub(1)), at(middle)),
            _ => at(middle),
        };
        let outside = outside(count);
        Self {
            low: at(outside),
            median,
            high: at(count.saturating_sub(1 + outside)),
        }
    }
}

/// The number of values outside of the interval on each side.
fn outside(count: usize) -> usize {
    let mut term = 0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let mut tail = 0.0;
    for outside in 0..count {
        tail += term;
        if 2.0 * tail > 0.05 {
            return outside.saturating_sub(1);
        }
        term *= (count - outside) as f64 / (outside + 1) as f64;
    }
    0
}

/// The quantile of the values for this share.
pub(super) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let index = (last as f64 * share).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_ten_values_excludes_one_on_each_side() {
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        let Spread { low, median, high } = Spread::of(&values);
        assert_eq!((low, median, high), (2.0, 5.5, 9.0));
    }

    #[test]
    fn the_interval_of_few_values_has_all_of_them() {
        let Spread { low, median, high } = Spread::of(&[3.0, 1.0, 2.0]);
        assert_eq!((low, median, high), (1.0, 2.0, 3.0));
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let mut values: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&mut values, 0.99), 99.0);
    }
}
