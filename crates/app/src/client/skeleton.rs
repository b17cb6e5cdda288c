//! Reads the binary form in which the server gives all spans of a trace at once (`docs/api.md`).

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

const MAGIC: &[u8] = b"CLEWSK01";
const HEADER_START: usize = 16;

/// All spans of a trace, in depth-first order.
#[derive(Debug, Clone, PartialEq)]
pub struct Skeleton {
    pub trace_id: String,
    /// Nanoseconds since the Unix epoch.
    pub start: u64,
    pub rows: Vec<Row>,
    pub orphans: u64,
}

/// One span.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Nanoseconds after the start of the trace.
    pub start: f64,
    /// Nanoseconds.
    pub duration: f64,
    pub span_id: String,
    pub name: String,
    pub service: String,
    pub agent: String,
    pub subject: String,
    pub kind: u8,
    pub status: u8,
    pub flags: u16,
    pub tokens: u32,
    /// US dollars; not a number when unknown.
    pub cost: f32,
    pub depth: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    spans: usize,
    trace_start: String,
    trace_id: String,
    names: Vec<String>,
    services: Vec<String>,
    agents: Vec<String>,
    subjects: Vec<String>,
    orphans: u64,
}

impl Row {
    pub const FLAG_ORPHAN: u16 = 1 << 1;
    pub const FLAG_RUNNING: u16 = 1 << 4;
    pub const STATUS_ERROR: u8 = 2;
}

impl Skeleton {
    pub fn read(bytes: &[u8]) -> Result<Self> {
        ensure!(
            bytes.starts_with(MAGIC),
            "the server's skeleton is of another version; use the same clew for both"
        );
        let length = bytes.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        let length = usize::try_from(length.context("the skeleton is too short")?)?;
        let header =
            bytes.get(HEADER_START..HEADER_START + length).context("the skeleton's header is cut")?;
        let header: Header = serde_json::from_slice(header).context("reading the skeleton's header")?;
        let mut columns =
            Columns { bytes, at: (HEADER_START + length).next_multiple_of(8), rows: header.spans };
        let start = columns.take::<8>(1)?;
        let duration = columns.take::<8>(1)?;
        columns.take::<4>(1)?; // The parent: depth and order say enough to draw a tree.
        let id = columns.take::<4>(2)?;
        let [name, service, agent, subject] =
            [columns.take::<4>(1)?, columns.take::<4>(1)?, columns.take::<4>(1)?, columns.take::<4>(1)?];
        let [kind, status] = [columns.take::<1>(1)?, columns.take::<1>(1)?];
        let flags = columns.take::<2>(1)?;
        let [tokens, cost] = [columns.take::<4>(1)?, columns.take::<4>(1)?];
        let depth = columns.take::<2>(1)?;
        let rows = (0..header.spans).map(|row| {
            Ok(Row {
                start: f64::from_le_bytes(start[row]) * 1e3,
                duration: f64::from_le_bytes(duration[row]) * 1e3,
                span_id: format!(
                    "{:08x}{:08x}",
                    u32::from_le_bytes(id[2 * row]),
                    u32::from_le_bytes(id[2 * row + 1])
                ),
                name: entry(&header.names, name[row])?,
                service: entry(&header.services, service[row])?,
                agent: entry(&header.agents, agent[row])?,
                subject: entry(&header.subjects, subject[row])?,
                kind: kind[row][0],
                status: status[row][0],
                flags: u16::from_le_bytes(flags[row]),
                tokens: u32::from_le_bytes(tokens[row]),
                cost: f32::from_le_bytes(cost[row]),
                depth: u16::from_le_bytes(depth[row]),
            })
        });
        let rows = rows.collect::<Result<_>>()?;
        let start = header.trace_start.parse().context("reading the start of the trace")?;
        Ok(Self { trace_id: header.trace_id, start, rows, orphans: header.orphans })
    }
}

fn entry(table: &[String], index: [u8; 4]) -> Result<String> {
    let index = usize::try_from(u32::from_le_bytes(index))?;
    Ok(table.get(index).context("the skeleton names an entry that is not in its table")?.clone())
}

struct Columns<'a> {
    bytes: &'a [u8],
    at: usize,
    rows: usize,
}

impl<'a> Columns<'a> {
    /// The next column, with so many items of `N` bytes for each row.
    fn take<const N: usize>(&mut self, items: usize) -> Result<&'a [[u8; N]]> {
        let length = self.rows.checked_mul(items * N).context("the skeleton's row count is impossible")?;
        let Some(column) = self.bytes.get(self.at..self.at.saturating_add(length)) else {
            bail!("the skeleton is cut");
        };
        self.at = (self.at + length).next_multiple_of(8);
        Ok(column.as_chunks().0)
    }
}

#[cfg(test)]
mod tests {
    use super::Skeleton;

    fn example() -> Vec<u8> {
        let header = r#"{"spans":1,"traceStart":"5","traceId":"ab","names":["","chat"],"services":["","s"],"agents":[""],"subjects":[""],"orphans":0}"#;
        let mut bytes = b"CLEWSK01".to_vec();
        let padded = header.len().next_multiple_of(8);
        bytes.extend(u32::try_from(padded).unwrap().to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(header.bytes());
        bytes.resize(16 + padded, b' ');
        let mut column = |values: &[u8]| {
            bytes.extend(values);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        };
        column(&2.5f64.to_le_bytes());
        column(&10f64.to_le_bytes());
        column(&(-1i32).to_le_bytes());
        column(&[1, 0, 0, 0, 2, 0, 0, 0]);
        for index in [1u32, 1, 0, 0] {
            column(&index.to_le_bytes());
        }
        column(&[2]);
        column(&[2]);
        column(&16u16.to_le_bytes());
        column(&42u32.to_le_bytes());
        column(&f32::NAN.to_le_bytes());
        column(&3u16.to_le_bytes());
        bytes
    }

    #[test]
    fn the_documented_layout_is_read() {
        let skeleton = Skeleton::read(&example()).unwrap();
        let row = &skeleton.rows[0];
        assert_eq!(
            (row.name.as_str(), row.service.as_str(), row.span_id.as_str()),
            ("chat", "s", "0000000100000002")
        );
        assert_eq!((row.start, row.duration, row.kind, row.tokens, row.depth), (2_500.0, 10_000.0, 2, 42, 3));
        assert!(row.cost.is_nan() && row.flags == 16 && skeleton.start == 5);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let whole = example();
        for length in 0..whole.len() - 7 {
            assert!(Skeleton::read(&whole[..length]).is_err(), "{length}");
        }
    }
}
