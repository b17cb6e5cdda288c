//! Prices as the table has them, and as they are to be counted.

use super::{Own, PriceTable, Rate, Rates};
use model::Timestamp;
use semconv::Usage;

fn cost(provider: Option<&str>, model: &str, usage: Usage, when: &str) -> Option<f64> {
    let when: jiff::Timestamp = when.parse().unwrap();
    let when = Timestamp(u64::try_from(when.as_nanosecond()).unwrap());
    let computed = PriceTable::default().cost(provider, model, &usage, when)?;
    Some((computed.dollars * 1e9).round() / 1e9)
}

fn usage(input: u64, output: u64) -> Usage {
    Usage { input, output, ..Usage::default() }
}

#[test]
fn the_table_is_read() {
    assert!(super::PROVIDERS.len() > 30 && super::listed_models(Timestamp(0)).count() > 1_000);
}

#[test]
fn models_are_found_by_whatever_name() {
    let check = |provider, model, dollars| {
        assert_eq!(cost(provider, model, usage(1_000_000, 0), "2026-08-01T12:00:00Z"), dollars, "{model}");
    };
    check(Some("openai"), "gpt-4o", Some(2.5));
    check(Some("openai"), "gpt-4o-2024-08-06", Some(2.5));
    // A tuned model costs more than the one it was made from.
    check(Some("openai"), "ft:gpt-4o-2024-08-06:acme::id", Some(3.75));
    check(None, "openai/gpt-4o", Some(2.5));
    check(None, "gpt-4o", Some(2.5));
    check(Some("azure.ai.openai"), "gpt-4o", Some(2.5));
    check(Some("anthropic"), "claude-3-7-sonnet-20250219", Some(3.0));
    check(Some("aws.bedrock"), "us.anthropic.claude-3-7-sonnet-20250219-v1:0", Some(3.0));
    check(Some("gcp.vertex_ai"), "claude-3-7-sonnet@20250219", Some(3.0));
    check(Some("acme-gateway"), "claude-3-7-sonnet-20250219", Some(3.0));
    // What nobody knows costs an unknown amount; what runs at home has no price.
    check(Some("openai"), "no-such-model", None);
    check(Some("ollama"), "gpt-oss:20b", None);
}

#[test]
fn cached_tokens_are_paid_as_cached() {
    let when = "2026-08-01T12:00:00Z";
    // 3 dollars a million, 0.3 for what is read from the cache, 3.75 for what is written.
    let used =
        Usage { input: 1_000_000, output: 0, cache_read: 900_000, cache_write: 50_000, ..Usage::default() };
    let expected = 0.05 * 3.0 + 0.9 * 0.3 + 0.05 * 3.75;
    assert_eq!(cost(Some("anthropic"), "claude-3-7-sonnet-latest", used, when), Some(expected));
}

#[test]
fn tiers_and_days() {
    let check = |input, when, dollars| {
        assert_eq!(
            cost(Some("anthropic"), "claude-opus-4-6", usage(input, 0), when),
            Some(dollars),
            "{input} {when}"
        );
    };
    check(100_000, "2026-03-01T00:00:00Z", 0.5);
    check(400_000, "2026-03-01T00:00:00Z", 4.0);
    check(400_000, "2026-04-01T00:00:00Z", 2.0);
    let night = |when, dollars| {
        assert_eq!(
            cost(Some("deepseek"), "deepseek-chat", usage(1_000_000, 0), when),
            Some(dollars),
            "{when}"
        );
    };
    night("2026-08-01T12:00:00Z", 0.27);
    night("2026-08-01T20:00:00Z", 0.135);
}

#[test]
fn own_prices_come_first() {
    let rates = Rates { input_mtok: Some(Rate::Flat(7.0)), ..Rates::default() };
    let own = Own { provider: None, model: "GPT-4*".to_owned(), rates };
    let table = PriceTable { own: vec![own] };
    let computed = table.cost(Some("openai"), "gpt-4o", &usage(1_000_000, 1), Timestamp(0)).unwrap();
    assert_eq!((computed.dollars, computed.price.version), (7.0, "own"));
}
