//! What a workflow is: nodes and edges, read from `workflows/*.json` and checked once.

use crate::error::Error;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Where every workflow begins; not a node.
pub const START: &str = "start";

/// A checked workflow: every edge leads from a node, or the start, to a node.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workflow {
    pub name: String,
    pub version: String,
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
}

/// What is done at one place of a workflow.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    pub id: String,
    pub name: String,
    pub kind: Kind,
    /// What of the run's context goes into the node: `ctx.bag`, `ctx.risk` ...
    #[serde(default = "whole_bag")]
    pub expression: String,
    pub tool: Option<String>,
    pub model: Option<String>,
    pub tier: Option<String>,
    /// For a branch: the value of the expression, and the node that it leads to.
    #[serde(default)]
    pub cases: BTreeMap<String, String>,
    pub otherwise: Option<String>,
    #[serde(default = "three")]
    pub max_attempts: u32,
    #[serde(default = "some_milliseconds")]
    pub backoff_ms: u64,
    /// What its author wants to see on its spans.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Kinds of node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Passes its input on, through a tool if it names one.
    Task,
    /// Asks a model.
    Agent,
    /// Calls a tool.
    Tool,
    /// Waits for a person.
    Human,
    /// Chooses the next node.
    Branch,
}

/// A way from one node to another, and the policies that guard it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    pub from: String,
    pub to: String,
    #[serde(default)]
    pub policies: Vec<String>,
}

fn whole_bag() -> String {
    "ctx.bag".to_owned()
}

fn three() -> u32 {
    3
}

fn some_milliseconds() -> u64 {
    50
}

/// All workflows of a folder.
#[derive(Debug, Default)]
pub struct Workflows(BTreeMap<String, Arc<Workflow>>);

impl Workflows {
    /// Reads and checks every `*.json` of a folder.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let mut workflows = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(|source| Error::file(folder, source))? {
            let path = entry.map_err(|source| Error::file(folder, source))?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let workflow: Workflow = crate::settings::read_json(&path)?;
                workflow.check().map_err(|what| Error::Workflow { path, what })?;
                workflows.insert(workflow.name.clone(), Arc::new(workflow));
            }
        }
        Ok(Self(workflows))
    }

    /// The workflow of this name.
    pub fn get(&self, name: &str) -> Result<Arc<Workflow>, Error> {
        self.0.get(name).cloned().ok_or_else(|| Error::UnknownWorkflow { name: name.to_owned() })
    }
}

impl Workflow {
    fn check(&self) -> Result<(), String> {
        for edge in &self.edges {
            if edge.from != START && self.node(&edge.from).is_none() {
                return Err(format!("an edge comes from `{}`, which is no node", edge.from));
            }
            if self.node(&edge.to).is_none() {
                return Err(format!("an edge leads to `{}`, which is no node", edge.to));
            }
        }
        if self.edge_from(START).is_none() {
            return Err("no edge leaves the start".to_owned());
        }
        self.goes_on(START, &mut Vec::new())?;
        self.nodes.iter().try_for_each(|node| node.check(self))
    }

    /// A run that comes by the same node twice might never end.
    fn goes_on<'a>(&'a self, from: &'a str, passed: &mut Vec<&'a str>) -> Result<(), String> {
        if passed.contains(&from) {
            return Err(format!("its edges lead from `{from}` back to `{from}`"));
        }
        passed.push(from);
        for edge in self.edges.iter().filter(|edge| edge.from == from) {
            self.goes_on(&edge.to, passed)?;
        }
        passed.pop();
        Ok(())
    }

    /// The node of this id.
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The first edge that leaves a node.
    pub fn edge_from(&self, node: &str) -> Option<&Edge> {
        self.edges.iter().find(|edge| edge.from == node)
    }

    /// The edge between two nodes.
    pub fn edge(&self, from: &str, to: &str) -> Option<&Edge> {
        self.edges.iter().find(|edge| edge.from == from && edge.to == to)
    }
}

impl Node {
    fn check(&self, workflow: &Workflow) -> Result<(), String> {
        let lacks = |what: &str| Err(format!("node `{}` needs {what}", self.id));
        match self.kind {
            Kind::Tool if self.tool.is_none() => lacks("a `tool`"),
            Kind::Agent if self.model.is_none() => lacks("a `model`"),
            Kind::Branch if self.cases.is_empty() => lacks("`cases`"),
            _ if self.max_attempts == 0 => lacks("`max_attempts` of at least 1"),
            _ => {
                let mut targets = self.cases.values().chain(&self.otherwise);
                match targets.find(|target| workflow.edge(&self.id, target).is_none()) {
                    Some(target) => lacks(&format!("an edge to `{target}`")),
                    None => Ok(()),
                }
            }
        }
    }

    /// Where a branch leads with this value.
    pub fn branch(&self, value: &Value) -> Option<&str> {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.cases.get(&text).or(self.otherwise.as_ref()).map(String::as_str)
    }
}

impl Kind {
    /// As it is called in attributes and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Agent => "agent",
            Self::Tool => "tool",
            Self::Human => "human",
            Self::Branch => "branch",
        }
    }
}

/// What an expression like `ctx.bag.text` finds in a run's context; null where there is nothing.
pub fn evaluate(expression: &str, context: &Value) -> Value {
    let path = expression.strip_prefix("ctx").unwrap_or(expression);
    let mut found = context;
    for key in path.split('.').filter(|key| !key.is_empty()) {
        found = found.get(key).unwrap_or(&Value::Null);
    }
    found.clone()
}

#[cfg(test)]
mod tests {
    use super::{Workflow, evaluate};
    use serde_json::{Value, json};

    #[test]
    fn expressions_find_their_way() {
        let context = json!({"risk": "high", "bag": {"text": "hello"}});
        let check = |expression, expect: Value| assert_eq!(evaluate(expression, &context), expect);
        check("ctx.bag.text", json!("hello"));
        check("ctx.bag", json!({"text": "hello"}));
        check("ctx.risk", json!("high"));
        check("ctx.none.at.all", Value::Null);
    }

    #[test]
    fn what_is_wrong_with_a_workflow_is_said() {
        let check = |nodes: Value, edges: Value, expect: &str| {
            let raw = json!({"name": "w", "version": "1", "nodes": nodes, "edges": edges});
            let workflow: Workflow = serde_json::from_value(raw).unwrap();
            assert_eq!(workflow.check().err().unwrap_or_default(), expect);
        };
        let task = json!({"id": "a", "name": "a", "kind": "task"});
        let start = json!({"from": "start", "to": "a"});
        check(json!([task]), json!([start]), "");
        check(json!([task]), json!([]), "no edge leaves the start");
        check(json!([task]), json!([{"from": "start", "to": "b"}]), "an edge leads to `b`, which is no node");
        check(json!([{"id": "a", "name": "a", "kind": "tool"}]), json!([start]), "node `a` needs a `tool`");
        let circle = json!([start, {"from": "a", "to": "a"}]);
        check(json!([task]), circle, "its edges lead from `a` back to `a`");
        let branch = json!({"id": "a", "name": "a", "kind": "branch", "cases": {"x": "a"}});
        check(json!([branch]), json!([start]), "node `a` needs an edge to `a`");
    }
}
