//! Writers and readers that do not give up: what is refused or lost on the way is sent again.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Answer, Client, Entry};
use crate::ledger::Ledger;
use crate::server::Server;
use crate::support::Proposals;

/// Writers of each log at each address.
const WRITERS: usize = 2;
const PAUSE: Duration = Duration::from_millis(5);
/// The longest time from one replica's checkpoint to all of them.
const CATCHES_UP_MAX: Duration = Duration::from_secs(10);
const SERVES_AGAIN_MAX: Duration = Duration::from_secs(60);

/// What one log answered.
#[derive(Default)]
struct Seen {
    entries: Vec<Entry>,
    checkpoints: Vec<String>,
}

/// Writes to both logs at all addresses, and reads checkpoints, while `fault` runs. Then takes what
/// was answered into the ledgers.
pub(crate) fn under_load(addresses: &[SocketAddr], logs: &mut [Ledger], fault: impl FnOnce()) {
    let stop = &AtomicBool::new(false);
    let seen: Vec<Mutex<Seen>> = logs.iter().map(|_| Mutex::default()).collect();
    std::thread::scope(|scope| {
        for (log, seen) in logs.iter().zip(&seen) {
            let name = log.name.clone();
            for address in addresses {
                for _ in 0..WRITERS {
                    let name = name.clone();
                    scope.spawn(move || write(*address, &name, stop, seen));
                }
                let name = name.clone();
                scope.spawn(move || read(*address, &name, stop, seen));
            }
        }
        // Also when the fault finds something and panics: the writers would never end.
        let _stops = Stops(stop);
        fault();
    });
    for (log, seen) in logs.iter_mut().zip(seen) {
        let seen = seen.into_inner().unwrap();
        for note in &seen.checkpoints {
            log.saw_checkpoint(note, &[]);
        }
        log.remember(seen.entries, &[]);
    }
}

/// Says that it is over, when it goes.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn write(address: SocketAddr, log: &str, stop: &AtomicBool, seen: &Mutex<Seen>) {
    let (mut proposals, mut connected) = (Proposals::new(), None);
    let mut waiting: Option<String> = None;
    while !stop.load(Ordering::Relaxed) {
        let Some(client) = &mut connected else {
            connected = Client::connect(address);
            std::thread::sleep(PAUSE);
            continue;
        };
        let again = waiting.is_some();
        let proposal = waiting.take().unwrap_or_else(|| next(&mut proposals, log));
        match client.propose(log, &proposal) {
            Some(Answer::Created(entry)) => seen.lock().unwrap().entries.push(*entry),
            // It was in the log when its answer was lost.
            Some(Answer::Known) => assert!(again, "a new entry is said to be known"),
            Some(Answer::Refused(..)) => {
                waiting = Some(proposal);
                std::thread::sleep(PAUSE);
            }
            None => (waiting, connected) = (Some(proposal), None),
        }
    }
}

fn read(address: SocketAddr, log: &str, stop: &AtomicBool, seen: &Mutex<Seen>) {
    let mut connected = None;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(PAUSE);
        let Some(client) = &mut connected else {
            connected = Client::connect(address);
            continue;
        };
        match client.checkpoint(log) {
            Some(note) => seen.lock().unwrap().checkpoints.push(note),
            None => connected = None,
        }
    }
}

fn next(proposals: &mut Proposals, log: &str) -> String {
    if log == "v1" { proposals.next_json() } else { proposals.next_v2_json() }
}

/// Waits until an entry is answered there, and says how long it took.
pub(crate) fn serves(address: SocketAddr) -> Duration {
    let (began, mut proposals) = (Instant::now(), Proposals::new());
    let proposal = proposals.next_json();
    loop {
        let answer =
            Client::connect(address).and_then(|mut client| client.propose("v1", &proposal));
        match answer {
            Some(Answer::Created(_) | Answer::Known) => return began.elapsed(),
            Some(Answer::Refused(..)) | None => std::thread::sleep(PAUSE),
        }
        assert!(began.elapsed() < SERVES_AGAIN_MAX, "{address} does not serve again");
    }
}

/// All that was ever answered, against this server. It may have been another one that published
/// last: then this one shows that too before long.
pub(crate) fn check_all(logs: &mut [Ledger], server: &Server) {
    for log in logs {
        let largest = log.checkpoints.keys().next_back().copied();
        let began = Instant::now();
        let mut client = Client::connect(server.address()).unwrap();
        while Some(log.saw_checkpoint(&client.checkpoint(&log.name).unwrap(), &[])) < largest {
            assert!(began.elapsed() < CATCHES_UP_MAX, "a published checkpoint was taken back");
            std::thread::sleep(PAUSE);
        }
        log.read_anew();
        log.check_key(server);
        log.check(server, &[], 200);
    }
}
