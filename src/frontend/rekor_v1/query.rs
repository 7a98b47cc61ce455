//! Query parameters: read as Go's `net/url` does, checked with Rekor's codes.

use super::super::status::Problem;
use super::path::{decode, push_escaped};

/// The parameters of one request, in the order in which they came.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Pairs that are not well-formed are left out, as are those with a `;`.
    pub(super) fn parse(text: Option<&str>) -> Self {
        let pairs = text.unwrap_or_default().split('&');
        let pairs = pairs.filter(|pair| !pair.is_empty() && !pair.contains(';'));
        Self(
            pairs
                .filter_map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    Some((decode(name, true)?, decode(value, true)?))
                })
                .collect(),
        )
    }

    /// The last value of a parameter; an empty one counts as absent.
    pub(super) fn last(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().rev().find(|(found, _)| found == name);
        value.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A whole number, at least `min`.
    pub(super) fn integer(&self, name: &str, min: i64) -> Result<Option<i64>, Problem> {
        let Some(text) = self.last(name) else { return Ok(None) };
        let number: i64 = text.parse().map_err(|_| {
            Problem::Invalid(601, format!("{name} in query must be of type int64: {text:?}"))
        })?;
        check_min(name, "query", number, min)?;
        Ok(Some(number))
    }

    /// A tree ID: digits, not yet known to be one of ours.
    pub(super) fn tree_id(&self) -> Result<Option<&str>, Problem> {
        match self.last("treeID") {
            Some(text) if !text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Err(Problem::pattern("treeID", "query", "^[0-9]+$"))
            }
            found => Ok(found),
        }
    }

    /// The query string of a `Location`: sorted by name, without `apiKey`; with its `?`.
    pub(super) fn for_location(&self) -> String {
        let mut pairs: Vec<_> = self.0.iter().filter(|(name, _)| name != "apiKey").collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        let mut out = String::new();
        for (name, value) in pairs {
            out.push(if out.is_empty() { '?' } else { '&' });
            push_escaped(&mut out, name);
            out.push('=');
            push_escaped(&mut out, value);
        }
        out
    }
}

/// Rekor's check of a lower bound.
pub(super) fn check_min(name: &str, place: &str, number: i64, min: i64) -> Result<(), Problem> {
    if number >= min {
        return Ok(());
    }
    let text = format!("{name} in {place} should be greater than or equal to {min}");
    Err(Problem::Invalid(609, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_and_an_empty_one_is_none() {
        let query = Query::parse(Some("a=1&a=2&b=&c&d=1&d=&%61=3&x=%zz&y=1;2"));
        assert_eq!(query.last("a"), Some("3"));
        for name in ["b", "c", "d", "x", "y", "z"] {
            assert_eq!(query.last(name), None, "{name}");
        }
        assert_eq!(Query::parse(None).last("a"), None);
    }

    #[test]
    fn integers() {
        let number = |text: &str| Query::parse(Some(text)).integer("n", 0);
        assert_eq!(number("n=007").unwrap(), Some(7));
        assert_eq!(number("n=%2B7").unwrap(), Some(7));
        assert_eq!(number("").unwrap(), None);
        assert!(matches!(number("n=-1"), Err(Problem::Invalid(609, _))));
        for wrong in ["n=a", "n=1.0", "n=0x1", "n=9223372036854775808", "n=1_0"] {
            assert!(matches!(number(wrong), Err(Problem::Invalid(601, _))), "{wrong}");
        }
    }

    #[test]
    fn location_queries_are_sorted_and_keep_no_secret() {
        let query = Query::parse(Some("z=1&apiKey=x&a=2%20&b&a=1"));
        assert_eq!(query.for_location(), "?a=2+&a=1&b=&z=1");
        assert_eq!(Query::parse(Some("apiKey=1")).for_location(), "");
    }
}
