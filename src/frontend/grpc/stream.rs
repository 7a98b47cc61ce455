//! Answers that go on: a task that makes them, at most so many ahead of the client.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};

/// Runs `make`; it ends when it has nothing more to say, or when nobody listens.
pub(super) fn answer<T, M, F>(
    ahead_max: usize,
    make: M,
) -> Response<ReceiverStream<Result<T, Status>>>
where
    T: Send + 'static,
    M: FnOnce(mpsc::Sender<Result<T, Status>>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let (answers, stream) = mpsc::channel(ahead_max);
    tokio::spawn(make(answers));
    Response::new(ReceiverStream::new(stream))
}
