//! What a model call used: tokens, each counted once.
//!
//! OpenTelemetry's `gen_ai.usage.input_tokens` is the total, of which cached tokens are a part, and its output tokens
//! have reasoning in them. Some senders, Anthropic's API first of all, leave cached tokens out of the input. Sources: the
//! OpenTelemetry GenAI semantic conventions (usage attributes), Anthropic's documentation of prompt caching.

use crate::Meaning;
use crate::node_kind::Attributes;

/// How input tokens were counted by the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Basis {
    /// Cached tokens are among them.
    #[default]
    Inclusive,
    /// Cached tokens come on top, by the sender's convention.
    Exclusive,
    /// Cached tokens come on top: there are more of them than input tokens.
    Inferred,
}

impl Basis {
    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inclusive => "inclusive",
            Self::Exclusive => "exclusive",
            Self::Inferred => "inferred",
        }
    }
}

/// Tokens of one model call. Input is the total, output too: the others are parts of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub reasoning: u64,
    pub audio_input: u64,
    pub audio_output: u64,
    /// How the sender counted.
    pub basis: Basis,
}

/// Conventions whose input tokens leave out what was cached.
const EXCLUSIVE: [&str; 2] = ["claude-code", "langfuse"];

impl Usage {
    /// What a span says; `number` is how it is asked for one. `None` when it says nothing of tokens.
    pub fn of(span: &dyn Attributes, number: impl Fn(Meaning) -> Option<f64>) -> Option<Self> {
        let count = |meaning| number(meaning).map(whole);
        let (input, output) = (count(Meaning::InputTokens), count(Meaning::OutputTokens));
        let cache_read = count(Meaning::CachedTokens);
        let cache_write = count(Meaning::CacheWriteTokens);
        input.or(output).or(cache_read).or(cache_write)?;
        let part = |meaning| count(meaning).unwrap_or(0);
        let convention = || Meaning::InputTokens.carrier(span).map_or("", |source| source.convention);
        let mut usage = Self {
            input: input.unwrap_or(0),
            output: output.unwrap_or(0),
            cache_read: cache_read.unwrap_or(0),
            cache_write: cache_write.unwrap_or(0),
            reasoning: part(Meaning::ReasoningTokens),
            audio_input: part(Meaning::AudioInputTokens),
            audio_output: part(Meaning::AudioOutputTokens),
            basis: Basis::Inclusive,
        };
        let cached = usage.cache_read.saturating_add(usage.cache_write);
        if cached > 0 && EXCLUSIVE.contains(&convention()) {
            usage.basis = Basis::Exclusive;
        } else if cached > usage.input {
            usage.basis = Basis::Inferred;
        }
        if usage.basis != Basis::Inclusive {
            usage.input = usage.input.saturating_add(cached);
        }
        usage.reasoning = usage.reasoning.min(usage.output);
        Some(usage)
    }

    /// Input and output.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// Adds another call's.
    pub const fn add(&mut self, other: &Self) {
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cache_read = self.cache_read.saturating_add(other.cache_read);
        self.cache_write = self.cache_write.saturating_add(other.cache_write);
        self.reasoning = self.reasoning.saturating_add(other.reasoning);
        self.audio_input = self.audio_input.saturating_add(other.audio_input);
        self.audio_output = self.audio_output.saturating_add(other.audio_output);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and saturating is right"
)]
const fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}

/// Events that tell when the first token came: those of OpenInference, OpenLLMetry and the Vercel AI SDK.
pub const FIRST_TOKEN_EVENTS: [&str; 3] =
    ["First Token Stream Event", "llm.content.completion.chunk", "ai.stream.firstChunk"];

/// Seconds until the first token came: some conventions say milliseconds.
#[must_use]
pub fn seconds_to_first_token(span: &dyn Attributes, sent: f64) -> f64 {
    let key = Meaning::TimeToFirstToken.carrier(span).map_or("", |source| source.key);
    // Strands says milliseconds under a name that others say seconds under; nobody waits a hundred seconds.
    let strands = key == "gen_ai.server.time_to_first_token" && sent > 100.0;
    if key.contains(".msTo") || key.ends_with("_ms") || strands { sent / 1_000.0 } else { sent }
}

/// The provider that is meant by what a span says; `None` when that is a framework's name, which is no provider.
#[must_use]
pub fn provider(sent: &str) -> Option<String> {
    const CANONICAL: &str = "gen_ai.provider.name";
    // The Vercel AI SDK appends the kind of API: `openai.chat`.
    let prefixes = std::iter::successors(Some(sent), |rest| rest.rsplit_once('.').map(|(rest, _)| rest));
    match prefixes.into_iter().find_map(|prefix| crate::table::value(CANONICAL, prefix)) {
        Some("") => None,
        Some(known) => Some(known.to_owned()),
        None => Some(sent.to_lowercase()).filter(|name| !name.is_empty()),
    }
}

/// What a reason for the end of an answer is called canonically.
#[must_use]
pub fn finish_reason(sent: &str) -> &str {
    crate::table::value("gen_ai.response.finish_reasons", sent)
        .filter(|known| !known.is_empty())
        .unwrap_or(sent)
}

/// Whether content was left out by the sender.
#[must_use]
pub fn is_absent(content: &str) -> bool {
    matches!(content.trim(), "" | "{}" | "[]" | "<REDACTED>" | "__REDACTED__" | "null")
}

#[cfg(test)]
mod tests {
    use super::{Basis, Usage, finish_reason, provider};
    use crate::node_kind::tests::Pairs;

    fn usage(pairs: &'static [(&'static str, &'static str)]) -> Option<Usage> {
        let span = Pairs(pairs, 1);
        Usage::of(&span, |meaning| {
            let source = meaning.carrier(&span)?;
            crate::node_kind::Attributes::text(&span, source.key)?.parse().ok()
        })
    }

    #[test]
    fn input_is_the_total() {
        let check = |pairs, input, basis| {
            let usage = usage(pairs).unwrap_or_default();
            assert_eq!((usage.input, usage.basis), (input, basis), "{pairs:?}");
        };
        check(
            &[("gen_ai.usage.input_tokens", "1000"), ("gen_ai.usage.cache_read.input_tokens", "900")],
            1_000,
            Basis::Inclusive,
        );
        // Anthropic's own count: 12 new ones besides 900 that were cached.
        check(
            &[
                ("gen_ai.usage.input_tokens", "12"),
                ("gen_ai.usage.cache_read_input_tokens", "900"),
                ("gen_ai.usage.cache_creation_input_tokens", "100"),
            ],
            1_012,
            Basis::Inferred,
        );
        check(
            &[("span.type", "llm_request"), ("input_tokens", "950"), ("cache_read_tokens", "900")],
            1_850,
            Basis::Exclusive,
        );
        assert_eq!(usage(&[("http.method", "GET")]), None);
        // A key that is anyone's counts only where its convention is at work.
        assert_eq!(usage(&[("input_tokens", "950")]), None);
    }

    #[test]
    fn the_first_token_came_after_seconds() {
        let check = |pairs, sent, seconds: f64| {
            let found = super::seconds_to_first_token(&Pairs(pairs, 1), sent);
            assert!((found - seconds).abs() < 1e-9, "{pairs:?}: {found}");
        };
        check(&[("gen_ai.response.time_to_first_chunk", "")], 0.25, 0.25);
        check(&[("ai.response.msToFirstChunk", "")], 250.0, 0.25);
        check(&[("span.type", "llm_request"), ("ttft_ms", "")], 250.0, 0.25);
        check(&[("gen_ai.server.time_to_first_token", "")], 250.0, 0.25);
        check(&[("gen_ai.server.time_to_first_token", "")], 0.25, 0.25);
    }

    #[test]
    fn sessions_are_conversations_and_projects_are_not() {
        let check = |pairs: &'static [(&str, &str)], expect: Option<&str>| {
            let span = Pairs(pairs, 1);
            let carrier = crate::Meaning::Conversation.carrier(&span);
            let found = carrier.and_then(|source| crate::node_kind::Attributes::text(&span, source.key));
            assert_eq!(found, expect, "{pairs:?}");
        };
        check(&[("gen_ai.conversation.id", "a"), ("session.id", "b")], Some("a"));
        check(&[("session.id", "b")], Some("b"));
        check(&[("traceloop.association.properties.session_id", "c")], Some("c"));
        check(&[("ai.telemetry.metadata.sessionId", "d")], Some("d"));
        // LangSmith's session is a project, CrewAI's crew an object, and an MCP session a connection.
        check(
            &[("langsmith.trace.session_name", "project"), ("langsmith.trace.session_id", "project")],
            None,
        );
        check(&[("crew_id", "0x1")], None);
        check(&[("mcp.session.id", "4d21942f")], None);
        // A helper of Claude Code writes its own id as the conversation's.
        check(&[("gen_ai.conversation.id", "a87c"), ("session.id", "e"), ("span.type", "tool")], Some("e"));
    }

    #[test]
    fn what_says_nothing_is_absent() {
        for content in ["", " ", "{}", "[]", "null", "<REDACTED>", "__REDACTED__"] {
            assert!(super::is_absent(content), "{content:?}");
        }
        assert!(!super::is_absent("hi"));
    }

    #[test]
    fn names_are_canonical() {
        assert_eq!(provider("openai.chat").as_deref(), Some("openai"));
        assert_eq!(provider("Anthropic").as_deref(), Some("anthropic"));
        assert_eq!(provider("langchain"), None);
        assert_eq!(provider("acme").as_deref(), Some("acme"));
        assert_eq!((finish_reason("end_turn"), finish_reason("odd")), ("stop", "odd"));
    }
}
