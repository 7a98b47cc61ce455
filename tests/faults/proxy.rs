//! A wire that can be cut, and one that is long: what is said arrives late.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

/// Pieces that are on their way on one wire, at most.
const UNDER_WAY_MAX: usize = 1024;

/// Listens on a port of the loopback for as long as the test runs.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    wires: Arc<Mutex<Vec<TcpStream>>>,
    deaf: Arc<AtomicBool>,
    way: Arc<Way>,
}

/// How long the way is, and how narrow.
#[derive(Default)]
struct Way {
    delay_ms: AtomicU64,
    /// Without limit when it is 0.
    bytes_per_second: AtomicU64,
}

impl Proxy {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            wires: Arc::default(),
            deaf: Arc::default(),
            way: Arc::default(),
        };
        let (wires, deaf, way) = (proxy.wires.clone(), proxy.deaf.clone(), proxy.way.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                let Ok(server) = TcpStream::connect(to) else { continue };
                if deaf.load(Ordering::Relaxed) {
                    continue; // both ends are dropped
                }
                let pair = [(&client, &server), (&server, &client)];
                for (from, to) in
                    pair.map(|(a, b)| (a.try_clone().unwrap(), b.try_clone().unwrap()))
                {
                    let way = way.clone();
                    std::thread::spawn(move || pump(from, to, &way));
                }
                wires.lock().unwrap().extend([client, server]);
            }
        });
        proxy
    }

    /// Cuts all that is connected, in the middle of whatever they say; new connections are refused
    /// until it is mended.
    pub(crate) fn cut(&self) {
        self.deaf.store(true, Ordering::Relaxed);
        for wire in self.wires.lock().unwrap().drain(..) {
            let _gone_already = wire.shutdown(Shutdown::Both);
        }
    }

    /// From now on all that is said takes this long, each way, and no more of it gets through in a
    /// second. A delay of nothing ends that.
    pub(crate) fn slow(&self, delay: Duration, bytes_per_second: u64) {
        self.way.delay_ms.store(delay.as_millis() as u64, Ordering::Relaxed);
        self.way.bytes_per_second.store(bytes_per_second, Ordering::Relaxed);
    }

    pub(crate) fn mend(&self) {
        self.deaf.store(false, Ordering::Relaxed);
    }
}

/// Sends on what it reads, when it has been on the way for long enough.
fn pump(mut from: TcpStream, mut to: TcpStream, way: &Way) {
    let (under_way, arriving) = mpsc::sync_channel::<(Instant, Vec<u8>)>(UNDER_WAY_MAX);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut bytes = vec![0; 64 << 10];
            while let Ok(read @ 1..) = from.read(&mut bytes) {
                let due =
                    Instant::now() + Duration::from_millis(way.delay_ms.load(Ordering::Relaxed));
                if under_way.send((due, bytes[..read].to_vec())).is_err() {
                    break;
                }
            }
        });
        for (due, bytes) in arriving {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let most = way.bytes_per_second.load(Ordering::Relaxed);
            if most > 0 {
                std::thread::sleep(Duration::from_secs_f64(bytes.len() as f64 / most as f64));
            }
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        // Also the end that is read from: nobody waits there for one that is gone.
        let _gone_already = to.shutdown(Shutdown::Both);
    });
}
