//! `clew prices`: which prices are in force, and how a call's price comes about.

use crate::client::Client;
use crate::command_line::PricesCommand;
use crate::failure::Failure;
use crate::prices_file;
use crate::terminal::{Output, Style, harmless};
use engine::prices::{Price, Rate, Rates, VERSION, listed_models};
use model::Timestamp;
use serde_json::{Value, json};
use std::path::Path;

pub async fn run(command: PricesCommand, output: &Output) -> Result<(), Failure> {
    match command {
        PricesCommand::List { filter, file, json } => {
            list(filter.as_deref().unwrap_or_default(), file.as_deref(), json, output)
        }
        PricesCommand::Check { file } => {
            let own = prices_file::table(Some(&file))?.own;
            Ok(output.line(format!("{}: {} prices, no fault", file.display(), own.len()))?)
        }
        PricesCommand::Explain { trace_id, span_id, json, server } => {
            let client = Client::new(&server.address)?;
            let path = ["api", "v1", "traces", &trace_id, "run"];
            let run: Value = client.get(&path, &[]).await?;
            explain(&run, span_id.as_deref(), json, output)
        }
        PricesCommand::Import { file } => {
            let reading = |error| {
                Failure::from(anyhow::Error::from(error).context(format!("reading {}", file.display())))
            };
            let text = std::fs::read_to_string(&file).map_err(reading)?;
            Ok(output.line(prices_file::from_litellm(&text)?.trim_end())?)
        }
    }
}

fn list(filter: &str, file: Option<&Path>, as_json: bool, output: &Output) -> Result<(), Failure> {
    let own = prices_file::table(file)?.own.into_iter();
    let own = own.map(|own| Price { id: format!("own/{}", own.model), version: "own", rates: own.rates });
    let all = own.chain(listed_models(Timestamp::now()));
    let found: Vec<Price> = all.filter(|price| price.id.contains(filter)).collect();
    if as_json {
        let shown: Vec<Value> = found.iter().map(view).collect();
        return Ok(output.line(format!("{:#}", json!({"version": VERSION, "prices": shown})))?);
    }
    let head = format!("{:<56} {:>9} {:>9} {:>9} {:>9}", "model", "input", "output", "cached", "written");
    output.line(output.paint(Style::Bold, &head))?;
    for Price { id, rates, .. } in &found {
        let columns =
            [&rates.input_mtok, &rates.output_mtok, &rates.cache_read_mtok, &rates.cache_write_mtok];
        let columns: String = columns.map(|rate| format!(" {:>9}", short(rate.as_ref()))).concat();
        output.line(format!("{:<56}{columns}", harmless(id)))?;
    }
    Ok(output.line(format!("{} prices, US dollars for a million tokens; {VERSION}", found.len()))?)
}

fn short(rate: Option<&Rate>) -> String {
    match rate {
        None => "-".to_owned(),
        Some(Rate::Flat(dollars)) => dollars.to_string(),
        Some(Rate::Tiered { base, .. }) => format!("{base}+"),
    }
}

fn view(price: &Price) -> Value {
    let Rates { input_mtok, output_mtok, cache_read_mtok, cache_write_mtok, .. } = &price.rates;
    let of = |rate: &Option<Rate>| match rate {
        None => Value::Null,
        Some(Rate::Flat(dollars)) => json!(dollars),
        Some(Rate::Tiered { base, tiers }) => {
            let tiers: Vec<_> =
                tiers.iter().map(|tier| json!({"start": tier.start, "price": tier.price})).collect();
            json!({"base": base, "tiers": tiers})
        }
    };
    json!({
        "id": price.id,
        "version": price.version,
        "input_mtok": of(input_mtok),
        "output_mtok": of(output_mtok),
        "cache_read_mtok": of(cache_read_mtok),
        "cache_write_mtok": of(cache_write_mtok),
    })
}

fn explain(run: &Value, span: Option<&str>, as_json: bool, output: &Output) -> Result<(), Failure> {
    let calls: Vec<&Value> = run["calls"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|call| span.is_none_or(|span| call["spanId"] == span))
        .collect();
    if as_json {
        return Ok(output.line(format!("{:#}", json!({"calls": calls, "total": run["total"]})))?);
    }
    if calls.is_empty() {
        return Ok(output.line("no span here says what it used")?);
    }
    for call in calls {
        explain_call(call, output)?;
    }
    let total = &run["total"];
    output.line(format!("total {}", dollars(&total["cost"])))?;
    for model in total["unpricedModels"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        output.line(format!("no price is known of {}: add one with prices.file", harmless(model)))?;
    }
    Ok(())
}

fn explain_call(call: &Value, output: &Output) -> Result<(), Failure> {
    let text = |key: &str| harmless(call[key].as_str().unwrap_or("unknown"));
    let head = format!("span {}  {} of {}", text("spanId"), text("model"), text("provider"));
    output.line(output.paint(Style::Bold, &head))?;
    output.line(format!(
        "  {} input tokens ({} counting), of which {} cached, {} written to the cache; {} output tokens",
        text("inputTokens"),
        text("basis"),
        text("cachedTokens"),
        text("cacheWriteTokens"),
        text("outputTokens"),
    ))?;
    let bill = &call["computedCost"];
    for line in bill["lines"].as_array().into_iter().flatten() {
        let (class, tokens) =
            (line["class"].as_str().unwrap_or_default(), line["tokens"].as_str().unwrap_or_default());
        let rate = line["dollarsPerMillion"].as_f64().unwrap_or_default();
        output.line(format!(
            "  {class:<18}{tokens:>12} x {rate:>9} / million = {}",
            dollars(&line["dollars"])
        ))?;
    }
    match bill["price"].as_str() {
        Some(price) => {
            let version = bill["version"].as_str().unwrap_or_default();
            output.line(format!(
                "  computed {} by {} ({version})",
                dollars(&bill["dollars"]),
                harmless(price)
            ))?;
        }
        None => output.line("  computed: no price is known")?,
    }
    output.line(format!("  reported {}", dollars(&call["reportedCost"])))?;
    if let Some(reason) = call["notCountedBecause"].as_str() {
        output.line(format!("  not counted: {reason}"))?;
    }
    Ok(())
}

fn dollars(amount: &Value) -> String {
    amount.as_f64().map_or_else(|| "unknown".to_owned(), |dollars| format!("${dollars:.6}"))
}
