//! The tree of a filter.

/// A condition on one span (or log record).
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Expression {
    /// Everything.
    #[default]
    All,
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    Compare(Comparison),
    /// `has:key`.
    Exists(Field),
    /// A bare word: in the name, the status message, the body or any text attribute; case-insensitive.
    Text(String),
}

/// A field held against a value. Where a field has values of several types, each is compared as its own type.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    pub field: Field,
    pub operator: Operator,
    pub value: Literal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `:` — equality for numbers and bools, case-insensitive containment for text.
    Matches,
    /// `:=`
    Equal,
    /// `:*x*` — `*` stands for any text; case-insensitive.
    Glob,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Field {
    Name,
    /// The node kind's name (`agent`, `llm`, `tool` …) or OTLP's span kind (`server`, `client` …).
    Kind,
    Service,
    /// `error`, `ok` or `unset`.
    Status,
    StatusMessage,
    /// Nanoseconds.
    Duration,
    TraceId,
    SpanId,
    /// Derived from whichever convention the span follows.
    Agent,
    Model,
    Tool,
    Provider,
    Session,
    User,
    Input,
    Output,
    /// Input and output tokens together.
    Tokens,
    /// US dollars.
    Cost,
    /// Log records only.
    Severity,
    Body,
    /// A key of the span's attributes or, failing that, the resource's.
    Attribute(String),
    ResourceAttribute(String),
    /// `otel.scope.name`, `otel.scope.version`.
    ScopeName,
    ScopeVersion,
}

/// The value as written; a number keeps its text, so that `1.0` and `1` can both match text.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    pub text: String,
    /// The number that the text gives, units applied (nanoseconds for durations).
    pub number: Option<f64>,
    /// The same, when it is a whole number.
    pub integer: Option<i64>,
}
