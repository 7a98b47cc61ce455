//! gRPC on bare HTTP/2 connections without TLS (h2c), each shared by many requests. It never
//! retries, and the messages of a unary call stay bytes: they are written before the clock starts
//! and read when it has stopped.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::http::uri::PathAndQuery;
use hyper::{HeaderMap, Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tonic::Status;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{BoxFuture, Service};

use crate::client::{Answer, CallError, uri};
use crate::drive::Link;
use crate::plan::{Load, Plan};
use crate::server::ServerAddress;

/// A connection that is made when first needed, and again after it was lost.
pub struct Http2 {
    server: ServerAddress,
    origin: Uri,
    timeout: Duration,
    sender: RefCell<Option<SendRequest<Body>>>,
    dialling: Mutex<()>,
    dials: Cell<u64>,
}

/// A live connection, as tonic's clients take it.
#[derive(Clone)]
pub struct Channel(SendRequest<Body>);

impl Http2 {
    /// Prepares a connection; nothing is dialled yet.
    ///
    /// # Errors
    /// If the server's name cannot stand in a request.
    pub fn new(server: &ServerAddress, timeout: Duration) -> Result<Self, CallError> {
        let origin = uri(&format!("http://{}", server.authority))?;
        let (sender, dialling) = (RefCell::new(None), Mutex::new(()));
        Ok(Self { server: server.clone(), origin, timeout, sender, dialling, dials: Cell::new(0) })
    }

    /// Scheme and authority of its requests.
    pub fn origin(&self) -> Uri {
        self.origin.clone()
    }

    /// Longest wait for an answer.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The live connection: the last one, unless it has ended meanwhile.
    ///
    /// # Errors
    /// [`CallError::Connect`] or [`CallError::Timeout`].
    pub async fn channel(&self) -> Result<Channel, CallError> {
        if let Some(channel) = self.live() {
            return Ok(channel);
        }
        let _one_dials = self.dialling.lock().await;
        if let Some(channel) = self.live() {
            return Ok(channel);
        }
        let dialled = timeout(self.timeout, self.dial()).await;
        let sender = dialled.unwrap_or(Err(CallError::Timeout))?;
        self.sender.replace(Some(sender.clone()));
        Ok(Channel(sender))
    }

    fn live(&self) -> Option<Channel> {
        let sender = self.sender.borrow();
        sender.as_ref().filter(|sender| !sender.is_closed()).cloned().map(Channel)
    }

    async fn dial(&self) -> Result<SendRequest<Body>, CallError> {
        self.dials.set(self.dials.get() + 1);
        let refuse = |error: std::io::Error| CallError::Connect(error.to_string());
        let stream = TcpStream::connect(self.server.socket).await.map_err(refuse)?;
        stream.set_nodelay(true).map_err(refuse)?;
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (mut sender, driver) =
            handshake.map_err(|error| CallError::Connect(error.to_string()))?;
        tokio::spawn(async move {
            // Its errors reach the requests that they belong to.
            let _ = driver.await;
        });
        let ready = poll_fn(|context| sender.poll_ready(context)).await;
        ready.map_err(|error| CallError::Connect(error.to_string()))?;
        Ok(sender)
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// One of the streams that share a connection.
pub struct Shared {
    /// The connection.
    pub http2: Rc<Http2>,
    /// Whether this stream speaks for the connection when dials are counted.
    first: bool,
}

/// The streams of a run, connection by connection.
///
/// # Errors
/// As for [`Http2::new`].
pub fn streams(plan: &Plan, load: Load) -> Result<Vec<Shared>, CallError> {
    let mut all = Vec::new();
    for _ in 0..load.in_flight() / (plan.streams * plan.window) {
        let http2 = Rc::new(Http2::new(&plan.base.server, plan.timeout)?);
        let stream = |n| Shared { http2: Rc::clone(&http2), first: n == 0 };
        all.extend((0..plan.streams).map(stream));
    }
    Ok(all)
}

impl Shared {
    /// A unary call with a message that is already written down. The answer's body is a message as
    /// it came.
    ///
    /// # Errors
    /// No answer within the timeout, or another status than OK.
    pub async fn unary(&self, path: PathAndQuery, message: Bytes) -> Result<Answer, CallError> {
        let limit = self.http2.timeout;
        let call = async {
            let mut client = Grpc::with_origin(self.http2.channel().await?, self.http2.origin());
            client.ready().await.map_err(|error| CallError::Disconnect(error.to_string()))?;
            let answer = client.unary(tonic::Request::new(message), path, Verbatim).await;
            answer.map_err(|status| call_error(&status))
        };
        let answer = timeout(limit, call).await.unwrap_or(Err(CallError::Timeout))?;
        let (status, headers) = (StatusCode::OK, HeaderMap::new());
        Ok(Answer { status, headers, body: answer.into_inner() })
    }
}

impl Link for Shared {
    async fn open(&mut self) -> Result<(), CallError> {
        self.http2.channel().await.map(drop)
    }

    fn dials(&self) -> u64 {
        if self.first { self.http2.dials.get() } else { 0 }
    }
}

/// A status that the server sent has no source; one that stands for a lost connection has.
pub fn call_error(status: &Status) -> CallError {
    match status.source() {
        Some(source) => CallError::Disconnect(source.to_string()),
        None => CallError::Refused(status.code(), status.message().to_owned()),
    }
}

/// Messages as they are.
#[derive(Clone, Copy, Debug)]
struct Verbatim;

impl Codec for Verbatim {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Verbatim {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Verbatim {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let bytes = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(bytes)))
    }
}
