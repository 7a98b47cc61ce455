//! One log as C2SP tlog-tiles: its checkpoint, its tiles and entry bundles under one prefix, and
//! the proofs that follow from them. Which log it is, its key and its prefix, comes from the
//! server's list (`GET /logs`) or from the command line.

use hyper::StatusCode;
use serde::Deserialize;
use tlog::{
    ConsistencyPlan, HashRange, NodeHash, TILE_WIDTH, TileId, TilePath, TreeHead, TreeSize,
    decode_bundle, decode_tile,
};

use crate::client::{Answer, CallError, Connection, uri};
use crate::fault::Fault;
use crate::history::Heads;
use crate::log_key::LogKey;
use crate::measure::connection;
use crate::plan::{LogChoice, Plan};
use crate::run::{RunError, get_ok};
use crate::server::Base;

/// A log that is read as tiles.
pub struct Source {
    /// Who it is.
    pub log: LogKey,
    /// Where it is read.
    pub base: Base,
    connection: Connection,
}

/// `GET /logs`; other members may come.
#[derive(Deserialize)]
struct List {
    logs: Vec<Listed>,
}

/// A log in the [`List`].
#[derive(Deserialize)]
struct Listed {
    name: String,
    api: String,
    state: String,
    origin: String,
    log_id: String,
    public_key: String,
}

impl Source {
    /// Finds the log and verifies its checkpoint. `api` says which of the server's logs is meant
    /// if none is named.
    ///
    /// # Errors
    /// No such log, no answer, or a log that lies about itself.
    pub async fn open(
        plan: &Plan,
        choice: &LogChoice,
        api: &str,
    ) -> Result<(Self, TreeHead), RunError> {
        let listed = match &choice.public_key {
            Some(_) => None,
            None => Some(choose(plan, choice.name.as_deref(), api).await?),
        };
        let base = match (&choice.read, &listed) {
            (Some(base), _) => base.clone(),
            (None, None) => plan.base.clone(),
            (None, Some(log)) => {
                Base { prefix: format!("/logs/{}", log.log_id), server: plan.base.server.clone() }
            }
        };
        let key = choice.public_key.as_ref().or(listed.as_ref().map(|log| &log.public_key));
        let mut connection = connection(&base.server, plan.timeout)?;
        let path = format!("{}/checkpoint", base.prefix);
        let note = get_ok(&mut connection, &path).await?.body;
        let note = String::from_utf8_lossy(&note);
        let (log, head) =
            LogKey::new(key.map_or("", |key| key), &note).map_err(RunError::Identity)?;
        if let Some(listed) = listed
            && (listed.origin != log.origin || listed.log_id != hex::encode(log.log_id))
        {
            let why = format!("/logs says {} and {}", listed.origin, listed.log_id);
            return Err(RunError::Identity(Fault::Checkpoint(why)));
        }
        Ok((Self { log, base, connection }, head))
    }

    /// Takes a new connection: the server may have closed one that was idle during a run.
    ///
    /// # Errors
    /// None that the first connection did not have.
    pub fn reconnect(&mut self, plan: &Plan) -> Result<(), RunError> {
        self.connection = connection(&self.base.server, plan.timeout)?;
        Ok(())
    }

    /// The hashes of a tile, as many as it has in a tree of this size.
    ///
    /// # Errors
    /// No tile, or one of another length; in words.
    pub async fn tile(&mut self, tile: TileId, size: TreeSize) -> Result<Vec<NodeHash>, String> {
        let width = tile.width(size);
        let whole = |width| TilePath::Tile { tile, width };
        let bytes = self.partial_or_full(width, whole).await?;
        let mut hashes = decode_tile(&bytes).unwrap_or_default();
        if hashes.len() < usize::from(width) {
            return Err(format!("{}: {} bytes", whole(width), bytes.len()));
        }
        hashes.truncate(usize::from(width));
        Ok(hashes)
    }

    /// The entries of a bundle, as many as it has in a tree of this size.
    ///
    /// # Errors
    /// No bundle, or one with fewer entries; in words.
    pub async fn bundle(&mut self, index: u64, size: TreeSize) -> Result<Vec<Vec<u8>>, String> {
        let width = TileId { level: 0, index }.width(size);
        let whole = |width| TilePath::Entries { index, width };
        let bytes = self.partial_or_full(width, whole).await?;
        let entries = decode_bundle(&bytes).map_err(|error| error.to_string())?;
        if entries.len() < usize::from(width) {
            return Err(format!("{}: {} entries", whole(width), entries.len()));
        }
        Ok(entries.iter().take(usize::from(width)).map(|entry| entry.to_vec()).collect())
    }

    /// A partial resource may be gone once it is full: then the full one holds it.
    async fn partial_or_full(
        &mut self,
        width: u16,
        path: impl Fn(u16) -> TilePath,
    ) -> Result<bytes::Bytes, String> {
        let mut answer = self.get(&path(width).to_string()).await?;
        if answer.status == StatusCode::NOT_FOUND && u64::from(width) < TILE_WIDTH {
            answer = self.get(&path(TILE_WIDTH as u16).to_string()).await?;
        }
        if answer.status == StatusCode::OK {
            return Ok(answer.body);
        }
        Err(format!("{}: status {}", path(width), answer.status.as_u16()))
    }

    async fn get(&mut self, path: &str) -> Result<Answer, String> {
        let refuse = |error: CallError| format!("{path}: {error}");
        let uri = uri(&format!("{}/{path}", self.base.prefix)).map_err(refuse)?;
        self.connection.get_any(uri).await.map_err(refuse)
    }

    /// The tiles of these ranges, each of which is a whole tile.
    ///
    /// # Errors
    /// As for [`Self::tile`].
    pub async fn ranges(
        &mut self,
        ranges: &[HashRange],
        size: TreeSize,
    ) -> Result<Vec<Vec<NodeHash>>, String> {
        let mut tiles = Vec::new();
        for range in ranges {
            tiles.push(self.tile(range.tile(), size).await?);
        }
        Ok(tiles)
    }
}

impl Heads for Source {
    const HEAD: &'static str = "checkpoint";
    const PROOF: &'static str = "tiles";

    async fn newest(&mut self) -> Result<TreeHead, String> {
        let answer = self.get("checkpoint").await?;
        if answer.status != StatusCode::OK {
            return Err(format!("status {}", answer.status.as_u16()));
        }
        let note = String::from_utf8_lossy(&answer.body);
        self.log.open(&note).map_err(|fault| fault.to_string())
    }

    async fn prove(&mut self, old: &TreeHead, new: &TreeHead) -> Result<(), String> {
        let fault = |why| Fault::Consistency { old: old.size.0, new: new.size.0, why }.to_string();
        let plan = ConsistencyPlan::new(old.size, new.size);
        let plan = plan.map_err(|error| fault(error.to_string()))?;
        let tiles = self.ranges(plan.wanted(), new.size).await.map_err(fault)?;
        let proof = plan.build(&tiles).map_err(|error| fault(error.to_string()))?;
        proof.verify(&old.root, &new.root).map_err(|error| fault(error.to_string()))
    }
}

/// The log that is meant, from the server's list.
async fn choose(plan: &Plan, name: Option<&str>, api: &str) -> Result<Listed, RunError> {
    let refuse = |why: String| RunError::Setup("GET /logs".to_owned(), why);
    let text = get_ok(&mut connection(&plan.base.server, plan.timeout)?, "/logs").await.map_err(
        |error| {
            refuse(format!("{error}; give --public-key for a server that does not list its logs"))
        },
    )?;
    let list: List = serde_json::from_slice(&text.body)
        .map_err(|error| RunError::Identity(Fault::Framing(format!("/logs: {error}"))))?;
    let fits = |log: &Listed| match name {
        Some(name) => log.name == name && log.state == "active" || log.log_id == name,
        None => log.api == api && log.state == "active",
    };
    let wanted = name.map_or(format!("active {api} log"), |name| format!("log {name}"));
    list.logs.into_iter().find(fits).ok_or_else(|| refuse(format!("no {wanted} in the list")))
}
