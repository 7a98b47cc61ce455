//! What is asked of the log after the clock has stopped: entries that it has taken, its head, and
//! proof that it only grew.

use hyper::StatusCode;
use tlog::TreeHead;

use crate::client::{Answer, CallError, Connection, uri};
use crate::history::Heads;
use crate::rekor_v1::check::{Expected, LogIdentity, Verified, framing, verify_consistency};
use crate::rekor_v1::reader::{path_by_id, path_by_index};
use crate::rekor_v1::wire;
use crate::tally::Failures;

/// A log and a connection to its server.
pub struct Asked<'a> {
    /// Who it is.
    pub log: &'a LogIdentity,
    /// Where it is asked.
    pub connection: &'a mut Connection,
}

impl Asked<'_> {
    /// Asks the log again for entries that it has taken, by index and by entry ID in turn. Gives
    /// how many came back whole.
    pub async fn read_back(&mut self, entries: &[Verified], failures: &mut Failures) -> u64 {
        let mut good = 0;
        for (n, entry) in entries.iter().enumerate() {
            let by_index = n % 2 == 0;
            let path = if by_index { path_by_index(entry.index) } else { path_by_id(&entry.id) };
            let expected =
                Expected { body: Some(&entry.body), id: Some(&entry.id), index: Some(entry.index) };
            match self.entry(&path, expected).await {
                Ok(_) => good += 1,
                Err(why) => failures.add(format!("GET {path}"), why),
            }
        }
        good
    }

    /// Gets one entry and verifies it from end to end.
    ///
    /// # Errors
    /// What is wrong with the call or with the answer, in words.
    pub async fn entry(&mut self, path: &str, expected: Expected<'_>) -> Result<Verified, String> {
        let answer = get(self.connection, path).await.map_err(|error| error.to_string())?;
        let verified = framing(&answer, StatusCode::OK, expected.id)
            .and_then(|_| self.log.verify_entry(&answer.body, expected));
        verified.map_err(|fault| fault.to_string())
    }
}

impl Heads for Asked<'_> {
    const HEAD: &'static str = "GET /api/v1/log";
    const PROOF: &'static str = "GET /api/v1/log/proof";

    async fn newest(&mut self) -> Result<TreeHead, String> {
        let path = "/api/v1/log";
        let answer = get(self.connection, path).await.map_err(|error| error.to_string())?;
        let info = serde_json::from_slice::<wire::LogInfo>(&answer.body);
        let info = info.map_err(|error| error.to_string())?;
        self.log.open_checkpoint(&info.signed_tree_head).map_err(|fault| fault.to_string())
    }

    async fn prove(&mut self, old: &TreeHead, new: &TreeHead) -> Result<(), String> {
        let (first, last, tree) = (old.size, new.size, &self.log.tree_id);
        let path = format!("/api/v1/log/proof?firstSize={first}&lastSize={last}&treeID={tree}");
        let answer = get(self.connection, &path).await.map_err(|error| error.to_string())?;
        if answer.status != StatusCode::OK {
            return Err(format!("sizes {first} to {last}: status {}", answer.status.as_u16()));
        }
        verify_consistency(&answer.body, old, new).map_err(|fault| fault.to_string())
    }
}

/// Gets anything.
///
/// # Errors
/// No answer.
pub async fn get(connection: &mut Connection, path: &str) -> Result<Answer, CallError> {
    connection.get(uri(path)?).await
}
