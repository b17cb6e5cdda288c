//! Turns a filter into a DataFusion expression over the columns that one block or batch has.
//!
//! A typed column is compared by DataFusion itself, so that statistics can rule pages out; what stands in a tail or a
//! resource is looked at by a function of ours.

use crate::row::{SpanBatch, resource_may_hold, tail_may_hold};
use crate::test::Test;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field as ArrowField, Int32Type, Schema};
use datafusion::logical_expr::{ColumnarValue, Expr, Volatility, cast, create_udf, ident, lit};
use model::schema::{self, ColumnType, attribute_column, parse_attribute_column};
use model::{Signal, otlp};
use query::filter::{Expression, Field, Operator};
use semconv::{Meaning, NodeKind};
use std::sync::Arc;

/// What is evaluated for each row by our own code.
type RowsTest = Arc<dyn Fn(&RecordBatch) -> BooleanArray + Send + Sync>;

/// Builds expressions for one schema.
pub struct Predicate<'s> {
    pub signal: Signal,
    pub schema: &'s Schema,
}

/// An attribute under all its names: a filter on one finds spans that have another.
pub fn spellings(key: &str) -> impl Iterator<Item = &str> {
    let others = semconv::table::aliases(key).iter().copied().filter(move |other| *other != key);
    std::iter::once(key).chain(others)
}

fn any(parts: Vec<Expr>) -> Expr {
    parts.into_iter().reduce(Expr::or).unwrap_or_else(|| lit(false))
}

impl Predicate<'_> {
    /// The condition that a row must satisfy; `None` when every row does.
    pub fn expression(&self, filter: &Expression) -> Option<Expr> {
        match filter {
            Expression::All => None,
            Expression::And(parts) => parts.iter().filter_map(|part| self.expression(part)).reduce(Expr::and),
            Expression::Or(parts) => Some(any(parts.iter().map(|part| self.certain(part)).collect())),
            // What is neither true nor false (a null) does not satisfy the inner condition.
            Expression::Not(inner) => Some(Expr::IsNotTrue(Box::new(self.certain(inner)))),
            Expression::Compare(comparison) => Some(self.field(&comparison.field, &Test::from(comparison))),
            Expression::Exists(field) => Some(self.field(field, &Test::Exists)),
            Expression::Text(text) => Some(self.text(text)),
        }
    }

    fn certain(&self, filter: &Expression) -> Expr {
        self.expression(filter).unwrap_or_else(|| lit(true))
    }

    fn field(&self, field: &Field, test: &Test) -> Expr {
        let meaning =
            |meaning: Meaning| any(meaning.keys().iter().flat_map(|key| self.attribute(key, test)).collect());
        match field {
            Field::Name => self.fixed_text(schema::NAME, test),
            Field::Service => self.fixed_text(schema::SERVICE, test),
            Field::StatusMessage => self.fixed_text(schema::STATUS_MESSAGE, test),
            Field::Body => any(vec![self.fixed_text(schema::BODY, test), self.body_value(test)]),
            Field::Severity => any(vec![
                self.fixed_text(schema::SEVERITY_TEXT, test),
                self.fixed_number(schema::SEVERITY_NUMBER, test),
            ]),
            Field::Status => self.status(test),
            Field::Duration => self.duration(test),
            Field::TraceId => self.id(schema::TRACE_ID, 32, test),
            Field::SpanId => self.id(schema::SPAN_ID, 16, test),
            Field::Kind => self.kind(test),
            Field::Agent => meaning(Meaning::Agent),
            Field::Model => {
                any(vec![meaning(Meaning::Model), any(self.attribute("gen_ai.request.model", test))])
            }
            Field::Tool => meaning(Meaning::Tool),
            Field::Provider => meaning(Meaning::Provider),
            Field::Session => meaning(Meaning::Conversation),
            Field::User => meaning(Meaning::User),
            Field::Input => meaning(Meaning::InputMessages),
            Field::Output => meaning(Meaning::OutputMessages),
            Field::Cost => meaning(Meaning::Cost),
            Field::Tokens => self.tokens(test),
            Field::ScopeName => self.scope(test, |scope| scope.name),
            Field::ScopeVersion => self.scope(test, |scope| scope.version),
            Field::Attribute(key) => {
                let mut parts = Vec::new();
                for key in spellings(key) {
                    parts.extend(self.attribute(key, test));
                    // Without this part, a block that cannot have the value is ruled out by its statistics alone.
                    if resource_may_hold(self.schema, key) {
                        parts.push(self.resource(key, test));
                    }
                }
                any(parts)
            }
            Field::ResourceAttribute(key) => self.resource(key, test),
        }
    }

    fn has(&self, column: &str) -> bool {
        self.schema.index_of(column).is_ok()
    }

    /// A function of ours over these columns, as far as the schema has them.
    fn rows(&self, columns: &[String], test: RowsTest) -> Expr {
        let fields: Vec<ArrowField> =
            columns.iter().filter_map(|name| self.schema.field_with_name(name).ok()).cloned().collect();
        if fields.is_empty() {
            return lit(false);
        }
        let types = fields.iter().map(|field| field.data_type().clone()).collect();
        let arguments = fields.iter().map(|field| ident(field.name())).collect();
        let inner = Arc::new(Schema::new(
            fields.into_iter().map(|field| field.with_nullable(true)).collect::<Vec<_>>(),
        ));
        let evaluate = move |values: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(values)?;
            let batch = RecordBatch::try_new(Arc::clone(&inner), arrays)?;
            Ok(ColumnarValue::Array(Arc::new(test(&batch)) as ArrayRef))
        };
        // Functions are told apart by name when an expression is simplified.
        let name = format!("clew_{}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        create_udf(&name, types, DataType::Boolean, Volatility::Immutable, Arc::new(evaluate)).call(arguments)
    }

    fn fixed_text(&self, column: &str, test: &Test) -> Expr {
        if self.has(column) { self.text_column(column, test) } else { lit(false) }
    }

    fn text_column(&self, column: &str, test: &Test) -> Expr {
        match test {
            // A text that is a number is ordered as one.
            Test::Compare(_, literal) if test.is_ordered() && literal.number.is_some() => {
                self.words(column, test)
            }
            _ => text_test(ident(column), test),
        }
    }

    fn fixed_number(&self, column: &str, test: &Test) -> Expr {
        if self.has(column) { integer_test(&cast(ident(column), DataType::Int64), test) } else { lit(false) }
    }

    fn duration(&self, test: &Test) -> Expr {
        if !self.has(schema::END) {
            return lit(false);
        }
        let nanoseconds = |column| cast(ident(column), DataType::Int64);
        // A span without an end, or with clocks turned back, has no duration yet.
        let over = ident(schema::END).gt_eq(ident(schema::START));
        over.and(integer_test(&(nanoseconds(schema::END) - nanoseconds(schema::START)), test))
    }

    fn status(&self, test: &Test) -> Expr {
        let codes = [(0, "unset"), (1, "ok"), (2, "error")];
        let matching = codes.into_iter().filter(|(_, name)| test.text(name));
        if !self.has(schema::STATUS_CODE) {
            return lit(false);
        }
        any(matching.map(|(code, _)| ident(schema::STATUS_CODE).eq(lit(code))).collect())
    }

    fn id(&self, column: &str, digits: usize, test: &Test) -> Expr {
        let Test::Compare(_, literal) = test else { return ident(column).is_not_null() };
        let padded = format!("{:0>digits$}", literal.text.to_lowercase());
        let name = column.to_owned();
        let matches = move |batch: &RecordBatch| {
            let ids = batch.column(0).as_fixed_size_binary();
            let hex = |id: &[u8]| {
                id.iter()
                    .flat_map(|byte| [byte >> 4, byte & 15])
                    .filter_map(|digit| char::from_digit(u32::from(digit), 16))
                    .eq(padded.chars())
            };
            (0..ids.len()).map(|row| Some(ids.is_valid(row) && hex(ids.value(row)))).collect()
        };
        self.rows(&[name], Arc::new(matches))
    }

    /// The attribute's columns of every type, and the tail where the key may stand there.
    fn attribute(&self, key: &str, test: &Test) -> Vec<Expr> {
        let mut parts = Vec::new();
        for column_type in ColumnType::ALL {
            let name = attribute_column(key, column_type);
            if self.has(&name) {
                parts.push(self.typed(&name, column_type, test));
            }
        }
        if tail_may_hold(self.schema, key) {
            let (key, test) = (key.to_owned(), test.clone());
            let found = move |tail: &[u8]| {
                otlp::tail_find(tail, &key).is_some_and(|value| test.value(&otlp::any_value(value)))
            };
            parts.push(self.tail(found));
        }
        parts
    }

    fn typed(&self, name: &str, column_type: ColumnType, test: &Test) -> Expr {
        let column = ident(name);
        if matches!(test, Test::Exists) {
            return column.is_not_null();
        }
        match column_type {
            ColumnType::String => self.text_column(name, test),
            ColumnType::Int => integer_test(&column, test),
            ColumnType::Double => double_test(&column, test),
            ColumnType::Bool => match (test.boolean(true), test.boolean(false)) {
                (true, _) => column.is_true(),
                (_, true) => column.is_false(),
                _ => lit(false),
            },
            ColumnType::Value => {
                let test = test.clone();
                let found = move |value: &[u8]| test.encoded(value);
                self.rows(&[name.to_owned()], Arc::new(move |batch| each_bytes(batch.column(0), &found)))
            }
        }
    }

    fn tail(&self, found: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Expr {
        self.rows(
            &[schema::ATTRIBUTES_TAIL.to_owned()],
            Arc::new(move |batch| each_bytes(batch.column(0), &found)),
        )
    }

    fn body_value(&self, test: &Test) -> Expr {
        let test = test.clone();
        let found = move |value: &[u8]| test.encoded(value);
        self.rows(
            &[schema::BODY_VALUE.to_owned()],
            Arc::new(move |batch| each_bytes(batch.column(0), &found)),
        )
    }

    /// Each distinct resource is looked at once.
    fn resource(&self, key: &str, test: &Test) -> Expr {
        if !resource_may_hold(self.schema, key) {
            return lit(false);
        }
        let (key, test) = (key.to_owned(), test.clone());
        let found = move |bytes: &[u8]| {
            let resource = otlp::resource(bytes);
            resource.attributes.iter().any(|attribute| attribute.key == key && test.value(&attribute.value))
        };
        self.rows(&[schema::RESOURCE.to_owned()], Arc::new(move |batch| each_bytes(batch.column(0), &found)))
    }

    fn scope(&self, test: &Test, part: fn(model::Scope) -> String) -> Expr {
        let test = test.clone();
        let found = move |bytes: &[u8]| test.text(&part(otlp::scope(bytes)));
        self.rows(&[schema::SCOPE.to_owned()], Arc::new(move |batch| each_bytes(batch.column(0), &found)))
    }

    fn with_keys(keys: impl IntoIterator<Item = &'static str>, fixed: &[&str]) -> Vec<String> {
        let typed = |key: &'static str| ColumnType::ALL.map(|column_type| attribute_column(key, column_type));
        fixed.iter().map(|name| (*name).to_owned()).chain(keys.into_iter().flat_map(typed)).collect()
    }

    fn kind(&self, test: &Test) -> Expr {
        const SPAN_KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];
        let exact = |name: &str| match test {
            Test::Exists => true,
            Test::Compare(Operator::Glob, _) | Test::Words(_) => test.text(name),
            Test::Compare(_, literal) => literal.text.eq_ignore_ascii_case(name),
        };
        // "internal" is a kind of both; as a node kind it would hide the other meaning.
        let span_kinds = SPAN_KINDS
            .iter()
            .zip(0i32..)
            .filter(|(name, _)| exact(name) && NodeKind::from_name(name).is_none());
        let mut parts: Vec<_> = span_kinds.map(|(_, number)| ident(schema::KIND).eq(lit(number))).collect();
        let wanted: Vec<NodeKind> = NodeKind::ALL.into_iter().filter(|kind| exact(kind.as_str())).collect();
        if !wanted.is_empty() {
            let columns = Self::with_keys(NodeKind::keys(), &[schema::KIND, schema::ATTRIBUTES_TAIL]);
            let matches = move |batch: &RecordBatch| {
                let spans = SpanBatch::new(batch);
                (0..batch.num_rows()).map(|row| Some(wanted.contains(&spans.row(row).kind()))).collect()
            };
            parts.push(self.rows(&columns, Arc::new(matches)));
        }
        any(parts)
    }

    fn tokens(&self, test: &Test) -> Expr {
        let meanings =
            [Meaning::InputTokens, Meaning::OutputTokens, Meaning::CachedTokens, Meaning::CacheWriteTokens];
        let keys = meanings.into_iter().flat_map(Meaning::needed_keys);
        let columns = Self::with_keys(keys, &[schema::ATTRIBUTES_TAIL]);
        let test = test.clone();
        let matches = move |batch: &RecordBatch| {
            let spans = SpanBatch::new(batch);
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
            let tokens = |row| spans.row(row).usage().map(|usage| usage.total() as f64);
            (0..batch.num_rows())
                .map(|row| Some(tokens(row).is_some_and(|tokens| test.number(tokens))))
                .collect()
        };
        self.rows(&columns, Arc::new(matches))
    }

    /// Bare words: in names, messages, bodies, events and text attributes; all that blocks have filters of words for.
    fn text(&self, text: &str) -> Expr {
        let test = Test::from(text);
        let fixed = match self.signal {
            Signal::Traces => [schema::NAME, schema::STATUS_MESSAGE].as_slice(),
            Signal::Logs => &[schema::BODY, schema::EVENT_NAME],
            Signal::Metrics => &[schema::NAME],
        };
        let mut parts: Vec<_> = fixed.iter().map(|column| self.words(column, &test)).collect();
        for field in self.schema.fields() {
            match parse_attribute_column(field.name()) {
                Some((_, ColumnType::String)) => parts.push(self.words(field.name(), &test)),
                Some((_, column_type @ ColumnType::Value)) => {
                    parts.push(self.typed(field.name(), column_type, &test));
                }
                _ => {}
            }
        }
        if self.has(schema::BODY_VALUE) {
            parts.push(self.body_value(&test));
        }
        if self.has(schema::EVENTS) {
            let test = test.clone();
            let found = move |cell: &[u8]| {
                let mut found = false;
                otlp::each_event_text(cell, &mut |text| found = found || test.text(text));
                found
            };
            let columns = [schema::EVENTS.to_owned()];
            parts.push(self.rows(&columns, Arc::new(move |batch| each_bytes(batch.column(0), &found))));
        }
        if self.schema.metadata().get(schema::TAIL_KEYS).is_none_or(|keys| keys != "[]") {
            parts.push(self.tail(move |tail| test.any_in_tail(tail)));
        }
        any(parts)
    }

    /// A test of a text column that is not one of DataFusion's.
    fn words(&self, column: &str, test: &Test) -> Expr {
        let test = test.clone();
        let found = move |text: &[u8]| std::str::from_utf8(text).is_ok_and(|text| test.text(text));
        self.rows(
            &[column.to_owned()],
            Arc::new(move |batch| {
                let column = batch.column(0);
                cast_to_bytes(column).map_or_else(
                    || BooleanArray::from(vec![false; column.len()]),
                    |column| each_bytes(&column, &found),
                )
            }),
        )
    }
}

/// Text as bytes; of a dictionary, its values.
fn cast_to_bytes(column: &ArrayRef) -> Option<ArrayRef> {
    let bytes = match column.data_type() {
        DataType::Dictionary(key, _) => DataType::Dictionary(key.clone(), Box::new(DataType::Binary)),
        _ => DataType::Binary,
    };
    arrow::compute::cast(column, &bytes).ok()
}

static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// A test of bytes for each row; of a dictionary, for each distinct value.
fn each_bytes(array: &ArrayRef, found: impl Fn(&[u8]) -> bool) -> BooleanArray {
    if matches!(array.data_type(), DataType::Dictionary(_, _)) {
        let dictionary = array.as_dictionary::<Int32Type>();
        let values = dictionary.values().as_binary::<i32>();
        let found: Vec<bool> = (0..values.len()).map(|place| found(values.value(place))).collect();
        return (0..array.len()).map(|row| Some(dictionary.key(row).is_some_and(|key| found[key]))).collect();
    }
    let values = array.as_binary::<i32>();
    (0..values.len()).map(|row| Some(values.is_valid(row) && found(values.value(row)))).collect()
}

fn text_test(column: Expr, test: &Test) -> Expr {
    let Test::Compare(operator, literal) = test else { return column.is_not_null() };
    match operator {
        Operator::Equal => column.eq(lit(literal.text.clone())),
        Operator::Matches => column.ilike(lit(format!("%{}%", escaped(&literal.text)))),
        Operator::Glob => column.ilike(lit(escaped(&literal.text).replace('*', "%"))),
        _ => ordered(column, *operator, lit(literal.text.clone())),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn integer_test(column: &Expr, test: &Test) -> Expr {
    let Test::Compare(operator, literal) = test else { return column.clone().is_not_null() };
    match (literal.integer, literal.number) {
        (Some(integer), _) => ordered(column.clone(), *operator, lit(integer)),
        (None, Some(number)) => ordered(cast(column.clone(), DataType::Float64), *operator, lit(number)),
        _ => lit(false),
    }
}

fn double_test(column: &Expr, test: &Test) -> Expr {
    let Test::Compare(operator, literal) = test else { return column.clone().is_not_null() };
    literal.number.map_or_else(|| lit(false), |number| ordered(column.clone(), *operator, lit(number)))
}

fn ordered(column: Expr, operator: Operator, value: Expr) -> Expr {
    match operator {
        Operator::Matches | Operator::Equal => column.eq(value),
        Operator::Less => column.lt(value),
        Operator::LessOrEqual => column.lt_eq(value),
        Operator::Greater => column.gt(value),
        Operator::GreaterOrEqual => column.gt_eq(value),
        Operator::Glob => lit(false),
    }
}
