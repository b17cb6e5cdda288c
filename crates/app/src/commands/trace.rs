//! `clew trace ID`: a trace as a waterfall, or as JSON with all its spans.

use crate::client::{Client, Row, Skeleton};
use crate::command_line::Trace;
use crate::failure::Failure;
use crate::terminal::{Output, Style, count, duration, fitted};
use serde_json::{Value, json};

/// How many spans the server gives at once.
const SPANS_AT_ONCE: usize = 200;
const NAME_WIDTH: usize = 52;
const BAR_WIDTH: usize = 32;

pub async fn run(arguments: Trace, output: &Output) -> Result<(), Failure> {
    let Some(trace_id) = model::TraceId::parse(&arguments.trace_id) else {
        return Err(Failure::Usage(format!(
            "`{}` is not a trace id: expected 16 or 32 hex digits",
            arguments.trace_id
        )));
    };
    let trace_id = trace_id.to_string();
    let client = Client::new(&arguments.server.address)?;
    let bytes = client.get_bytes(&["api", "v1", "traces", &trace_id, "skeleton"]).await?;
    let skeleton = Skeleton::read(&bytes)?;
    if arguments.json {
        return print_json(&client, &skeleton, output).await;
    }
    for line in draw(&skeleton, output) {
        output.line(line)?;
    }
    output.line(format!("\n{}/trace/{trace_id}", client.address()))?;
    Ok(())
}

async fn print_json(client: &Client, skeleton: &Skeleton, output: &Output) -> Result<(), Failure> {
    let mut spans = Vec::with_capacity(skeleton.rows.len());
    for rows in skeleton.rows.chunks(SPANS_AT_ONCE) {
        let ids: Vec<&str> = rows.iter().map(|row| row.span_id.as_str()).collect();
        let path = ["api", "v1", "traces", &skeleton.trace_id, "spans:batch"];
        let mut answer = client.post(&path, &json!({"spanIds": ids})).await?;
        if let Value::Array(found) = answer["spans"].take() {
            spans.extend(found);
        }
    }
    let trace = json!({"traceId": skeleton.trace_id, "start": skeleton.start.to_string(), "orphans": skeleton.orphans, "spans": spans});
    Ok(output.line(format!("{trace:#}"))?)
}

/// The waterfall, line by line.
fn draw(skeleton: &Skeleton, output: &Output) -> Vec<String> {
    let total = skeleton.rows.iter().map(|row| row.start + row.duration).fold(1.0, f64::max);
    let errors = skeleton.rows.iter().filter(|row| row.status == Row::STATUS_ERROR).count();
    let mut lines = vec![format!(
        "{}  {}  {} spans  {} errors  {}",
        output.paint(Style::Accent, &skeleton.trace_id),
        crate::terminal::local_time(skeleton.start),
        count(skeleton.rows.len() as u64),
        count(errors as u64),
        duration(whole(total)),
    )];
    if skeleton.orphans > 0 {
        lines.push(format!(
            "{} spans have a parent that was not received; they are drawn at the left",
            skeleton.orphans
        ));
    }
    let mut ancestors_continue = Vec::new();
    for (index, row) in skeleton.rows.iter().enumerate() {
        lines.push(draw_row(row, &branch(&skeleton.rows, index, &mut ancestors_continue), total, output));
    }
    lines
}

/// The lines of the tree at the left of a row. `continues[depth]` says whether that ancestor has siblings to come.
fn branch(rows: &[Row], index: usize, continues: &mut Vec<bool>) -> String {
    let depth = usize::from(rows[index].depth);
    let later = rows[index + 1..].iter().take_while(|later| usize::from(later.depth) >= depth);
    let has_sibling = depth > 0 && later.into_iter().any(|later| usize::from(later.depth) == depth);
    continues.truncate(depth);
    continues.resize(depth, false);
    let lines = continues.iter().skip(1).map(|continues| if *continues { "│ " } else { "  " });
    let elbow = match (depth, has_sibling) {
        (0, _) => "",
        (_, true) => "├ ",
        (_, false) => "└ ",
    };
    let text = lines.chain([elbow]).collect();
    continues.push(has_sibling);
    text
}

fn draw_row(row: &Row, branch: &str, total: f64, output: &Output) -> String {
    let failed = row.status == Row::STATUS_ERROR;
    let mark = if failed { "✗ " } else { "" };
    let subject = if is_told(&row.name, &row.subject) { String::new() } else { format!(" {}", row.subject) };
    let name = fitted(&format!("{branch}{mark}{}{subject}", row.name), NAME_WIDTH);
    let name = output.paint(if failed { Style::Bad } else { Style::Plain }, &name);
    let kind =
        semconv::NodeKind::ALL.iter().find(|kind| **kind as u8 == row.kind).map_or("", |kind| kind.as_str());
    let style = match (failed, kind) {
        (true, _) => Style::Bad,
        (_, "agent" | "llm") => Style::Accent,
        (_, "tool") => Style::Good,
        _ => Style::Plain,
    };
    let lasted =
        if row.flags & Row::FLAG_RUNNING > 0 { "running".to_owned() } else { duration(whole(row.duration)) };
    let tokens =
        if row.tokens > 0 { format!("  {} tokens", count(row.tokens.into())) } else { String::new() };
    let cost = if row.cost > 0.0 { format!("  ${:.4}", row.cost) } else { String::new() };
    let orphan = if row.flags & Row::FLAG_ORPHAN > 0 { "  (parent missing)" } else { "" };
    let agent = if row.agent.is_empty() {
        String::new()
    } else {
        format!(" @{}", crate::terminal::harmless(&row.agent))
    };
    format!(
        "{name} {} {} {lasted:>9}  {}{agent}{tokens}{cost}{orphan}",
        output.paint(Style::Faint, &fitted(kind, 9)),
        output.paint(style, &bar(row, total)),
        output.paint(Style::Faint, &crate::terminal::harmless(&row.service)),
    )
}

/// Whether the name says the subject already, be it by a shorter name (`gpt-4.1` of `gpt-4.1-2025-04-14`).
fn is_told(name: &str, subject: &str) -> bool {
    name.contains(subject) || name.rsplit(' ').next().is_some_and(|last| subject.starts_with(last))
}

/// The time of the row within the trace; at least one cell wide.
fn bar(row: &Row, total: f64) -> String {
    let cell =
        |time: f64| usize::try_from(whole(time / total * BAR_WIDTH as f64)).unwrap_or(0).min(BAR_WIDTH);
    let from = cell(row.start).min(BAR_WIDTH - 1);
    let to = cell(row.start + row.duration).max(from + 1);
    format!("{}{}{}", "·".repeat(from), "█".repeat(to - from), "·".repeat(BAR_WIDTH - to))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturating is what a drawing wants"
)]
const fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::client::{Row, Skeleton};
    use crate::terminal::Output;

    fn row(depth: u16, name: &str, start: f64, duration: f64, status: u8) -> Row {
        Row {
            start,
            duration,
            status,
            depth,
            name: name.to_owned(),
            service: "shop".to_owned(),
            span_id: String::new(),
            agent: String::new(),
            subject: String::new(),
            kind: 2,
            flags: 0,
            tokens: 12,
            cost: 0.0,
        }
    }

    #[test]
    fn the_tree_shows_who_called_whom() {
        let rows = vec![
            row(0, "root", 0.0, 64e6, 0),
            row(1, "first", 0.0, 32e6, 0),
            row(2, "inner", 0.0, 1.0, 2),
            row(1, "last", 32e6, 32e6, 0),
            row(2, "leaf", 62e6, 2e6, 0),
        ];
        let skeleton = Skeleton { trace_id: "ab".to_owned(), start: 0, rows, orphans: 0 };
        let lines = draw(&skeleton, &Output::plain());
        assert!(lines[0].contains("5 spans  1 errors  64.0 ms"), "{}", lines[0]);
        let tree: Vec<&str> = lines[1..].iter().map(|line| line.split("  ").next().unwrap()).collect();
        assert_eq!(tree, ["root", "├ first", "│ └ ✗ inner", "└ last", ""]);
        assert!(lines[5].starts_with("  └ leaf") && lines[5].contains("···█ "), "{}", lines[5]);
        assert!(
            lines[4].contains("················████████████████ ") && lines[4].contains("12 tokens"),
            "{}",
            lines[4]
        );
    }
}
