//! What a call costs, class of tokens by class.

use semconv::Usage;
use serde::Deserialize;

/// US dollars for a million tokens.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Rate {
    Flat(f64),
    /// Whoever sends more input tokens than a tier's start pays its price for all tokens.
    Tiered {
        base: f64,
        tiers: Vec<Tier>,
    },
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Tier {
    pub start: u64,
    pub price: f64,
}

impl Rate {
    fn at(&self, input: u64) -> f64 {
        match self {
            Self::Flat(price) => *price,
            Self::Tiered { base, tiers } => {
                let reached = tiers.iter().filter(|tier| input > tier.start);
                reached.max_by_key(|tier| tier.start).map_or(*base, |tier| tier.price)
            }
        }
    }
}

/// The rates of a model. A class without a rate costs what the class that it is a part of does.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Rates {
    pub input_mtok: Option<Rate>,
    pub output_mtok: Option<Rate>,
    pub cache_read_mtok: Option<Rate>,
    pub cache_write_mtok: Option<Rate>,
    pub input_audio_mtok: Option<Rate>,
    pub output_audio_mtok: Option<Rate>,
    pub output_reasoning_mtok: Option<Rate>,
    /// Dollars for a thousand requests.
    pub requests_kcount: Option<f64>,
}

/// One line of a bill.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Such as `cache_read`.
    pub class: &'static str,
    pub tokens: u64,
    /// Dollars for a million.
    pub rate: f64,
    pub dollars: f64,
}

/// What a usage costs at these rates, line by line.
#[expect(clippy::cast_precision_loss, reason = "tokens are far below 2^53")]
pub fn bill(rates: &Rates, usage: &Usage) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = |class, tokens: u64, rate: Option<&Rate>| {
        let Some(rate) = rate.map(|rate| rate.at(usage.input)).filter(|_| tokens > 0) else { return };
        lines.push(Line { class, tokens, rate, dollars: tokens as f64 * rate / 1e6 });
    };
    // Parts are taken out of the total where they have a rate of their own, so that no token is paid twice.
    let mut part = |class, tokens: u64, left: &mut u64, rate: Option<&Rate>| {
        let tokens = tokens.min(*left);
        if rate.is_some() {
            *left -= tokens;
            line(class, tokens, rate);
        }
    };
    let (mut input, mut output) = (usage.input, usage.output);
    part("cache_read", usage.cache_read, &mut input, rates.cache_read_mtok.as_ref());
    part("cache_write", usage.cache_write, &mut input, rates.cache_write_mtok.as_ref());
    part("input_audio", usage.audio_input, &mut input, rates.input_audio_mtok.as_ref());
    part("output_audio", usage.audio_output, &mut output, rates.output_audio_mtok.as_ref());
    part("output_reasoning", usage.reasoning, &mut output, rates.output_reasoning_mtok.as_ref());
    line("input", input, rates.input_mtok.as_ref());
    line("output", output, rates.output_mtok.as_ref());
    if let Some(rate) = rates.requests_kcount {
        lines.push(Line { class: "requests", tokens: 1, rate: rate * 1_000.0, dollars: rate / 1_000.0 });
    }
    lines
}
