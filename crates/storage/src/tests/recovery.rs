//! A catalog that is lost, damaged or older; blocks that are missing or damaged; callers that go away.

use super::rewriting::{request, texts};
use super::{Open, batch, on_disk, opened, options, read, span};
use crate::catalog::CATALOG;
use crate::{Error, Options, Severity, Storage, repair, steps};
use model::{Signal, SpanId, TenantId, TraceId};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Appends rows of every signal and seals them, some of them several times over.
async fn fill(storage: &Storage, rounds: std::ops::Range<u8>) {
    for round in rounds {
        for signal in Signal::ALL {
            storage.append(request(signal, round * 10 + 1..round * 10 + 11)).await.unwrap();
        }
        storage.seal().await.unwrap();
    }
}

/// All rows of all signals that are sealed, sorted.
async fn everything(storage: &Storage) -> Vec<String> {
    let mut all = Vec::new();
    for signal in Signal::ALL {
        all.extend(texts(storage, signal).await);
    }
    all.sort_unstable();
    all
}

fn copy(from: &Path, name: &str) -> PathBuf {
    let to = from.join(name);
    std::fs::copy(from.join(CATALOG), &to).unwrap();
    to
}

/// Opens the store, after a repair when it says that it needs one; answers whether it did.
async fn open_or_repair(options: &Options) -> (Open, bool) {
    match opened(options).await {
        Ok(storage) => {
            drop(storage);
            (Open::new(options.clone()).await, false)
        }
        Err(error @ Error::CatalogLost { .. }) => {
            assert!(error.to_string().contains("clew repair"), "{error}");
            repair(options.clone(), false).await.unwrap();
            (Open::new(options.clone()).await, true)
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_catalog_is_rebuilt_from_the_blocks() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path());
    let open = Open::new(options.clone()).await;
    fill(&open.storage, 0..4).await;
    open.storage.compact().await.unwrap();
    fill(&open.storage, 4..6).await;
    let before = everything(&open.storage).await;
    open.stop().await;
    let lose: [Harm; 3] = [
        ("removed", |path| std::fs::remove_file(path).unwrap()),
        ("emptied", |path| std::fs::write(path, []).unwrap()),
        ("overwritten", |path| std::fs::write(path, [7; 10_000]).unwrap()),
    ];
    for (how, lose) in lose {
        lose(&directory.path().join(CATALOG));
        let (open, repaired) = open_or_repair(&options).await;
        assert!(repaired, "{how}");
        assert_eq!(everything(&open.storage).await, before, "{how}");
        // It goes on as if nothing had been.
        open.storage.append(batch(&[span(200, 1, 2_000)])).await.unwrap();
        assert_eq!(read(&open.storage, 200).await.len(), 1, "{how}");
        open.storage.delete_trace(&TenantId::default(), TraceId([200; 16])).await.unwrap();
        open.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_of_the_catalog_loses_and_doubles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path());
    let open = Open::new(options.clone()).await;
    fill(&open.storage, 0..3).await;
    let before = everything(&open.storage).await;
    open.stop().await;
    let catalog = directory.path().join(CATALOG);
    let whole = std::fs::read(&catalog).unwrap();
    let mut repairs = 0;
    for at in (0..whole.len()).step_by(whole.len() / 60 + 1) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        std::fs::write(&catalog, flipped).unwrap();
        let (open, repaired) = open_or_repair(&options).await;
        repairs += u32::from(repaired);
        assert_eq!(everything(&open.storage).await, before, "byte {at} of {}", whole.len());
        open.stop().await;
    }
    assert!(repairs > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_catalog_is_noticed_and_nothing_is_lost_or_doubled() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path());
    let open = Open::new(options.clone()).await;
    fill(&open.storage, 0..3).await;
    let older = copy(directory.path(), "older");
    fill(&open.storage, 3..5).await;
    let between = copy(directory.path(), "between");
    open.storage.compact().await.unwrap();
    fill(&open.storage, 5..7).await;
    let trace = TraceId([2; 16]);
    open.storage.delete_trace(&TenantId::default(), trace).await.unwrap();
    let before = everything(&open.storage).await;
    open.stop().await;
    for older in [between, older] {
        std::fs::copy(&older, directory.path().join(CATALOG)).unwrap();
        let open = Open::new(options.clone()).await;
        assert_eq!(everything(&open.storage).await, before, "{}", older.display());
        let problems = open.storage.problems();
        assert!(problems.iter().any(|problem| problem.kind == "catalogRecovered"), "{problems:?}");
        open.stop().await;
        let open = Open::new(options.clone()).await;
        assert_eq!(everything(&open.storage).await, before, "{}, opened again", older.display());
        assert_eq!(open.storage.problems(), []);
        open.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_catalog_and_a_log_that_was_not_trimmed_double_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path());
    let open = Open::new(options.clone()).await;
    let older = copy(directory.path(), "older");
    // The log keeps a segment for the sake of another table.
    for signal in [Signal::Logs, Signal::Metrics] {
        open.storage.append(request(signal, 1..11)).await.unwrap();
    }
    let log = std::fs::read_dir(directory.path().join("log")).unwrap().next().unwrap().unwrap().path();
    let kept = std::fs::read(&log).unwrap();
    open.storage.seal().await.unwrap();
    let before = everything(&open.storage).await;
    open.crash().await;
    drop(opened(&options).await.unwrap());
    std::fs::copy(&older, directory.path().join(CATALOG)).unwrap();
    std::fs::write(&log, kept).unwrap();
    let open = Open::new(options.clone()).await;
    assert_eq!(everything(&open.storage).await, before);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_judged_is_put_aside() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path());
    let open = Open::new(options.clone()).await;
    fill(&open.storage, 0..2).await;
    let before = everything(&open.storage).await;
    let block = open.storage.snapshot(&TenantId::default(), Signal::Logs).blocks[0].name();
    open.stop().await;
    let foreign = Path::new(&block).with_file_name("notes.txt");
    std::fs::write(&foreign, "somebody's own").unwrap();
    let again = Path::new(&block).with_file_name("copy.parquet");
    std::fs::copy(&block, &again).unwrap();
    let unfinished = Path::new(&block).with_file_name("unfinished.tmp");
    std::fs::write(&unfinished, "half a block").unwrap();
    let open = Open::new(options.clone()).await;
    assert_eq!(everything(&open.storage).await, before);
    let problems = open.storage.problems();
    assert!(problems.iter().any(|problem| problem.kind == "unknownFiles"), "{problems:?}");
    assert!(!foreign.exists() && !again.exists() && !unfinished.exists());
    let aside = |path: &Path| {
        directory.path().join("quarantine").join(path.strip_prefix(directory.path()).unwrap()).exists()
    };
    assert!(aside(&foreign) && aside(&again) && !aside(&unfinished));
    open.stop().await;
}

/// Three blocks of one trace each.
async fn three_blocks(options: &Options) -> (Open, Vec<PathBuf>) {
    let open = Open::new(options.clone()).await;
    for number in 1..=3 {
        open.storage.append(batch(&[span(number, 1, 2_000)])).await.unwrap();
        open.storage.seal().await.unwrap();
    }
    let snapshot = open.storage.snapshot(&TenantId::default(), Signal::Traces);
    let paths = snapshot.blocks.iter().map(|block| PathBuf::from(block.name())).collect();
    (open, paths)
}

/// What happens to a file, and how.
type Harm = (&'static str, fn(&Path));

/// Ways in which a block's file comes to harm.
const HARMS: [Harm; 4] = [
    ("missing", |path| std::fs::remove_file(path).unwrap()),
    ("cut", |path| {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    }),
    ("its start is altered", |path| flip(path, 100)),
    ("its end is altered", |path| flip(path, usize::MAX)),
];

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = at.min(bytes.len() - 1);
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn harm_to_one_block_is_told_after_a_restart_and_costs_nothing_else() {
    for (how, harm) in HARMS {
        let directory = tempfile::tempdir().unwrap();
        let options = options(directory.path());
        let (open, paths) = three_blocks(&options).await;
        open.stop().await;
        harm(&paths[0]);
        let open = Open::new(options.clone()).await;
        assert_eq!(open.storage.usage().blocks, 3, "{how}");
        assert!(read(&open.storage, 1).await.is_empty(), "{how}");
        assert_eq!((read(&open.storage, 2).await.len(), read(&open.storage, 3).await.len()), (1, 1), "{how}");
        let problems = open.storage.problems();
        assert_eq!((problems[0].kind, problems[0].severity), ("damagedBlocks", Severity::Degraded), "{how}");
        let name = paths[0].display().to_string();
        assert!(problems[0].message.contains(&name), "{how}: {}", problems[0].message);
        open.stop().await;
        // Its file is not touched, for somebody may mend it.
        assert_eq!(paths[0].exists(), how != "missing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_cannot_read_a_block_says_so_and_ends_when_that_is_given_up() {
    for ((how, harm), sent_later) in HARMS.into_iter().flat_map(|harm| [(harm, false), (harm, true)]) {
        let directory = tempfile::tempdir().unwrap();
        let options = options(directory.path());
        let (open, paths) = three_blocks(&options).await;
        // What was read of it before could tell that it has nothing of the trace.
        open.stop().await;
        harm(&paths[0]);
        let open = Open::new(options.clone()).await;
        let told = open.storage.delete_trace(&TenantId::default(), TraceId([2; 16])).await.unwrap_err();
        assert!(matches!(told, Error::Incomplete { .. }), "{how}: {told}");
        assert_eq!(told.kind(), model::Kind::Unavailable, "{how}");
        assert!(read(&open.storage, 2).await.is_empty(), "{how}");
        let problems = open.storage.problems();
        assert!(problems.iter().any(|problem| problem.kind == "pendingDeletions"), "{how}: {problems:?}");
        if sent_later {
            open.storage.append(batch(&[span(2, 9, 2_000)])).await.unwrap();
        }
        open.stop().await;

        let report = repair(options.clone(), true).await.unwrap();
        assert_eq!(report.given_up.len(), 1, "{how}");
        let open = Open::new(options.clone()).await;
        let deadline = Instant::now() + Duration::from_secs(20);
        while !open.storage.problems().is_empty() {
            assert!(Instant::now() < deadline, "{how}: {:?}", open.storage.problems());
            tokio::task::yield_now().await;
        }
        assert_eq!(on_disk(directory.path(), 2), sent_later, "{how}");
        let left: Vec<SpanId> = read(&open.storage, 2).await.into_keys().collect();
        assert_eq!(left, if sent_later { vec![SpanId([9; 8])] } else { Vec::new() }, "{how}");
        assert_eq!(read(&open.storage, 3).await.len(), 1, "{how}");
        open.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_damaged_block_what_can_be_read_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path());
    let open = Open::new(options.clone()).await;
    // Content that is not small when compressed, so that there are several row groups.
    let long = |number: u8| {
        let mut state = u64::from(number) + 1;
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'a' + u8::try_from(state >> 60).unwrap())
        };
        std::iter::repeat_with(next).take(1 << 20).collect::<String>()
    };
    let spans: Vec<_> = (1..=200u8)
        .map(|number| {
            let mut span = span(number, 1, 2_000);
            span.attributes[0] = model::Attribute::new("input", model::Value::String(long(number)));
            span
        })
        .collect();
    for some in spans.chunks(40) {
        open.storage.append(batch(some)).await.unwrap();
    }
    open.storage.seal().await.unwrap();
    let path = open.storage.snapshot(&TenantId::default(), Signal::Traces).blocks[0].name();
    open.stop().await;
    let middle = std::fs::metadata(&path).unwrap().len() / 2;
    flip(Path::new(&path), usize::try_from(middle).unwrap());
    let report = repair(options.clone(), false).await.unwrap();
    assert_eq!((report.damaged.len(), report.given_up.len()), (1, 0), "{report:?}");
    let report = repair(options.clone(), true).await.unwrap();
    let given_up = &report.given_up[0];
    assert_eq!(given_up.rows, 200);
    assert!((60..200).contains(&given_up.kept_rows), "{given_up:?}");
    let open = Open::new(options).await;
    let mut found = 0;
    for number in 1..=200 {
        found += read(&open.storage, number).await.len() as u64;
    }
    assert_eq!(found, given_up.kept_rows);
    assert!(open.storage.problems().is_empty());
    open.stop().await;
}

/// The step at which the caller goes away, and whether it was reached.
static LEAVE: Mutex<Option<&'static str>> = Mutex::new(None);
static REACHED: AtomicBool = AtomicBool::new(false);

/// Notes that a step was reached.
pub(super) fn reached(step: &str) {
    if LEAVE.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|wanted| wanted == step) {
        REACHED.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_at_any_step_does_no_harm() {
    for step in steps::ALL {
        let directory = tempfile::tempdir().unwrap();
        let options = options(directory.path());
        let open = Open::new(options.clone()).await;
        fill(&open.storage, 0..2).await;
        for signal in Signal::ALL {
            open.storage.append(request(signal, 21..31)).await.unwrap();
        }
        open.storage.append(batch(&[span(200, 1, 2_000)])).await.unwrap();
        *LEAVE.lock().unwrap() = Some(step);
        REACHED.store(false, Ordering::SeqCst);
        leave(&open.storage, step).await;
        *LEAVE.lock().unwrap() = None;
        // What was begun comes to its end.
        open.storage.delete_trace(&TenantId::default(), TraceId([200; 16])).await.unwrap();
        open.storage.seal().await.unwrap();
        let all = everything(&open.storage).await;
        let distinct: BTreeSet<&String> = all.iter().collect();
        assert_eq!((all.len(), distinct.len()), (90, 90), "left at {step}");
        assert!(!on_disk(directory.path(), 200), "left at {step}");
        open.stop().await;
        let open = Open::new(options).await;
        assert_eq!(everything(&open.storage).await, all, "left at {step}, opened again");
        open.stop().await;
    }
}

/// Asks for a deletion and for a compaction, and goes away as soon as the step is reached.
async fn leave(storage: &Storage, step: &str) {
    let changing = async {
        drop(storage.append(batch(&[span(200, 2, 2_000)])).await);
        drop(storage.seal().await);
        drop(storage.append(batch(&[span(200, 3, 2_000)])).await);
        drop(storage.delete_trace(&TenantId::default(), TraceId([200; 16])).await);
        drop(storage.compact().await);
    };
    let reached = async {
        while !REACHED.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = reached => {}
        () = changing => panic!("{step} was not reached"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_was_ended_is_not_taken_up_again() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(options(directory.path())).await;
    let (store, tenant, trace) = (&open.storage.store, TenantId::default(), Some(TraceId([1; 16])));
    store.catalog.begin_deletion(&tenant, trace).await.unwrap();
    let turn = store.deleting.lock().await;
    let resumed = crate::deletion::delete_in_turn(store, &tenant, trace, true);
    let ended = async {
        store.catalog.end_deletion(&tenant, trace).await.unwrap();
        open.storage.append(batch(&[span(1, 1, 2_000)])).await.unwrap();
        drop(turn);
    };
    let (deleted, ()) = tokio::join!(resumed, ended);
    assert_eq!(deleted.unwrap().spans, 0);
    assert_eq!(read(&open.storage, 1).await.len(), 1, "what came later was deleted");
    open.stop().await;
}
