//! Index keys: what a search finds an entry by. Lower case, each once.

/// Lower case as the index has it: letter by letter, in every script.
pub fn fold(key: &str) -> String {
    key.chars().flat_map(char::to_lowercase).collect()
}

/// Lower-cases the keys of an entry and drops repetitions; the order stays.
pub(crate) fn finish(keys: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::with_capacity(keys.len());
    keys.iter().map(|key| fold(key)).filter(|key| seen.insert(key.clone())).collect()
}

/// The SHA-256 of `bytes` in lower-case hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(tlog::hash::sha256(bytes))
}
