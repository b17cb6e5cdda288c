//! The YAML file as a flat list of keys and values, with the line of each.

use super::{Error, TABLE};
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use std::path::{Path, PathBuf};

/// A key and value of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub value: String,
    pub line: usize,
}

/// Reads the file; keys are not checked yet.
pub fn read(path: &Path) -> Result<Vec<Entry>, Error> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    parse(path, &text)
}

/// Flattens `otlp: {grpc-address: x}` to `otlp.grpc-address`.
pub fn parse(path: &Path, text: &str) -> Result<Vec<Entry>, Error> {
    let documents = MarkedYaml::load_from_str(text)
        .map_err(|error| Error::Syntax { path: path.to_owned(), detail: error.to_string() })?;
    let mut flat = Flat { path: path.to_owned(), entries: Vec::new() };
    if let Some(extra) = documents.get(1) {
        return Err(flat.wrong(extra, "a second document; the configuration is one document"));
    }
    if let Some(document) = documents.first() {
        flat.add("", document)?;
    }
    Ok(flat.entries)
}

struct Flat {
    path: PathBuf,
    entries: Vec<Entry>,
}

impl Flat {
    fn add(&mut self, prefix: &str, node: &MarkedYaml<'_>) -> Result<(), Error> {
        let YamlData::Mapping(mapping) = &node.data else {
            return self.add_leaf(prefix, node);
        };
        for (key, value) in mapping {
            let Some(name) = key.data.as_str() else {
                return Err(self.wrong(key, "a key that is not text"));
            };
            let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
            self.add(&path, value)?;
        }
        Ok(())
    }

    fn add_leaf(&mut self, key: &str, node: &MarkedYaml<'_>) -> Result<(), Error> {
        let value = match &node.data {
            // `otlp:` with all its keys commented out is the same as no `otlp:`.
            YamlData::Value(Scalar::Null) => return Ok(()),
            YamlData::Sequence(items) => {
                let texts: Option<Vec<String>> = items.iter().map(|item| scalar(&item.data)).collect();
                let join = TABLE.iter().find(|known| known.name == key).and_then(|known| known.join);
                texts.map(|texts| join.map_or_else(|| texts.join(","), |join| join(&texts)))
            }
            data => scalar(data),
        };
        match value {
            Some(_) if key.is_empty() => Err(self.wrong(node, "expected keys and values, such as `otlp:`")),
            Some(value) => {
                self.entries.push(Entry { key: key.to_owned(), value, line: node.span.start.line() });
                Ok(())
            }
            None => Err(self
                .wrong(node, &format!("the value of `{key}` is neither a plain value nor a list of them"))),
        }
    }

    fn wrong(&self, node: &MarkedYaml<'_>, what: &str) -> Error {
        Error::Shape { path: self.path.clone(), line: node.span.start.line(), what: what.to_owned() }
    }
}

fn scalar<'a>(data: &YamlData<'a, MarkedYaml<'a>>) -> Option<String> {
    match data {
        YamlData::Value(Scalar::String(text)) => Some(text.to_string()),
        YamlData::Value(Scalar::Integer(number)) => Some(number.to_string()),
        YamlData::Value(Scalar::FloatingPoint(number)) => Some(number.to_string()),
        YamlData::Value(Scalar::Boolean(truth)) => Some(truth.to_string()),
        YamlData::Representation(text, ..) => Some(text.to_string()),
        _ => None,
    }
}
