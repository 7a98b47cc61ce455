//! Reads: request `n` asks for an entry that is there, chosen at random but the same for the same
//! seed, by index or by entry ID.

use hyper::StatusCode;

use crate::client::{Answer, CallError, Connection, uri};
use crate::drive::Target;
use crate::fault::Fault;
use crate::plan::ReadBy;
use crate::random::random;
use crate::rekor_v1::check::{Expected, framing};
use crate::rekor_v1::writer::ENTRIES_PATH;

/// An entry that is there.
#[derive(Clone, Debug)]
pub struct Known {
    /// Index over all shards.
    pub index: u64,
    /// Entry ID.
    pub id: String,
    /// `algorithm:value` of what was signed; empty where the body does not say it as a
    /// hashedrekord does.
    pub hash: String,
}

/// What can be asked for.
pub struct Lookups {
    by: ReadBy,
    seed: u64,
    first_index: u64,
    size: u64,
    /// Entries whose IDs were learnt before the clock started.
    known: Vec<Known>,
}

/// What one request asks for.
enum Wanted<'a> {
    Index(u64),
    Id(&'a Known),
}

impl Lookups {
    /// Look-ups among the `size` entries from `first_index` on, and among the `known` by ID.
    pub const fn new(
        by: ReadBy,
        seed: u64,
        first_index: u64,
        size: u64,
        known: Vec<Known>,
    ) -> Self {
        Self { by, seed, first_index, size, known }
    }

    /// What must be true of the answer to request `number`.
    pub fn expected(&self, number: u64) -> Expected<'_> {
        match self.wanted(number) {
            Wanted::Index(index) => Expected { index: Some(index), ..Expected::default() },
            Wanted::Id(known) => {
                let (index, id) = (Some(known.index), Some(known.id.as_str()));
                Expected { index, id, body: None }
            }
        }
    }

    fn wanted(&self, number: u64) -> Wanted<'_> {
        let draw = random(self.seed, number);
        let by_id = match self.by {
            ReadBy::Index => false,
            ReadBy::Uuid => true,
            _ => number % 2 == 1,
        };
        match self.known.len() as u64 {
            0 => Wanted::Index(self.first_index + draw % self.size.max(1)),
            known if by_id => Wanted::Id(&self.known[(draw % known) as usize]),
            _ => Wanted::Index(self.first_index + draw % self.size.max(1)),
        }
    }

    fn path(&self, number: u64) -> String {
        match self.wanted(number) {
            Wanted::Index(index) => path_by_index(index),
            Wanted::Id(known) => path_by_id(&known.id),
        }
    }
}

impl Target for Lookups {
    type Link = Connection;

    async fn call(&self, connection: &mut Connection, number: u64) -> Result<Answer, CallError> {
        connection.get(uri(&self.path(number))?).await
    }

    fn framing(&self, number: u64, answer: &Answer) -> Result<u64, Fault> {
        let expected = self.expected(number);
        let named = framing(answer, StatusCode::OK, expected.id)?;
        match expected.index {
            Some(expected) if expected != named => Err(Fault::Index { named, expected }),
            _ => Ok(named),
        }
    }

    fn subject(&self, number: u64) -> String {
        format!("GET {}", self.path(number))
    }
}

/// Indices spread evenly over `size` entries from `first_index` on.
pub fn spread(first_index: u64, size: u64, count: u64) -> impl Iterator<Item = u64> {
    let count = count.min(size);
    (0..count).map(move |n| first_index + n * size / count)
}

/// `GET /api/v1/log/entries?logIndex=N`
pub fn path_by_index(index: u64) -> String {
    format!("{ENTRIES_PATH}?logIndex={index}")
}

/// `GET /api/v1/log/entries/{entryUUID}`
pub fn path_by_id(id: &str) -> String {
    format!("{ENTRIES_PATH}/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_ups_stay_among_the_entries_and_repeat() {
        let known = vec![Known { index: 107, id: "ab".to_owned(), hash: String::new() }];
        let lookups = Lookups::new(ReadBy::Both, 7, 100, 10, known);
        let paths: Vec<String> = (0..200).map(|n| lookups.path(n)).collect();
        assert_eq!(paths[0], lookups.path(0));
        for (n, path) in paths.iter().enumerate() {
            let index = path.strip_prefix("/api/v1/log/entries?logIndex=");
            match index.map(|index| index.parse::<u64>().unwrap()) {
                Some(index) => assert!((100..110).contains(&index) && n % 2 == 0),
                None => assert_eq!((path.as_str(), n % 2), ("/api/v1/log/entries/ab", 1)),
            }
        }
        let distinct: std::collections::HashSet<_> = paths.iter().collect();
        assert_eq!(distinct.len(), 11);
    }

    #[test]
    fn indices_are_spread_over_all() {
        assert_eq!(spread(5, 100, 4).collect::<Vec<_>>(), [5, 30, 55, 80]);
        assert_eq!(spread(5, 2, 4).collect::<Vec<_>>(), [5, 6]);
        assert_eq!(spread(5, 0, 4).count(), 0);
    }
}
