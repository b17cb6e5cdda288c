//! One span's row in columns, asked by meaning.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, Schema};
use model::otlp::columns::Columns;
use model::otlp::{any_value, tail_find};
use model::schema::{self, ColumnType, parse_attribute_column};
use model::{SpanId, Value, otlp};
use semconv::{Meaning, NodeKind};
use std::collections::HashMap;

/// A batch of spans, prepared for asking rows.
pub struct SpanBatch<'a> {
    pub columns: Columns<'a>,
    keyed: HashMap<&'a str, Vec<(ColumnType, &'a ArrayRef)>>,
}

impl<'a> SpanBatch<'a> {
    pub fn new(batch: &'a RecordBatch) -> Self {
        let mut keyed: HashMap<&str, Vec<_>> = HashMap::new();
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            if let Some((key, column_type)) = parse_attribute_column(field.name()) {
                keyed.entry(key).or_default().push((column_type, array));
            }
        }
        Self { columns: Columns::new(batch), keyed }
    }

    /// Whether a row may be a pending span: hardly any batch has one.
    pub fn may_have_pending(&self, batch: &RecordBatch) -> bool {
        self.keyed.contains_key(SPAN_TYPE) || tail_may_hold(batch.schema_ref(), SPAN_TYPE)
    }

    pub fn row(&self, row: usize) -> SpanRow<'_> {
        SpanRow { batch: self, row, tail: self.columns.bytes(schema::ATTRIBUTES_TAIL, row) }
    }
}

/// Whether a tail of this schema's batches can have the key.
pub fn tail_may_hold(schema: &Schema, key: &str) -> bool {
    may_list(schema, schema::TAIL_KEYS, key)
}

/// Whether a resource of this schema's batches can have the key.
pub fn resource_may_hold(schema: &Schema, key: &str) -> bool {
    may_list(schema, schema::RESOURCE_KEYS, key)
}

fn may_list(schema: &Schema, list: &str, key: &str) -> bool {
    let listed = schema.metadata().get(list);
    listed
        .and_then(|json| serde_json::from_str::<Vec<String>>(json).ok())
        .is_none_or(|keys| keys.iter().any(|known| known == key))
}

/// One row of a [`SpanBatch`].
pub struct SpanRow<'a> {
    batch: &'a SpanBatch<'a>,
    pub row: usize,
    tail: Option<&'a [u8]>,
}

impl<'a> SpanRow<'a> {
    pub fn columns(&self) -> &'a Columns<'a> {
        &self.batch.columns
    }

    fn cells(&self, key: &str) -> impl Iterator<Item = (ColumnType, &'a ArrayRef)> {
        let columns = self.batch.keyed.get(key).map_or(&[][..], Vec::as_slice);
        let row = self.row;
        columns.iter().filter(move |(_, array)| array.is_valid(row)).copied()
    }

    fn in_tail(&self, key: &str) -> Option<&'a [u8]> {
        self.tail.and_then(|tail| tail_find(tail, key))
    }

    fn text_of(&self, key: &str) -> Option<&'a str> {
        let column = self.cells(key).find(|(column_type, _)| *column_type == ColumnType::String);
        if let Some((_, array)) = column {
            return Some(array.as_string::<i32>().value(self.row));
        }
        // The bytes of a string value are its tag, its length and its text.
        let value = self.in_tail(key)?;
        otlp::text_value(value)
    }

    fn number_of(&self, key: &str) -> Option<f64> {
        for (column_type, array) in self.cells(key) {
            match column_type {
                #[expect(clippy::cast_precision_loss, reason = "counts and costs are far below 2^53")]
                ColumnType::Int => return Some(array.as_primitive::<Int64Type>().value(self.row) as f64),
                ColumnType::Double => return Some(array.as_primitive::<Float64Type>().value(self.row)),
                ColumnType::String => return array.as_string::<i32>().value(self.row).parse().ok(),
                ColumnType::Bool | ColumnType::Value => {}
            }
        }
        match any_value(self.in_tail(key)?) {
            #[expect(clippy::cast_precision_loss, reason = "counts and costs are far below 2^53")]
            Value::Int(number) => Some(number as f64),
            Value::Double(number) => Some(number),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The first text that carries this meaning.
    pub fn meaning(&self, meaning: Meaning) -> Option<&'a str> {
        meaning.keys().iter().find_map(|key| self.text_of(key)).filter(|text| !text.is_empty())
    }

    /// The first number that carries this meaning.
    pub fn number(&self, meaning: Meaning) -> Option<f64> {
        meaning.keys().iter().find_map(|key| self.number_of(key)).filter(|number| number.is_finite())
    }

    /// A count: never negative.
    pub fn count(&self, meaning: Meaning) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and saturating is right"
        )]
        self.number(meaning).map_or(0, |number| number.max(0.0) as u64)
    }

    pub fn has_meaning(&self, meaning: Meaning) -> bool {
        meaning.keys().iter().any(|key| semconv::node_kind::Attributes::has(self, key))
    }

    /// What a pending span stands for: the id of the span that is running, and of that one's parent. Logfire sends it
    /// when a span begins, as a child of the one that it stands for.
    pub fn stands_for(&self) -> Option<(SpanId, Option<SpanId>)> {
        self.text_of(SPAN_TYPE).filter(|kind| *kind == "pending_span")?;
        let running = self.batch.columns.id(schema::PARENT_SPAN_ID, self.row).map(SpanId)?;
        let parent = self.text_of(PENDING_PARENT).and_then(SpanId::parse);
        Some((running, parent))
    }

    pub fn kind(&self) -> NodeKind {
        NodeKind::classify(self)
    }
}

impl semconv::node_kind::Attributes for SpanRow<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.text_of(key)
    }

    fn has(&self, key: &str) -> bool {
        self.cells(key).next().is_some() || self.in_tail(key).is_some()
    }

    fn span_kind(&self) -> i32 {
        self.batch.columns.int32(schema::KIND, self.row)
    }
}

/// Logfire's mark of a span that tells of another's beginning ...
const SPAN_TYPE: &str = "logfire.span_type";
/// ... and the parent of that other.
const PENDING_PARENT: &str = "logfire.pending_parent_id";

/// The attribute keys that [`SpanRow`] is asked for when a trace is summed up or drawn.
pub fn asked_keys() -> Vec<&'static str> {
    use Meaning as M;
    let meanings = [
        M::Operation,
        M::Model,
        M::Agent,
        M::Tool,
        M::InputTokens,
        M::OutputTokens,
        M::Cost,
        M::InputMessages,
        M::Workflow,
        M::Policy,
        M::DataSource,
        M::Destination,
        M::Table,
        M::Route,
        M::HttpMethod,
        M::RpcMethod,
    ];
    let others = [SPAN_TYPE, PENDING_PARENT].into_iter().chain(NodeKind::keys());
    meanings.iter().flat_map(|meaning| meaning.keys()).copied().chain(others).collect()
}
