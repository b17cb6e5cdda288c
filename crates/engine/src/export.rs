//! Gives stored telemetry back as it was taken in.

use crate::admission::Question;
use crate::scan::{Scanner, Source, Wanted, blocks, sources};
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use futures::stream::{self, BoxStream, StreamExt};
use model::{Signal, TimeRange, TraceId, otlp, schema};
use query::{Error, ExportRequest, Expression};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use storage::Snapshot;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Items of one request; as many as SDKs send.
const ITEMS: usize = 512;
/// A request has about so many bytes at most, unless one item is longer.
const REQUEST_BYTES: usize = 4 << 20;
/// Traces that a filter may choose: their ids are kept in memory.
const MOST_TRACES: usize = 4_000_000;
/// What each of them takes there.
const TRACE_BYTES: u64 = 32;
/// As long as many clients wait themselves.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests that wait for the reader.
const WAITING: usize = 2;

/// A request, or that all were given.
type Item = Result<Option<Vec<u8>>, Error>;

/// Reads what is asked for and gives it on, for as long as somebody takes it.
pub struct Exporter {
    pub scanner: Scanner,
    pub question: Arc<Question>,
    pub snapshot: Arc<Snapshot>,
    pub request: ExportRequest,
    /// How long a reader may take for a request before it is given up, and what it holds up let go.
    pub patience: Duration,
    sender: Sender<Item>,
}

/// Why an export ends before its end.
enum Ended {
    /// Nobody listens, or not fast enough; there is nobody to tell.
    Alone,
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Exporter {
    /// An exporter, and what it will give.
    pub fn new(
        scanner: Scanner,
        question: Arc<Question>,
        snapshot: Arc<Snapshot>,
        request: ExportRequest,
    ) -> (Self, BoxStream<'static, Result<Vec<u8>, Error>>) {
        let (sender, receiver) = channel(WAITING);
        let exporter = Self { scanner, question, snapshot, request, patience: PATIENCE, sender };
        (exporter, given(receiver).boxed())
    }

    /// Why items will be missing, as far as that is known yet.
    pub fn incomplete(&self) -> Option<String> {
        let all = sources(&self.snapshot, self.request.range);
        self.question.searching(self.request.signal, blocks(&all));
        for source in &all {
            if let Source::Block(block, _) = source
                && block.is_damaged()
            {
                self.question.note_unread(block);
            }
        }
        self.question.incomplete()
    }

    /// Gives everything, the oldest source first.
    pub async fn run(self) {
        let known = self.question.unread();
        let done = self.give().await;
        let last = match done {
            Err(Ended::Alone) => return,
            Err(Ended::Failed(error)) => Err(error),
            // What was known before was told before.
            Ok(()) => match self.question.incomplete().filter(|_| self.question.unread() > known) {
                Some(why) => Err(Error::Unreadable { message: format!("the export is not whole: {why}") }),
                None => Ok(None),
            },
        };
        drop(self.send(last).await);
    }

    async fn send(&self, item: Item) -> Result<(), Ended> {
        match self.sender.send_timeout(item, self.patience).await {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Timeout(_)) => {
                tracing::warn!(
                    "an export was given up: its reader took nothing for {} s",
                    self.patience.as_secs()
                );
                Err(Ended::Alone)
            }
            Err(SendTimeoutError::Closed(_)) => Err(Ended::Alone),
        }
    }

    async fn give(&self) -> Result<(), Ended> {
        let everything = self.request.filter == Expression::All && self.request.range == TimeRange::ALL;
        let mut request = self.request.clone();
        let mut chosen = None;
        if request.signal == Signal::Traces && !everything {
            chosen = Some(Arc::new(self.traces().await?));
            (request.filter, request.range) = (Expression::All, TimeRange::ALL);
        }
        let mut sources = sources(&self.snapshot, request.range);
        self.question.searching(request.signal, blocks(&sources));
        sources.reverse();
        for source in &sources {
            match self.source(source, &request, chosen.as_ref()).await {
                Err(Ended::Failed(error)) => self.question.pass_over(source, error)?,
                given => given?,
            }
        }
        Ok(())
    }

    async fn source(
        &self,
        source: &Source,
        request: &ExportRequest,
        chosen: Option<&Arc<HashSet<TraceId>>>,
    ) -> Result<(), Ended> {
        let mut scan = self.scanner.open(&self.question, source, wanted(request), None).await?;
        while let Some(batch) = scan.next().await? {
            for part in parts(&batch) {
                let (signal, chosen) = (request.signal, chosen.cloned());
                let encoded = self.question.compute(move || match chosen {
                    Some(chosen) => encode(signal, &of_traces(&part, &chosen)),
                    None => encode(signal, &part),
                });
                if let Some(wire) = encoded.await? {
                    self.send(Ok(Some(wire))).await?;
                }
            }
        }
        Ok(())
    }

    /// The traces that have a matching span.
    async fn traces(&self) -> Result<HashSet<TraceId>, Error> {
        let (question, request) = (&self.question, &self.request);
        let mut chosen = HashSet::new();
        for source in sources(&self.snapshot, request.range) {
            let take = |batch: &RecordBatch| {
                let known = chosen.len();
                chosen.extend(ids(batch).flatten());
                question.note((chosen.len() - known) as u64 * TRACE_BYTES);
                chosen.len() <= MOST_TRACES
            };
            let columns: &[&str] = &[schema::TRACE_ID];
            if let Err(error) =
                self.scanner.each_while(question, &source, wanted(request), (columns, take)).await
            {
                question.pass_over(&source, error)?;
            }
            if chosen.len() > MOST_TRACES {
                let message =
                    format!("more than {MOST_TRACES} traces match; narrow the time range or the filter");
                return Err(Error::Invalid { message });
            }
        }
        Ok(chosen)
    }
}

/// What comes through the channel; when that breaks off, the last item says so.
fn given(receiver: Receiver<Item>) -> impl futures::Stream<Item = Result<Vec<u8>, Error>> + Send {
    stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Ok(Some(request))) => Some((Ok(request), Some(receiver))),
            Some(Ok(None)) => None,
            Some(Err(error)) => Some((Err(error), None)),
            None => {
                let message =
                    "the export ended early: it was not read for too long, or the server stops".to_owned();
                Some((Err(Error::Unavailable { message }), None))
            }
        }
    })
}

const fn wanted(request: &ExportRequest) -> Wanted<'_> {
    Wanted { signal: request.signal, filter: &request.filter, range: request.range }
}

fn ids(batch: &RecordBatch) -> impl Iterator<Item = Option<TraceId>> {
    let column = batch.column_by_name(schema::TRACE_ID).and_then(|column| column.as_fixed_size_binary_opt());
    (0..batch.num_rows()).map(move |row| Some(TraceId(column?.value(row).try_into().ok()?)))
}

fn of_traces(batch: &RecordBatch, chosen: &HashSet<TraceId>) -> RecordBatch {
    let kept: BooleanArray = ids(batch).map(|id| Some(id.is_some_and(|id| chosen.contains(&id)))).collect();
    filter_record_batch(batch, &kept).expect("there is a bit for each row")
}

/// The rows in parts that each make a request.
fn parts(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> + use<'_> {
    let rows = batch.num_rows();
    let each = (batch.get_array_memory_size() / rows.max(1)).max(1);
    let items = (REQUEST_BYTES / each).clamp(1, ITEMS);
    (0..rows).step_by(items).map(move |start| batch.slice(start, items.min(rows - start)))
}

fn encode(signal: Signal, part: &RecordBatch) -> Option<Vec<u8>> {
    (part.num_rows() > 0).then(|| match signal {
        Signal::Traces => otlp::encode_spans(&otlp::spans(part)),
        Signal::Logs => otlp::encode_log_records(&otlp::log_records(part)),
        Signal::Metrics => otlp::encode_metric_points(&otlp::metric_points(part)),
    })
}
