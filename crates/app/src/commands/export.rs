//! `clew export`: gives back what was taken in, as lines of OTLP's JSON or as Parquet.

use crate::client::Client;
use crate::command_line::{Export, FileFormat};
use crate::failure::Failure;
use crate::files::table;
use crate::terminal::{count, harmless, harmless_json, tell};
use anyhow::Context;
use futures::TryStreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use model::{Signal, otlp};
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio_util::io::StreamReader;

pub async fn run(arguments: Export) -> Result<(), Failure> {
    let signal: Signal = arguments.signal.into();
    let client = Client::new(&arguments.server.address)?;
    let parameters = [("q", &arguments.query), ("from", &arguments.from), ("to", &arguments.to)];
    let given = parameters.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
    let parameters: Vec<(&str, String)> = given.collect();
    let (bytes, lacks) = client.stream(&["api", "v1", "export", signal.as_str()], &parameters).await?;
    let bytes = StreamReader::new(bytes.map_err(std::io::Error::other));
    let format = arguments.format.unwrap_or_else(|| FileFormat::of(arguments.output.as_deref()));
    to_output(bytes, signal, arguments.output.as_deref(), format).await?;
    match lacks {
        None => Ok(()),
        Some(reason) => {
            Err(anyhow::anyhow!("what was written is not all that was stored: {}", harmless(&reason)).into())
        }
    }
}

async fn to_output(
    bytes: impl AsyncRead + Unpin,
    signal: Signal,
    output: Option<&Path>,
    format: FileFormat,
) -> Result<(), Failure> {
    let Some(path) = output else {
        if format == FileFormat::Parquet && std::io::stdout().is_terminal() {
            return Err(Failure::Usage("Parquet is not for terminals; name a file with --output".to_owned()));
        }
        return write(bytes, signal, format, std::io::stdout()).await.map(|_| ());
    };
    let unfinished = Unfinished::new(path);
    let items = write(bytes, signal, format, BufWriter::new(unfinished.create()?)).await?;
    unfinished.finish()?;
    let bytes = path.metadata().map_or(0, |metadata| metadata.len());
    let (items, name) = (count(items), items_name(signal));
    Ok(tell(&format!("wrote {items} {name} to {}, {} bytes", path.display(), count(bytes)))?)
}

/// What items of a signal are called.
pub const fn items_name(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "spans",
        Signal::Logs => "log records",
        Signal::Metrics => "metric points",
    }
}

/// Answers how many items were written.
async fn write(
    from: impl AsyncRead + Unpin,
    signal: Signal,
    format: FileFormat,
    out: impl Write + Send,
) -> Result<u64, Failure> {
    let progress = ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("{spinner} {human_pos} items, {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    let mut lines = BufReader::new(from);
    let mut sink = match format {
        FileFormat::Json => Sink::Lines(out, 0),
        FileFormat::Parquet => Sink::Table(Box::new(table::Writer::new(out))),
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = lines.read_until(b'\n', &mut line).await;
        if length.context("the server broke off; its log says why, and what was written is not whole")? == 0 {
            break;
        }
        progress.set_position(sink.write(signal, &line)?);
    }
    progress.finish_and_clear();
    sink.finish(signal)
}

/// What is written to, and how many items were.
enum Sink<W: Write + Send> {
    Lines(W, u64),
    Table(Box<table::Writer<W>>),
}

impl<W: Write + Send> Sink<W> {
    /// Writes a line of the server's answer.
    fn write(&mut self, signal: Signal, line: &[u8]) -> Result<u64, Failure> {
        match self {
            Self::Lines(out, items) => {
                out.write_all(&harmless_json(line))?;
                *items += items_of(signal, line);
                Ok(*items)
            }
            Self::Table(table) => {
                let wire = otlp::from_json(signal, line).context("reading the server's answer")?;
                table.write(signal, wire)?;
                Ok(table.rows)
            }
        }
    }

    fn finish(self, signal: Signal) -> Result<u64, Failure> {
        match self {
            Self::Lines(mut out, items) => {
                out.flush()?;
                Ok(items)
            }
            Self::Table(table) => Ok(table.finish(signal)?),
        }
    }
}

/// Items of a line, each of which has this key once. Text cannot have it: quotes in text are escaped.
fn items_of(signal: Signal, line: &[u8]) -> u64 {
    let key: &[u8] = match signal {
        Signal::Traces => b"\"endTimeUnixNano\":",
        Signal::Logs => b"\"observedTimeUnixNano\":",
        Signal::Metrics => b"\"dataPoints\":",
    };
    line.windows(key.len()).filter(|window| *window == key).count() as u64
}

/// A file that gets its name only when it is whole.
struct Unfinished {
    temporary: PathBuf,
    path: PathBuf,
}

impl Unfinished {
    fn new(path: &Path) -> Self {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        Self { temporary: path.with_file_name(name), path: path.to_owned() }
    }

    fn create(&self) -> Result<File, Failure> {
        Ok(File::create(&self.temporary).with_context(|| format!("creating {}", self.temporary.display()))?)
    }

    fn finish(self) -> Result<(), Failure> {
        let naming = || format!("naming {}", self.path.display());
        Ok(std::fs::rename(&self.temporary, &self.path).with_context(naming)?)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Gone already when it got its name.
        let _ = std::fs::remove_file(&self.temporary);
    }
}
