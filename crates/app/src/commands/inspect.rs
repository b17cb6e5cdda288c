//! `clew inspect`: what the files of a store hold.

use crate::command_line::Inspect;
use crate::failure::Failure;
use crate::terminal::{Output, Style, bytes, count, fitted, local_time};
use anyhow::Context;
use storage::inspect::{BlockReport, ColumnReport, DirectoryReport, Inspection, SegmentReport, inspect};

/// Requests of a segment that are listed one by one.
const LISTED: usize = 20;

pub async fn run(arguments: Inspect, output: &Output) -> Result<(), Failure> {
    for path in &arguments.paths {
        let found = inspect(path).await.map_err(anyhow::Error::from)?;
        if arguments.json {
            output.line(serde_json::to_string(&found).context("writing JSON")?)?;
            continue;
        }
        output.line(output.paint(Style::Bold, &path.display().to_string()))?;
        match found {
            Inspection::Directory(directory) => show_directory(&directory, output)?,
            Inspection::Segment(segment) => show_segment(&segment, output)?,
            Inspection::Block(block) => show_block(&block, output)?,
        }
    }
    Ok(())
}

fn show_directory(directory: &DirectoryReport, output: &Output) -> Result<(), Failure> {
    for table in &directory.tables {
        output.line(format!(
            "{} of {}: {} rows in {} blocks, {}, {} a row, from {} to {}",
            table.signal,
            table.tenant,
            count(table.rows),
            count(table.blocks),
            bytes(table.bytes),
            bytes(table.bytes / table.rows.max(1)),
            local_time(table.first),
            local_time(table.last),
        ))?;
    }
    if directory.tables.is_empty() {
        output.line("no blocks")?;
    }
    for path in &directory.damaged {
        output.line(output.paint(Style::Bad, &format!("missing or damaged: {path}")))?;
    }
    for segment in &directory.log {
        output.line(segment.path.display())?;
        show_totals(segment, output)?;
    }
    Ok(())
}

fn show_totals(segment: &SegmentReport, output: &Output) -> Result<(), Failure> {
    for ((tenant, signal), (requests, total)) in segment.by_table() {
        output.line(format!("  {signal} of {tenant}: {} requests, {}", count(requests), bytes(total)))?;
    }
    for (from, to) in &segment.damage {
        output.line(output.paint(Style::Bad, &format!("  damaged from byte {from} to {to}")))?;
    }
    if segment.torn_bytes > 0 {
        output.line(format!("  the last {} bytes are no whole request", segment.torn_bytes))?;
    }
    Ok(())
}

fn show_segment(segment: &SegmentReport, output: &Output) -> Result<(), Failure> {
    show_totals(segment, output)?;
    for record in segment.records.iter().take(LISTED) {
        output.line(format!(
            "  {:>12}  {}  {:<8} {:<8} {:>10}  {}",
            record.sequence,
            local_time(record.received),
            record.signal,
            record.encoding,
            bytes(record.bytes),
            record.tenant,
        ))?;
    }
    let more = segment.records.len().saturating_sub(LISTED);
    if more > 0 {
        output.line(format!("  and {} more; --json lists them all", count(more as u64)))?;
    }
    Ok(())
}

fn show_block(block: &BlockReport, output: &Output) -> Result<(), Failure> {
    let rows = block.rows.max(1);
    output.line(format!(
        "{} rows in {} row groups, {}, {} a row",
        count(block.rows),
        block.row_groups,
        bytes(block.bytes),
        bytes(block.bytes / rows),
    ))?;
    output.line(format!(
        "{}{:>12}{:>12}{:>12}  encodings",
        fitted("column", 40),
        "values",
        "in file",
        "B/row"
    ))?;
    let mut columns: Vec<&ColumnReport> = block.columns.iter().collect();
    columns.sort_by_key(|column| std::cmp::Reverse(column.compressed_bytes));
    for column in columns {
        output.line(format!(
            "{}{:>12}{:>12}{:>12}  {}",
            fitted(&column.name, 40),
            count(column.values),
            bytes(column.compressed_bytes),
            hundredths(column.compressed_bytes, rows),
            column.encodings,
        ))?;
    }
    let other = hundredths(block.other_bytes, rows);
    Ok(output.line(format!(
        "{}{:>12}{:>12}{other:>12}",
        fitted("indexes and footer", 40),
        "",
        bytes(block.other_bytes)
    ))?)
}

/// A quotient with two decimals.
fn hundredths(part: u64, whole: u64) -> String {
    let hundredths = part * 100 / whole;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
