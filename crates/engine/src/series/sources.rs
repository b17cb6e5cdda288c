//! Which rows of which blocks are read.

use super::cells;
use super::matching::Matching;
use super::names;
use super::reader::{Keeps, Reader};
use super::stream::Stream;
use super::target::{self, Targets};
use super::{SAMPLE_BYTES, Stored};
use crate::scan::{Source, Wanted, blocks, overlaps};
use arrow::datatypes::Schema;
use model::schema::{TAIL_KEYS, parse_attribute_column};
use model::{Signal, TimeRange};
use query::Error;
use query::filter::{Comparison, Expression, Field, Operator, literal};
use std::collections::BTreeSet;
use std::sync::Arc;
use storage::Snapshot;

/// With more names than this, all rows are read.
const MOST_NAMES: usize = 64;

/// The sources that may hold something of this range, in the order in which they were stored.
fn stored(snapshot: &Snapshot, range: TimeRange) -> Vec<Source> {
    let blocks = snapshot.blocks.iter().map(|block| Source::Block(Arc::clone(block), None));
    let hot = snapshot.hot.iter().map(|batch| Source::Hot(Arc::clone(batch)));
    let mut sources: Vec<Source> = blocks.chain(hot).collect();
    sources.retain(|source| overlaps(range, source.statistics()));
    sources
}

/// Gives the rows that may be wanted to the reader.
pub async fn read(
    Stored { scanner, question, snapshot }: Stored<'_>,
    range: TimeRange,
    matching: &Matching,
    reader: &mut Reader<'_>,
) -> Result<(), Error> {
    let sources = stored(snapshot, range);
    question.searching(Signal::Metrics, blocks(&sources));
    for source in sources {
        let Some(filter) = filter(&source, matching) else { continue };
        let schema = source.schema();
        let attributes = schema.fields().iter().map(|field| field.name().as_str());
        let attributes = attributes.filter(|name| parse_attribute_column(name).is_some());
        let columns: Vec<&str> = cells::COLUMNS.into_iter().chain(attributes).collect();
        let wanted = Wanted { signal: Signal::Metrics, filter: &filter, range };
        reader.begin_source();
        let mut fits = true;
        let take = |batch: &arrow::array::RecordBatch| {
            let left = reader.left();
            fits = reader.read(batch);
            question.note(left.saturating_sub(reader.left()) * SAMPLE_BYTES);
            fits
        };
        let read = scanner.each_while(question, &source, wanted, (&columns, take)).await;
        read.or_else(|error| question.pass_over(&source, error))?;
        if !fits {
            return Err(too_many());
        }
    }
    Ok(())
}

/// The streams that may be wanted, with their exemplars.
pub async fn exemplars(
    stored: Stored<'_>,
    range: TimeRange,
    matching: &Matching,
    left: &mut u64,
) -> Result<Vec<Stream>, Error> {
    let mut reader = Reader::new(matching, Keeps::Exemplars, left);
    read(stored, range, matching, &mut reader).await?;
    Ok(reader.streams)
}

/// The resources of which `target_info` may be wanted.
pub async fn targets(
    Stored { scanner, question, snapshot }: Stored<'_>,
    range: TimeRange,
    matching: &Matching,
) -> Result<Targets, Error> {
    let mut targets = Targets::default();
    if !matching.wants_name(target::NAME) {
        return Ok(targets);
    }
    let wanted = Wanted { signal: Signal::Metrics, filter: &Expression::All, range };
    for source in stored(snapshot, range) {
        let take = |batch: &arrow::array::RecordBatch| targets.read(batch);
        let read = scanner.each(question, &source, wanted, (&target::COLUMNS, take)).await;
        read.or_else(|error| question.pass_over(&source, error))?;
    }
    Ok(targets)
}

fn too_many() -> Error {
    let message = format!(
        "query processing would load too many samples into memory: more than {}; narrow the time range or the selectors",
        super::SAMPLES
    );
    Error::Execution { message }
}

/// What rows of a source must satisfy to be of use. Nothing when none does.
fn filter(source: &Source, matching: &Matching) -> Option<Expression> {
    let names: BTreeSet<&str> =
        source.statistics().operations.iter().map(|operation| operation.operation.as_str()).collect();
    let wanted: Vec<&str> = names.iter().copied().filter(|name| matching.may_want(name)).collect();
    if wanted.is_empty() {
        return None;
    }
    let schema = source.schema();
    let mut parts: Vec<Expression> = matching
        .services()
        .filter(|(label, _)| !may_have_label(&schema, label))
        .filter_map(|(label, values)| services(label, &values))
        .collect();
    if wanted.len() < names.len() && wanted.len() <= MOST_NAMES {
        parts.push(any_of(&Field::Name, wanted));
    }
    Some(match parts.len() {
        0 => Expression::All,
        _ => Expression::And(parts),
    })
}

/// The services that have such a label. Nothing when it may be absent.
fn services(label: &str, values: &BTreeSet<String>) -> Option<Expression> {
    if values.contains("") {
        return None;
    }
    // A job is a namespace and a name, and either may have slashes.
    let suffixes = values.iter().flat_map(|value| {
        let slashes = value.match_indices('/').filter(|_| label == "job");
        slashes.filter_map(|(at, _)| value.get(at + 1..)).chain([value.as_str()])
    });
    Some(any_of(&Field::Service, suffixes.collect::<BTreeSet<_>>()))
}

fn any_of<'a>(field: &Field, values: impl IntoIterator<Item = &'a str>) -> Expression {
    let equals = |value: &str| {
        let value = literal(field, value);
        Expression::Compare(Comparison { field: field.clone(), operator: Operator::Equal, value })
    };
    Expression::Or(values.into_iter().map(equals).collect())
}

/// Whether points of this schema may have an attribute that becomes this label.
fn may_have_label(schema: &Schema, label: &str) -> bool {
    let becomes = |key: &str| names::label(key).as_deref() == Some(label);
    let in_column = schema.fields().iter().filter_map(|field| parse_attribute_column(field.name()));
    let tail = schema.metadata().get(TAIL_KEYS);
    let tail = tail.and_then(|json| serde_json::from_str::<Vec<String>>(json).ok());
    in_column.into_iter().any(|(key, _)| becomes(key))
        || tail.is_none_or(|keys| keys.iter().any(|key| becomes(key)))
}
