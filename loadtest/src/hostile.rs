//! Slow and hostile clients: what an ordinary writer feels of a crowd of them. The same closed loop
//! runs twice, alone and beside the crowd, which has a thread of its own.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::plan::Plan;
use crate::procfs::usage;
use crate::report::{RunReport, mebibytes_of, ms};
use crate::run::{RunError, run};

/// How many clients of each sort there are.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Crowd {
    /// Connect and send nothing.
    pub idle: usize,
    /// Send a byte of a header each second.
    pub slow_headers: usize,
    /// Promise a body and never send it.
    pub half_open: usize,
    /// Send headers of 96 KiB and of 1.2 MB in turn, one a second.
    pub huge_headers: usize,
    /// Ask for much and hardly read.
    pub slow_readers: usize,
}

impl Crowd {
    /// All of them.
    pub const fn all(&self) -> usize {
        let Self { idle, slow_headers, half_open, huge_headers, slow_readers } = *self;
        idle.saturating_add(slow_headers)
            .saturating_add(half_open)
            .saturating_add(huge_headers)
            .saturating_add(slow_readers)
    }
}

/// What is measured.
#[derive(Clone, Debug)]
pub struct Hostile {
    /// The ordinary writers; one load.
    pub plan: Plan,
    /// The others.
    pub crowd: Crowd,
}

/// Both runs, and what became of the crowd.
#[derive(Debug, Serialize)]
pub struct HostileReport {
    /// `host:port`.
    pub server: String,
    /// The crowd.
    pub crowd: Crowd,
    /// Its connections that were open when the second run began, and when it ended.
    pub open: (u64, u64),
    /// Times that one of them was made, and could not be made.
    pub dials: (u64, u64),
    /// p50 and p99 of the second run, in multiples of the first one's.
    pub ratio: (f64, f64),
    /// Memory of the server: alone, beside the crowd, and when the crowd had gone.
    pub rss_bytes: (u64, u64, u64),
    /// Alone, then beside the crowd.
    pub runs: Vec<RunReport>,
    /// All checks of both runs held.
    pub good: bool,
}

/// How often it is looked whether the crowd is there, and how often at most.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const ASSEMBLE_LOOKS: usize = 30;
/// How long the server gets to forget it.
const LEAVE: Duration = Duration::from_secs(2);
/// Rest of a client whose connection was closed or refused.
const REDIAL_AFTER: Duration = Duration::from_secs(1);
/// Between two bytes, or two requests, of a slow client.
const BEAT: Duration = Duration::from_secs(1);
/// Longest wait for a connection of the crowd.
const DIAL_MAX: Duration = Duration::from_secs(10);

/// Counts of the crowd's connections.
#[derive(Default)]
struct Counts {
    open: AtomicU64,
    dials: AtomicU64,
    failed: AtomicU64,
}

/// Runs alone, then beside the crowd. Call it within a `LocalSet`.
///
/// # Errors
/// [`RunError`]; failed checks are in the report instead.
pub async fn hostile(what: &Hostile) -> Result<HostileReport, RunError> {
    let Hostile { plan, crowd } = what;
    raise_open_files();
    let memory = || plan.server_pids.iter().filter_map(|pid| usage(*pid).ok());
    let memory = || memory().map(|usage| usage.rss_bytes).sum();
    let mut runs = run(plan).await?.runs;
    let alone = memory();

    let counts = Arc::new(Counts::default());
    let (stop, stopping) = watch::channel(false);
    let (server, theirs, these) = (plan.base.server.socket, counts.clone(), *crowd);
    let thread = thread::spawn(move || assemble(server, these, theirs, stopping));
    let mut open = 0;
    for _ in 0..ASSEMBLE_LOOKS {
        sleep(LOOK_EVERY).await;
        open = counts.open.load(Ordering::Relaxed);
        if open >= crowd.all() as u64 {
            break;
        }
    }
    runs.extend(run(plan).await?.runs);
    let open = (open, counts.open.load(Ordering::Relaxed));
    let beside = runs.last().map_or(0, max_memory);
    stop.send_replace(true);
    let _it_has_nothing_to_say = thread.join();
    sleep(LEAVE).await;

    let of = |latency: fn(&RunReport) -> f64| match runs.as_slice() {
        [alone, beside] => latency(beside) / latency(alone),
        _ => f64::NAN,
    };
    let ratio = (of(|run| run.latency.p50_ms), of(|run| run.latency.p99_ms));
    let dials = (counts.dials.load(Ordering::Relaxed), counts.failed.load(Ordering::Relaxed));
    Ok(HostileReport {
        server: plan.base.server.authority.clone(),
        crowd: *crowd,
        open,
        dials,
        ratio,
        rss_bytes: (alone, beside, memory()),
        good: runs.iter().all(RunReport::good),
        runs,
    })
}

fn max_memory(run: &RunReport) -> u64 {
    run.server_processes.iter().map(|process| process.rss_max_bytes).sum()
}

/// Raises the limit on open files as far as the system lets.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // Without it some of the crowd stay away, which the report shows.
    let _as_it_was = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// What a client of the crowd does with its connection until that ends.
#[derive(Clone, Copy)]
enum Manner {
    Idle,
    SlowHeaders,
    HalfOpen,
    HugeHeaders,
    SlowReader,
}

fn assemble(
    server: SocketAddr,
    crowd: Crowd,
    counts: Arc<Counts>,
    mut stopping: watch::Receiver<bool>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        let mut clients = JoinSet::new();
        for (count, manner) in [
            (crowd.idle, Manner::Idle),
            (crowd.slow_headers, Manner::SlowHeaders),
            (crowd.half_open, Manner::HalfOpen),
            (crowd.huge_headers, Manner::HugeHeaders),
            (crowd.slow_readers, Manner::SlowReader),
        ] {
            for n in 0..count {
                clients.spawn(client(server, manner, counts.clone()));
                if n % 64 == 63 {
                    sleep(Duration::from_millis(10)).await; // the server's backlog is short
                }
            }
        }
        let _sender_gone = stopping.wait_for(|stop| *stop).await;
        clients.shutdown().await;
    });
}

async fn client(server: SocketAddr, manner: Manner, counts: Arc<Counts>) {
    loop {
        counts.dials.fetch_add(1, Ordering::Relaxed);
        match timeout(DIAL_MAX, dial(server, manner)).await {
            Ok(Ok(stream)) => {
                counts.open.fetch_add(1, Ordering::Relaxed);
                let _closed_by_the_server = behave(stream, manner).await;
                counts.open.fetch_sub(1, Ordering::Relaxed);
            }
            Ok(Err(_)) | Err(_) => drop(counts.failed.fetch_add(1, Ordering::Relaxed)),
        }
        sleep(REDIAL_AFTER).await;
    }
}

async fn dial(server: SocketAddr, manner: Manner) -> io::Result<TcpStream> {
    let socket = if server.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if matches!(manner, Manner::SlowReader) {
        socket.set_recv_buffer_size(4096)?;
    }
    socket.connect(server).await
}

async fn behave(mut stream: TcpStream, manner: Manner) -> io::Result<()> {
    const HEAD: &[u8] = b"GET /api/v1/log HTTP/1.1\r\nHost: log\r\nX-Slow: ";
    const POST: &[u8] = b"POST /api/v1/log/entries HTTP/1.1\r\nHost: log\r\n\
        Content-Type: application/json\r\nContent-Length: 4096\r\n\r\n";
    const GET: &[u8] = b"GET /api/v1/log/entries?logIndex=0 HTTP/1.1\r\nHost: log\r\n\r\n";
    const ASKED: usize = 1_000;
    let mut bytes = [0; 1024];
    match manner {
        Manner::Idle => drop(stream.read(&mut bytes).await?),
        Manner::SlowHeaders => {
            stream.write_all(HEAD).await?;
            loop {
                sleep(BEAT).await;
                stream.write_all(b"x").await?;
            }
        }
        Manner::HalfOpen => {
            stream.write_all(POST).await?;
            let _why_it_is_refused = stream.read(&mut bytes).await?;
        }
        Manner::HugeHeaders => loop {
            for length in [96 << 10, 1_200_000] {
                let head = "GET /ping HTTP/1.1\r\nHost: log\r\nX-Huge: ";
                stream
                    .write_all(format!("{head}{}\r\n\r\n", "x".repeat(length)).as_bytes())
                    .await?;
                sleep(BEAT).await;
                if stream.read(&mut bytes).await? == 0 {
                    return Ok(());
                }
            }
        },
        Manner::SlowReader => {
            stream.write_all(&GET.repeat(ASKED)).await?;
            loop {
                sleep(BEAT).await;
                if stream.read(&mut bytes[..16]).await? == 0 {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

impl fmt::Display for HostileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Crowd { idle, slow_headers, half_open, huge_headers, slow_readers } = self.crowd;
        writeln!(f, "server  http://{}", self.server)?;
        write!(f, "crowd   {idle} idle, {slow_headers} slow headers, {half_open} half open, ")?;
        writeln!(f, "{huge_headers} huge headers, {slow_readers} slow readers")?;
        let ((before, after), (dials, failed)) = (self.open, self.dials);
        write!(f, "        {before} open when the second run began, {after} when it ended; ")?;
        writeln!(f, "{dials} dials, {failed} failed\n")?;
        writeln!(f, "| writers | entries/s | p50 | p99 | max | errors | server memory |")?;
        writeln!(f, "|{}", "---|".repeat(7))?;
        for (name, run) in ["alone", "beside the crowd"].into_iter().zip(&self.runs) {
            let (rate, latency) = (run.entries_per_second, &run.latency);
            write!(f, "| {} {name} | {rate:.0} | {} ", run.connections, ms(latency.p50_ms))?;
            let errors: u64 = run.errors.values().map(|class| class.count).sum();
            let memory = mebibytes_of(max_memory(run));
            let (p99, max) = (ms(latency.p99_ms), ms(latency.max_ms));
            writeln!(f, "| {p99} | {max} | {errors} | {memory:.0} MiB |")?;
        }
        let (p50, p99) = self.ratio;
        writeln!(f, "| ratio | | {p50:.2} | {p99:.2} | | | |")?;
        let gone = mebibytes_of(self.rss_bytes.2);
        writeln!(f, "\nmemory when the crowd had gone: {gone:.0} MiB")?;
        let failures = self.runs.iter().flat_map(|run| &run.checks.failures.first);
        failures.into_iter().try_for_each(|failure| writeln!(f, "FAILED  {failure}"))
    }
}
