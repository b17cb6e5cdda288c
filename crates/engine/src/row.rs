//! One span's row in columns, asked by meaning.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use model::otlp::columns::Columns;
use model::otlp::{any_value, tail_find};
use model::schema::{self, ColumnType, parse_attribute_column};
use model::{Value, otlp};
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

    pub fn row(&self, row: usize) -> SpanRow<'_> {
        SpanRow { batch: self, row, tail: self.columns.bytes(schema::ATTRIBUTES_TAIL, row) }
    }
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
    let others = [
        "openinference.span.kind",
        "traceloop.span.kind",
        "policy.decision",
        "mcp.method.name",
        "db.system.name",
        "db.system",
        "messaging.system",
        "rpc.system",
        "rpc.system.name",
        "node.id",
        "logfire.span_type",
    ];
    meanings.iter().flat_map(|meaning| meaning.keys()).copied().chain(others).collect()
}
