//! Bytes as a key that is compared eight at a time.
//!
//! On wasm32 the comparison of the standard library takes one byte at a time (`compare_bytes` of
//! the crate `compiler_builtins`), some 13 instructions each. The frame of a peer has about 500
//! bytes, and every connection compares it with that of the cache.

use std::hash::{Hash, Hasher};

use hashbrown::Equivalent;

/// Bytes as a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<T>(pub(crate) T);

impl<T: AsRef<[u8]>> Bytes<T> {
    fn is<U: AsRef<[u8]>>(&self, other: &Bytes<U>) -> bool {
        let (one, other) = (self.0.as_ref(), other.0.as_ref());
        let ((ones, rest), (others, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
        one.len() == other.len()
            && ones.iter().zip(others).all(|(one, other)| one == other)
            && rest.iter().zip(other_rest).all(|(one, other)| one == other)
    }
}

impl<T: AsRef<[u8]>> PartialEq for Bytes<T> {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl<T: AsRef<[u8]>> Eq for Bytes<T> {}

impl<T: AsRef<[u8]>> Hash for Bytes<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_ref().hash(state);
    }
}

impl Equivalent<Bytes<Vec<u8>>> for Bytes<&[u8]> {
    fn equivalent(&self, key: &Bytes<Vec<u8>>) -> bool {
        self.is(key)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn keys_are_equal_if_all_bytes_are() {
        for len in 0..20 {
            let key = vec![7; len];
            assert!(Bytes(&key[..]).equivalent(&Bytes(key.clone())), "{len}");
            assert_ne!(Bytes(&key[..]), Bytes(&[7; 20][..]), "{len}");
            for place in 0..len {
                let mut other = key.clone();
                other[place] = 8;
                assert_ne!(Bytes(&key), Bytes(&other), "{place} of {len}");
                assert!(
                    !Bytes(&key[..]).equivalent(&Bytes(other)),
                    "{place} of {len}"
                );
            }
        }
    }

    #[test]
    fn equal_keys_have_equal_hashes_and_others_do_not() {
        let hasher = hashbrown::DefaultHashBuilder::default();
        let hash = |key: &[u8]| hasher.hash_one(Bytes(key));
        assert_eq!(hash(b"key"), hasher.hash_one(Bytes(b"key".to_vec())));
        assert_ne!(hash(b"key"), hash(b"kex"));
    }
}
