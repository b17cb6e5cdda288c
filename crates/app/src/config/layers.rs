//! Puts the layers together: flag before environment variable before file before default, each value with its origin.

use super::table::{TABLE, nearest};
use super::{Config, Error, Flags, file};
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Variable(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File { path, line } => write!(formatter, "{}:{line}", path.display()),
            Self::Variable(name) => formatter.write_str(name),
            Self::Flag(name) => write!(formatter, "--{name}"),
        }
    }
}

/// The environment variables that matter, read once.
#[derive(Debug, Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The environment of this process. Values that are not text count as not set.
    pub fn of_process() -> Self {
        Self::of(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().collect())
    }

    /// Whether the variable is set to something.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn data_home(&self) -> PathBuf {
        let home = || PathBuf::from(self.get("HOME").unwrap_or(".")).join(".local/share");
        self.get("XDG_DATA_HOME").map_or_else(home, PathBuf::from)
    }

    /// Variables that look like settings but are none. Not errors: Kubernetes sets `CLEW_QUERY_PORT` and the like itself.
    fn unknown(&self) -> Vec<String> {
        let known: Vec<String> = TABLE.iter().map(super::Key::variable).collect();
        let sections = ["CLEW_OTLP_", "CLEW_STORAGE_", "CLEW_SAMPLING_", "CLEW_LIMITS_", "CLEW_LOG_"];
        let mut unknown: Vec<String> = (self.0.keys())
            .filter(|name| sections.iter().any(|section| name.starts_with(section)) && !known.contains(name))
            .map(|name| {
                let near = known.iter().min_by_key(|known| strsim::damerau_levenshtein(known, name));
                format!("{name} is not a setting; did you mean {}?", near.map_or("", String::as_str))
            })
            .collect();
        unknown.sort();
        unknown
    }
}

/// The configuration in force, and where each value came from.
#[derive(Debug, Clone)]
pub struct Effective {
    pub config: Config,
    /// One for each row of the table, in its order.
    pub origins: Vec<Origin>,
    pub warnings: Vec<String>,
}

impl Effective {
    /// Loads what the flags, the environment and the file they name say.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, Error> {
        let entries = flags.file.as_deref().map_or_else(|| Ok(Vec::new()), file::read)?;
        let path = flags.file.clone().unwrap_or_default();
        for entry in &entries {
            if !TABLE.iter().any(|key| key.name == entry.key) {
                let (line, key) = (entry.line, entry.key.clone());
                return Err(Error::UnknownKey { path, line, nearest: nearest(&key), key });
            }
        }
        let mut effective = Self {
            config: Config::defaults(&environment.data_home()),
            origins: Vec::with_capacity(TABLE.len()),
            warnings: environment.unknown(),
        };
        for key in &TABLE {
            let from_flag = flags.values.iter().find(|(name, _)| *name == key.name);
            let variable = key.variable();
            let from_file = entries.iter().rev().find(|entry| entry.key == key.name);
            let found = if let Some((_, value)) = from_flag {
                Some((value.clone(), Origin::Flag(key.flag())))
            } else if let Some(value) = environment.get(&variable) {
                Some((value.to_owned(), Origin::Variable(variable)))
            } else {
                from_file
                    .map(|entry| (entry.value.clone(), Origin::File { path: path.clone(), line: entry.line }))
            };
            effective.apply(key, found)?;
        }
        effective.config.check()?;
        Ok(effective)
    }

    fn apply(&mut self, key: &super::Key, found: Option<(String, Origin)>) -> Result<(), Error> {
        let Some((value, origin)) = found else {
            self.origins.push(Origin::Default);
            return Ok(());
        };
        match (key.set)(&mut self.config, &value) {
            Ok(()) => self.origins.push(origin),
            Err(expected) => return Err(Error::WrongValue { key: key.name, value, origin, expected }),
        }
        Ok(())
    }
}

impl Config {
    /// What no single value shows: two listeners cannot have one address, and what is kept always says nothing when all is.
    /// Port 0 means any free one.
    fn check(&self) -> Result<(), Error> {
        if !self.sampling.keep.is_empty() && self.sampling.rest.is_none() {
            return Err(Error::NothingDropped);
        }
        let fixed = [
            ("otlp.grpc-address", self.otlp.grpc_address),
            ("otlp.http-address", self.otlp.http_address),
            ("query.address", self.query.address),
        ];
        let own = self.prometheus.address.map(|address| ("prometheus.address", address));
        let addresses: Vec<_> = fixed.into_iter().chain(own).collect();
        for (row, (second, address)) in addresses.iter().enumerate() {
            let same = addresses[..row].iter().find(|(_, other)| other == address && address.port() != 0);
            if let Some((first, _)) = same {
                return Err(Error::SameAddress { first, second, address: *address });
            }
        }
        Ok(())
    }
}
