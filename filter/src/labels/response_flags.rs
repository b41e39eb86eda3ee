//! Envoy's response flags as text.

use std::fmt;

/// The flags of a connection: a bit mask, as the attribute `response.flags` gives it.
///
/// Displays as Envoy's short strings joined by `,` in bit order, `-` for none. Bits that Envoy
/// has not named (yet) are appended as one decimal mask.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct ResponseFlags(pub(crate) u64);

/// Short strings in bit order (Envoy 1.40, `source/common/stream_info/utility.h`).
const SHORT: [&str; 30] = [
    "LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC",
    "URX", "SI", "IH", "DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO", "DR",
    "UDO",
];

impl fmt::Display for ResponseFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("-");
        }
        let mut rest = self.0;
        let mut separator = "";
        for (bit, short) in SHORT.iter().enumerate() {
            let mask = 1u64 << bit;
            if rest & mask != 0 {
                rest &= !mask;
                write!(f, "{separator}{short}")?;
                separator = ",";
            }
        }
        match rest {
            0 => Ok(()),
            unnamed => write!(f, "{separator}{unnamed}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_flags_the_text_is_a_dash() {
        assert_eq!(ResponseFlags(0).to_string(), "-");
    }

    /// The end-to-end tests compare the same list with the one that Envoy prints.
    #[test]
    fn every_flag_of_envoy_has_its_bit() {
        let flags = "LH UH UT LR UR UF UC UO NR DI FI RL UAEX RLSE DC URX SI IH DPE UMSDR RFCF NFCF DT UPE NC OM DF DO DR UDO";
        let decoded: Vec<_> = (0..30)
            .map(|bit| ResponseFlags(1 << bit).to_string())
            .collect();
        assert_eq!(decoded.join(" "), flags);
        assert_eq!(ResponseFlags(1 << 30).to_string(), (1u64 << 30).to_string());
    }

    #[test]
    fn flags_join_in_bit_order() {
        assert_eq!(ResponseFlags(0x2).to_string(), "UH");
        assert_eq!(ResponseFlags(0x8000 | 0x20).to_string(), "UF,URX");
        assert_eq!(ResponseFlags(0x400_0000).to_string(), "DF");
    }

    #[test]
    fn unnamed_bits_are_kept_as_a_number() {
        assert_eq!(
            ResponseFlags(0x20 | 1 << 40).to_string(),
            format!("UF,{}", 1u64 << 40)
        );
        assert_eq!(ResponseFlags(1 << 40).to_string(), (1u64 << 40).to_string());
    }
}
