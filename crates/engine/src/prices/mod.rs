//! What calls of models cost, by a table of prices that is part of the binary, and by prices of the user's own.
//!
//! A model that is in neither costs an unknown amount, which is told as such and never as nothing.

mod matching;
mod price;

pub use price::{Line, Rate, Rates, Tier};

use matching::{Condition, provider_id, spellings};
use model::Timestamp;
use semconv::Usage;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

/// The version of the table: the day it was taken.
pub const VERSION: &str = "genai-prices 2026-08-21";

const TABLE: &str = include_str!("../../data/prices.json");

static PROVIDERS: LazyLock<Vec<Provider>> = LazyLock::new(|| serde_json::from_str(TABLE).unwrap_or_default());

#[derive(Debug, Deserialize)]
struct Provider {
    id: String,
    provider_match: Option<Condition>,
    model_match: Option<Condition>,
    #[serde(default)]
    fallback_model_providers: Vec<String>,
    models: Vec<Model>,
}

#[derive(Debug, Deserialize)]
struct Model {
    id: String,
    #[serde(rename = "match")]
    condition: Condition,
    prices: Prices,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Prices {
    /// The last whose constraint holds counts.
    Several(Vec<Constrained>),
    Always(Box<Rates>),
}

#[derive(Debug, Deserialize)]
struct Constrained {
    constraint: Option<Constraint>,
    prices: Rates,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Constraint {
    /// From this day on.
    Since { start_date: jiff::civil::Date },
    /// Each day between these times, UTC.
    Daily { start_time: String, end_time: String },
}

impl Constraint {
    fn holds(&self, when: Timestamp) -> bool {
        let Ok(when) = jiff::Timestamp::from_nanosecond(when.0.into()) else { return false };
        let when = when.to_zoned(jiff::tz::TimeZone::UTC);
        match self {
            Self::Since { start_date } => when.date() >= *start_date,
            Self::Daily { start_time, end_time } => {
                let time = |text: &str| text.trim_end_matches('Z').parse::<jiff::civil::Time>().ok();
                let (Some(start), Some(end)) = (time(start_time), time(end_time)) else { return false };
                let now = when.time();
                if start <= end { (start..end).contains(&now) } else { now >= start || now < end }
            }
        }
    }
}

/// A price of the user's own, as files have it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Own {
    /// Whose model, as OpenTelemetry names providers; `None` for anyone's.
    pub provider: Option<String>,
    /// Its name; a `*` stands for any text.
    pub model: String,
    #[serde(flatten)]
    pub rates: Rates,
}

/// The prices in force.
#[derive(Debug, Clone, Default)]
pub struct PriceTable {
    /// Before the table's; the first that fits counts.
    pub own: Vec<Own>,
}

/// Where a price comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// Such as `openai/gpt-4o`, or `own/…`.
    pub id: String,
    /// Of the table, or `own`.
    pub version: &'static str,
    pub rates: Rates,
}

/// What a call costs by the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Computed {
    pub dollars: f64,
    pub price: Price,
    pub lines: Vec<Line>,
}

impl PriceTable {
    /// The price of a model at a moment; `None` when it is not known.
    #[must_use]
    pub fn find(&self, provider: Option<&str>, model: &str, when: Timestamp) -> Option<Price> {
        self.own_price(provider, model).or_else(|| listed(provider, model, when))
    }

    /// What a usage of a model costs; `None` when its price is not known.
    #[must_use]
    pub fn cost(
        &self,
        provider: Option<&str>,
        model: &str,
        usage: &Usage,
        when: Timestamp,
    ) -> Option<Computed> {
        let price = self.find(provider, model, when)?;
        let lines = price::bill(&price.rates, usage);
        Some(Computed { dollars: lines.iter().map(|line| line.dollars).sum(), price, lines })
    }

    fn own_price(&self, provider: Option<&str>, model: &str) -> Option<Price> {
        let fits = |own: &&Own| {
            own.provider.as_deref().is_none_or(|wanted| Some(wanted) == provider)
                && crate::test::glob(&model.to_lowercase(), &own.model.to_lowercase())
        };
        let own = self.own.iter().find(fits)?;
        Some(Price { id: format!("own/{}", own.model), version: "own", rates: own.rates.clone() })
    }
}

/// All models of the table, as `provider/model`, with their rates now.
pub fn listed_models(when: Timestamp) -> impl Iterator<Item = Price> {
    PROVIDERS.iter().flat_map(move |provider| {
        provider.models.iter().filter_map(move |model| priced(provider, model, when))
    })
}

/// By provider and model, as they were sent; `None` for what the table does not have.
type Found = HashMap<(String, String), Option<Entry>>;

/// A model of the table.
type Entry = (&'static Provider, &'static Model);

/// What names were found to mean: a store has few models, and many calls of each.
static FOUND: LazyLock<RwLock<Found>> = LazyLock::new(RwLock::default);

/// Names come from senders; when there are more, finding begins anew.
const MOST_FOUND: usize = 10_000;

fn listed(provider: Option<&str>, model: &str, when: Timestamp) -> Option<Price> {
    let key = (provider.unwrap_or_default().to_owned(), model.to_owned());
    let known = FOUND.read().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
    let entry = known.unwrap_or_else(|| {
        let entry = look_up(provider, model);
        let mut found = FOUND.write().unwrap_or_else(PoisonError::into_inner);
        if found.len() >= MOST_FOUND {
            found.clear();
        }
        found.insert(key, entry);
        entry
    });
    let (provider, model) = entry?;
    priced(provider, model, when)
}

fn look_up(provider: Option<&str>, model: &str) -> Option<Entry> {
    let names = spellings(model);
    let named = match provider {
        Some(provider) => Some(provider_id(provider)?),
        None => None,
    };
    let by_name = named.and_then(|named| {
        let is_it = |provider: &&Provider| {
            provider.id == named || provider.provider_match.as_ref().is_some_and(|known| known.holds(named))
        };
        PROVIDERS.iter().find(|provider| provider.id == named).or_else(|| PROVIDERS.iter().find(is_it))
    });
    // Gateways sell the models of others: then the model's own provider has a price.
    let by_model = || {
        let knows = |provider: &&Provider| {
            let known = provider.model_match.as_ref();
            known.is_some_and(|known| names.iter().any(|name| known.holds(name)))
        };
        PROVIDERS.iter().filter(knows)
    };
    let fallbacks = by_name.iter().flat_map(|provider| &provider.fallback_model_providers);
    let fallbacks = fallbacks.filter_map(|id| PROVIDERS.iter().find(|provider| provider.id == *id));
    by_name.into_iter().chain(fallbacks).chain(by_model()).find_map(|provider| {
        let fits = |name: &String| provider.models.iter().find(|model| model.condition.holds(name));
        Some((provider, names.iter().find_map(fits)?))
    })
}

fn priced(provider: &Provider, model: &Model, when: Timestamp) -> Option<Price> {
    let rates = match &model.prices {
        Prices::Always(rates) => rates.as_ref().clone(),
        Prices::Several(several) => {
            let holds =
                |one: &&Constrained| one.constraint.as_ref().is_none_or(|constraint| constraint.holds(when));
            several.iter().rev().find(holds)?.prices.clone()
        }
    };
    Some(Price { id: format!("{}/{}", provider.id, model.id), version: VERSION, rates })
}

#[cfg(test)]
mod tests;
