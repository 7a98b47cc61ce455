//! The listener's loop: accepts connections up to a cap, serves HTTP/1.1 on each, stops gracefully.
//!
//! What is served is the handler's business. TLS and HTTP/2 end in front of this.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::limits::{HEADER_BYTES_MAX, Limits, REFUSALS_MAX, WRITE_STALL_MAX};
use super::stream::StallLimited;

/// What goes back over the wire.
pub(super) type Reply = Response<Full<Bytes>>;

/// How long the loop rests after the system gave no connection (too many open files, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a refused client has to read why.
const REFUSAL_LINGER: Duration = Duration::from_secs(1);

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
    let room = Arc::new(Semaphore::new(limits.connections_max));
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
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
        if let Ok(place) = room.clone().try_acquire_owned() {
            let (handler, stopping) = (handler.clone(), stopping.clone());
            connections.spawn(async move {
                connection(stream, peer, limits.header_read_max, handler, stopping).await;
                drop(place);
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
    header_read_max: Duration,
    handler: H,
    stopping: watch::Receiver<bool>,
) where
    H: Fn(Request<Incoming>, SocketAddr) -> F,
    F: Future<Output = Reply>,
{
    let _without_it_slower = stream.set_nodelay(true);
    let io = TokioIo::new(StallLimited::new(stream, WRITE_STALL_MAX));
    let service = service_fn(|request| {
        let reply = handler(request, peer);
        async move { Ok::<_, Infallible>(reply.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_read_max) // of an idle connection, too
        .max_buf_size(HEADER_BYTES_MAX)
        .title_case_headers(true)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended");
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
