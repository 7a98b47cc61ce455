//! Base64 (RFC 4648) as lenient as Rekor reads it, and as strict as it writes it.
//!
//! Padding is required; CR and LF are skipped wherever they stand; bits after the last byte may be
//! anything. Output is always canonical.

use base64::Engine as _;
use base64::alphabet;
use base64::display::Base64Display;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
static STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Text that is not base64, and the byte where that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal base64 data at input byte {0}")]
pub struct IllegalBase64(pub usize);

/// Reads standard base64.
pub fn decode(text: &str) -> Result<Vec<u8>, IllegalBase64> {
    decode_with(&STANDARD, text).ok_or_else(|| IllegalBase64(first_fault(text.as_bytes())))
}

/// Reads URL-safe base64.
pub(crate) fn decode_url_safe(text: &str) -> Option<Vec<u8>> {
    decode_with(&URL_SAFE, text)
}

/// Writes standard base64.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Shows bytes as standard base64.
pub(crate) fn display(bytes: &[u8]) -> Base64Display<'_, 'static, GeneralPurpose> {
    Base64Display::new(bytes, &STANDARD)
}

/// The most bytes that base64 text of this length can hold.
pub(crate) const fn decoded_len_max(text_len: usize) -> usize {
    text_len / 4 * 3
}

fn decode_with(engine: &GeneralPurpose, text: &str) -> Option<Vec<u8>> {
    let is_newline = |byte: &u8| matches!(byte, b'\r' | b'\n');
    if text.as_bytes().iter().any(is_newline) {
        let joined: Vec<u8> = text.bytes().filter(|byte| !is_newline(byte)).collect();
        engine.decode(joined).ok()
    } else {
        engine.decode(text).ok()
    }
}

/// Where text that does not decode goes wrong. An incomplete last group counts from the position
/// that many characters before the end.
fn first_fault(text: &[u8]) -> usize {
    let mut in_group = 0;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'\r' | b'\n' => {}
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => in_group = (in_group + 1) % 4,
            b'=' if in_group >= 2 => return fault_in_padding(text, at, in_group),
            _ => return at,
        }
    }
    text.len().saturating_sub(in_group)
}

/// The first `=` stands at `at`, after two or three characters of its group.
fn fault_in_padding(text: &[u8], at: usize, in_group: usize) -> usize {
    let next = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).map(|skipped| from + skipped)
    };
    if in_group == 3 {
        return next(at + 1).unwrap_or(text.len());
    }
    match next(at + 1) {
        None => text.len(),
        Some(second) if text.get(second) == Some(&b'=') => next(second + 1).unwrap_or(text.len()),
        Some(second) => second - 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn newlines_and_trailing_bits_are_tolerated() {
        for (text, bytes) in
            [("", ""), ("aGk=", "hi"), ("aG\r\nk=\n", "hi"), ("aGl=", "hi"), ("a\nG\nk\n=", "hi")]
        {
            assert_eq!(decode(text), Ok(bytes.as_bytes().to_vec()), "{text:?}");
        }
        assert_eq!(decode_url_safe("-_8="), Some(vec![0xfb, 0xff]));
        assert_eq!(decode("-_8="), Err(IllegalBase64(0)));
    }

    #[test]
    fn a_fault_is_named_by_its_place() {
        for (text, place) in [
            ("aGk", 0),
            ("aGkhaGk", 4),
            ("a", 0),
            ("a*", 1),
            ("=", 0),
            ("a=", 1),
            ("aG=", 3),
            ("aG=x", 2),
            ("aG==x", 4),
            ("aGk=x", 4),
            ("aGk=\n=", 5),
            ("aGkh aGkh", 4),
            ("aGkh\na", 5),
        ] {
            assert_eq!(decode(text), Err(IllegalBase64(place)), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let text = encode(&bytes);
            prop_assert!(decoded_len_max(text.len()) >= bytes.len());
            prop_assert_eq!(decode(&text), Ok(bytes));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a-zA-Z0-9+/=\r\n*é-]{0,40}") {
            match decode(&text) {
                Ok(bytes) => prop_assert!(bytes.len() <= decoded_len_max(text.len())),
                Err(IllegalBase64(place)) => prop_assert!(place <= text.len()),
            }
        }
    }
}
