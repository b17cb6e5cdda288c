//! The tree of a filter.

/// A condition on one span (or log record).
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Expression {
    /// Everything.
    #[default]
    All,
    /// All of these.
    And(Vec<Expression>),
    /// Any of these.
    Or(Vec<Expression>),
    /// Whatever does not satisfy this, spans without the field included.
    Not(Box<Expression>),
    /// A field held against a value.
    Compare(Comparison),
    /// `has:key`.
    Exists(Field),
    /// A bare word: in the name, the status message, the body or any text attribute; case-insensitive.
    Text(String),
}

/// A field held against a value. Where a field has values of several types, each is compared as its own type. A text is
/// ordered against a number as a number when it is one, otherwise as a text: by its characters' code points.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is compared.
    pub field: Field,
    /// How.
    pub operator: Operator,
    /// With what.
    pub value: Literal,
}

/// How a field is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `:` — equality for numbers and bools, case-insensitive containment for text.
    Matches,
    /// `:=`
    Equal,
    /// `:*x*` — `*` stands for any text; case-insensitive.
    Glob,
    /// `:<`
    Less,
    /// `:<=`
    LessOrEqual,
    /// `:>`
    Greater,
    /// `:>=`
    GreaterOrEqual,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Field {
    /// The span's or metric's name.
    Name,
    /// The node kind's name (`agent`, `llm`, `tool` …) or OTLP's span kind (`server`, `client` …).
    Kind,
    /// The resource's `service.name`.
    Service,
    /// `error`, `ok` or `unset`.
    Status,
    /// What the status says beside its code.
    StatusMessage,
    /// Nanoseconds.
    Duration,
    /// Hex digits.
    TraceId,
    /// Hex digits.
    SpanId,
    /// Derived from whichever convention the span follows.
    Agent,
    /// The model asked for or the one that answered.
    Model,
    /// The name of a tool.
    Tool,
    /// Who runs the model.
    Provider,
    /// A conversation.
    Session,
    /// Whom the agent acts for.
    User,
    /// Messages that went in.
    Input,
    /// Messages that came out.
    Output,
    /// Input and output tokens together.
    Tokens,
    /// US dollars.
    Cost,
    /// Log records only.
    Severity,
    /// Log records only.
    Body,
    /// A key of the span's attributes or, failing that, the resource's.
    Attribute(String),
    /// A key of the resource's attributes.
    ResourceAttribute(String),
    /// `otel.scope.name`, `otel.scope.version`.
    ScopeName,
    /// `otel.scope.version`
    ScopeVersion,
}

/// The value as written; a number keeps its text, so that `1.0` and `1` can both match text.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    /// As written, unquoted.
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
