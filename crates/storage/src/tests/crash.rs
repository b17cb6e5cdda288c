//! A process is killed at each step, and another one finds all that was acknowledged, once, and nothing that was
//! deleted.
#![expect(clippy::disallowed_methods, reason = "a child process is told by its environment what to do")]

use super::{Open, batch, counted, options, span};
use crate::steps;
use model::{TenantId, TraceId};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Where the process ends: `STEP#TIMES`.
const END: &str = "CLEW_TEST_END";
const DIRECTORY: &str = "CLEW_TEST_DIRECTORY";
/// The trace that is deleted, and a round of it before and after.
const DELETED: u8 = 3;

static TIMES: AtomicU32 = AtomicU32::new(0);

/// Ends the process, as a power cut would, when it is the step's turn.
pub(crate) fn reached(step: &str) {
    super::recovery::reached(step);
    let Ok(end) = std::env::var(END) else { return };
    let (wanted, times) = end.split_once('#').unwrap();
    if step == wanted && TIMES.fetch_add(1, Ordering::SeqCst) + 1 == times.parse::<u32>().unwrap() {
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
        std::thread::park();
    }
}

/// Where the store of a child is; `None` when this process is none.
pub(super) fn directory() -> Option<String> {
    std::env::var(DIRECTORY).ok()
}

/// Tells the parent, who outlives this process.
pub(super) fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nTOLD {line}").unwrap();
    out.flush().unwrap();
}

/// What the child does: appends, seals, compacts, deletes. Run by the parent only.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Some(directory) = directory() else { return };
    let open = Open::new(options(Path::new(&directory))).await;
    for round in 1..=6u8 {
        // Those of the round before come again.
        let rounds = round.saturating_sub(1).max(1)..=round;
        let spans: Vec<_> =
            rounds.flat_map(|round| (1..=4).map(move |trace| span(trace, round, 2_000))).collect();
        open.storage.append(batch(&spans)).await.unwrap();
        tell(&format!("stored {round}"));
        if round.is_multiple_of(2) {
            open.storage.seal().await.unwrap();
        }
    }
    open.storage.compact().await.unwrap();
    open.storage
        .append(batch(&[span(DELETED, 7, 2_000), span(4, 7, 2_000), span(4, 1, 2_000)]))
        .await
        .unwrap();
    tell("stored 7");
    tell("deleting");
    open.storage.delete_trace(&TenantId::default(), TraceId([DELETED; 16])).await.unwrap();
    tell("deleted");
    open.stop().await;
}

#[test]
fn a_kill_at_any_step_does_no_harm() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for step in steps::ALL {
        for times in 1..=3 {
            let directory = tempfile::tempdir().unwrap();
            let told = run(directory.path(), &format!("{step}#{times}"), "tests::crash::child");
            let Some(told) = told else {
                assert!(times > 1, "{step} is never reached");
                break;
            };
            runtime.block_on(check(directory.path(), &told, &format!("{step}, time {times}")));
        }
    }
}

/// Runs the child until it is killed; what it told. `None` when it came to its end.
pub(super) fn run(directory: &Path, end: &str, child: &str) -> Option<Vec<String>> {
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--nocapture", "--test-threads=1"])
        .env(END, end)
        .env(DIRECTORY, directory)
        .output()
        .unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    let told = text.lines().filter_map(|line| line.strip_prefix("TOLD ")).map(str::to_owned).collect();
    if done.status.code().is_some() {
        assert!(done.status.success(), "{text}{}", String::from_utf8_lossy(&done.stderr));
        return None;
    }
    Some(told)
}

async fn check(directory: &Path, told: &[String], when: &str) {
    let open = Open::new(options(directory)).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while !open.storage.store.catalog.deletions().await.unwrap().is_empty() {
        assert!(Instant::now() < deadline, "{when}: the deletion is not ended");
        tokio::task::yield_now().await;
    }
    let problems = open.storage.problems();
    let is_told = problems.iter().any(|problem| problem.kind != "pendingDeletions");
    assert!(!is_told, "{when}: a crash is nothing to be told: {problems:?}");
    let has = |line: &str| told.iter().any(|told| told == line);
    for trace in 1..=4 {
        let found = rows(&open, trace).await;
        assert!(found.values().all(|times| *times == 1), "{when}: doubled in trace {trace}: {found:?}");
        let stored = |round: u8| has(&format!("stored {round}"));
        let expected: Vec<u8> = match trace {
            // Wholly there, or wholly gone once that was noted.
            DELETED if has("deleted") => Vec::new(),
            DELETED if has("deleting") && found.is_empty() => Vec::new(),
            DELETED | 4 => (1..=7).filter(|round| stored(*round)).collect(),
            _ => (1..=6).filter(|round| stored(*round)).collect(),
        };
        let missing: Vec<_> = expected.iter().filter(|round| !found.contains_key(round)).collect();
        assert!(missing.is_empty(), "{when}: trace {trace} lacks {missing:?} of {told:?}");
        assert!(!(trace == DELETED && has("deleted") && !found.is_empty()), "{when}: {found:?} is back");
    }
    // It goes on as if nothing had been.
    open.storage.append(batch(&[span(1, 99, 2_000)])).await.unwrap();
    open.storage.seal().await.unwrap();
    open.storage.compact().await.unwrap();
    assert_eq!(rows(&open, 1).await.get(&99), Some(&1), "{when}");
    open.stop().await;
}

/// How often each span of a trace counts, by its number.
async fn rows(open: &Open, trace: u8) -> BTreeMap<u8, u32> {
    let mut found = BTreeMap::new();
    for (span, _) in counted(&open.storage, trace).await.0 {
        *found.entry(span.0[0]).or_default() += 1;
    }
    found
}
