//! Runs `cairn` as a child process; a server is stopped when its handle goes.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// Runs a command to its end.
pub(crate) fn cairn(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cairn")).args(args).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running `cairn serve`.
pub(crate) struct Server {
    process: Child,
    pub(crate) url: String,
    /// What it announced, without the key.
    pub(crate) announced: Vec<String>,
    pub(crate) public_key: String,
}

impl Server {
    /// Starts on a folder; the error is what it wrote to standard error before it ended.
    pub(crate) fn start(folder: &Path, more: &[&str]) -> Result<Self, String> {
        Self::start_under("", folder, more)
    }

    /// The same, at an address that was another server's before.
    pub(crate) fn start_at(address: &str, folder: &Path, more: &[&str]) -> Result<Self, String> {
        Self::launch("", address, folder, more)
    }

    /// The same, under a shell's settings (`ulimit -n 400;`).
    pub(crate) fn start_under(shell: &str, folder: &Path, more: &[&str]) -> Result<Self, String> {
        Self::launch(shell, "127.0.0.1:0", folder, more)
    }

    fn launch(shell: &str, address: &str, folder: &Path, more: &[&str]) -> Result<Self, String> {
        let mut process = Command::new("sh")
            .args(["-c", &format!("{shell} exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_cairn")])
            .arg("serve")
            .args(["--data-dir".as_ref(), folder.as_os_str()])
            .args(["--listen", address, "--metrics-listen", "off"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap()).lines();
        let (mut announced, mut public_key) = (Vec::new(), String::new());
        while let Some(Ok(line)) = stdout.next() {
            if public_key.is_empty() && !line.starts_with("-----") {
                announced.push(line);
                continue;
            }
            public_key.push_str(&line);
            public_key.push('\n');
            if line.starts_with("-----END") {
                let url = announced.iter().find_map(|line| line.trim().strip_prefix("API "));
                let url = url.unwrap().trim().to_owned();
                return Ok(Self { process, url, announced, public_key });
            }
        }
        let mut error = String::new();
        process.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        assert!(!process.wait().unwrap().success(), "a server that ends has failed: {error}");
        Err(error)
    }

    /// The announced value behind a label.
    pub(crate) fn value(&self, label: &str) -> &str {
        let line = self.announced.iter().find_map(|line| line.trim().strip_prefix(label));
        line.unwrap_or_else(|| panic!("no {label} in {:?}", self.announced)).trim()
    }

    /// The process's number.
    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// How long it has kept a core busy so far.
    pub(crate) fn busy(&self) -> std::time::Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks = fields.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().unwrap());
        std::time::Duration::from_millis(10 * ticks.sum::<u64>()) // a hundred ticks a second
    }

    /// The most memory that it has held so far, in KiB.
    pub(crate) fn memory_peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// SIGTERM, and an orderly end.
    pub(crate) fn stop(mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _ended_already = self.process.wait();
    }
}
