//! Stored data points as Prometheus' series, made when they are asked for: `docs/promql.md` has the rules, and
//! `docs/decisions/0014-series-at-query-time.md` why.

mod apart;
mod asking;
mod cells;
mod exemplars;
mod expand;
mod labels;
mod matching;
mod names;
mod native;
mod reader;
mod sources;
mod stream;
mod target;
mod totals;

pub use asking::{metadata, promql};
pub use exemplars::exemplars;

use crate::admission::Question;
use crate::scan::Scanner;
use apart::{Member, told_apart};
use matching::Matching;
use model::{TimeRange, Timestamp};
use query::Error;
use query::promql::{Labels, Matcher, Selection, Series, SeriesRequest};
use query::result::{Held, Listed};
use reader::{Keeps, Reader};
use std::collections::BTreeSet;
use std::sync::Arc;
use storage::Snapshot;
use stream::Stream;

/// Samples that one query may load, as Prometheus' `--query.max-samples`.
pub const SAMPLES: u64 = 50_000_000;
/// What a sample takes in memory, with its time and its part of what is computed of it.
pub const SAMPLE_BYTES: u64 = 24;

/// Where stored points are read, and for whom.
#[derive(Clone, Copy)]
pub struct Stored<'a> {
    pub scanner: &'a Scanner,
    pub question: &'a Arc<Question>,
    pub snapshot: &'a Snapshot,
}

/// The series of a selection, sorted by labels. `left` is how many samples the query may still load.
pub async fn load(stored: Stored<'_>, selection: &Selection, left: &mut u64) -> Result<Vec<Series>, Error> {
    let asked = Asked { matchers: &selection.matchers, from: selection.from, to: selection.to };
    read(stored, asked, Some(left)).await
}

/// The labels of the series that are asked for, sorted.
pub async fn list(stored: Stored<'_>, request: &SeriesRequest) -> Result<Listed<Labels>, Error> {
    let mut labels = BTreeSet::new();
    for matchers in &request.selectors {
        let asked = Asked { matchers, from: request.from, to: request.to };
        labels.extend(read(stored, asked, None).await?.into_iter().map(|series| series.labels));
    }
    let question = stored.question;
    let held = if question.is_heavy() { Held::new(Arc::clone(question)) } else { Held::default() };
    Ok(Listed { items: labels.into_iter().collect(), incomplete: question.incomplete(), bytes: 0, held })
}

/// Which series, and when, in milliseconds.
#[derive(Clone, Copy)]
struct Asked<'a> {
    matchers: &'a [Matcher],
    from: i64,
    to: i64,
}

impl Asked<'_> {
    fn range(&self) -> TimeRange {
        let nanoseconds = |milliseconds: i64| {
            Timestamp(u64::try_from(milliseconds).unwrap_or_default().saturating_mul(1_000_000))
        };
        // A millisecond has many nanoseconds, and the last one is asked for whole.
        TimeRange { from: nanoseconds(self.from), to: nanoseconds(self.to.saturating_add(1)) }
    }
}

/// Series with their samples, or without when there is no number of samples that may be read.
async fn read(stored: Stored<'_>, asked: Asked<'_>, left: Option<&mut u64>) -> Result<Vec<Series>, Error> {
    let (range, from) = (asked.range(), asked.from);
    if asked.to < asked.from || asked.to < 0 {
        return Ok(Vec::new());
    }
    let matching = Arc::new(Matching::new(asked.matchers)?);
    let keeps_points = left.is_some();
    let mut all = SAMPLES;
    let mut reader = Reader::new(
        &matching,
        if keeps_points { Keeps::Points } else { Keeps::Outlines },
        left.unwrap_or(&mut all),
    );
    sources::read(stored, range, &matching, &mut reader).await?;
    let streams = std::mem::take(&mut reader.streams);
    let targets = sources::targets(stored, range, &matching).await?;
    let computed = stored.question.compute(move || {
        let members = streams.into_iter().flat_map(|stream| members(stream, &matching, from)).collect();
        let mut series = told_apart(members);
        series.extend(targets.series(&matching));
        series.retain(|series| !keeps_points || !series.points.is_empty());
        series.sort_by(|one, other| one.labels.cmp(&other.labels));
        series
    });
    computed.await
}

fn members(mut stream: Stream, matching: &Matching, from: i64) -> Vec<Member> {
    let expanded = expand::expand(&mut stream, matching, from);
    let (first, last, origin) = (stream.first, stream.last, Arc::new(stream.origin));
    let member = |series| Member { series, origin: Arc::clone(&origin), first, last };
    expanded.into_iter().map(member).collect()
}
