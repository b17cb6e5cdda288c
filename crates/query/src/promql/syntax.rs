//! The syntax tree. Every node knows where in the query it stands, for errors and warnings.

use std::ops;

/// An expression and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    /// What it is.
    pub node: Node,
    /// The bytes of the query that it was read from.
    pub place: ops::Range<usize>,
}

/// The kinds of expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `1.5`, `0x1f`, `Inf`, `NaN`.
    Number(f64),
    /// `5m`: a number of seconds, written as a duration.
    Duration(f64),
    /// `"text"`.
    String(String),
    /// `http_requests_total{job="api"} offset 5m @ 0`: the present value of each series.
    Selector(Selector),
    /// `selector[5m]`: the samples of each series within a time.
    Range(Range),
    /// `expression[1h:5m]`: an instant expression, over and over.
    Subquery(Box<Subquery>),
    /// `(expression)`.
    Parentheses(Box<Expression>),
    /// `+expression` (false) or `-expression` (true).
    Sign {
        /// Whether it turns the sign.
        negative: bool,
        /// What is signed.
        operand: Box<Expression>,
    },
    /// `left + right`.
    Binary(Box<Binary>),
    /// `sum by (job) (expression)`.
    Aggregation(Box<Aggregation>),
    /// `rate(expression)`. The parser has checked that the function is known, how many arguments it takes and of what
    /// types they are.
    Call {
        /// The name of the function, lower case.
        function: String,
        /// The arguments.
        arguments: Vec<Expression>,
    },
}

/// An instant vector selector.
#[derive(Debug, Clone, PartialEq)]
pub struct Selector {
    /// The metric's name before the braces; it is among the matchers too.
    pub name: Option<String>,
    /// What the labels must satisfy; one of them at least does not match the empty text, unless it is the second
    /// argument of `info`.
    pub matchers: Vec<Matcher>,
    /// `anchored` or `smoothed` (experimental), of a range too.
    pub modifier: Option<RangeModifier>,
    /// When it is looked at.
    pub shift: VectorShift,
}

/// `offset` and `@`, which may come in any order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VectorShift {
    /// How much earlier; below zero is later. Not there when it is zero.
    pub offset: Option<Length>,
    /// At which time instead of the step's.
    pub at: Option<At>,
}

/// The time of an `@`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Milliseconds since the Unix epoch.
    Time(i64),
    /// `start()`: the first step of the query.
    Start,
    /// `end()`: the last one.
    End,
}

/// What a label must satisfy. A label that is not there has the empty text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// How it is compared.
    pub operator: MatcherOperator,
    /// With what; of `=~` and `!~` a regular expression (RE2) that must match the whole value, where `.` is any character.
    pub value: String,
}

/// The comparisons of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatcherOperator {
    /// `=`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `=~`.
    Matches,
    /// `!~`.
    MatchesNot,
}

/// A range vector selector.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    /// Which series, and when.
    pub selector: Selector,
    /// Where the selector stands, without the brackets.
    pub place: ops::Range<usize>,
    /// How long; open at its beginning, closed at its end.
    pub length: Length,
}

/// What is taken for the value at the borders of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeModifier {
    /// The sample before.
    Anchored,
    /// The value between the samples before and after.
    Smoothed,
}

/// A range of values of an instant expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    /// What is computed.
    pub expression: Expression,
    /// How long; open at its beginning, closed at its end.
    pub length: Length,
    /// How often; the default is the query's own.
    pub step: Option<Length>,
    /// When.
    pub shift: VectorShift,
}

/// A length of time.
#[derive(Debug, Clone, PartialEq)]
pub enum Length {
    /// Milliseconds.
    Milliseconds(i64),
    /// Known when the query's step and range are.
    Computed(Box<LengthExpression>),
}

/// Arithmetic of lengths (Prometheus 3.14), in seconds.
#[derive(Debug, Clone, PartialEq)]
pub enum LengthExpression {
    /// `300`.
    Seconds(f64),
    /// `5m`, in seconds.
    Duration(f64),
    /// `(length)`.
    Parentheses(Box<Self>),
    /// `step()`: between two steps of the query; zero for an instant query.
    Step,
    /// `range()`: from the query's first step to its last.
    Range,
    /// `-length`.
    Negative(Box<Self>),
    /// `min_of(length, length)`.
    Minimum(Box<Self>, Box<Self>),
    /// `max_of(length, length)`.
    Maximum(Box<Self>, Box<Self>),
    /// `length + length`; of the operators the arithmetic ones.
    Binary(BinaryOperator, Box<Self>, Box<Self>),
}

/// Two expressions and what is between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    /// What is done.
    pub operator: BinaryOperator,
    /// Of comparisons: answer 0 or 1 instead of leaving out what does not compare.
    pub return_bool: bool,
    /// What stands before.
    pub left: Expression,
    /// What stands after.
    pub right: Expression,
    /// Between two vectors: which elements belong together.
    pub matching: Matching,
}

/// The binary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOperator {
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `%`.
    Modulo,
    /// `^`.
    Power,
    /// `atan2`.
    Atan2,
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `>`.
    Greater,
    /// `<`.
    Less,
    /// `>=`.
    GreaterOrEqual,
    /// `<=`.
    LessOrEqual,
    /// `and`.
    And,
    /// `or`.
    Or,
    /// `unless`.
    Unless,
    /// `</`: the part of a histogram below (experimental).
    TrimUpper,
    /// `>/`: the part of a histogram above (experimental).
    TrimLower,
}

/// Which elements of two vectors belong together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matching {
    /// How many on either side.
    pub cardinality: Cardinality,
    /// Whether `labels` are those that count (`on`), or those that do not (`ignoring`, and without either).
    pub on: bool,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// The labels that `group_left` or `group_right` take over from the side that has one element.
    pub include: Vec<String>,
    /// What stands for an element that is missing (experimental).
    pub fill: Fill,
}

/// How many elements of each side match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cardinality {
    /// One of each.
    #[default]
    OneToOne,
    /// Many on the left: `group_left`.
    ManyToOne,
    /// Many on the right: `group_right`.
    OneToMany,
    /// Of `and`, `or`, `unless`.
    ManyToMany,
}

/// Values for elements that are missing: `fill`, `fill_left`, `fill_right`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fill {
    /// On the left side.
    pub left: Option<f64>,
    /// On the right side.
    pub right: Option<f64>,
}

/// Many series to fewer.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregation {
    /// How.
    pub aggregator: Aggregator,
    /// Of what.
    pub expression: Expression,
    /// The number of `topk`, `bottomk`, `limitk`, `limit_ratio`, `quantile`; the label of `count_values`.
    pub parameter: Option<Expression>,
    /// Which belong together.
    pub grouping: Grouping,
}

/// `by` or `without`, and labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grouping {
    /// Whether the labels are those that do not count.
    pub without: bool,
    /// The labels.
    pub labels: Vec<String>,
}

/// The aggregations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregator {
    /// `sum`.
    Sum,
    /// `avg`.
    Average,
    /// `min`.
    Minimum,
    /// `max`.
    Maximum,
    /// `group`.
    Group,
    /// `count`.
    Count,
    /// `count_values`.
    CountValues,
    /// `stddev`.
    StandardDeviation,
    /// `stdvar`.
    StandardVariance,
    /// `quantile`.
    Quantile,
    /// `topk`.
    TopK,
    /// `bottomk`.
    BottomK,
    /// `limitk` (experimental).
    LimitK,
    /// `limit_ratio` (experimental).
    LimitRatio,
}
