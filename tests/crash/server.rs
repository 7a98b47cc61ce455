//! The real `cairn serve` on a folder, as a child process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

pub(crate) const CAIRN: &str = env!("CARGO_BIN_EXE_cairn");

pub(crate) struct Server {
    process: Child,
    stdout: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Server {
    /// Serves a folder on a free loopback port, unless `more` names one, and waits until it says
    /// which.
    pub(crate) fn start(folder: &Path, more: &[String]) -> Self {
        Self::start_with(folder, more, &[])
    }

    /// The same with more in its environment.
    pub(crate) fn start_with(folder: &Path, more: &[String], set: &[(&str, String)]) -> Self {
        Self::spawn(folder, more, set, Stdio::inherit()).expect("cairn does not start")
    }

    /// The same of a folder that may be refused: then what is said about it.
    #[allow(dead_code, reason = "a module of several programs")]
    pub(crate) fn attempt(folder: &Path, more: &[String]) -> Result<Self, String> {
        let said = folder.join("said");
        let stderr = std::fs::File::create(&said).unwrap();
        let started = Self::spawn(folder, more, &[], stderr.into());
        started.ok_or_else(|| std::fs::read_to_string(said).unwrap())
    }

    fn spawn(
        folder: &Path,
        more: &[String],
        set: &[(&str, String)],
        stderr: Stdio,
    ) -> Option<Self> {
        let mut command = Command::new(CAIRN);
        if !more.iter().any(|argument| argument == "--listen") {
            command.args(["serve", "--listen", "127.0.0.1:0"]);
        } else {
            command.arg("serve");
        }
        let mut process = command
            .args(["--data-dir".as_ref(), folder.join("data").as_os_str()])
            .args(["--metrics-listen", "off"])
            .args(["--log-level", "warn"])
            .args(["--head-guard".as_ref(), folder.join("guard").as_os_str()])
            .args(more)
            .envs(set.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut lines = stdout.by_ref().lines().map_while(Result::ok);
        let url = lines.find_map(|line| Some(line.split_once("http://")?.1.to_owned()));
        let Some(url) = url else {
            assert!(!process.wait().unwrap().success(), "it ended, and said that all is well");
            return None;
        };
        let address = url.parse().unwrap();
        Some(Self { process, stdout, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    #[allow(dead_code, reason = "a module of several programs")]
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// SIGKILL: no handler, no destructor, no flush runs.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Sends it a signal, by name.
    #[allow(dead_code, reason = "a module of several programs")]
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let name = format!("-{name}");
        assert!(Command::new("kill").args([&name, &pid]).status().unwrap().success());
    }

    /// SIGTERM, and waits for an orderly end.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let ended = self.process.wait().unwrap();
        let lines: Vec<_> = self.stdout.by_ref().lines().map_while(Result::ok).collect();
        assert!(ended.success(), "cairn ended with {ended} after {lines:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _ended_already = self.process.wait();
    }
}

/// `cairn fsck` on a folder that nobody serves.
pub(crate) fn fsck(folder: &Path) {
    fsck_with(folder, &[]);
}

/// The same with more arguments.
pub(crate) fn fsck_with(folder: &Path, more: &[String]) {
    let (sound, said) = examine(folder, more);
    print!("{said}");
    assert!(sound, "fsck: {said}");
}

/// Whether `cairn fsck` finds nothing wrong, and all that it says.
pub(crate) fn examine(folder: &Path, more: &[String]) -> (bool, String) {
    let data = folder.join("data");
    let mut command = Command::new(CAIRN);
    let output = command.arg("fsck").arg("--data-dir").arg(data).args(more).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
