//! A PostgreSQL server of one's own, in a temporary folder and on a free port of the loopback.
#![allow(dead_code, reason = "a module of several programs, each of which needs a part of it")]
#![allow(clippy::disallowed_methods, reason = "a test has no configuration")]
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, reason = "of tests alone")]

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The user that owns the server's databases; nobody needs a password.
const USER: &str = "cairn";
const START_MAX: Duration = Duration::from_secs(60);

/// A running server, or one that was killed and may be started again.
pub struct Postgres {
    programs: PathBuf,
    folder: tempfile::TempDir,
    pub port: u16,
    settings: Vec<String>,
    child: Option<Child>,
}

impl Postgres {
    /// A new server with these settings (`name=value`) and an empty database `log`.
    ///
    /// Says why there is none where PostgreSQL is not installed, unless the environment says that
    /// it has to be: `CAIRN_TEST_POSTGRES=required`.
    pub fn start(settings: &[&str]) -> Option<Self> {
        Self::start_in(&std::env::temp_dir(), settings)
    }

    /// The same, below this folder.
    pub fn start_in(place: &Path, settings: &[&str]) -> Option<Self> {
        Self::make(place, settings, &[])
    }

    /// The same, made by `initdb` with more arguments.
    pub fn make(place: &Path, settings: &[&str], initdb: &[&str]) -> Option<Self> {
        let Some(programs) = programs() else {
            let required = std::env::var("CAIRN_TEST_POSTGRES").is_ok_and(|it| it == "required");
            assert!(!required, "PostgreSQL's server programs (initdb, postgres) are not installed");
            eprintln!("skipped: PostgreSQL's server programs are not installed");
            return None;
        };
        let mut server = Self::empty(programs, place, settings);
        let data = server.data();
        let mut make = server.program("initdb");
        make.args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]);
        make.args(initdb).args(["--username", USER, "--pgdata"]).arg(&data);
        succeed(&mut make);
        server.begin();
        server.sql("postgres", "CREATE DATABASE log");
        Some(server)
    }

    /// A standby of this one, which follows it under the name `standby`.
    pub fn standby(&self, settings: &[&str]) -> Self {
        let mut standby = Self::empty(self.programs.clone(), &std::env::temp_dir(), settings);
        let mut copy = standby.program("pg_basebackup");
        let port = self.port.to_string();
        copy.args(["--host", "127.0.0.1", "--port", &port, "--username", USER])
            .args(["--write-recovery-conf", "--checkpoint=fast", "--pgdata"])
            .arg(standby.data());
        succeed(&mut copy);
        let primary = format!("host=127.0.0.1 port={port} user={USER} application_name=standby");
        standby.settings.push(format!("primary_conninfo={primary}"));
        standby.begin();
        standby
    }

    fn empty(programs: PathBuf, place: &Path, settings: &[&str]) -> Self {
        let folder = tempfile::tempdir_in(place).unwrap();
        if is_root() {
            succeed(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        let settings = settings.iter().map(ToString::to_string).collect();
        Self { programs, folder, port: free_port(), settings, child: None }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where the data lies, for those who damage it.
    pub fn data_folder(&self) -> PathBuf {
        self.data()
    }

    /// Puts a file into the folder of its data, as its own and nobody else's to read.
    pub fn place(&self, name: &str, text: &str) {
        let path = self.data().join(name);
        std::fs::write(&path, text).unwrap();
        succeed(Command::new("chmod").arg("600").arg(&path));
        if is_root() {
            succeed(Command::new("chown").arg("postgres").arg(&path));
        }
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Starts it, and waits until it answers.
    pub fn begin(&mut self) {
        self.spawn();
        let began = Instant::now();
        while !self.answers() {
            let log =
                || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < START_MAX, "PostgreSQL does not answer: {}", log());
            std::thread::sleep(Duration::from_millis(20));
            // Of one that was killed some children may still live; then it does not start yet.
            if self.child.as_mut().and_then(|child| child.try_wait().unwrap()).is_some() {
                self.spawn();
            }
        }
    }

    fn spawn(&mut self) {
        let mut server = self.program("postgres");
        let port = self.port.to_string();
        server.arg("-D").arg(self.data()).args(["-p", &port, "-h", "127.0.0.1", "-k", ""]);
        for setting in &self.settings {
            server.args(["-c", setting]);
        }
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        server.stdout(Stdio::null()).stderr(log);
        self.child = Some(server.spawn().unwrap());
    }

    /// Whether it answers queries.
    pub fn answers(&self) -> bool {
        let mut ready = self.program("pg_isready");
        ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-d", "postgres"]);
        ready.status().unwrap().success()
    }

    /// Takes the process away, as the kernel would; its children follow it.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        // The port is free once the last of the children has noticed.
        let began = Instant::now();
        while TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(began.elapsed() < START_MAX, "somebody still has the port");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it in good order: all that it holds is in its tables' files.
    pub fn stop(&mut self) {
        let mut stop = self.program("pg_ctl");
        stop.args(["stop", "--mode=fast", "--wait", "--pgdata"]).arg(self.data());
        succeed(stop.stdout(Stdio::null()));
        if let Some(mut child) = self.child.take() {
            child.wait().unwrap();
        }
    }

    /// Makes a standby the primary.
    pub fn promote(&self) {
        let mut promote = self.program("pg_ctl");
        promote.arg("promote").arg("--pgdata").arg(self.data());
        succeed(promote.stdout(Stdio::null()));
    }

    /// Runs SQL in a database, and gives what it prints: columns with `|` between them.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = self.program("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]);
        psql.args(["-p", &self.port.to_string(), "-U", USER, "-d", database, "-c", sql]);
        let output = psql.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{sql}: {said}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// One of PostgreSQL's programs, as the user that it wants to run as: never as root.
    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = if is_root() {
            let mut as_user = Command::new("setpriv");
            as_user.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(path);
            as_user
        } else {
            Command::new(path)
        };
        command.current_dir("/").stdin(Stdio::null());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let quit = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status();
            if !quit.is_ok_and(|status| status.success()) {
                let _gone_already = child.kill();
            }
            let _ended = child.wait();
        }
    }
}

/// Where the server's programs are: Debian keeps them apart from those of users.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|all| all.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect())
        .unwrap_or_default();
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = versions.into_iter().rev().chain(std::env::split_paths(&path));
    candidates
        .into_iter()
        .find(|folder| ["initdb", "postgres", "psql"].iter().all(|name| folder.join(name).exists()))
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| {
        use std::os::unix::fs::MetadataExt as _;
        process.uid() == 0
    })
}

/// A port that nobody has at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
