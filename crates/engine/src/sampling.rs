//! Which spans sampling keeps their traces for: a filter over rows that no index knows yet.

use crate::predicate::Predicate;
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use datafusion::common::DFSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use model::Signal;
use query::Expression;

/// A test of spans, which says of each row whether it satisfies the filter. Where that cannot be told, it says so in the
/// program's log and takes every row to satisfy it, so that nothing is lost for it.
pub fn span_test(filter: Expression) -> impl Fn(&RecordBatch) -> BooleanArray + Send + Sync + 'static {
    let context = SessionContext::new();
    move |spans| {
        test(&context, &filter, spans).unwrap_or_else(|error| {
            tracing::error!(%error, "the filter of sampling.keep fails on spans; all of them are kept");
            everything(spans)
        })
    }
}

fn test(context: &SessionContext, filter: &Expression, spans: &RecordBatch) -> Result<BooleanArray> {
    let schema = spans.schema();
    let predicate = Predicate { signal: Signal::Traces, schema: &schema };
    let Some(condition) = predicate.expression(filter) else { return Ok(everything(spans)) };
    let condition = context.create_physical_expr(condition, &DFSchema::try_from(schema)?)?;
    let tested = condition.evaluate(spans)?.into_array(spans.num_rows())?;
    let tested = tested.as_boolean_opt().cloned();
    tested.ok_or_else(|| DataFusionError::Internal("a filter that is neither true nor false".to_owned()))
}

fn everything(spans: &RecordBatch) -> BooleanArray {
    BooleanArray::from(vec![true; spans.num_rows()])
}
