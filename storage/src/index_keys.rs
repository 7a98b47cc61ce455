//! An entry's index keys as bytes, the same for every engine. `FORMAT.md` in words.
//!
//! Their number, then each with its length before it. Numbers are unsigned LEB128 in as few bytes
//! as they need, so that the keys of nearly every entry cost one byte each and one more.

/// Bytes of a number: 63 bits, more than anything in memory has.
const NUMBER_BYTES_MAX: usize = 9;
/// Keys that room is made for at once: a damaged number must not make room for millions.
const KEYS_AT_ONCE: usize = 1024;

/// Appends the keys.
pub(crate) fn append(keys: &[String], bytes: &mut Vec<u8>) {
    append_number(keys.len(), bytes);
    for key in keys {
        append_number(key.len(), bytes);
        bytes.extend_from_slice(key.as_bytes());
    }
}

/// Bytes that [`append`] may add, or a few less.
pub(crate) fn size_hint(keys: &[String]) -> usize {
    keys.iter().map(|key| key.len() + 1).sum::<usize>() + 1
}

/// Takes the keys off the front, and gives what follows them; `None` for bytes that [`append`]
/// never makes.
pub(crate) fn take(bytes: &[u8]) -> Option<(Vec<String>, &[u8])> {
    let (count, mut rest) = take_number(bytes)?;
    let mut keys = Vec::with_capacity(count.min(KEYS_AT_ONCE));
    for _ in 0..count {
        let (length, text) = take_number(rest)?;
        let (key, behind) = text.split_at_checked(length)?;
        keys.push(str::from_utf8(key).ok()?.to_owned());
        rest = behind;
    }
    Some((keys, rest))
}

/// What follows the keys, which are looked at no more than that needs.
#[cfg(any(feature = "rocksdb", feature = "fjall"))]
pub(crate) fn skip(bytes: &[u8]) -> Option<&[u8]> {
    let (count, mut rest) = take_number(bytes)?;
    for _ in 0..count {
        let (length, text) = take_number(rest)?;
        rest = text.get(length..)?;
    }
    Some(rest)
}

/// The keys, when nothing follows them.
#[cfg(feature = "postgres")]
pub(crate) fn all(bytes: &[u8]) -> Option<Vec<String>> {
    take(bytes).filter(|(_, rest)| rest.is_empty()).map(|(keys, _)| keys)
}

fn append_number(mut number: usize, bytes: &mut Vec<u8>) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0_u64;
    for (at, byte) in bytes.iter().take(NUMBER_BYTES_MAX).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let is_shortest = *byte != 0 || at == 0;
            let number = usize::try_from(number).ok().filter(|_| is_shortest)?;
            return Some((number, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(keys: &[String]) -> Vec<u8> {
        let mut bytes = Vec::new();
        append(keys, &mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn keys_come_back_in_order_with_what_follows(
            keys in prop::collection::vec("\\PC{0,200}|[\\x00-\\x02]{0,9}", 0..300),
            rest: Vec<u8>,
        ) {
            let mut bytes = encode(&keys);
            prop_assert!(bytes.len() >= size_hint(&keys));
            bytes.extend_from_slice(&rest);
            #[cfg(any(feature = "rocksdb", feature = "fjall"))]
            prop_assert_eq!(skip(&bytes), Some(rest.as_slice()));
            prop_assert_eq!(take(&bytes), Some((keys, rest.as_slice())));
        }

        #[test]
        fn what_is_cut_off_is_refused(
            keys in prop::collection::vec("\\PC{0,200}", 0..9),
            at: prop::sample::Index,
        ) {
            let bytes = encode(&keys);
            let cut = &bytes[..at.index(bytes.len())];
            prop_assert_eq!(take(cut), None);
            #[cfg(any(feature = "rocksdb", feature = "fjall"))]
            prop_assert_eq!(skip(cut), None);
        }

        /// There is one way to write a list of keys, whatever the bytes.
        #[test]
        fn what_is_read_is_what_would_be_written(
            bytes in prop::collection::vec(prop_oneof![0..4_u8, 0x7e..0x83_u8, any::<u8>()], 0..40),
        ) {
            if let Some((keys, rest)) = take(&bytes) {
                prop_assert_eq!([encode(&keys).as_slice(), rest].concat(), bytes);
            }
        }
    }

    #[test]
    fn the_bytes_are_these() {
        let keys = ["a", "", &"k".repeat(200)].map(str::to_owned);
        let wanted = ["\x03\x01a\0".as_bytes(), b"\xc8\x01", &[b'k'; 200]].concat();
        assert_eq!(encode(&keys), wanted);
        assert_eq!(encode(&[]), [0]);
    }

    #[test]
    fn damage_is_refused() {
        for (bytes, why) in [
            (b"".as_slice(), "no number"),
            (b"\x80", "a number without end"),
            (b"\x80\0", "a longer form of zero"),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a number of 70 bits"),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "more keys than there are bytes"),
            (b"\x01\x02a", "a key that ends early"),
            (b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7fa", "a length beyond memory"),
            (b"\x01\x01\xff", "a key that is no text"),
        ] {
            assert_eq!(take(bytes), None, "{why}");
        }
    }
}
