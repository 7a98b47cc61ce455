//! One `cairn.log.v1.Log/AppendStream` call, shared by as many items as its window takes. Results
//! must come in the order of the items.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use proto::log_v1::append_result::Result as Outcome;
use proto::log_v1::log_client::LogClient;
use proto::log_v1::{AppendStreamRequest, AppendStreamResponse, Appended, Item, item};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;
use tokio::time::timeout;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;

use crate::client::CallError;
use crate::drive::Link;
use crate::grpc::{Http2, Shared, call_error};

/// A place in the window of a stream: one item in flight.
pub struct Place {
    stream: Rc<AppendStream>,
    /// Whether this place speaks for the stream when dials are counted.
    first: bool,
}

/// A stream that is opened when first needed, and again after it was lost.
struct AppendStream {
    shared: Shared,
    log: String,
    window: usize,
    live: RefCell<Option<Live>>,
}

/// An open stream.
struct Live {
    items: mpsc::Sender<AppendStreamRequest>,
    waiting: Rc<Waiting>,
    next: u64,
}

/// Who waits for the result of which item, the oldest first; `None` once the stream has ended.
type Waiting = RefCell<Option<VecDeque<(u64, oneshot::Sender<Result<Appended, CallError>>)>>>;

/// The places of all windows of these streams to one log.
pub fn places(streams: Vec<Shared>, log: &str, window: usize) -> Vec<Place> {
    let of_one = |shared| {
        let (log, live) = (log.to_owned(), RefCell::new(None));
        let stream = Rc::new(AppendStream { shared, log, window, live });
        (0..window).map(move |n| Place { stream: Rc::clone(&stream), first: n == 0 })
    };
    streams.into_iter().flat_map(of_one).collect()
}

impl Place {
    /// Appends one leaf and waits for its result.
    ///
    /// # Errors
    /// No result within the timeout, a failure of the item or of the whole stream.
    pub async fn append(&self, leaf: bytes::Bytes) -> Result<Appended, CallError> {
        let result = self.stream.send(leaf)?;
        let limit = self.stream.shared.http2.timeout();
        let result = timeout(limit, result).await.map_err(|_| CallError::Timeout)?;
        result.unwrap_or_else(|_| Err(CallError::Disconnect("the stream ended".to_owned())))
    }
}

impl Link for Place {
    async fn open(&mut self) -> Result<(), CallError> {
        self.stream.shared.http2.channel().await.map(drop)
    }

    fn dials(&self) -> u64 {
        if self.first { self.stream.shared.dials() } else { 0 }
    }
}

impl AppendStream {
    /// Puts an item on the stream; what comes back gives its result.
    fn send(
        &self,
        leaf: bytes::Bytes,
    ) -> Result<oneshot::Receiver<Result<Appended, CallError>>, CallError> {
        let mut live = self.live.borrow_mut();
        if live.as_ref().is_none_or(|live| live.waiting.borrow().is_none()) {
            *live = Some(self.start());
        }
        let Some(live) = live.as_mut() else { return Err(CallError::Timeout) }; // was just filled
        let sequence = live.next;
        let request = AppendStreamRequest {
            // The log is named once a stream.
            log: if sequence == 0 { self.log.clone() } else { String::new() },
            item: Some(Item { entry: Some(item::Entry::Raw(leaf)) }),
            sequence,
            include_proof: false,
        };
        // Full only with items that nobody waits for any more. If it is closed, the stream is about
        // to end, and says why to all who wait.
        if let Err(mpsc::error::TrySendError::Full(_)) = live.items.try_send(request) {
            return Err(CallError::Timeout);
        }
        live.next += 1;
        let (give, take) = oneshot::channel();
        live.waiting.borrow_mut().get_or_insert_default().push_back((sequence, give));
        Ok(take)
    }

    fn start(&self) -> Live {
        let (items, queue) = mpsc::channel(self.window);
        let waiting = Rc::new(Waiting::new(Some(VecDeque::new())));
        let (http2, answered) = (Rc::clone(&self.shared.http2), Rc::clone(&waiting));
        spawn_local(async move {
            let error = receive(&http2, queue, &answered).await;
            let (class, why) = match &error {
                CallError::Refused(code, why) => (Some(*code), why.clone()),
                other => (None, other.to_string()),
            };
            for (_, give) in answered.take().into_iter().flatten() {
                let _ = give.send(Err(match class {
                    Some(code) => CallError::Refused(code, why.clone()),
                    None => CallError::Disconnect(why.clone()),
                }));
            }
        });
        Live { items, waiting, next: 0 }
    }
}

/// Gives each result to whom it belongs, until the stream ends.
async fn receive(
    http2: &Http2,
    queue: mpsc::Receiver<AppendStreamRequest>,
    waiting: &Waiting,
) -> CallError {
    let channel = match http2.channel().await {
        Ok(channel) => channel,
        Err(error) => return error,
    };
    let mut client = LogClient::with_origin(channel, http2.origin());
    let mut results = match client.append_stream(ReceiverStream::new(queue)).await {
        Ok(results) => results.into_inner(),
        Err(status) => return call_error(&status),
    };
    loop {
        match results.message().await {
            Ok(Some(result)) => {
                let oldest = waiting.borrow_mut().as_mut().and_then(VecDeque::pop_front);
                let Some((sequence, give)) = oldest else {
                    return CallError::Disconnect("a result of no item".to_owned());
                };
                let in_order = result.sequence == sequence;
                // Nobody may wait any more.
                let _ = give.send(outcome(sequence, result));
                if !in_order {
                    return CallError::Disconnect("results out of order".to_owned());
                }
            }
            Ok(None) => return CallError::Disconnect("the server ended the stream".to_owned()),
            Err(status) => return call_error(&status),
        }
    }
}

fn outcome(sequence: u64, result: AppendStreamResponse) -> Result<Appended, CallError> {
    if result.sequence != sequence {
        let why = format!("a result of item {} where {sequence} was due", result.sequence);
        return Err(CallError::Malformed(why));
    }
    match result.result.and_then(|result| result.result) {
        Some(Outcome::Appended(appended)) => Ok(appended),
        Some(Outcome::Failure(failure)) => {
            Err(CallError::Refused(failure.code.into(), failure.message))
        }
        None => Err(CallError::Malformed("a result without outcome".to_owned())),
    }
}
