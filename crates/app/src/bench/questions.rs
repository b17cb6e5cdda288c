//! What users ask, put together from what is stored, so that any data can be asked about.

use crate::client::{Client, Fields, Search, Summary, Values};
use crate::demo::Random;
use crate::failure::Failure;
use std::collections::BTreeSet;

/// Keys that many values are likely under, the likeliest first: one value selects little.
const SELECTIVE: [&str; 5] =
    ["user.id", "gen_ai.conversation.id", "session.id", "gen_ai.tool.name", "http.route"];
/// At so many moments of the stored range it is looked which traces there are.
const MOMENTS: u64 = 20;
const TRACES_OF_A_MOMENT: u64 = 20;
/// A second back, two, four, ...: 2^31 seconds are further than telemetry goes.
const DOUBLINGS: u32 = 31;
const SECOND: u64 = 1_000_000_000;

/// One request, and what its answer must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub path: Vec<String>,
    pub parameters: Vec<(&'static str, String)>,
    pub expect: Expect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// The answer is JSON, which says whether it is complete.
    Traces,
    /// The answer is JSON; that there are more values than fit is no fault.
    Values,
    /// The answer is a skeleton.
    Skeleton,
    /// The server must not find anything.
    Missing,
}

/// Questions of one kind; each round asks the next one.
#[derive(Debug)]
pub struct Kind {
    pub name: String,
    pub questions: Vec<Question>,
}

/// What is stored, as far as questions need to know.
pub struct Stored {
    traces: Vec<Summary>,
    /// A key that has values, and some of them.
    attribute: Option<(String, Vec<String>)>,
}

impl Stored {
    pub async fn explore(api: &Client) -> Result<Self, Failure> {
        let traces = traces(api).await?;
        if traces.is_empty() {
            return Err(Failure::NotFound(
                "nothing is stored to ask about; `clew bench ingest` sends something".to_owned(),
            ));
        }
        Ok(Self { traces, attribute: attribute(api).await? })
    }

    /// All kinds of questions, each with as many different ones as there are, up to `rounds`.
    pub fn kinds(&self, rounds: usize, seed: u64) -> Vec<Kind> {
        let random = &mut Random::new(seed);
        let known = (0..rounds)
            .filter_map(|_| self.any(random))
            .map(|trace| skeleton(&trace.trace_id, Expect::Skeleton));
        let known = known.collect();
        let missing = (0..rounds)
            .map(|_| skeleton(&format!("{:032x}", u128::from_be_bytes(random.id())), Expect::Missing));
        let missing = missing.collect();
        let services: BTreeSet<&str> = self.traces.iter().map(|trace| trace.root_service.as_str()).collect();
        let services = services
            .iter()
            .take(rounds)
            .map(|service| search(&format!("service:={}", quoted(service))))
            .collect();
        let mut kinds = vec![
            Kind::new("a trace by its id", known),
            Kind::new("a trace that is not there", missing),
            Kind::new("the newest 20", vec![search("")]),
            Kind::new("a service", services),
            Kind::new("status:error", vec![search("status:error")]),
            Kind::new("kind:llm", vec![search("kind:llm")]),
            Kind::new("duration:>1s", vec![search("duration:>1s")]),
        ];
        if let Some((key, values)) = &self.attribute {
            let equal = |value: &String| search(&format!("{}:={}", quoted(key), quoted(value)));
            kinds.push(Kind::new(format!("{key}:=…"), values.iter().take(rounds).map(equal).collect()));
            let nobody = vec![search(&format!("{}:=nobody-has-this", quoted(key)))];
            kinds.push(Kind::new(format!("{key}:= what nobody has"), nobody));
            let words = values.iter().take(rounds).map(|value| search(&quoted(value))).collect();
            kinds.push(Kind::new("words of such a value, anywhere", words));
        }
        kinds.push(Kind::new("a word that nobody wrote", vec![search("zqxjkvwv")]));
        kinds.push(Kind::new("durations by operation", vec![operations("")]));
        kinds.push(Kind::new("durations by operation, errors", vec![operations("status:error")]));
        kinds.push(Kind::new("values of service.name", vec![values_of("service.name")]));
        kinds.retain(|kind| !kind.questions.is_empty());
        kinds
    }

    fn any(&self, random: &mut Random) -> Option<&Summary> {
        let place = random.between(0, self.traces.len().max(1) as u64);
        self.traces.get(usize::try_from(place).ok()?)
    }
}

impl Kind {
    fn new(name: impl Into<String>, questions: Vec<Question>) -> Self {
        Self { name: name.into(), questions }
    }
}

/// Traces from all over the stored range, not only the newest, which a server has at hand.
async fn traces(api: &Client) -> Result<Vec<Summary>, Failure> {
    let mut found = before(api, None).await?;
    let Some(newest) = found.iter().map(|trace| trace.start).max() else { return Ok(found) };
    let mut oldest = newest;
    for doubling in 0..DOUBLINGS {
        let to = newest.saturating_sub(SECOND << doubling);
        let earlier = before(api, Some(to)).await?;
        let Some(start) = earlier.iter().map(|trace| trace.start).min() else { break };
        oldest = oldest.min(start);
        found.extend(earlier);
    }
    for moment in 1..MOMENTS {
        let to = oldest + (newest - oldest) / MOMENTS * moment;
        found.extend(before(api, Some(to)).await?);
    }
    found.sort_by(|left, right| left.trace_id.cmp(&right.trace_id));
    found.dedup_by(|left, right| left.trace_id == right.trace_id);
    Ok(found)
}

async fn before(api: &Client, to: Option<u64>) -> Result<Vec<Summary>, Failure> {
    let mut parameters = vec![("limit", TRACES_OF_A_MOMENT.to_string())];
    parameters.extend(to.map(|to| ("to", to.to_string())));
    let found: Search = api.get(&["api", "v1", "traces"], &parameters).await?;
    Ok(found.traces)
}

async fn attribute(api: &Client) -> Result<Option<(String, Vec<String>)>, Failure> {
    let fields: Fields = api.get(&["api", "v1", "fields"], &[]).await?;
    let stored: BTreeSet<String> = fields.fields.into_iter().map(|field| field.key).collect();
    for key in SELECTIVE.into_iter().filter(|key| stored.contains(*key)) {
        let limit = [("limit", "50".to_owned())];
        let values: Values = api.get(&["api", "v1", "fields", key, "values"], &limit).await?;
        let values: Vec<String> = values.values.into_iter().map(|value| value.value).collect();
        if !values.is_empty() {
            return Ok(Some((key.to_owned(), values)));
        }
    }
    Ok(None)
}

fn path(parts: &[&str]) -> Vec<String> {
    ["api", "v1"].iter().chain(parts).map(|part| (*part).to_owned()).collect()
}

fn skeleton(trace: &str, expect: Expect) -> Question {
    Question { path: path(&["traces", trace, "skeleton"]), parameters: Vec::new(), expect }
}

fn search(query: &str) -> Question {
    let parameters = vec![("q", query.to_owned()), ("limit", "20".to_owned())];
    Question { path: path(&["traces"]), parameters, expect: Expect::Traces }
}

fn operations(query: &str) -> Question {
    let parameters = vec![("q", query.to_owned())];
    Question { path: path(&["operations"]), parameters, expect: Expect::Values }
}

fn values_of(key: &str) -> Question {
    Question { path: path(&["fields", key, "values"]), parameters: Vec::new(), expect: Expect::Values }
}

/// As the query language reads it back, whatever is in it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::{Expect, Stored, quoted};
    use crate::client::Search;

    fn stored(attribute: Option<(&str, &[&str])>) -> Stored {
        let found: Search = serde_json::from_value(serde_json::json!({
            "complete": true, "incompleteReason": null,
            "traces": [{"traceId": "0123456789abcdef0123456789abcdef", "rootName": "run", "rootService": "a \"b\"",
                "rootKind": "http", "start": "5", "duration": "3", "spans": 2, "errors": 0, "inputTokens": "0",
                "outputTokens": "0", "cost": null, "running": false, "orphans": 0}],
        }))
        .unwrap();
        let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let attribute = attribute.map(|(key, values)| (key.to_owned(), texts(values)));
        Stored { traces: found.traces, attribute }
    }

    #[test]
    fn questions_are_about_what_is_stored() {
        let kinds = stored(Some(("user.id", &["u1", "u2", "u3"]))).kinds(2, 1);
        let of = |name: &str| &kinds.iter().find(|kind| kind.name == name).unwrap().questions;
        assert_eq!(of("a trace by its id").len(), 2);
        assert!(of("a trace by its id").iter().all(|asked| asked.expect == Expect::Skeleton));
        assert!(of("a trace that is not there").iter().all(|asked| asked.expect == Expect::Missing));
        assert_eq!(of("a service")[0].parameters[0].1, r#"service:="a \"b\"""#);
        let users: Vec<_> = of("user.id:=…").iter().map(|asked| asked.parameters[0].1.as_str()).collect();
        assert_eq!(users, [r#""user.id":="u1""#, r#""user.id":="u2""#]);
        assert!(kinds.iter().all(|kind| !kind.questions.is_empty()));
    }

    #[test]
    fn every_search_can_be_parsed_and_the_seed_decides() {
        let kinds = |seed| stored(Some(("a:b", &[r"c\d"]))).kinds(3, seed);
        for question in kinds(1).iter().flat_map(|kind| &kind.questions) {
            for (_, text) in question.parameters.iter().filter(|(name, _)| *name == "q") {
                assert!(query::filter::parse(text).is_ok(), "{text}");
            }
        }
        let missing = |seed| kinds(seed)[1].questions.clone();
        assert_eq!(missing(1), missing(1));
        assert_ne!(missing(1), missing(2));
        assert!(stored(None).kinds(1, 1).iter().all(|kind| !kind.name.contains(":=")));
        assert_eq!(quoted("plain"), "\"plain\"");
    }
}
