//! What can be typed after `clew backup`, `restore`, `verify` and `repair`.

use crate::config::Flags;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Backup {
    /// The folder of the backup: empty, not there yet, or with an earlier backup in it
    #[arg(value_name = "FOLDER")]
    pub target: PathBuf,
    /// Print what was copied as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub settings: Flags,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// The folder of the backup
    #[arg(value_name = "FOLDER")]
    pub backup: PathBuf,
    /// Print what was restored as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub settings: Flags,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// Print what was read, and what is damaged, as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub settings: Flags,
}

#[derive(Debug, Args)]
pub struct Repair {
    /// Keep of damaged blocks only what can still be read, and forget missing ones
    #[arg(long)]
    pub give_up_damaged: bool,
    /// Print what was repaired as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub settings: Flags,
}
