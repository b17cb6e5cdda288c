//! An object store that blocks rest in instead of the disk: S3, or what speaks like it.
//!
//! What is read comes in pages, kept in memory while they are wanted, because a reader of Parquet asks for many small
//! parts that lie near each other. A file that is given up is removed by a task; one that a crash leaves behind, the
//! next start removes.

use crate::error::Error;
use bytes::Bytes;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, RetryConfig, WriteMultipart};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// What is asked for at once; a multiple of what has a checksum.
const PAGE: u64 = 512 << 10;
/// Memory for pages.
const PAGES_BYTES: u64 = 64 << 20;
/// What is sent at once; S3 wants 5 MiB at least.
const PART: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 4;
/// Characters of a failure that are told.
const MOST_TOLD: usize = 400;
/// How long an answer is waited for, tries and all.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where in an object store the blocks of one data directory are.
pub(crate) struct Objects {
    store: Arc<dyn ObjectStore>,
    /// What all keys begin with: the URL's path, and an id, so that several data directories may share a bucket.
    prefix: Key,
    /// Of the prefix.
    url: String,
    runtime: Handle,
    pages: Cache<(Key, u64), Bytes, Weight>,
    removing: TaskTracker,
    /// What could not be removed yet.
    left: Mutex<Vec<Key>>,
}

#[derive(Clone)]
struct Weight;

impl Weighter<(Key, u64), Bytes> for Weight {
    fn weight(&self, _: &(Key, u64), page: &Bytes) -> u64 {
        page.len() as u64
    }
}

impl Objects {
    /// The store that a URL like `s3://bucket/prefix` names, for the data directory with this id. Credentials, region
    /// and endpoint come from the environment, by the names that AWS's tools have for them.
    ///
    /// # Errors
    /// When the URL is none, or what the environment says does not suffice. Nothing is asked of the store.
    pub(crate) fn open(url: &str, id: &str) -> Result<Self, Error> {
        let failed = |detail: String| Error::ObjectStore { what: url.to_owned(), detail };
        let rest =
            url.strip_prefix("s3://").ok_or_else(|| failed("expected s3://BUCKET/PREFIX".to_owned()))?;
        let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
        let retry = RetryConfig { max_retries: 4, retry_timeout: PATIENCE, ..RetryConfig::default() };
        let builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
        // Whoever names an endpoint without encryption wants it so.
        let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
        let builder = match endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
            true => builder.with_allow_http(true),
            false => builder,
        };
        let store = builder.build().map_err(|error| failed(error.to_string()))?;
        let prefix = Key::from(path).join(id);
        Ok(Self {
            store: Arc::new(store),
            url: format!("s3://{bucket}/{prefix}"),
            prefix,
            runtime: Handle::current(),
            pages: Cache::with_weighter(1024, PAGES_BYTES, Weight),
            removing: TaskTracker::new(),
            left: Mutex::new(Vec::new()),
        })
    }

    /// Of a key.
    pub(crate) fn url(&self, key: &Key) -> String {
        let below: Vec<_> = key.prefix_match(&self.prefix).into_iter().flatten().collect();
        let below: Vec<&str> = below.iter().map(AsRef::as_ref).collect();
        format!("{}/{}", self.url, below.join("/"))
    }

    /// The key that a URL names, when it is one of these.
    pub(crate) fn key(&self, url: &str) -> Option<Key> {
        let below = url.strip_prefix(&self.url)?.strip_prefix('/')?;
        Some(below.split('/').fold(self.prefix.clone(), Key::join))
    }

    /// Puts a file there, whole or not at all.
    pub(crate) async fn put(&self, file: &Path, key: &Key) -> Result<(), Error> {
        let failed = |error: object_store::Error| self.failed(key, &error);
        if tokio::fs::metadata(file).await.map_err(Error::io("reading", file))?.len() <= PART as u64 {
            let whole = tokio::fs::read(file).await.map_err(Error::io("reading", file))?;
            return self.store.put(key, whole.into()).await.map(drop).map_err(failed);
        }
        let upload = self.store.put_multipart(key).await.map_err(failed)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
        if let Err(error) = send(file, &mut upload).await {
            // What was sent is of no use; the store forgets it by itself when this fails too.
            drop(upload.abort().await);
            return Err(match error {
                Sending::Reading(source) => Error::io("reading", file)(source),
                Sending::Storing(error) => failed(error),
            });
        }
        upload.finish().await.map(drop).map_err(failed)
    }

    /// Parts of an object of this length; for threads that may wait. The parts begin and end within it.
    ///
    /// # Errors
    /// When the store does not answer, does not have the object, or answers with less.
    pub(crate) fn read(&self, key: &Key, length: u64, parts: &[Range<u64>]) -> Result<Vec<Bytes>, Error> {
        let mut missing: Vec<u64> = parts.iter().flat_map(pages).collect();
        missing.sort_unstable();
        missing.dedup();
        let mut here = Vec::new();
        missing.retain(|number| match self.pages.get(&(key.clone(), *number)) {
            Some(page) => {
                here.push((*number, page));
                false
            }
            None => true,
        });
        let ranges: Vec<_> =
            missing.iter().map(|number| number * PAGE..((number + 1) * PAGE).min(length)).collect();
        if !ranges.is_empty() {
            let got = self.runtime.block_on(self.store.get_ranges(key, &ranges));
            let got = got.map_err(|error| match error {
                object_store::Error::NotFound { .. } => self.gone(key, "the object store does not have it"),
                error => self.failed(key, &error),
            })?;
            for (number, page) in missing.into_iter().zip(got) {
                self.pages.insert((key.clone(), number), page.clone());
                here.push((number, page));
            }
        }
        here.sort_unstable_by_key(|(number, _)| *number);
        let short = || self.gone(key, "it is shorter than it was");
        parts.iter().map(|part| cut(&here, part).ok_or_else(short)).collect()
    }

    /// The keys of all objects there.
    pub(crate) async fn list(&self) -> Result<Vec<Key>, Error> {
        use futures::TryStreamExt;
        let found = self.store.list(Some(&self.prefix)).map_ok(|object| object.location);
        found.try_collect().await.map_err(|error| self.failed(&self.prefix, &error))
    }

    /// Removes an object, soon.
    pub(crate) fn remove(self: &Arc<Self>, key: Key) {
        let objects = Arc::clone(self);
        self.removing.spawn_on(async move { objects.remove_now(key).await }, &self.runtime);
    }

    async fn remove_now(&self, key: Key) {
        match self.store.delete(&key).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => {
                tracing::warn!(error = %self.failed(&key, &error), "removing an object failed; it is tried again");
                self.left.lock().unwrap_or_else(PoisonError::into_inner).push(key);
            }
        }
    }

    /// Returns when all that was given up so far is removed.
    ///
    /// # Errors
    /// When something cannot be removed; it is tried again next time.
    pub(crate) async fn settle(&self) -> Result<(), Error> {
        self.removing.close();
        self.removing.wait().await;
        self.removing.reopen();
        let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        for key in left {
            self.remove_now(key).await;
        }
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner).len();
        if left == 0 {
            return Ok(());
        }
        let detail = format!("{left} objects that are of no more use cannot be removed");
        Err(Error::ObjectStore { what: self.url.clone(), detail })
    }

    fn gone(&self, key: &Key, detail: &str) -> Error {
        Error::Gone { what: self.url(key), detail: detail.to_owned() }
    }

    fn failed(&self, key: &Key, error: &object_store::Error) -> Error {
        // Some stores answer with a page of XML.
        let detail = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Error::ObjectStore { what: self.url(key), detail: detail.chars().take(MOST_TOLD).collect() }
    }

    /// Writes an object to a file.
    pub(crate) async fn fetch(&self, key: &Key, to: &Path) -> Result<(), Error> {
        use futures::TryStreamExt;
        use tokio::io::AsyncWriteExt;
        let failed = |error: object_store::Error| self.failed(key, &error);
        let mut parts = self.store.get(key).await.map_err(failed)?.into_stream();
        let mut file = tokio::fs::File::create(to).await.map_err(Error::io("creating", to))?;
        while let Some(part) = parts.try_next().await.map_err(failed)? {
            file.write_all(&part).await.map_err(Error::io("writing", to))?;
        }
        file.flush().await.map_err(Error::io("writing", to))
    }

    /// The path of an object's file below the directory of blocks, if it stood on the disk.
    pub(crate) fn below(&self, key: &Key) -> PathBuf {
        let parts: Vec<_> = key.prefix_match(&self.prefix).into_iter().flatten().collect();
        parts.iter().map(AsRef::<str>::as_ref).collect()
    }

    /// The key of the file that stands at this path below the directory of blocks.
    pub(crate) fn key_of(&self, below: &Path) -> Key {
        let parts = below.components().map(|part| part.as_os_str().to_string_lossy());
        parts.fold(self.prefix.clone(), |key, part| key.join(part.as_ref()))
    }
}

enum Sending {
    Reading(io::Error),
    Storing(object_store::Error),
}

async fn send(file: &Path, upload: &mut WriteMultipart) -> Result<(), Sending> {
    let mut file = tokio::fs::File::open(PathBuf::from(file)).await.map_err(Sending::Reading)?;
    let mut part = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut part).await.map_err(Sending::Reading)?;
        let Some(read) = part.get(..count).filter(|read| !read.is_empty()) else { return Ok(()) };
        upload.wait_for_capacity(PARTS_AT_ONCE).await.map_err(Sending::Storing)?;
        upload.write(read);
    }
}

/// The pages that a part lies in.
fn pages(part: &Range<u64>) -> Range<u64> {
    part.start / PAGE..part.end.div_ceil(PAGE)
}

/// A part out of the pages that it lies in, which are in order; `None` when they are too short.
fn cut(here: &[(u64, Bytes)], part: &Range<u64>) -> Option<Bytes> {
    let piece = |wanted: u64| {
        let found = here.binary_search_by_key(&wanted, |(number, _)| *number).ok()?;
        let (_, page) = here.get(found)?;
        let start = usize::try_from(part.start.saturating_sub(wanted * PAGE)).ok()?;
        let end = usize::try_from((part.end - wanted * PAGE).min(PAGE)).ok()?;
        (end <= page.len()).then(|| page.slice(start..end))
    };
    let pages = pages(part);
    if pages.end - pages.start == 1 {
        return piece(pages.start);
    }
    let mut bytes = Vec::new();
    for number in pages {
        bytes.extend_from_slice(&piece(number)?);
    }
    Some(bytes.into())
}
