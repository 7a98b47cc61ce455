//! One keep-alive HTTP/1.1 connection, one request at a time, on hyper's bare client.
//! It never retries: a retried proposal would meet its own first copy.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::drive::Link;
use crate::server::ServerAddress;

/// Longest answer that is read; an entry of `entries.rs` is answered in less than 4 KiB.
pub const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Why a request got no answer.
#[derive(Debug, Error)]
pub enum CallError {
    /// No connection could be made.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection ended before the answer did.
    #[error("connection lost: {0}")]
    Disconnect(String),
    /// What came is not HTTP, or too long.
    #[error("malformed answer: {0}")]
    Malformed(String),
    /// A gRPC server answered with another status than OK.
    #[error("{0:?}: {1}")]
    Refused(tonic::Code, String),
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// A header as text; empty if it is not there.
pub fn header(answer: &Answer, name: HeaderName) -> &str {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A connection that is made when first needed, and again after it was lost.
pub struct Connection {
    server: ServerAddress,
    host: HeaderValue,
    timeout: Duration,
    sender: Option<SendRequest<Full<Bytes>>>,
    dials: u64,
}

impl Connection {
    /// Prepares a connection; nothing is dialled yet.
    ///
    /// # Errors
    /// If the server's name cannot stand in a header.
    pub fn new(server: &ServerAddress, timeout: Duration) -> Result<Self, CallError> {
        let host = HeaderValue::from_str(&server.authority)
            .map_err(|error| CallError::Connect(error.to_string()))?;
        Ok(Self { server: server.clone(), host, timeout, sender: None, dials: 0 })
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// No complete HTTP answer within the timeout; the connection is then given up.
    pub async fn post(&mut self, path: Uri, body: Bytes) -> Result<Answer, CallError> {
        let mut request = self.request(path, body, "application/json");
        *request.method_mut() = Method::POST;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        self.call(request).await
    }

    /// Asks for JSON.
    ///
    /// # Errors
    /// As for [`Self::post`].
    pub async fn get(&mut self, path: Uri) -> Result<Answer, CallError> {
        self.call(self.request(path, Bytes::new(), "application/json")).await
    }

    /// Asks for whatever is there.
    ///
    /// # Errors
    /// As for [`Self::post`].
    pub async fn get_any(&mut self, path: Uri) -> Result<Answer, CallError> {
        self.call(self.request(path, Bytes::new(), "*/*")).await
    }

    fn request(&self, path: Uri, body: Bytes, accept: &'static str) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        *request.uri_mut() = path;
        request
    }

    async fn call(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, CallError> {
        let limit = self.timeout;
        let answer = timeout(limit, self.exchange(request)).await;
        let answer = answer.unwrap_or(Err(CallError::Timeout));
        if answer.is_err() {
            self.sender = None;
        }
        answer
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, CallError> {
        let sender = self.ready_sender().await?;
        let response = sender.send_request(request).await.map_err(transport_error)?;
        let (head, body) = response.into_parts();
        let body = read_whole(body).await?;
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// The sender of a live connection: the last one, unless the server has closed it meanwhile.
    async fn ready_sender(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, CallError> {
        let live = match self.sender.take() {
            Some(mut sender) => sender.ready().await.is_ok().then_some(sender),
            None => None,
        };
        let sender = match live {
            Some(sender) => sender,
            None => self.dial().await?,
        };
        Ok(self.sender.insert(sender))
    }

    async fn dial(&mut self) -> Result<SendRequest<Full<Bytes>>, CallError> {
        self.dials += 1;
        let refuse = |error: std::io::Error| CallError::Connect(error.to_string());
        let stream = TcpStream::connect(self.server.socket).await.map_err(refuse)?;
        stream.set_nodelay(true).map_err(refuse)?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, driver) = handshake.map_err(|error| CallError::Connect(error.to_string()))?;
        tokio::spawn(async move {
            // Its errors reach the request that they belong to.
            let _ = driver.await;
        });
        Ok(sender)
    }
}

impl Link for Connection {
    async fn open(&mut self) -> Result<(), CallError> {
        let limit = self.timeout;
        let dialled = timeout(limit, self.ready_sender()).await;
        dialled.map_or(Err(CallError::Timeout), |sender| sender.map(drop))
    }

    fn dials(&self) -> u64 {
        self.dials
    }
}

/// A path as a request target.
///
/// # Errors
/// Characters that cannot stand in one.
pub fn uri(path: &str) -> Result<Uri, CallError> {
    path.parse().map_err(|_| CallError::Malformed(format!("request path {path:?}")))
}

/// Nearly every answer is one frame, which is then taken as it is, without a copy.
async fn read_whole(mut body: Incoming) -> Result<Bytes, CallError> {
    let mut whole = Bytes::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(transport_error)?.into_data() else { continue };
        if whole.len() + data.len() > ANSWER_BYTES_MAX {
            return Err(CallError::Malformed(format!("over {ANSWER_BYTES_MAX} bytes")));
        }
        if whole.is_empty() {
            whole = data;
        } else {
            let mut longer = BytesMut::from(whole);
            longer.extend_from_slice(&data);
            whole = longer.freeze();
        }
        if body.is_end_stream() {
            break;
        }
    }
    Ok(whole)
}

fn transport_error(error: hyper::Error) -> CallError {
    if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
        CallError::Malformed(error.to_string())
    } else {
        CallError::Disconnect(error.to_string())
    }
}
