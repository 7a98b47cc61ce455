//! Index keys: what a search finds an entry by. Lower case, each once.

use super::Rejection;
use crate::limits::{INDEX_KEY_CHARS_MAX, INDEX_KEYS_MAX};

/// Lower case as the index has it: letter by letter, in every script.
pub fn fold(key: &str) -> String {
    if key.is_ascii() {
        return key.to_ascii_lowercase();
    }
    key.chars().flat_map(char::to_lowercase).collect()
}

/// Lower-cases the keys of an entry and drops repetitions, and keys too long for any search; the
/// order stays.
///
/// # Errors
/// [`Rejection::Input`] for more than [`INDEX_KEYS_MAX`].
pub(crate) fn finish(keys: Vec<String>) -> Result<Vec<String>, Rejection> {
    if keys.len() > INDEX_KEYS_MAX {
        let text = format!("the entry has more than {INDEX_KEYS_MAX} index keys");
        return Err(Rejection::Input(text));
    }
    let mut seen = std::collections::HashSet::with_capacity(keys.len());
    let keys = keys.iter().map(|key| fold(key));
    let keys = keys.filter(|key| key.chars().nth(INDEX_KEY_CHARS_MAX).is_none());
    Ok(keys.filter(|key| seen.insert(key.clone())).collect())
}

/// The SHA-256 of `bytes` in lower-case hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(tlog::hash::sha256(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_folded_once_each_and_bounded() {
        let long = |chars: usize| "Ä".repeat(chars);
        let keys = vec!["B".into(), "a".into(), "b".into(), long(512), long(513)];
        assert_eq!(finish(keys).unwrap(), ["b", "a", &"ä".repeat(512)]);
        let many = |n: usize| (0..n).map(|n| n.to_string()).collect();
        assert_eq!(finish(many(INDEX_KEYS_MAX)).unwrap().len(), INDEX_KEYS_MAX);
        assert!(matches!(finish(many(INDEX_KEYS_MAX + 1)), Err(Rejection::Input(_))));
    }
}
