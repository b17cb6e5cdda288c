//! PromQL: its syntax tree, and what a query in it is given and answers. Version 3 of Prometheus is the reference.

mod histogram;
mod labels;
mod listing;
mod request;
mod series;
mod syntax;

pub use histogram::{
    Bucket, Buckets, Combined, Histogram, IncompatibleBuckets, Kahan, NotANumber, Number, ResetHint, Rule,
    Unsupported,
};
pub use labels::{Labels, METRIC_NAME};
pub use listing::{Exemplar, MetricMetadata, SeriesExemplars};
pub use request::{Answer, PromqlRequest, SeriesRequest, Steps, Value};
pub use series::{Point, Sample, Selection, Series};
pub use syntax::{
    Aggregation, Aggregator, At, Binary, BinaryOperator, Cardinality, Expression, Fill, Grouping, Length,
    LengthExpression, Matcher, MatcherOperator, Matching, Node, Range, RangeModifier, Selector, Subquery,
    VectorShift,
};
