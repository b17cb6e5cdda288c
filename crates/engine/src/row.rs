//! One span's row in columns, asked by meaning.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, Schema};
use foldhash::fast::RandomState;
use model::json_path::inside;
use model::otlp::columns::Columns;
use model::otlp::{any_value, tail_find};
use model::schema::{self, ColumnType, parse_attribute_column};
use model::{SpanId, Value, otlp};
use semconv::table::Source;
use semconv::{Meaning, NodeKind, Usage};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

/// A batch of spans, prepared for asking rows.
pub struct SpanBatch<'a> {
    pub columns: Columns<'a>,
    keyed: HashMap<&'a str, Vec<(ColumnType, &'a ArrayRef)>, RandomState>,
    /// The keys that tails have; `None` for any.
    in_tails: Option<HashSet<String, RandomState>>,
    /// By the number of the meaning: where it may stand in this batch.
    present: [OnceCell<Vec<&'static Source>>; Meaning::ALL.len()],
}

impl<'a> SpanBatch<'a> {
    pub fn new(batch: &'a RecordBatch) -> Self {
        let mut keyed: HashMap<&str, Vec<_>, RandomState> = HashMap::default();
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            if let Some((key, column_type)) = parse_attribute_column(field.name()) {
                keyed.entry(key).or_default().push((column_type, array));
            }
        }
        let listed = batch.schema_ref().metadata().get(schema::TAIL_KEYS);
        let in_tails = listed.and_then(|json| serde_json::from_str(json).ok());
        Self {
            columns: Columns::new(batch),
            keyed,
            in_tails,
            present: std::array::from_fn(|_| OnceCell::new()),
        }
    }

    /// The spellings of a meaning that any row of this batch may have.
    fn present(&self, meaning: Meaning) -> &[&'static Source] {
        let may_have =
            |source: &&'static Source| self.keyed.contains_key(source.key) || self.tails_may_have(source.key);
        let find = || meaning.sources().iter().copied().filter(may_have).collect();
        self.present.get(meaning as usize).map_or(&[], |present| present.get_or_init(find))
    }

    fn tails_may_have(&self, key: &str) -> bool {
        self.in_tails.as_ref().is_none_or(|keys| keys.contains(key))
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
        self.tail.filter(|_| self.batch.tails_may_have(key)).and_then(|tail| tail_find(tail, key))
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
    pub fn meaning(&self, meaning: Meaning) -> Option<Cow<'a, str>> {
        self.batch.present(meaning).iter().find_map(|source| {
            let text = self.text_of(source.key).filter(|_| source.counts(self))?;
            let text = match source.path {
                None => Cow::Borrowed(text),
                Some(path) => Cow::Owned(inside(text, path)?.as_str()?.to_owned()),
            };
            Some(text).filter(|text| !semconv::usage::is_absent(text))
        })
    }

    /// The first number that carries this meaning.
    pub fn number(&self, meaning: Meaning) -> Option<f64> {
        self.batch.present(meaning).iter().find_map(|source| {
            let number = match source.path {
                None => self.number_of(source.key),
                Some(path) => self.text_of(source.key).and_then(|text| inside(text, path)?.as_f64()),
            };
            number.filter(|number| number.is_finite() && source.counts(self))
        })
    }

    /// The first truth value that carries this meaning.
    pub fn flag(&self, meaning: Meaning) -> Option<bool> {
        self.batch.present(meaning).iter().find_map(|source| self.flag_of(source.key))
    }

    fn flag_of(&self, key: &str) -> Option<bool> {
        let column = self.cells(key).find(|(column_type, _)| *column_type == ColumnType::Bool);
        let value = column.map(|(_, array)| array.as_boolean().value(self.row));
        value.or_else(|| match any_value(self.in_tail(key)?) {
            Value::Bool(value) => Some(value),
            _ => None,
        })
    }

    /// Whether an attribute of this very key is true.
    pub fn is_true(&self, key: &str) -> bool {
        self.flag_of(key) == Some(true)
    }

    /// What a call of a model used.
    pub fn usage(&self) -> Option<Usage> {
        Usage::of(self, |meaning| self.number(meaning))
    }

    pub fn has_meaning(&self, meaning: Meaning) -> bool {
        use semconv::node_kind::Attributes;
        self.batch.present(meaning).iter().any(|source| self.has(source.key) && source.counts(self))
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

    fn means(&self, meaning: Meaning) -> bool {
        self.has_meaning(meaning)
    }

    fn span_kind(&self) -> i32 {
        self.batch.columns.int32(schema::KIND, self.row)
    }
}

/// Logfire's mark of a span that tells of another's beginning ...
const SPAN_TYPE: &str = "logfire.span_type";
/// ... and the parent of that other.
const PENDING_PARENT: &str = "logfire.pending_parent_id";

/// The keys that [`SpanRow::stands_for`] asks for.
pub const fn pending_keys() -> [&'static str; 2] {
    [SPAN_TYPE, PENDING_PARENT]
}

/// The attribute keys that [`SpanRow`] is asked for when a trace is summed up or drawn.
pub fn asked_keys() -> Vec<&'static str> {
    use Meaning as M;
    let meanings = [
        M::Operation,
        M::Provider,
        M::Model,
        M::Agent,
        M::Conversation,
        M::Tool,
        M::InputTokens,
        M::OutputTokens,
        M::CachedTokens,
        M::CacheWriteTokens,
        M::ReasoningTokens,
        M::AudioInputTokens,
        M::AudioOutputTokens,
        M::ResponseId,
        M::TimeToFirstToken,
        M::Cost,
        M::InputMessages,
        M::Workflow,
        M::Step,
        M::Policy,
        M::Approval,
        M::DataSource,
        M::Destination,
        M::Table,
        M::Route,
        M::HttpMethod,
        M::RpcMethod,
        M::McpMethod,
    ];
    let others = pending_keys()
        .into_iter()
        .chain(["error.type", crate::findings::CONTEXT_MISSING])
        .chain(NodeKind::keys());
    let mut keys: Vec<_> = meanings.into_iter().flat_map(Meaning::needed_keys).chain(others).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
