//! With sampling, each trace is kept whole or gone whole once it is decided on, and what is to be kept always is there.

use super::{Open, batch, files, options, read, span};
use crate::sampling::{Moment, Sampled, Sampling, Unripe};
use crate::sealing::seal_all;
use crate::{Error, Options};
use arrow::array::AsArray;
use arrow::datatypes::Int32Type;
use model::batch::Encoding;
use model::span::Status;
use model::{Batch, LogRecord, Signal, Span, TenantId, Timestamp, TraceId, Value, otlp, schema};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const WAIT: Duration = Duration::from_secs(3_600);
const ERROR: i32 = 2;
/// Kept for its id: the random part of the id of trace `n` is `n / 255` of the largest.
const LUCKY: u8 = 240;

/// Errors always, a tenth of the rest.
pub(super) fn sampled(directory: &Path) -> Options {
    let keeps = |rows: &arrow::record_batch::RecordBatch| {
        let codes = rows.column_by_name(schema::STATUS_CODE).unwrap().as_primitive::<Int32Type>();
        codes.iter().map(|code| Some(code == Some(ERROR))).collect()
    };
    let sampling = Sampling { wait: WAIT, rest: 0.1, keeps: Arc::new(keeps) };
    Options { sampling: Some(sampling), ..options(directory) }
}

pub(super) fn failed(trace: u8, number: u8) -> Span {
    Span { status: Status { code: ERROR, ..Status::default() }, ..span(trace, number, 2_000) }
}

fn good(trace: u8, number: u8) -> Span {
    span(trace, number, 2_000)
}

fn log_records(record: &LogRecord) -> Batch {
    let wire = otlp::encode_log_records(std::slice::from_ref(record)).into();
    otlp::decode(TenantId::default(), Signal::Logs, Encoding::Protobuf, wire).unwrap()
}

/// A moment that is after all that was before, and before all that comes.
fn between() -> Timestamp {
    let before = Timestamp::now();
    while Timestamp::now() <= before {}
    let between = Timestamp::now();
    while Timestamp::now() <= between {}
    between
}

impl Open {
    /// Seals what was received up to a moment, as if the wait were over then.
    async fn seal_up_to(&self, moment: Timestamp) {
        let now = Timestamp(moment.0 + u64::try_from(WAIT.as_nanos()).unwrap());
        seal_all(&self.storage.store, Moment { now, unripe: Unripe::Left }).await.unwrap();
    }

    async fn send(&self, spans: &[Span]) {
        self.storage.append(batch(spans)).await.unwrap();
    }

    fn sampled(&self) -> Sampled {
        self.storage.sampled(&TenantId::default()).unwrap()
    }

    /// The numbers of a trace's spans.
    async fn numbers(&self, trace: u8) -> Vec<u8> {
        read(&self.storage, trace).await.into_keys().map(|span| span.0[0]).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_kept_and_a_tenth_of_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(sampled(directory.path())).await;
    for number in 1..=3 {
        let fails = |trace: u8| trace.is_multiple_of(25) && number == 2;
        let spans: Vec<Span> = (1..=255)
            .map(|trace| if fails(trace) { failed(trace, number) } else { good(trace, number) })
            .collect();
        open.send(&spans).await;
    }
    open.seal_up_to(Timestamp(0)).await;
    assert_eq!(open.numbers(1).await, [1, 2, 3], "its time is not over");
    open.seal_up_to(between()).await;
    for trace in 1..=255u8 {
        let kept = trace.is_multiple_of(25) || trace >= 230;
        assert_eq!(open.numbers(trace).await, if kept { vec![1, 2, 3] } else { vec![] }, "trace {trace}");
    }
    let told = Sampled {
        kept_traces: 35,
        dropped_traces: 220,
        kept_spans: 105,
        dropped_spans: 660,
        ..Sampled::default()
    };
    assert_eq!(open.sampled(), told);
    let snapshot = open.storage.snapshot(&TenantId::default(), Signal::Traces);
    let statistics = snapshot.blocks[0].statistics();
    let counted: u64 = statistics.operations.iter().map(|operation| operation.rows).sum();
    assert_eq!((statistics.rows, statistics.operations.len(), counted), (105, 35, 105));
    let rollup = snapshot.blocks[0].rollup().unwrap().unwrap();
    assert_eq!(
        rollup
            .operations
            .values()
            .map(|totals| (totals.spans, totals.errors))
            .fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1)),
        (105, 10)
    );
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_within_the_wait_counts_and_what_follows_follows() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(sampled(directory.path())).await;
    open.send(&[good(1, 1), good(2, 1), good(3, 1), good(LUCKY, 1)]).await;
    let first = between();
    open.send(&[failed(1, 2), good(2, 2), good(LUCKY, 2)]).await;
    open.seal_up_to(first).await;
    let hot = || open.storage.snapshot(&TenantId::default(), Signal::Traces).hot.len();
    assert_eq!((hot(), open.numbers(1).await), (1, vec![1, 2]));
    assert_eq!(open.numbers(2).await, [2], "what is not decided on is visible");
    open.seal_up_to(between()).await;
    open.send(&[good(1, 3), good(2, 3), failed(3, 3), good(LUCKY, 3)]).await;
    open.seal_up_to(between()).await;
    assert_eq!(hot(), 0);
    assert_eq!(open.numbers(1).await, [1, 2, 3]);
    assert_eq!(open.numbers(LUCKY).await, [1, 2, 3]);
    assert!(open.numbers(2).await.is_empty());
    assert_eq!(open.numbers(3).await, [3], "what is wanted is kept, late as it is");
    let told = open.sampled();
    assert_eq!((told.kept_traces, told.dropped_traces, told.late_traces, told.early_traces), (2, 2, 1, 0));
    open.send(&[good(3, 4)]).await;
    open.seal_up_to(between()).await;
    assert_eq!(open.numbers(3).await, [3, 4]);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_stays_kept_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    for (round, crashes) in [true, false].into_iter().enumerate() {
        let (kept, dropped) = (1 + 2 * u8::try_from(round).unwrap(), 2 + 2 * u8::try_from(round).unwrap());
        let open = Open::new(sampled(directory.path())).await;
        open.send(&[failed(kept, 1), good(dropped, 1)]).await;
        let first = between();
        open.send(&[good(kept, 2), good(dropped, 2)]).await;
        open.seal_up_to(first).await;
        if crashes {
            open.crash().await;
        } else {
            open.stop().await;
        }
        let open = Open::new(sampled(directory.path())).await;
        open.seal_up_to(first).await;
        assert_eq!(open.numbers(dropped).await, [2], "its time counts from the start of the program");
        open.storage.compact().await.unwrap();
        open.seal_up_to(between()).await;
        open.send(&[good(kept, 3), good(dropped, 3)]).await;
        open.seal_up_to(between()).await;
        assert_eq!(open.numbers(kept).await, [1, 2, 3]);
        assert!(open.numbers(dropped).await.is_empty());
        open.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_may_leave_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(sampled(directory.path())).await;
    open.send(&[good(1, 1), good(2, 1)]).await;
    open.seal_up_to(between()).await;
    assert_eq!((open.storage.usage().blocks, files(&directory.path().join("log"))), (0, 0));
    assert!(open.numbers(1).await.is_empty());
    open.send(&[good(1, 2)]).await;
    open.crash().await;
    let open = Open::new(sampled(directory.path())).await;
    assert_eq!((open.numbers(1).await, open.numbers(2).await), (vec![2], vec![]));
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_leaves_what_is_undecided_in_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(sampled(directory.path())).await;
    open.send(&[good(1, 1), good(2, 1)]).await;
    open.stop().await;
    let open = Open::new(sampled(directory.path())).await;
    assert_eq!(open.storage.usage().blocks, 0);
    assert_eq!((open.numbers(1).await, open.numbers(2).await), (vec![1], vec![1]));
    open.send(&[failed(1, 2)]).await;
    open.seal_up_to(between()).await;
    assert_eq!((open.numbers(1).await, open.numbers(2).await), (vec![1, 2], vec![]));
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn want_of_room_decides_early() {
    let directory = tempfile::tempdir().unwrap();
    let small = Options { hot_limit_bytes: 200_000, seal_bytes: 20_000, ..sampled(directory.path()) };
    let open = Open::new(small).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    for number in 1..=200u8 {
        let spans: Vec<Span> = (1..=20)
            .map(|trace| if trace == 7 { failed(trace, number) } else { good(trace, number) })
            .collect();
        while let Err(refused) = open.storage.append(batch(&spans)).await {
            assert!(matches!(refused, Error::Busy { .. }) && Instant::now() < deadline, "{refused}");
            tokio::task::yield_now().await;
        }
    }
    assert!(open.storage.usage().blocks > 1);
    let told = open.sampled();
    assert_eq!((told.early_traces, told.kept_traces, told.dropped_traces), (20, 1, 19));
    assert_eq!(open.numbers(7).await, (1..=200).collect::<Vec<u8>>());
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_records_that_take_the_room_cost_no_trace_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(Options { hot_limit_bytes: 400_000, ..sampled(directory.path()) }).await;
    open.send(&[good(1, 1), good(2, 1)]).await;
    let body = Some(Value::String("word ".repeat(2_000)));
    let logs = || open.storage.snapshot(&TenantId::default(), Signal::Logs);
    let deadline = Instant::now() + Duration::from_secs(60);
    for number in 1..=100 {
        let record = LogRecord { time: Timestamp(number), body: body.clone(), ..LogRecord::default() };
        while let Err(refused) = open.storage.append(log_records(&record)).await {
            assert!(matches!(refused, Error::Busy { .. }) && Instant::now() < deadline, "{refused}");
            tokio::task::yield_now().await;
        }
    }
    assert!(!logs().blocks.is_empty());
    assert_eq!(open.sampled(), Sampled::default());
    assert_eq!((open.numbers(1).await, open.numbers(2).await), (vec![1], vec![1]));
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_is_gone_keeps_nothing_from_being_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(sampled(directory.path())).await;
    open.send(&[failed(1, 1)]).await;
    open.seal_up_to(between()).await;
    open.stop().await;
    let open = Open::new(sampled(directory.path())).await;
    let block = open.storage.snapshot(&TenantId::default(), Signal::Traces).blocks[0].name();
    let places = &open.storage.store.places;
    places.named(&block).remove();
    places.settle().await.unwrap();
    open.send(&[good(1, 2), failed(2, 1)]).await;
    open.seal_up_to(between()).await;
    let usage = open.storage.usage();
    assert_eq!((usage.blocks, usage.damaged_blocks), (2, 1));
    assert!(open.storage.snapshot(&TenantId::default(), Signal::Traces).hot.is_empty());
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_loses_nothing_that_is_undecided() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(sampled(directory.path())).await;
    open.send(&[good(1, 1)]).await;
    let moment = between();
    open.send(&[good(2, 1), good(3, 1)]).await;
    open.seal_up_to(moment).await;
    let deleted = open.storage.delete_trace(&TenantId::default(), TraceId([2; 16])).await.unwrap();
    assert_eq!(deleted.spans, 1);
    open.send(&[failed(3, 2), good(2, 2)]).await;
    open.seal_up_to(between()).await;
    assert_eq!(open.numbers(3).await, [1, 2]);
    assert!(open.numbers(2).await.is_empty(), "what comes later is decided on anew");
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_records_stay() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(sampled(directory.path())).await;
    let record = LogRecord { time: Timestamp(5), trace_id: Some(TraceId([1; 16])), ..LogRecord::default() };
    open.storage.append(log_records(&record)).await.unwrap();
    open.send(&[good(1, 1)]).await;
    open.seal_up_to(between()).await;
    assert!(open.numbers(1).await.is_empty());
    let logs = open.storage.snapshot(&TenantId::default(), Signal::Logs);
    assert_eq!((logs.blocks.len(), logs.blocks[0].statistics().rows), (1, 1));
    open.stop().await;
}

#[derive(Debug, Clone)]
enum Step {
    /// Spans, and whether they failed, by trace.
    Append(Vec<(u8, u8, bool)>),
    /// What was appended up to so many appends before.
    Seal(usize),
    SealEarly,
    Compact,
    Reopen,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let trace = prop_oneof![4 => 1..6u8, 1 => Just(LUCKY)];
    let spans = proptest::collection::vec((trace, 1..=255u8, any::<u8>().prop_map(|it| it < 20)), 1..6);
    prop_oneof![
        8 => spans.prop_map(Step::Append),
        4 => (0..6usize).prop_map(Step::Seal),
        1 => Just(Step::SealEarly),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(48))]
    #[test]
    fn a_trace_is_there_or_gone_whole(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(interleave(steps));
    }
}

/// What was sent of a trace: number, append and whether it failed; and from which append on it may have been decided on.
#[derive(Default)]
struct Sent {
    spans: Vec<(u8, usize, bool)>,
    decided: Option<usize>,
}

async fn interleave(steps: Vec<Step>) {
    let directory = tempfile::tempdir().unwrap();
    let mut open = Open::new(sampled(directory.path())).await;
    let mut moments = vec![between()];
    let mut sent: BTreeMap<u8, Sent> = BTreeMap::new();
    for step in steps.into_iter().chain([Step::SealEarly]) {
        let appends = moments.len();
        let decide = |sent: &mut BTreeMap<u8, Sent>, up_to: usize| {
            for sent in sent.values_mut().filter(|sent| sent.spans[0].1 <= up_to) {
                sent.decided.get_or_insert(appends);
            }
        };
        match step {
            Step::Append(spans) => {
                let spans: Vec<Span> = (spans.into_iter())
                    .map(|(trace, number, fails)| {
                        sent.entry(trace).or_default().spans.push((number, appends, fails));
                        if fails { failed(trace, number) } else { good(trace, number) }
                    })
                    .collect();
                open.send(&spans).await;
                moments.push(between());
            }
            Step::Seal(back) => {
                let up_to = (appends - 1).saturating_sub(back);
                open.seal_up_to(moments[up_to]).await;
                decide(&mut sent, up_to);
            }
            Step::SealEarly => {
                open.storage.seal().await.unwrap();
                decide(&mut sent, appends);
            }
            Step::Compact => open.storage.compact().await.unwrap(),
            Step::Reopen => {
                open.stop().await;
                open = Open::new(sampled(directory.path())).await;
            }
            Step::Crash => {
                open.crash().await;
                open = Open::new(sampled(directory.path())).await;
            }
        }
    }
    for (trace, sent) in sent {
        check(&open, trace, &sent).await;
    }
    open.stop().await;
}

async fn check(open: &Open, trace: u8, sent: &Sent) {
    let found: BTreeSet<u8> = open.numbers(trace).await.into_iter().collect();
    let since = |append: usize| -> BTreeSet<u8> {
        sent.spans.iter().filter(|span| span.1 >= append).map(|span| span.0).collect()
    };
    let what = format!("trace {trace}, {:?}, decided on from {:?}", sent.spans, sent.decided);
    let fails = sent.spans.iter().find(|span| span.2).map(|span| span.1);
    match (fails, sent.decided) {
        _ if trace == LUCKY => assert_eq!(found, since(0), "{what}"),
        (None, _) => assert!(found.is_empty(), "{found:?} is left of {what}"),
        (Some(fails), Some(decided)) if fails < decided => assert_eq!(found, since(0), "{what}"),
        // Too late for what was dropped by then, and not for what came since.
        (Some(fails), _) => {
            assert!(found.is_superset(&since(fails)) && found.is_subset(&since(0)), "{found:?} of {what}");
        }
    }
}

/// What the child of the test below does: run by that only.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Some(directory) = super::crash::directory() else { return };
    let open = Open::new(sampled(Path::new(&directory))).await;
    for round in 1..=6u8 {
        let first = if round % 3 == 2 { failed(1, round) } else { good(1, round) };
        open.send(&[first, good(2, round), good(LUCKY, round)]).await;
        super::crash::tell(&format!("stored {round}"));
        if round.is_multiple_of(2) {
            open.storage.seal().await.unwrap();
        }
    }
    open.send(&[good(3, 1)]).await;
    open.storage.seal().await.unwrap();
    open.stop().await;
}

#[test]
fn a_kill_at_any_step_leaves_no_half_of_a_trace() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let steps = crate::steps::ALL.into_iter();
    for step in steps.filter(|step| ["append", "seal", "trim"].iter().any(|kind| step.starts_with(kind))) {
        for times in 1..=6 {
            let directory = tempfile::tempdir().unwrap();
            let end = format!("{step}#{times}");
            let Some(told) = super::crash::run(directory.path(), &end, "tests::sampling::child") else {
                assert!(times > 1, "{step} is never reached");
                break;
            };
            runtime.block_on(settle(directory.path(), &told, &end));
        }
    }
}

async fn settle(directory: &Path, told: &[String], when: &str) {
    let open = Open::new(sampled(directory)).await;
    open.seal_up_to(between()).await;
    let stored = |round: u8| told.iter().any(|line| line == &format!("stored {round}"));
    let stored: Vec<u8> = (1..=6).filter(|round| stored(*round)).collect();
    let next = u8::try_from(stored.len()).unwrap() + 1;
    // What was not acknowledged may be there all the same.
    let whole = |found: &[u8]| found == stored || found == (1..=next).collect::<Vec<u8>>();
    let (failing, lucky) = (open.numbers(1).await, open.numbers(LUCKY).await);
    let fails = stored.contains(&2);
    assert!(whole(&failing) || !fails && failing.is_empty(), "{when}: {failing:?} of {told:?}");
    assert!(whole(&lucky), "{when}: {lucky:?} of {told:?}");
    assert!(open.numbers(2).await.is_empty() && open.numbers(3).await.is_empty(), "{when}");
    open.stop().await;
}
