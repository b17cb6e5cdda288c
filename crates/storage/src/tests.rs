//! The store as a whole: what is appended is found, once, whatever happens in between.

mod content;
pub(crate) mod crash;
mod formats;
mod object_store;
mod recovery;
mod rewriting;
mod sampling;
mod superseded;

use crate::place::list_files;
use crate::{Error, Limits, Options, Storage};
use model::batch::Encoding;
use model::{Attribute, Batch, LogRecord, Signal, Span, SpanId, TenantId, Timestamp, TraceId, Value, otlp};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How many files there are below a directory.
fn files(directory: &Path) -> usize {
    let mut files = Vec::new();
    list_files(directory, &mut files).unwrap();
    files.len()
}

fn options(directory: &Path) -> Options {
    Options {
        directory: directory.to_owned(),
        blocks_url: object_store::url(),
        max_age: Duration::from_secs(3_600),
        max_bytes: 1 << 30,
        of_signal: [Limits::default(); 3],
        seal_bytes: 1 << 30,
        seal_age: Duration::from_secs(3_600),
        hot_limit_bytes: 1 << 30,
        min_free_bytes: 0,
        sampling: None,
    }
}

/// Opens a store once nobody holds it: a stop or crash leaves threads that hold it until they are done.
async fn opened(options: &Options) -> Result<Storage, Error> {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        match Storage::open(options.clone()).await {
            Err(Error::Locked { .. }) if std::time::Instant::now() < deadline => {
                tokio::task::yield_now().await;
            }
            opened => return opened,
        }
    }
}

/// An open store with its task.
struct Open {
    storage: Storage,
    task: JoinHandle<Result<(), Error>>,
    shutdown: CancellationToken,
}

impl Open {
    async fn new(options: Options) -> Self {
        let storage = opened(&options).await.unwrap();
        let shutdown = CancellationToken::new();
        let (runner, token) = (storage.clone(), shutdown.clone());
        #[expect(clippy::disallowed_methods, reason = "the test is the supervisor")]
        let task = tokio::spawn(async move { runner.run(token).await });
        Self { storage, task, shutdown }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// As a crash leaves it: nothing is sealed, nothing is said goodbye to.
    async fn crash(self) {
        self.task.abort();
        drop(self.task.await);
    }
}

/// Long enough to be found in a file that is not compressed away.
fn name_of(trace: u8) -> String {
    format!("operation of trace {trace}")
}

fn span(trace: u8, number: u8, end: u64) -> Span {
    Span {
        trace_id: TraceId([trace; 16]),
        span_id: SpanId([number; 8]),
        name: name_of(trace),
        start: Timestamp(1_000),
        end: Timestamp(end),
        attributes: vec![Attribute::new(format!("key.{}", number % 3), Value::Int(i64::from(number)))],
        ..Span::default()
    }
}

fn batch(spans: &[Span]) -> Batch {
    let wire = otlp::encode_spans(spans).into();
    otlp::decode(TenantId::default(), Signal::Traces, Encoding::Protobuf, wire).unwrap()
}

/// Every span of a trace as a reader sees it: of those sent again, the one that ended last.
async fn read(storage: &Storage, trace: u8) -> BTreeMap<SpanId, u64> {
    let snapshot = storage.snapshot(&TenantId::default(), Signal::Traces);
    let trace = TraceId([trace; 16]);
    let mut rows = Vec::new();
    for block in &snapshot.blocks {
        // What is damaged is missing.
        rows.extend(block.read_trace(trace, None, None).await.unwrap_or_default());
    }
    rows.extend(snapshot.hot.iter().filter_map(|batch| batch.trace_rows(trace)));
    let mut found = BTreeMap::new();
    for span in rows.iter().flat_map(otlp::spans) {
        assert_eq!(span.trace_id, trace);
        assert_eq!(span.attributes.len(), 1);
        let end = found.entry(span.span_id).or_default();
        *end = span.end.0.max(*end);
    }
    found
}

/// Every row of a trace that counts, each of a span and when it ended, and how many rows of all traces count.
async fn counted(storage: &Storage, trace: u8) -> (Vec<(SpanId, u64)>, u64) {
    let snapshot = storage.snapshot(&TenantId::default(), Signal::Traces);
    let looking = tokio::task::spawn_blocking(move || snapshot.each_once(Signal::Traces));
    let snapshot = looking.await.unwrap().unwrap();
    let trace = TraceId([trace; 16]);
    let mut rows = Vec::new();
    for block in &snapshot.blocks {
        let superseded = snapshot.superseded_in(block).cloned().unwrap_or_default();
        let read = block.read_trace(trace, None, None).await.unwrap();
        rows.extend(read.iter().map(|rows| superseded.leave_out(rows).unwrap()));
    }
    rows.extend(snapshot.hot.iter().filter_map(|batch| batch.trace_rows(trace)));
    let mut spans: Vec<_> =
        rows.iter().flat_map(otlp::spans).map(|span| (span.span_id, span.end.0)).collect();
    spans.sort_unstable();
    (spans, snapshot.rows())
}

#[derive(Debug, Clone)]
enum Step {
    Append(u8, Vec<(u8, u64)>),
    Seal,
    Compact,
    Delete(u8),
    /// Everything sealed so far gets too old.
    Expire,
    Reopen,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let spans = proptest::collection::vec((1..20u8, 1_000..1_100u64), 1..6);
    prop_oneof![
        6 => (1..4u8, spans).prop_map(|(trace, spans)| Step::Append(trace, spans)),
        2 => Just(Step::Seal),
        1 => Just(Step::Compact),
        1 => (1..4u8).prop_map(Step::Delete),
        1 => Just(Step::Expire),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
        1 => any::<u8>().prop_map(|_| Step::Append(9, vec![(1, 1_000)])),
    ]
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]
    #[test]
    fn nothing_is_lost_or_doubled(steps in proptest::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(interleave(steps));
    }
}

/// Whether any file has the bytes of a span's name of this trace.
fn on_disk(directory: &Path, trace: u8) -> bool {
    let name = name_of(trace);
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if std::fs::read(&path).unwrap().windows(name.len()).any(|bytes| bytes == name.as_bytes())
            {
                return true;
            }
        }
    }
    false
}

/// What a store is to have, as simply as it can be said: the latest end of each span, by trace.
#[derive(Default)]
struct Model {
    hot: BTreeMap<u8, BTreeMap<SpanId, u64>>,
    sealed: BTreeMap<u8, BTreeMap<SpanId, u64>>,
}

impl Model {
    fn seal(&mut self) {
        for (trace, spans) in std::mem::take(&mut self.hot) {
            merge(self.sealed.entry(trace).or_default(), &spans);
        }
    }

    fn of(&self, trace: u8) -> BTreeMap<SpanId, u64> {
        let mut spans = self.sealed.get(&trace).cloned().unwrap_or_default();
        merge(&mut spans, self.hot.get(&trace).unwrap_or(&BTreeMap::new()));
        spans
    }
}

fn merge(into: &mut BTreeMap<SpanId, u64>, spans: &BTreeMap<SpanId, u64>) {
    for (span, end) in spans {
        let known = into.entry(*span).or_default();
        *known = (*end).max(*known);
    }
}

async fn interleave(steps: Vec<Step>) {
    let directory = tempfile::tempdir().unwrap();
    let mut open = Open::new(options(directory.path())).await;
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Append(trace, sent) => {
                let spans: Vec<_> = sent.iter().map(|(number, end)| span(trace, *number, *end)).collect();
                open.storage.append(batch(&spans)).await.unwrap();
                for span in spans {
                    let sent = BTreeMap::from([(span.span_id, span.end.0)]);
                    merge(model.hot.entry(trace).or_default(), &sent);
                }
            }
            Step::Seal => {
                open.storage.seal().await.unwrap();
                model.seal();
            }
            Step::Expire => {
                let later = Timestamp(open.storage.store.clock.now().0 + 7_200_000_000_000);
                crate::retention::apply(&open.storage.store, later).await;
                model.sealed.clear();
            }
            Step::Compact => open.storage.compact().await.unwrap(),
            Step::Delete(trace) => {
                let deleted =
                    open.storage.delete_trace(&TenantId::default(), TraceId([trace; 16])).await.unwrap();
                model.seal();
                let known = model.sealed.remove(&trace).unwrap_or_default();
                assert_eq!(deleted.spans, known.len() as u64, "{deleted:?} of {known:?}");
                assert!(!on_disk(directory.path(), trace), "a file has the trace");
            }
            Step::Reopen => {
                open.stop().await;
                model.seal();
                open = Open::new(options(directory.path())).await;
            }
            Step::Crash => {
                open.crash().await;
                open = Open::new(options(directory.path())).await;
            }
        }
        let all: usize = [1, 2, 3, 9].iter().map(|trace| model.of(*trace).len()).sum();
        for trace in [1, 2, 3, 9] {
            assert_eq!(read(&open.storage, trace).await, model.of(trace), "trace {trace}");
            let (spans, rows) = counted(&open.storage, trace).await;
            assert_eq!(spans, model.of(trace).into_iter().collect::<Vec<_>>(), "trace {trace} counts once");
            assert_eq!(rows, all as u64);
        }
    }
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_while_sealing_sees_no_gap() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(Options { seal_age: Duration::ZERO, ..options(directory.path()) }).await;
    let mut sent = BTreeSet::new();
    for number in 1..200u8 {
        open.storage.append(batch(&[span(1, number, 2_000)])).await.unwrap();
        sent.insert(SpanId([number; 8]));
        assert_eq!(read(&open.storage, 1).await.into_keys().collect::<BTreeSet<_>>(), sent);
    }
    assert!(open.storage.usage().hot_bytes < 1 << 20);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_normal_stop_leaves_an_empty_log() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(options(directory.path())).await;
    open.storage.append(batch(&[span(1, 1, 2_000), span(2, 1, 2_000)])).await.unwrap();
    open.stop().await;
    assert_eq!(std::fs::read_dir(directory.path().join("log")).unwrap().count(), 0);
    let open = Open::new(options(directory.path())).await;
    open.storage.append(batch(&[span(1, 2, 2_000)])).await.unwrap();
    assert_eq!(read(&open.storage, 1).await.len(), 2);
    open.crash().await;
    let open = Open::new(options(directory.path())).await;
    assert_eq!(read(&open.storage, 1).await.len(), 2);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn being_full_is_an_answer() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(Options { hot_limit_bytes: 1, ..options(directory.path()) }).await;
    open.storage.append(batch(&[span(1, 1, 2_000)])).await.unwrap();
    let refused = open.storage.append(batch(&[span(1, 2, 2_000)])).await.unwrap_err();
    assert!(matches!(refused, Error::Busy { .. }), "{refused}");
    open.storage.seal().await.unwrap();
    open.storage.append(batch(&[span(1, 3, 2_000)])).await.unwrap();
    open.stop().await;

    let full = Options { min_free_bytes: u64::MAX, ..options(directory.path()) };
    let open = Open::new(full).await;
    let refused = open.storage.append(batch(&[span(1, 4, 2_000)])).await.unwrap_err();
    assert!(matches!(refused, Error::DiskFull { .. }), "{refused}");
    assert_eq!(read(&open.storage, 1).await.len(), 2);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_deletes_the_oldest_blocks_and_their_files_but_not_the_newest() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(Options { max_bytes: 1, ..options(directory.path()) }).await;
    for trace in 1..=2 {
        open.storage.append(batch(&[span(trace, 1, 2_000)])).await.unwrap();
        open.storage.seal().await.unwrap();
    }
    let files = || files(&directory.path().join("blocks/default/traces"));
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    // The file goes when the last reader of the block does.
    while open.storage.usage().blocks > 1 || files() > 1 {
        assert!(std::time::Instant::now() < deadline, "the block is still there");
        tokio::task::yield_now().await;
    }
    crate::retention::apply(&open.storage.store, open.storage.store.clock.now()).await;
    assert!(read(&open.storage, 1).await.is_empty());
    assert_eq!(read(&open.storage, 2).await.len(), 1);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_deletes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(options(directory.path())).await;
    for trace in 1..=3 {
        open.storage.append(batch(&[span(trace, 1, 2_000)])).await.unwrap();
        open.storage.seal().await.unwrap();
    }
    open.storage.append(batch(&[span(4, 1, 2_000)])).await.unwrap();
    open.crash().await;
    let open = Open::new(Options { min_free_bytes: u64::MAX, ..options(directory.path()) }).await;
    crate::retention::apply(&open.storage.store, open.storage.store.clock.now()).await;
    let refused = open.storage.append(batch(&[span(5, 1, 2_000)])).await.unwrap_err();
    assert_eq!(refused.kind(), model::Kind::Unavailable);
    let problems = open.storage.problems();
    assert_eq!((problems[0].kind, problems[0].severity), ("diskFull", crate::Severity::Failing));
    for trace in 1..=4 {
        assert_eq!(read(&open.storage, trace).await.len(), 1, "trace {trace}");
    }
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_is_given_up_leaves_no_room_taken() {
    let directory = tempfile::tempdir().unwrap();
    // Nobody runs the store, so that every append waits, and those beyond the queue wait for a place in it.
    let storage = opened(&options(directory.path())).await.unwrap();
    for _ in 0..crate::writing::QUEUE + 10 {
        let batch = batch(&[span(1, 1, 2_000)]);
        let appending = storage.append(batch);
        assert!(tokio::time::timeout(Duration::ZERO, appending).await.is_err());
    }
    let full = storage.usage().hot_bytes;
    let appending = storage.append(batch(&[span(1, 1, 2_000)]));
    assert!(tokio::time::timeout(Duration::ZERO, appending).await.is_err());
    assert_eq!(storage.usage().hot_bytes, full);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_may_have_limits_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let mut limited = options(directory.path());
    limited.of_signal[Signal::Traces as usize].max_bytes = Some(1);
    let open = Open::new(limited).await;
    for number in 1..=2 {
        open.storage.append(batch(&[span(1, number, 2_000)])).await.unwrap();
        open.storage.seal().await.unwrap();
    }
    let record = LogRecord { time: Timestamp(5), ..LogRecord::default() };
    let wire = otlp::encode_log_records(&[record]).into();
    let logs = otlp::decode(TenantId::default(), Signal::Logs, Encoding::Protobuf, wire).unwrap();
    open.storage.append(logs).await.unwrap();
    open.storage.seal().await.unwrap();
    let blocks = |signal| open.storage.snapshot(&TenantId::default(), signal).blocks.len();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while blocks(Signal::Traces) > 1 {
        assert!(std::time::Instant::now() < deadline, "the block is still there");
        tokio::task::yield_now().await;
    }
    assert_eq!(blocks(Signal::Logs), 1);
    open.stop().await;
}

#[tokio::test]
async fn a_directory_serves_one_process() {
    let directory = tempfile::tempdir().unwrap();
    let first = Storage::open(options(directory.path())).await.unwrap();
    let second = Storage::open(options(directory.path())).await.err().unwrap();
    assert!(matches!(second, Error::Locked { .. }), "{second}");
    drop(first);
    Storage::open(options(directory.path())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_without_their_catalog_are_not_removed() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(options(directory.path())).await;
    open.storage.append(batch(&[span(1, 1, 2_000)])).await.unwrap();
    open.stop().await;
    let (catalog, away) = (directory.path().join("catalog.sqlite"), directory.path().join("away"));
    std::fs::rename(&catalog, &away).unwrap();
    let refused = opened(&options(directory.path())).await.err().unwrap();
    let told = refused.to_string();
    assert!(told.contains("catalog.sqlite is missing") && told.contains("clew repair"), "{told}");
    std::fs::rename(&away, &catalog).unwrap();
    let open = Open::new(options(directory.path())).await;
    assert_eq!(read(&open.storage, 1).await.len(), 1);
    open.stop().await;
}
