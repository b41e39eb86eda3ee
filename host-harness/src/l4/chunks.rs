//! The division of writes into read events.

/// The division of an application's writes: each piece is one read event of the first proxy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Chunks {
    /// One write is one event.
    #[default]
    Whole,
    /// Pieces of this many bytes; the last one may be shorter.
    Size(usize),
    /// Pieces that end at these positions of each write.
    At(Vec<usize>),
}

impl Chunks {
    /// The pieces of one write; an empty write is one empty piece.
    pub(crate) fn cut<'a>(&self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        match self {
            Self::Size(size) if !bytes.is_empty() => bytes.chunks((*size).max(1)).collect(),
            Self::Whole | Self::Size(_) => vec![bytes],
            Self::At(positions) => {
                let mut rest = bytes;
                let mut taken = 0;
                let mut pieces = Vec::new();
                for position in positions {
                    let cut = position.saturating_sub(taken).min(rest.len());
                    let (piece, left) = rest.split_at(cut);
                    pieces.extend((!piece.is_empty()).then_some(piece));
                    taken += cut;
                    rest = left;
                }
                pieces.extend((!rest.is_empty() || pieces.is_empty()).then_some(rest));
                pieces
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_concatenated_pieces_are_the_write() {
        for chunks in [Chunks::Whole, Chunks::Size(2), Chunks::At(vec![1, 4, 99])] {
            assert_eq!(chunks.cut(b"hello").concat(), b"hello", "{chunks:?}");
            assert_eq!(chunks.cut(b""), [b""], "{chunks:?}");
        }
        assert_eq!(Chunks::Size(2).cut(b"hello"), [&b"he"[..], b"ll", b"o"]);
        assert_eq!(
            Chunks::At(vec![1, 4]).cut(b"hello"),
            [&b"h"[..], b"ell", b"o"]
        );
    }
}
