//! The real `cairn serve` on a folder, as a child process.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::Client;

pub(crate) const CAIRN: &str = env!("CARGO_BIN_EXE_cairn");
const START_MAX: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    /// Serves a folder on a free loopback port, and waits for the first answer.
    pub(crate) fn start(folder: &Path, more: &[String]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut process = Command::new(CAIRN)
            .arg("serve")
            .args(["--data-dir".as_ref(), folder.join("data").as_os_str()])
            .args(["--listen", &address.to_string(), "--metrics-listen", "off"])
            .args(["--log-level", "warn"])
            .args(["--head-guard".as_ref(), folder.join("guard").as_os_str()])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while Client::connect(address).is_none() {
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "cairn did not start: {ended:?}");
            assert!(started.elapsed() < START_MAX, "cairn did not answer in {START_MAX:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
        Self { process, address }
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
        let stdout = self.process.stdout.take().unwrap();
        let lines: Vec<_> = BufReader::new(stdout).lines().map_while(Result::ok).collect();
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
