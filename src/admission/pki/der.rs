//! The little DER (X.690) that is read by hand: one tag, one length, the value.

/// An element: its tag, its value, the whole of it, and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
    pub(crate) whole: &'a [u8],
    pub(crate) rest: &'a [u8],
}

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0]`, constructed, context-specific.
pub(crate) const CONTEXT_0: u8 = 0xa0;
/// `[1]`, the same.
pub(crate) const CONTEXT_1: u8 = 0xa1;

/// Reads the element at the front; `None` unless it is there in full, with a one-byte tag and the
/// shortest form of a definite length.
pub(crate) fn element(input: &[u8]) -> Option<Element<'_>> {
    let (&tag, after_tag) = input.split_first()?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&first, after_first) = after_tag.split_first()?;
    let (length, body) = match first {
        0..=0x7f => (usize::from(first), after_first),
        0x81..=0x84 => {
            let (octets, body) = after_first.split_at_checked(usize::from(first & 0x7f))?;
            let length = octets.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet));
            let shortest = length >= 0x80 && octets.first() != Some(&0);
            (shortest.then_some(length)?, body)
        }
        _ => return None,
    };
    let (value, rest) = body.split_at_checked(length)?;
    let (whole, _) = input.split_at_checked(input.len() - rest.len())?;
    Some(Element { tag, value, whole, rest })
}

/// Like [`element`], but only with this tag.
pub(crate) fn expect(input: &[u8], tag: u8) -> Option<Element<'_>> {
    element(input).filter(|element| element.tag == tag)
}

/// The elements of a value, one after the other; ends at the first that is malformed.
pub(crate) fn elements(mut input: &[u8]) -> impl Iterator<Item = Element<'_>> {
    std::iter::from_fn(move || {
        let next = element(input)?;
        input = next.rest;
        Some(next)
    })
}

/// Writes an INTEGER of unsigned big-endian bytes.
pub(crate) fn write_unsigned(out: &mut Vec<u8>, big_endian: &[u8]) {
    let significant = big_endian.iter().position(|byte| *byte != 0);
    let digits = significant.and_then(|from| big_endian.get(from..)).unwrap_or(&[0]);
    let pad = digits.first().is_some_and(|byte| byte & 0x80 != 0);
    write_header(out, INTEGER, digits.len() + usize::from(pad));
    if pad {
        out.push(0);
    }
    out.extend_from_slice(digits);
}

/// Writes a tag and a length.
pub(crate) fn write_header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    let octets = length.to_be_bytes();
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    let octets = octets.get(zeros..).unwrap_or_default();
    if length >= 0x80 {
        out.push(0x80 | octets.len() as u8);
    }
    out.extend(if length == 0 { &[0][..] } else { octets });
}

/// Writes an element.
pub(crate) fn write(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    write_header(out, tag, value.len());
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_shortest_form_is_read() {
        let read = |input| element(input).map(|e| (e.tag, e.value, e.rest));
        assert_eq!(read(&[2, 1, 5, 9]), Some((2, &[5_u8][..], &[9_u8][..])));
        for bad in [&[][..], &[2], &[2, 1], &[2, 0x81, 1, 5], &[2, 0x80], &[0x1f, 0], &[2, 0x85]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        let mut long = vec![4, 0x82, 1, 0];
        long.extend([7; 256]);
        assert_eq!(element(&long).unwrap().value.len(), 256);
        assert_eq!(element(&long).unwrap().whole, long);
    }

    #[test]
    fn integers_are_minimal_and_positive() {
        for (number, written) in [
            (&[0, 0, 1][..], &[2, 1, 1][..]),
            (&[0x80], &[2, 2, 0, 0x80]),
            (&[0, 0], &[2, 1, 0]),
            (&[], &[2, 1, 0]),
        ] {
            let mut out = Vec::new();
            write_unsigned(&mut out, number);
            assert_eq!(out, written, "{number:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(found) = element(&bytes) {
                prop_assert_eq!(found.whole.len() + found.rest.len(), bytes.len());
            }
            prop_assert!(elements(&bytes).count() <= bytes.len());
        }
    }
}
