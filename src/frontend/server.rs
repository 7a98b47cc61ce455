//! The listener's loop: accepts connections as long as there are seats, serves HTTP/1.1 or HTTP/2
//! on each, stops gracefully.
//!
//! Which of the two a client speaks, its first bytes tell (RFC 9113 §3.3: HTTP/2 with prior
//! knowledge, which is what gRPC clients speak). What is served is the handler's business. TLS ends
//! in front of this.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::limits::{
    HEADER_BYTES_MAX, HTTP2_HEADER_BYTES_MAX, HTTP2_PING_INTERVAL, HTTP2_STREAMS_MAX, Limits,
    REFUSALS_MAX, WRITE_STALL_MAX,
};
use super::reply_body::ReplyBody;
use super::seats::{Seat, Seats};
use super::stream::StallLimited;

/// What goes back over the wire.
pub(super) type Reply = Response<ReplyBody>;

/// How long the loop rests after the system gave no connection (too many open files, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a refused client has to read why.
const REFUSAL_LINGER: Duration = Duration::from_secs(1);

/// How long a client that sends its first bytes one by one is left alone between two looks.
const PEEK_PAUSE: Duration = Duration::from_millis(5);

const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
    Retry-After: 1\r\nConnection: close\r\nContent-Length: 59\r\n\r\n\
    {\"code\":503,\"message\":\"too many connections; retry later\"}\n";

/// Serves every connection with `handler` until `shutdown`; then finishes what is running, for at
/// most the time that the limits say, and closes.
pub(super) async fn run<H, F>(
    listener: TcpListener,
    limits: Limits,
    shutdown: impl Future,
    handler: H,
) where
    H: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let seats = Seats::new(limits.connections_max);
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX.min(limits.connections_max)));
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, peer) = tokio::select! {
            _ = &mut shutdown => break,
            Some(_ended) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        if let Some(seat) = seats.take(Instant::now()) {
            let (handler, stopping) = (handler.clone(), stopping.clone());
            connections.spawn(async move {
                tokio::select! {
                    () = connection(stream, peer, &seat, limits, handler, stopping) => {}
                    () = seat.given_away() => {}
                }
            });
        } else if let Ok(place) = refusals.clone().try_acquire_owned() {
            connections.spawn(async move {
                let _client_gone = timeout(REFUSAL_LINGER, refuse(stream)).await;
                drop(place);
            });
        }
    }
    drop(listener);
    stop.send_replace(true);
    let ended =
        timeout(limits.shutdown_max, async { while connections.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::warn!(open = connections.len(), "closing connections that did not end in time");
    }
}

async fn connection<H, F>(
    stream: TcpStream,
    peer: SocketAddr,
    seat: &Seat,
    Limits { header_read_max, .. }: Limits,
    handler: H,
    stopping: watch::Receiver<bool>,
) where
    H: Fn(Request<Incoming>, SocketAddr) -> F,
    F: Future<Output = Reply> + Send + 'static,
{
    let _without_it_slower = stream.set_nodelay(true);
    let Ok(Some(version)) = timeout(header_read_max, version_of(&stream)).await else {
        return; // it has said nothing, or has gone
    };
    let io = TokioIo::new(StallLimited::new(stream, WRITE_STALL_MAX));
    let service = service_fn(|request| {
        let (busy, reply) = (seat.busy(), handler(request, peer));
        async move { Ok::<_, Infallible>(reply.await.map(|body| body.holding(busy))) }
    });
    let ended = match version {
        Version::Http1 => {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(header_read_max) // of an idle connection, too
                .max_buf_size(HEADER_BYTES_MAX)
                .title_case_headers(true)
                .serve_connection(io, service);
            let mut connection = pin!(connection);
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopped(stopping) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }
        Version::Http2 => {
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(HTTP2_PING_INTERVAL)
                .max_concurrent_streams(HTTP2_STREAMS_MAX)
                .max_header_list_size(HTTP2_HEADER_BYTES_MAX)
                .adaptive_window(true)
                .serve_connection(io, service);
            let mut connection = pin!(connection);
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = either(stopped(stopping), idle(seat, header_read_max)) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

enum Version {
    Http1,
    Http2,
}

/// What the client's first bytes begin; they stay unread. `None` when it leaves before.
async fn version_of(stream: &TcpStream) -> Option<Version> {
    // `PRI * HTTP/2.0`: no method of HTTP/1.1 begins like this.
    const BEGINNING: &[u8] = b"PRI ";
    let mut bytes = [0; BEGINNING.len()];
    loop {
        match stream.peek(&mut bytes).await {
            Ok(0) | Err(_) => return None,
            Ok(n) if bytes[..n] != BEGINNING[..n] => return Some(Version::Http1),
            Ok(n) if n == BEGINNING.len() => return Some(Version::Http2),
            Ok(_) => sleep(PEEK_PAUSE).await, // a client that sends byte by byte
        }
    }
}

/// Waits until nothing has been asked for a while.
async fn idle(seat: &Seat, idle_max: Duration) {
    while seat.idle_for() < idle_max {
        sleep(idle_max.saturating_sub(seat.idle_for())).await;
    }
}

async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    tokio::select! {
        () = one => {}
        () = other => {}
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _server_gone = stopping.wait_for(|stop| *stop).await;
}

/// Tells a client that there is no room, and waits until it has read that.
async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(REFUSAL).await?;
    stream.shutdown().await?;
    // Closing with unread bytes would reset the connection, and the client might not see why.
    let mut unread = [0; 1024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_as_long_as_it_says() {
        let text = std::str::from_utf8(REFUSAL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
        assert!(head.lines().all(|line| !line.starts_with(' ')));
    }
}
