//! Envoy's histogram: values in bins of two significant decimal digits.
//!
//! Bins, bounds and sums are measured with Envoy 1.40. Envoy: `HistogramStatisticsImpl`, on
//! libcircllhist.

use std::collections::BTreeMap;

/// The upper bounds of the buckets in `/stats/prometheus` without `histogram_bucket_settings`,
/// except `+Inf`.
const BOUNDS: [&str; 19] = [
    "0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000",
    "30000", "60000", "300000", "600000", "1800000", "3600000",
];

/// The recorded samples.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// Samples by the lower bound of their bin.
    bins: BTreeMap<u64, u64>,
}

impl Histogram {
    pub(super) fn record(&mut self, value: u64) {
        let lower = value - value % width(value).max(1);
        *self.bins.entry(lower).or_default() += 1;
    }

    pub(super) fn count(&self) -> u64 {
        self.bins.values().sum()
    }

    /// The bound of each bucket, and the number of samples whose bin begins at or below it.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let finite = BOUNDS.into_iter().map(|text| {
            // The bucket of the bound 0.5 contains only zeros.
            let bound: u64 = text.parse().unwrap_or_default();
            let counts = self.bins.range(..=bound).map(|(_, count)| count);
            (text, counts.sum())
        });
        finite.chain([("+Inf", self.count())])
    }

    /// The approximate sum: each sample counts as the harmonic middle of its bin.
    pub(super) fn sum(&self) -> f64 {
        let samples = self.bins.iter();
        samples
            .map(|(lower, count)| middle(*lower) * *count as f64)
            .fold(0.0, |sum, samples| sum + samples)
    }
}

/// The harmonic middle of a bin.
fn middle(lower: u64) -> f64 {
    let width = match width(lower) {
        0 => 0.1,
        width => width as f64,
    };
    let bottom = lower as f64;
    let top = bottom + width;
    bottom + width * bottom / (bottom + top)
}

/// The width of a value's bin; 0 for a width below 1.
fn width(value: u64) -> u64 {
    value
        .checked_ilog10()
        .unwrap_or_default()
        .checked_sub(1)
        .map_or(0, |digits| 10_u64.pow(digits))
}

/// A number with 32 significant digits, as Envoy prints a sum.
pub(super) fn precise(number: f64) -> String {
    const DIGITS: usize = 32;
    let whole = format!("{number:.0}").len();
    let text = format!("{number:.*}", DIGITS.saturating_sub(whole));
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.record(*value));
        histogram
    }

    #[test]
    fn a_bin_counts_below_the_bound_that_it_begins_at() {
        let histogram = histogram(&[9, 10, 11, 25, 99, 100, 101, 250, 255]);
        let counts: Vec<_> = histogram.buckets().map(|(_, count)| count).collect();
        let rest = [9; 12];
        assert_eq!(counts[..8], [0, 0, 0, 2, 4, 4, 7, 9]);
        assert_eq!(counts[8..], rest);
    }

    #[test]
    fn sums_are_those_of_envoy() {
        let sums = [
            (&[][..], "0"),
            (&[1], "1.0476190476190476719153821250075"),
            (&[3], "3.0491803278688522915729208762059"),
            (&[0, 1, 7, 1500], "1556.4843612118836517765885218978"),
            (
                &[123_456, 299_999, 300_000, 3_600_000, 9_999_999_999],
                "9954122692.0741100311279296875",
            ),
        ];
        for (values, expected) in sums {
            assert_eq!(precise(histogram(values).sum()), expected);
        }
    }
}
