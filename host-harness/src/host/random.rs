//! Random bytes for guests, the same in every run.

/// SplitMix64: small, and sufficient for hash seeds.
#[derive(Debug, Default)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        std::iter::from_fn(|| Some(self.next().to_le_bytes()))
            .flatten()
            .take(length)
            .collect()
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }
}
