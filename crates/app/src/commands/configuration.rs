//! `clew config print` and `clew config check`.

use crate::config::{Effective, Environment, Flags, TABLE};
use crate::failure::Failure;
use crate::terminal::{Output, Style};
use serde_json::json;
use std::path::Path;

/// Shows each setting in force, and where its value came from.
pub fn print(effective: &Effective, as_json: bool, output: &Output) -> Result<(), Failure> {
    let rows = TABLE
        .iter()
        .zip(&effective.origins)
        .map(|(key, origin)| (key, (key.show)(&effective.config), origin));
    if as_json {
        let rows: Vec<_> = rows
            .map(|(key, value, origin)| {
                json!({"key": key.name, "value": value, "from": origin.to_string(), "flag": format!("--{}", key.flag()),
                       "variable": key.variable(), "help": key.help})
            })
            .collect();
        return Ok(output.line(format!("{:#}", json!({"settings": rows, "warnings": effective.warnings})))?);
    }
    let rows: Vec<_> = rows.collect();
    let width = rows.iter().map(|(_, value, _)| value.chars().count()).max().unwrap_or(0);
    for (key, value, origin) in rows {
        let value = if value.is_empty() { "-".to_owned() } else { value };
        let origin = output.paint(Style::Faint, &origin.to_string());
        output.line(format!("{:<22} {value:<width$}  {origin}", key.name))?;
    }
    for warning in &effective.warnings {
        output.line(format!("warning: {warning}"))?;
    }
    Ok(())
}

/// Checks a file by itself: flags and variables of this process don't count.
pub fn check(file: &Path, output: &Output) -> Result<(), Failure> {
    let flags = Flags { file: Some(file.to_owned()), values: Vec::new() };
    Effective::load(&flags, &Environment::default()).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(output.line(format!("{} is right", file.display()))?)
}
