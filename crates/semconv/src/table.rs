//! The table of dialects: which attribute of which convention carries what, in `data/`.
//!
//! `attributes.csv` has a row for each spelling: the canonical attribute, its type, the convention, where it stands,
//! what else must hold for it to count, and whether that is certain (`verified`): `no` stands for rows that were written from
//! memory, which neither a payload nor the library's sources have shown yet.
//! `values.csv` has what the values of some attributes are called canonically; an empty value stands for none.

use crate::node_kind::Attributes;
use std::collections::HashMap;
use std::sync::LazyLock;

/// The version of the table; it changes with every change of `data/`.
pub const VERSION: &str = "2026-11-21";

const ATTRIBUTES: &str = include_str!("../data/attributes.csv");
const VALUES: &str = include_str!("../data/values.csv");

/// The conventions, most authoritative first; where a span follows several, the first that says something is believed.
const CONVENTIONS: [&str; 32] = [
    "otel-genai-main",
    "otel-genai-proposed",
    "langfuse",
    "claude-code",
    "gemini-cli",
    "codex-cli",
    "rig",
    "openinference",
    "openllmetry",
    "vercel-ai-sdk",
    "logfire-pydantic-ai",
    "langsmith",
    "mlflow",
    "crewai",
    "litellm",
    "laminar",
    "voltagent",
    "google-adk",
    "livekit",
    "semantic-kernel",
    "strands-agents",
    "autogen",
    "genkit",
    "openlit",
    "flue",
    "a2a",
    "mcp",
    "otel-genai-legacy",
    "otel",
    "otel-old",
    "seed-docs",
    "generic",
];

/// One spelling: a span attribute, or a part of the JSON in one.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The attribute.
    pub key: &'static str,
    /// The way to the value in the attribute's JSON, with dots; `None` for the attribute itself.
    pub path: Option<&'static str>,
    /// Whose spelling it is.
    pub convention: &'static str,
    /// Whether a payload, or the sources of the convention's library, show it.
    pub verified: bool,
    condition: Condition,
}

/// When a spelling counts.
#[derive(Debug, PartialEq, Eq)]
enum Condition {
    Always,
    /// When the span has this attribute, too.
    Has(&'static str),
    /// When that attribute has this value.
    Is(&'static str, &'static str),
}

impl Source {
    /// An attribute that has no other spelling.
    pub(crate) const fn own(key: &'static str) -> Self {
        Self { key, path: None, convention: "otel", verified: true, condition: Condition::Always }
    }

    /// Whether a span that has this attribute means it so.
    #[must_use]
    pub fn counts(&self, span: &dyn Attributes) -> bool {
        match self.condition {
            Condition::Always => true,
            Condition::Has(key) => span.has(key),
            Condition::Is(key, value) => {
                span.text(key).is_some_and(|found| found.eq_ignore_ascii_case(value))
            }
        }
    }

    /// What must be known of a span besides the attribute, to tell whether it counts.
    #[must_use]
    pub const fn condition_key(&self) -> Option<&'static str> {
        match self.condition {
            Condition::Always => None,
            Condition::Has(key) | Condition::Is(key, _) => Some(key),
        }
    }
}

struct Table {
    by_canonical: HashMap<&'static str, Vec<Source>>,
    /// Of each attribute: what it and its other spellings are called.
    aliases: HashMap<&'static str, Vec<&'static str>>,
    /// By canonical attribute and value in lower case.
    values: HashMap<(&'static str, String), &'static str>,
}

static TABLE: LazyLock<Table> = LazyLock::new(read);

/// The spellings of a canonical attribute, most authoritative first.
#[must_use]
pub fn sources(canonical: &str) -> &'static [Source] {
    TABLE.by_canonical.get(canonical).map_or(&[], Vec::as_slice)
}

/// An attribute's other spellings and its own, when it has others: a filter on one finds spans that have another.
/// Content (messages, arguments, results) is not among them: it differs in form too.
#[must_use]
pub fn aliases(key: &str) -> &'static [&'static str] {
    TABLE.aliases.get(key).map_or(&[], Vec::as_slice)
}

/// What a value of a canonical attribute is called canonically. `None` where the table does not know the value; empty
/// where the value says nothing: a framework's name is no provider.
#[must_use]
pub fn value(canonical: &'static str, sent: &str) -> Option<&'static str> {
    TABLE.values.get(&(canonical, sent.trim_matches('"').to_lowercase())).copied()
}

fn read() -> Table {
    let mut by_canonical: HashMap<&'static str, Vec<Source>> = HashMap::new();
    for line in ATTRIBUTES.lines().skip(1) {
        let mut cells = line.split(',');
        let mut next = || cells.next().unwrap_or_default();
        let (canonical, _type, convention, attribute) = (next(), next(), next(), next());
        let (condition, verified) = (next(), next());
        if let Some((key, path)) = plain(attribute) {
            let condition = match condition.split_once('=') {
                _ if condition.is_empty() => Condition::Always,
                Some((key, value)) => Condition::Is(key, value),
                None => Condition::Has(condition),
            };
            let source = Source { key, path, convention, verified: verified == "yes", condition };
            by_canonical.entry(canonical).or_default().push(source);
        }
    }
    let rank = |source: &Source| CONVENTIONS.iter().position(|known| *known == source.convention);
    for sources in by_canonical.values_mut() {
        // Stable: within a convention, the first row wins.
        sources.sort_by_key(|source| rank(source).unwrap_or(CONVENTIONS.len()));
        // After one that always counts, or counts in the same case, another of that spelling says nothing new.
        let mut seen: Vec<Source> = Vec::new();
        for source in std::mem::take(sources) {
            let same = |known: &Source| (known.key, known.path) == (source.key, source.path);
            let covers =
                |known: &Source| known.condition == Condition::Always || known.condition == source.condition;
            if !seen.iter().any(|known| same(known) && covers(known)) {
                seen.push(source);
            }
        }
        *sources = seen;
    }
    Table { aliases: read_aliases(&by_canonical), by_canonical, values: read_values() }
}

/// A span attribute and the way into its JSON; `None` for what stands elsewhere: in events, logs, resources, names, or
/// numbered attributes, which have code of their own.
fn plain(attribute: &'static str) -> Option<(&'static str, Option<&'static str>)> {
    let elsewhere = ["event:", "log:", "metric:", "resource:", "header:", "link:", "span_name:"];
    if elsewhere.iter().any(|prefix| attribute.starts_with(prefix))
        || ["{", "*", "<", "|"].iter().any(|mark| attribute.contains(mark))
    {
        return None;
    }
    Some(match attribute.split_once('#') {
        Some((key, path)) => (key, Some(path)),
        None => (attribute, None),
    })
}

/// Content and what is too general to be another spelling of anything.
const WITHOUT_ALIASES: [&str; 14] = [
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.tool.definitions",
    "gen_ai.retrieval.documents",
    "gen_ai.retrieval.query.text",
    "ext.input",
    "ext.output",
    "ext.ignore",
    "ext.metadata",
    "ext.node.kind",
    "ext.tags",
];

fn read_aliases(
    by_canonical: &HashMap<&'static str, Vec<Source>>,
) -> HashMap<&'static str, Vec<&'static str>> {
    let mut aliases: HashMap<&'static str, Vec<&'static str>> = HashMap::new();
    for (canonical, sources) in by_canonical.iter().filter(|(name, _)| !WITHOUT_ALIASES.contains(name)) {
        let spelled = sources.iter().filter(|source| source.path.is_none());
        let spelled = spelled.filter(|source| source.condition == Condition::Always);
        let mut keys: Vec<_> = spelled.map(|source| source.key).collect();
        if !keys.contains(canonical) && !canonical.starts_with("ext.") {
            keys.insert(0, canonical);
        }
        if keys.len() > 1 {
            for key in &keys {
                let known = aliases.entry(key).or_default();
                let new: Vec<_> = keys.iter().filter(|key| !known.contains(key)).copied().collect();
                known.extend(new);
            }
        }
    }
    aliases
}

fn read_values() -> HashMap<(&'static str, String), &'static str> {
    let mut values = HashMap::new();
    for line in VALUES.lines().skip(1) {
        let mut cells = line.split(',');
        let mut next = || cells.next().unwrap_or_default();
        let (canonical, _convention, sent, meant) = (next(), next(), next(), next());
        values.entry((canonical, sent.to_lowercase())).or_insert(meant);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::{ATTRIBUTES, CONVENTIONS, VALUES, aliases, sources, value};

    #[test]
    fn every_row_is_read() {
        for (text, columns) in [(ATTRIBUTES, 7), (VALUES, 4)] {
            for line in text.lines() {
                assert_eq!(line.split(',').count(), columns, "{line}");
            }
        }
        for line in ATTRIBUTES.lines().skip(1) {
            let convention = line.split(',').nth(2).unwrap_or_default();
            assert!(CONVENTIONS.contains(&convention), "{convention} has no rank");
        }
    }

    #[test]
    fn current_names_come_first() {
        let check = |canonical: &str, first: &str| {
            assert_eq!(sources(canonical).first().map(|source| source.key), Some(first), "{canonical}");
        };
        check("gen_ai.usage.input_tokens", "gen_ai.usage.input_tokens");
        check("gen_ai.provider.name", "gen_ai.provider.name");
        check("http.request.method", "http.request.method");
        check("user.id", "user.id");
    }

    #[test]
    fn spellings_of_one_thing() {
        let check = |key: &str, others: &[&str]| {
            for other in others {
                assert!(aliases(key).contains(other), "{key}: {other}");
                assert!(aliases(other).contains(&key), "{other}: {key}");
            }
        };
        check("gen_ai.request.model", &["model.name", "llm.model", "llm.model_name"]);
        check("gen_ai.system", &["gen_ai.provider.name", "model.provider"]);
        check("gen_ai.response.finish_reason", &["gen_ai.response.finish_reasons"]);
        check("http.method", &["http.request.method"]);
        check("db.name", &["db.namespace"]);
        check("messaging.destination", &["messaging.destination.name"]);
        check("model.tokens_input", &["gen_ai.usage.input_tokens", "llm.token_count.prompt"]);
        assert!(aliases("input.value").is_empty());
        assert!(aliases("my.own").is_empty());
    }

    #[test]
    fn canonical_values_stay() {
        for line in VALUES.lines().skip(1) {
            let cells: Vec<_> = line.split(',').collect();
            let [canonical, _, _, meant, ..] = cells.as_slice() else { panic!("{line}") };
            let canonical =
                ["gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.response.finish_reasons"]
                    .into_iter()
                    .find(|known| known == canonical);
            if let Some(canonical) = canonical.filter(|_| !meant.is_empty()) {
                let again = value(canonical, meant).unwrap_or(meant);
                assert_eq!(again, *meant, "{line}");
            }
        }
    }

    #[test]
    fn values_are_called_canonically() {
        let check = |canonical, sent, meant| assert_eq!(value(canonical, sent), meant, "{sent}");
        check("gen_ai.provider.name", "MistralAI", Some("mistral_ai"));
        check("gen_ai.provider.name", "langchain", Some(""));
        check("gen_ai.provider.name", "acme", None);
        check("gen_ai.operation.name", "\"CHAT_MODEL\"", Some("chat"));
        check("gen_ai.response.finish_reasons", "end_turn", Some("stop"));
    }
}
