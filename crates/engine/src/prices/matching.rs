//! Which model of the table a span means: by the table's own conditions on names.

use regex::Regex;
use serde::Deserialize;

/// A condition on a name, as the table has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Regex(Pattern),
    Or(Vec<Self>),
    And(Vec<Self>),
}

/// A regular expression; one that cannot be read matches nothing.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub struct Pattern(Option<Regex>);

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self(Regex::new(&text).ok())
    }
}

impl Condition {
    pub fn holds(&self, name: &str) -> bool {
        match self {
            Self::Equals(text) => name == text,
            Self::StartsWith(text) => name.starts_with(text.as_str()),
            Self::EndsWith(text) => name.ends_with(text.as_str()),
            Self::Contains(text) => name.contains(text.as_str()),
            Self::Regex(pattern) => pattern.0.as_ref().is_some_and(|pattern| pattern.is_match(name)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(name)),
            Self::And(parts) => parts.iter().all(|part| part.holds(name)),
        }
    }
}

/// What a model may be called in the table: as it was sent, then with less and less of what gateways and clouds put
/// around a name.
pub fn spellings(model: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut add = |name: &str| {
        if !name.is_empty() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    };
    add(model);
    let lower = model.to_lowercase();
    add(&lower);
    // `ft:gpt-4o-2024-08-06:acme::id` is a tuned gpt-4o.
    let name =
        lower.strip_prefix("ft:").map_or(lower.as_str(), |rest| rest.split(':').next().unwrap_or(rest));
    let name = name.strip_prefix("models/").unwrap_or(name);
    add(name);
    // Gateways name the provider first, clouds the region: `openai/gpt-4o`, `us.anthropic.claude-…`.
    let name = name.rsplit('/').next().unwrap_or(name);
    add(name);
    let regions = ["us.", "eu.", "apac.", "global.", "us-gov."];
    let name = regions.iter().find_map(|region| name.strip_prefix(region)).unwrap_or(name);
    add(name);
    let vendors = ["anthropic.", "amazon.", "meta.", "mistral.", "cohere.", "ai21.", "openai.", "deepseek."];
    let name = vendors.iter().find_map(|vendor| name.strip_prefix(vendor)).unwrap_or(name);
    add(name);
    let name = name.split('@').next().unwrap_or(name);
    let name = name.split(':').next().unwrap_or(name);
    add(name);
    names
}

/// The table's provider for one of OpenTelemetry's; `None` where a model runs on one's own machine, which costs nothing
/// that anyone bills.
pub fn provider_id(provider: &str) -> Option<&str> {
    Some(match provider {
        "aws.bedrock" => "aws",
        "azure.ai.openai" | "azure.ai.inference" => "azure",
        "gcp.gemini" | "gcp.gen_ai" | "gcp.vertex_ai" => "google",
        "x_ai" => "x-ai",
        "mistral_ai" => "mistral",
        "moonshot_ai" => "moonshotai",
        "together_ai" => "together",
        "ollama" | "vllm" | "llama_cpp" | "llama.cpp" | "lmstudio" | "lm_studio" | "local" => return None,
        other => other,
    })
}
