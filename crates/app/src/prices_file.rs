//! Reads prices of the user's own, from YAML, and from `LiteLLM`'s file.

use anyhow::{Context, bail};
use engine::prices::{Own, PriceTable};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};
use std::path::Path;

/// What an entry may say besides `model` and `provider`, in US dollars for a million tokens.
pub const RATES: [&str; 8] = [
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "input_audio_mtok",
    "output_audio_mtok",
    "output_reasoning_mtok",
    "requests_kcount",
];

/// The prices in force: those that are built in and, before them, those of a file.
pub fn table(file: Option<&Path>) -> anyhow::Result<PriceTable> {
    let Some(file) = file else { return Ok(PriceTable::default()) };
    let reading = || format!("reading the prices of {}", file.display());
    let text = std::fs::read_to_string(file).with_context(reading)?;
    Ok(PriceTable { own: parse(&text).with_context(reading)? })
}

/// A list of entries, each with a `model`.
pub fn parse(text: &str) -> anyhow::Result<Vec<Own>> {
    let documents = Yaml::load_from_str(text)?;
    let Some(document) = documents.first() else { return Ok(Vec::new()) };
    let Value::Array(entries) = json_of(document) else {
        bail!("expected a list: `- model: my-model`, with rates such as `input_mtok: 1.5` below it");
    };
    let number = entries.into_iter().zip(1..);
    number.map(|(entry, number)| own(entry).with_context(|| format!("entry {number}"))).collect()
}

fn own(entry: Value) -> anyhow::Result<Own> {
    for key in entry.as_object().into_iter().flat_map(Map::keys) {
        if !["model", "provider"].contains(&key.as_str()) && !RATES.contains(&key.as_str()) {
            bail!("`{key}` is unknown; expected model, provider, or one of {}", RATES.join(", "));
        }
    }
    let own: Own = serde_json::from_value(entry)?;
    if own.rates == engine::prices::Rates::default() {
        bail!("`{}` has no rate; expected one of {}", own.model, RATES.join(", "));
    }
    Ok(own)
}

fn json_of(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(value)) => json!(value),
        Yaml::Sequence(items) => items.iter().map(json_of).collect(),
        Yaml::Mapping(fields) => {
            let field =
                |(key, value): (&Yaml<'_>, &Yaml<'_>)| Some((key.as_str()?.to_owned(), json_of(value)));
            Value::Object(fields.iter().filter_map(field).collect())
        }
        _ => Value::Null,
    }
}

/// `LiteLLM`'s file, which has dollars for one token, as YAML of ours.
pub fn from_litellm(text: &str) -> anyhow::Result<String> {
    let names = [
        ("input_cost_per_token", "input_mtok"),
        ("output_cost_per_token", "output_mtok"),
        ("cache_read_input_token_cost", "cache_read_mtok"),
        ("cache_creation_input_token_cost", "cache_write_mtok"),
        ("input_cost_per_audio_token", "input_audio_mtok"),
        ("output_cost_per_audio_token", "output_audio_mtok"),
        ("output_cost_per_reasoning_token", "output_reasoning_mtok"),
    ];
    let models: Map<String, Value> =
        serde_json::from_str(text).context("expected LiteLLM's JSON: an object of models")?;
    let mut yaml = String::new();
    for (model, prices) in models.iter().filter(|(model, _)| *model != "sample_spec") {
        let rate = |(theirs, ours): &(&str, &str)| {
            let dollars = prices.get(*theirs)?.as_f64()? * 1e6;
            // Dollars for a token have digits that are none: 0.30000000000000004.
            Some(format!("  {ours}: {}\n", (dollars * 1e9).round() / 1e9))
        };
        let rates: String = names.iter().filter_map(rate).collect();
        if !rates.is_empty() {
            yaml += &format!("- model: {}\n{rates}", json!(model));
        }
    }
    Ok(yaml)
}

#[cfg(test)]
mod tests {
    use super::{from_litellm, parse};
    use engine::prices::Rate;

    #[test]
    fn entries() {
        let own = parse("- model: mine*\n  provider: acme\n  input_mtok: 1.5\n  output_mtok: 6\n").unwrap();
        assert_eq!((own[0].model.as_str(), own[0].provider.as_deref()), ("mine*", Some("acme")));
        assert_eq!(own[0].rates.output_mtok, Some(Rate::Flat(6.0)));
        let tiered = "- model: m\n  input_mtok: {base: 1, tiers: [{start: 1000, price: 2}]}\n";
        assert!(matches!(parse(tiered).unwrap()[0].rates.input_mtok, Some(Rate::Tiered { .. })));
        let check = |text: &str, expect: &str| {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(expect), "{error}");
        };
        check("model: x", "expected a list");
        check("- model: x", "`x` has no rate");
        check("- model: x\n  inptu_mtok: 3", "`inptu_mtok` is unknown");
        check("- input_mtok: 3", "model");
    }

    #[test]
    fn litellm() {
        let theirs = r#"{"sample_spec": {}, "acme/m1": {"input_cost_per_token": 3e-07, "output_cost_per_token": 1.2e-06}}"#;
        let yaml = from_litellm(theirs).unwrap();
        assert_eq!(yaml, "- model: \"acme/m1\"\n  input_mtok: 0.3\n  output_mtok: 1.2\n");
        assert_eq!(parse(&yaml).unwrap().len(), 1);
    }
}
