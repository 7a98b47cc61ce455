//! A wire that can be cut: it forwards to a server until it does not.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Listens on a port of the loopback for as long as the test runs.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    wires: Arc<Mutex<Vec<TcpStream>>>,
    deaf: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            wires: Arc::default(),
            deaf: Arc::default(),
        };
        let (wires, deaf) = (proxy.wires.clone(), proxy.deaf.clone());
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
                    std::thread::spawn(move || pump(from, to));
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

    pub(crate) fn mend(&self) {
        self.deaf.store(false, Ordering::Relaxed);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read) = from.read(&mut bytes)
        && read > 0
        && to.write_all(&bytes[..read]).is_ok()
    {}
    let _gone_already = to.shutdown(Shutdown::Both);
}
