//! The real `cairn witness` on a folder, as a child process that dies and comes back.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tlog::witness::origin_hash;
use tlog::{Policy, SignedCheckpoint, TreeHead, VerifierKey};

use crate::client::Client;
use crate::server::CAIRN;

pub(crate) struct Witness {
    process: Child,
    folder: PathBuf,
    logs: Vec<String>,
    address: String,
    pub(crate) key: VerifierKey,
    /// Its line of a policy.
    pub(crate) line: String,
}

impl Witness {
    /// Makes a witness of logs, each a verifier key and its origin.
    pub(crate) fn create(folder: &Path, logs: &[String]) -> Self {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let spawned = spawn(folder, logs, &["--name", name, "--listen", "127.0.0.1:0"]);
        let (process, line) = spawned.expect("the witness does not start");
        let policy = Policy::parse(&format!("{line}\nquorum none\n")).unwrap();
        let (key, url) = (policy.witnesses[0].key.clone(), policy.witnesses[0].url.clone());
        let address = url.unwrap().strip_prefix("http://").unwrap().to_owned();
        Self { process, folder: folder.into(), logs: logs.into(), address, key, line }
    }

    /// SIGKILL: no handler, no destructor, no flush runs.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// The same folder again, at the same address; a connection that happens to have taken its port
    /// meanwhile soon ends.
    pub(crate) fn restart(&mut self) {
        let mut spawned =
            (0..20).filter_map(|_| spawn(&self.folder, &self.logs, &["--listen", &self.address]));
        let (process, line) = spawned.next().expect("the witness does not start again");
        assert_eq!(line, self.line, "the witness is another one after its death");
        self.process = process;
    }

    /// The head of a log that it cosigned last; its own cosignature verifies.
    pub(crate) fn cosigned(&self, origin: &str) -> TreeHead {
        let mut client = Client::connect(self.address.parse().unwrap()).unwrap();
        let note = client.text(&format!("/{}/checkpoint", origin_hash(origin))).unwrap();
        let opened = SignedCheckpoint::open_by(&note, origin, &self.key).unwrap();
        opened.checkpoint().head
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _ended_already = self.process.wait();
    }
}

/// The process, once it answers, and its line of a policy; none if it ends.
fn spawn(folder: &Path, logs: &[String], more: &[&str]) -> Option<(Child, String)> {
    let mut process = Command::new(CAIRN)
        .args(["witness", "--log-level", "error", "--data-dir"])
        .arg(folder)
        .args(logs.iter().flat_map(|log| ["--log", log]))
        .args(more)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut own = lines.filter_map(|line| Some(line.trim().strip_prefix("for logs")?.to_owned()));
    let Some(own) = own.next() else {
        process.wait().unwrap();
        return None;
    };
    Some((process, own.trim().to_owned()))
}
