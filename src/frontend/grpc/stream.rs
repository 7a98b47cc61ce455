//! Answers that go on: a task that makes them, at most so many ahead of the client. Those without
//! end have to end when the server is told to stop, or it would wait for them.

use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};

/// Whether the server is to stop.
#[derive(Clone)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Reads what the channel says.
    pub(crate) fn new(told: watch::Receiver<bool>) -> Self {
        Self(told)
    }

    /// Whether it has been told.
    pub(super) fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is told.
    pub(super) async fn told(&mut self) {
        let _server_gone = self.0.wait_for(|told| *told).await;
    }

    /// What clients are told then.
    pub(super) fn status() -> Status {
        Status::unavailable("the server is stopping")
    }
}

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

/// The same, up to where it is when the server is told to stop.
pub(super) fn until_stopped<T, M, F>(
    ahead_max: usize,
    mut stopping: Stopping,
    make: M,
) -> Response<ReceiverStream<Result<T, Status>>>
where
    T: Send + 'static,
    M: FnOnce(mpsc::Sender<Result<T, Status>>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    answer(ahead_max, |answers| {
        let made = make(answers.clone());
        async move {
            tokio::select! {
                () = made => {}
                () = stopping.told() => {
                    let _client_gone = answers.send(Err(Stopping::status())).await;
                }
            }
        }
    })
}
