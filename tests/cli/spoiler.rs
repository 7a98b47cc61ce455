//! A server between a replica and its source that hands on answers, and spoils some.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::tiles::get;

/// What becomes of an answer: its path, status and body.
pub(crate) type Spoil = dyn Fn(&str, &mut u16, &mut Vec<u8>) + Send;

/// The server; it ends with the test program.
#[derive(Clone)]
pub(crate) struct Spoiler {
    pub(crate) url: String,
    state: Arc<Mutex<(String, Box<Spoil>)>>,
}

impl Spoiler {
    /// In front of a server, and honest for now.
    pub(crate) fn before(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let honest: Box<Spoil> = Box::new(|_, _, _| {});
        let spoiler = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::new(Mutex::new((url.to_owned(), honest))),
        };
        let serving = spoiler.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.answer(stream.unwrap()));
            }
        });
        spoiler
    }

    /// From now on.
    pub(crate) fn spoil(&self, spoil: Box<Spoil>) {
        self.state.lock().unwrap().1 = spoil;
    }

    /// Hands on what another server says.
    pub(crate) fn turn_to(&self, url: &str) {
        self.state.lock().unwrap().0 = url.to_owned();
    }

    fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        let request = lines.next()?.ok()?;
        while !lines.next()?.ok()?.is_empty() {}
        let path = request.split(' ').nth(1)?.to_owned();
        let url = self.state.lock().unwrap().0.clone();
        let answer = get(&format!("{url}{path}"), &[]);
        let (mut status, mut body) = (answer.status, answer.body);
        self.state.lock().unwrap().1(&path, &mut status, &mut body);
        let length = body.len();
        let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n");
        stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).ok()?;
        stream.write_all(&body).ok()
    }
}
