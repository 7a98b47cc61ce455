//! The items: leaves that no other run makes, of a given length, made as they are sent.

use bytes::{BufMut, Bytes, BytesMut};
use hyper::{HeaderMap, StatusCode};
use prost::Message;
use proto::log_v1::Appended;
use tlog::hash_leaf;

use crate::append::stream::Place;
use crate::client::{Answer, CallError};
use crate::drive::Target;
use crate::fault::Fault;

const PREFIX_BYTES: usize = 16;

/// The leaves of a run.
pub struct Items {
    prefix: [u8; PREFIX_BYTES],
    bytes: usize,
}

impl Items {
    /// Leaves of so many bytes, within [`LEAF_BYTES`](crate::plan::LEAF_BYTES), that start with
    /// this random prefix.
    pub const fn new(prefix: [u8; PREFIX_BYTES], bytes: usize) -> Self {
        Self { prefix, bytes }
    }

    /// The leaf of request `number`.
    pub fn leaf(&self, number: u64) -> Bytes {
        let mut leaf = BytesMut::with_capacity(self.bytes);
        leaf.put_slice(&self.prefix);
        leaf.put_u64(number);
        leaf.resize(self.bytes, b'.');
        leaf.freeze()
    }

    /// Reads what [`Target::call`] kept of a result.
    ///
    /// # Errors
    /// [`Fault::Framing`].
    pub fn parse(text: &[u8]) -> Result<Appended, Fault> {
        Appended::decode(text).map_err(|error| Fault::Framing(error.to_string()))
    }
}

impl Target for Items {
    type Link = Place;

    async fn call(&self, place: &mut Place, number: u64) -> Result<Answer, CallError> {
        let appended = place.append(self.leaf(number)).await?;
        let body = Bytes::from(appended.encode_to_vec());
        Ok(Answer { status: StatusCode::OK, headers: HeaderMap::new(), body })
    }

    fn framing(&self, number: u64, answer: &Answer) -> Result<u64, Fault> {
        let appended = Self::parse(&answer.body)?;
        let (index, size) = (appended.tree_index, appended.tree_size);
        if appended.leaf_hash != hash_leaf(&self.leaf(number)).as_bytes()[..] {
            return Err(Fault::Body);
        }
        if appended.duplicate {
            return Err(Fault::Framing("a duplicate, of a leaf that is new".to_owned()));
        }
        if index >= size {
            return Err(Fault::Framing(format!("index {index} is not covered by size {size}")));
        }
        Ok(index)
    }

    fn subject(&self, number: u64) -> String {
        format!("item {number} ({})", hash_leaf(&self.leaf(number)))
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::LEAF_BYTES;

    use super::*;

    #[test]
    fn leaves_are_distinct_and_as_long_as_wanted() {
        let items = Items::new([7; PREFIX_BYTES], 100);
        assert_eq!((items.leaf(0).len(), items.leaf(u64::MAX).len()), (100, 100));
        assert_eq!(items.leaf(5), items.leaf(5));
        assert_ne!(items.leaf(5), items.leaf(6));
        assert_ne!(items.leaf(5), Items::new([8; PREFIX_BYTES], 100).leaf(5));
        let shortest = Items::new([7; PREFIX_BYTES], *LEAF_BYTES.start());
        assert_ne!(shortest.leaf(1), shortest.leaf(2));
    }
}
