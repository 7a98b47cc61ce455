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
    /// Serves a folder on a free loopback port, and waits until it says which.
    pub(crate) fn start(folder: &Path, more: &[String]) -> Self {
        let mut process = Command::new(CAIRN)
            .arg("serve")
            .args(["--data-dir".as_ref(), folder.join("data").as_os_str()])
            .args(["--listen", "127.0.0.1:0", "--metrics-listen", "off"])
            .args(["--log-level", "warn"])
            .args(["--head-guard".as_ref(), folder.join("guard").as_os_str()])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut lines = stdout.by_ref().lines().map_while(Result::ok);
        let url = lines.find_map(|line| Some(line.split_once("http://")?.1.to_owned()));
        let url = url.expect("cairn does not start");
        let address = url.parse().unwrap();
        Self { process, stdout, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// SIGKILL: no handler, no destructor, no flush runs.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// SIGTERM, and waits for an orderly end.
    pub(crate) fn stop(mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
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
    let data = folder.join("data");
    let output = Command::new(CAIRN).arg("fsck").arg("--data-dir").arg(data).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    assert!(output.status.success(), "fsck: {text}{}", String::from_utf8_lossy(&output.stderr));
}
