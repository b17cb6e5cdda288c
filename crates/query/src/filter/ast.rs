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

/// The short names; the first of a field is its canonical one.
const KEYS: [(&str, Field); 26] = [
    ("name", Field::Name),
    ("kind", Field::Kind),
    ("service", Field::Service),
    ("service.name", Field::Service),
    ("status", Field::Status),
    ("status.message", Field::StatusMessage),
    ("duration", Field::Duration),
    ("trace", Field::TraceId),
    ("span", Field::SpanId),
    ("agent", Field::Agent),
    ("model", Field::Model),
    ("tool", Field::Tool),
    ("provider", Field::Provider),
    ("session", Field::Session),
    ("conversation", Field::Session),
    ("user", Field::User),
    ("input", Field::Input),
    ("output", Field::Output),
    ("tokens", Field::Tokens),
    ("cost", Field::Cost),
    ("severity", Field::Severity),
    ("body", Field::Body),
    ("otel.scope.name", Field::ScopeName),
    ("scope.name", Field::ScopeName),
    ("otel.scope.version", Field::ScopeVersion),
    ("scope.version", Field::ScopeVersion),
];

impl Field {
    /// The field that a key of the query bar names.
    #[must_use]
    pub fn from_key(key: &str) -> Self {
        if let Some((_, field)) = KEYS.iter().find(|(name, _)| *name == key) {
            return field.clone();
        }
        match key.strip_prefix("resource.") {
            Some(rest) if !rest.is_empty() => Self::ResourceAttribute(rest.to_owned()),
            _ => Self::Attribute(key.to_owned()),
        }
    }

    /// The canonical key; for a resource's attribute with its prefix.
    #[must_use]
    pub fn key(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Attribute(key) => key.into(),
            Self::ResourceAttribute(key) => format!("resource.{key}").into(),
            known => KEYS.iter().find(|(_, field)| field == known).map_or("", |(name, _)| *name).into(),
        }
    }

    /// The short names, without the attributes' keys.
    #[must_use]
    pub fn known_keys() -> Vec<&'static str> {
        KEYS.iter().map(|(name, _)| *name).collect()
    }
}
