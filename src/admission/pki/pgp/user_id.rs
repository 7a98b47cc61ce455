//! The e-mail address in a user ID: `Name (comment) <address>`, or only the address.

use super::armor::trim;

/// The address, if there is one and it looks like one.
pub(super) fn email(id: &[u8]) -> Option<&str> {
    let (name, address) = split(id);
    let address = if address.is_empty() && name.contains(&b'@') { name } else { address };
    str::from_utf8(address).ok().filter(|address| is_email(address))
}

/// The name, and what stands in angle brackets.
fn split(id: &[u8]) -> (&[u8], &[u8]) {
    let find = |from: usize, byte: u8| {
        let rest = id.get(from..).unwrap_or_default();
        rest.iter().position(|found| *found == byte).map(|at| from + at)
    };
    let slice = |from: usize, to: usize| trim(id.get(from..to).unwrap_or_default());
    let comment = find(0, b'(');
    let bracket = find(0, b'<');
    let (name_end, open) = match (comment, bracket) {
        // A bracket within the comment opens no address.
        (Some(comment), bracket) if bracket.is_none_or(|bracket| comment < bracket) => {
            (comment, find(comment + 1, b')').and_then(|closed| find(closed + 1, b'<')))
        }
        (_, Some(bracket)) => (bracket, Some(bracket)),
        (_, None) => (id.len(), None),
    };
    let address =
        open.map_or(&[][..], |open| slice(open + 1, find(open + 1, b'>').unwrap_or(id.len())));
    (slice(0, name_end), address)
}

/// By the measure of Rekor's library: atoms with dots between them, an at sign, a host name with a
/// dot. Quoted local parts are not taken for addresses here.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let Some((host, top)) = domain.rsplit_once('.') else { return false };
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
        && is_label(host, |c| is_letter(c) || c.is_ascii_digit(), "-._~")
        && is_label(top, is_letter, "-_~")
}

fn is_atom(c: char) -> bool {
    is_letter(c) || c.is_ascii_digit() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic()
        || matches!(c, '\u{a0}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{ffef}')
}

/// Starts and ends with what `at_ends` takes; more may stand between.
fn is_label(text: &str, at_ends: impl Fn(char) -> bool, between: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(&at_ends);
    let is_inside = |c: char| is_letter(c) || c.is_ascii_digit() || between.contains(c);
    is_end(text.chars().next()) && is_end(text.chars().next_back()) && text.chars().all(is_inside)
}
