//! Which keys filters may name, and which values a key has.

use crate::admission::Question;
use crate::row::SpanBatch;
use crate::scan::{Scanner, Wanted, blocks, sources};
use arrow::array::RecordBatch;
use model::otlp::columns::Columns;
use model::schema::{self, ColumnType, attribute_column, parse_attribute_column};
use model::{Signal, TimeRange, Value, otlp};
use query::filter;
use query::result::{Field, FieldScope, FieldValues, Held, Listed};
use query::{Error, Expression, FieldValuesRequest};
use semconv::{Meaning, NodeKind};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use storage::Snapshot;

/// Values are counted over this many of the newest spans.
const COUNTED_SPANS: u64 = 500_000;

/// So many different values are told apart.
const DISTINCT_VALUES: usize = 100_000;
/// And their texts may have so many bytes.
const VALUE_BYTES: usize = 8 << 20;

const fn type_name(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::String => "string",
        ColumnType::Int => "int",
        ColumnType::Double => "double",
        ColumnType::Bool => "bool",
        ColumnType::Value => "value",
    }
}

/// Keys of attribute columns and tails, of the resources of the newest data, and the short names.
pub async fn keys(
    scanner: &Scanner,
    question: &Arc<Question>,
    snapshot: &Snapshot,
    range: TimeRange,
) -> Result<Listed<Field>, Error> {
    let mut types: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    let sources = sources(snapshot, range);
    for source in &sources {
        let schema = source.schema();
        for (key, column_type) in
            schema.fields().iter().filter_map(|field| parse_attribute_column(field.name()))
        {
            types.entry(key.to_owned()).or_default().insert(type_name(column_type));
        }
        let tail = schema
            .metadata()
            .get(schema::TAIL_KEYS)
            .and_then(|json| serde_json::from_str::<Vec<String>>(json).ok());
        for key in tail.into_iter().flatten() {
            types.entry(key).or_default();
        }
    }
    let mut resources = BTreeSet::new();
    question.searching(Signal::Traces, blocks(&sources));
    for source in sources.iter().take(4) {
        let all = Wanted { signal: Signal::Traces, filter: &Expression::All, range };
        let take = |batch: &RecordBatch| resource_keys(batch, &mut resources);
        let read = scanner.each(question, source, all, (&[schema::RESOURCE], take)).await;
        read.or_else(|error| question.pass_over(source, error))?;
    }
    let known =
        filter::Field::known_keys().into_iter().map(|key| field(key, FieldScope::Intrinsic, Vec::new()));
    let spans =
        types.into_iter().map(|(key, types)| field(&key, FieldScope::Span, types.into_iter().collect()));
    let resources =
        resources.iter().map(|key| field(&format!("resource.{key}"), FieldScope::Resource, vec!["string"]));
    let items = known.chain(spans).chain(resources).collect();
    Ok(Listed { items, incomplete: question.incomplete(), bytes: 0, held: Held::default() })
}

fn field(key: &str, scope: FieldScope, types: Vec<&'static str>) -> Field {
    Field { key: key.to_owned(), scope, types }
}

fn resource_keys(batch: &RecordBatch, keys: &mut BTreeSet<String>) {
    let columns = Columns::new(batch);
    let distinct: HashSet<&[u8]> =
        (0..batch.num_rows()).filter_map(|row| columns.bytes(schema::RESOURCE, row)).collect();
    for resource in distinct {
        keys.extend(otlp::resource(resource).attributes.into_iter().map(|attribute| attribute.key));
    }
}

/// Values with how many spans have each, most frequent first.
pub async fn values(
    scanner: &Scanner,
    question: &Arc<Question>,
    snapshot: &Snapshot,
    request: &FieldValuesRequest,
) -> Result<FieldValues, Error> {
    let field = filter::Field::from_key(&request.key);
    let columns = columns_of(&field);
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut counts = Counts::new(&request.prefix);
    let mut counted = 0;
    let sources = sources(snapshot, request.range);
    for (number, source) in sources.iter().enumerate() {
        if counted >= COUNTED_SPANS {
            counts.complete = false;
            break;
        }
        counted += source.statistics().rows;
        let all = Wanted { signal: Signal::Traces, filter: &Expression::All, range: request.range };
        let take = |batch: &RecordBatch| count(&field, batch, &mut counts);
        if let Err(error) = scanner.each(question, source, all, (&names, take)).await {
            question.pass_over(source, error)?;
        }
        question.searching(Signal::Traces, blocks(&sources[..=number]));
    }
    let incomplete = question.incomplete();
    let mut values: Vec<(String, u64)> = counts.values.into_iter().collect();
    values.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    let complete = counts.complete && incomplete.is_none() && values.len() <= request.limit;
    values.truncate(request.limit);
    Ok(FieldValues { values, complete, incomplete })
}

/// How often each value comes, of those that start as wanted.
struct Counts {
    values: HashMap<String, u64>,
    bytes: usize,
    prefix: String,
    complete: bool,
}

impl Counts {
    fn new(prefix: &str) -> Self {
        Self { values: HashMap::new(), bytes: 0, prefix: prefix.to_lowercase(), complete: true }
    }

    fn add(&mut self, value: String) {
        if let Some(count) = self.values.get_mut(&value) {
            *count += 1;
        } else if value.to_lowercase().starts_with(&self.prefix) {
            if self.values.len() < DISTINCT_VALUES && self.bytes + value.len() <= VALUE_BYTES {
                self.bytes += value.len();
                self.values.insert(value, 1);
            } else {
                self.complete = false;
            }
        }
    }
}

/// The meaning that a short name stands for.
const fn meaning(field: &filter::Field) -> Option<Meaning> {
    Some(match field {
        filter::Field::Agent => Meaning::Agent,
        filter::Field::Model => Meaning::Model,
        filter::Field::Tool => Meaning::Tool,
        filter::Field::Provider => Meaning::Provider,
        filter::Field::Session => Meaning::Conversation,
        filter::Field::User => Meaning::User,
        _ => return None,
    })
}

fn columns_of(field: &filter::Field) -> Vec<String> {
    let typed = |key: &str| ColumnType::ALL.map(|column_type| attribute_column(key, column_type));
    let mut columns = vec![schema::ATTRIBUTES_TAIL.to_owned()];
    match field {
        filter::Field::Name => columns.push(schema::NAME.to_owned()),
        filter::Field::Service => columns.push(schema::SERVICE.to_owned()),
        filter::Field::Status => columns.push(schema::STATUS_CODE.to_owned()),
        filter::Field::Kind => {
            columns.push(schema::KIND.to_owned());
            columns.extend(NodeKind::keys().into_iter().flat_map(typed));
        }
        filter::Field::ResourceAttribute(_) => columns.push(schema::RESOURCE.to_owned()),
        filter::Field::Attribute(key) => {
            columns.extend(typed(key));
            columns.push(schema::RESOURCE.to_owned());
        }
        other => columns.extend(meaning(other).into_iter().flat_map(Meaning::keys).copied().flat_map(typed)),
    }
    columns
}

fn count(field: &filter::Field, batch: &RecordBatch, counts: &mut Counts) {
    let spans = SpanBatch::new(batch);
    let mut resources: HashMap<&[u8], Option<String>> = HashMap::new();
    for row in 0..batch.num_rows() {
        let value = match field {
            filter::Field::Name => spans.columns.text(schema::NAME, row).map(str::to_owned),
            filter::Field::Service => spans.columns.text(schema::SERVICE, row).map(str::to_owned),
            filter::Field::Status => Some(status(spans.columns.int32(schema::STATUS_CODE, row)).to_owned()),
            filter::Field::Kind => Some(spans.row(row).kind().as_str().to_owned()),
            filter::Field::ResourceAttribute(key) => from_resource(&spans, row, key, &mut resources),
            filter::Field::Attribute(key) => {
                let own = spans.columns.attributes(row).into_iter().find(|attribute| attribute.key == *key);
                own.and_then(|attribute| text(&attribute.value))
                    .or_else(|| from_resource(&spans, row, key, &mut resources))
            }
            other => meaning(other).and_then(|meaning| spans.row(row).meaning(meaning)).map(String::from),
        };
        if let Some(value) = value {
            counts.add(value);
        }
    }
}

fn from_resource<'a>(
    spans: &SpanBatch<'a>,
    row: usize,
    key: &str,
    known: &mut HashMap<&'a [u8], Option<String>>,
) -> Option<String> {
    let bytes = spans.columns.bytes(schema::RESOURCE, row)?;
    let read = || {
        let attributes = otlp::resource(bytes).attributes;
        attributes.iter().find(|attribute| attribute.key == key).and_then(|attribute| text(&attribute.value))
    };
    known.entry(bytes).or_insert_with(read).clone()
}

const fn status(code: i32) -> &'static str {
    match code {
        1 => "ok",
        2 => "error",
        _ => "unset",
    }
}

/// A scalar as it is written in a filter.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        Value::Double(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, DISTINCT_VALUES};

    #[test]
    fn only_values_that_start_as_wanted_take_room() {
        let check = |prefix: &str, values: usize, complete: bool| {
            let mut counts = Counts::new(prefix);
            for number in 0..=DISTINCT_VALUES {
                counts.add(format!("order {number}"));
            }
            counts.add("Refund 1".to_owned());
            assert_eq!((counts.values.len(), counts.complete), (values, complete), "{prefix:?}");
        };
        check("", DISTINCT_VALUES, false);
        check("refund", 1, true);
        check("order 5", 11_111, true);
    }
}
