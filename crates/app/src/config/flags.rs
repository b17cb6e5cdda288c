//! Every setting as a flag of the commands that need the configuration.

use super::table::TABLE;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use std::path::PathBuf;

/// The settings given as flags, and the configuration file.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub file: Option<PathBuf>,
    /// Key and value.
    pub values: Vec<(&'static str, String)>,
}

const HEADING: &str = "Settings (each is also a key of the file and an environment variable)";

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .env("CLEW_CONFIG")
            .hide_env_values(true)
            .value_parser(clap::value_parser!(PathBuf))
            .help("Read settings from this YAML file");
        TABLE.iter().fold(command.arg(file), |command, key| {
            let help = format!("{} [key: {}, env: {}]", key.help, key.name, key.variable());
            let action = if key.join.is_some() { ArgAction::Append } else { ArgAction::Set };
            let arg = Arg::new(key.name).long(key.flag()).value_name(key.value_name).help(help);
            command.arg(arg.action(action).help_heading(HEADING).allow_hyphen_values(true))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let value = |key: &super::Key| {
            let values: Vec<String> = matches.get_many(key.name)?.cloned().collect();
            let only = || values.last().cloned().unwrap_or_default();
            Some((key.name, key.join.map_or_else(only, |join| join(&values))))
        };
        Ok(Self {
            file: matches.get_one("config").cloned(),
            values: TABLE.iter().filter_map(value).collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
