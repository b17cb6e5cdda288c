//! A directory of each format that a version ever wrote is opened, and has what it had: two runs of `clew demo`, one of
//! them sealed by a normal stop, the other left in the log by a kill (`docs/upgrading.md`).

use super::{Open, options};
use crate::{Options, Storage};
use model::{Signal, TenantId};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// How many spans, log records and points are in blocks, and how many are not.
fn rows(storage: &Storage) -> [(u64, u64); 3] {
    [Signal::Traces, Signal::Logs, Signal::Metrics].map(|signal| {
        let snapshot = storage.snapshot(&TenantId::default(), signal);
        let in_blocks = snapshot.blocks.iter().map(|block| block.statistics().rows).sum();
        (in_blocks, snapshot.hot.iter().map(|batch| batch.statistics.rows).sum())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_of_every_format_are_opened() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut formats: Vec<PathBuf> = fixtures.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    formats.sort();
    assert!(!formats.is_empty());
    for format in formats {
        let directory = tempfile::tempdir().unwrap();
        copy(&format, directory.path());
        // They are old by now.
        let options = Options { max_age: Duration::MAX, ..options(directory.path()) };
        let open = Open::new(options.clone()).await;
        let name = format.display();
        assert_eq!(rows(&open.storage), [(41, 41), (11, 11), (15, 15)], "{name}");
        assert_eq!(open.storage.problems(), [], "{name}");
        open.storage.seal().await.unwrap();
        open.stop().await;
        let open = Open::new(options).await;
        assert_eq!(rows(&open.storage), [(82, 0), (22, 0), (30, 0)], "{name}, sealed");
        for signal in Signal::ALL {
            for block in &open.storage.snapshot(&TenantId::default(), signal).blocks {
                block.read(std::iter::once(0..block.bytes()).collect()).await.unwrap();
            }
        }
        open.stop().await;
    }
}
