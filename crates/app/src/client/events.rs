//! The server's live events (server-sent events), one after the other.

use crate::failure::Failure;
use reqwest::Response;

/// The longest event that is believed: longer ones end the stream.
const MAX_EVENT_BYTES: usize = 16 << 20;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    pub name: String,
    pub data: String,
}

/// The stream of events.
pub struct Events {
    answer: Response,
    parser: Parser,
}

impl Events {
    pub fn new(answer: Response) -> Self {
        Self { answer, parser: Parser::default() }
    }

    /// The next event; `None` when the server has ended the stream.
    pub async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.parser.next() {
                return Ok(Some(event));
            }
            let chunk = self.answer.chunk().await;
            match chunk.map_err(|_| Failure::Unreachable("the server has gone away".to_owned()))? {
                Some(bytes) if self.parser.pending.len() < MAX_EVENT_BYTES => {
                    self.parser.pending.extend_from_slice(&bytes);
                }
                _ => return Ok(None),
            }
        }
    }
}

#[derive(Default)]
struct Parser {
    pending: Vec<u8>,
    event: Event,
}

impl Parser {
    /// The next whole event of the bytes so far.
    fn next(&mut self) -> Option<Event> {
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if !event.data.is_empty() {
                    return Some(event);
                }
            } else if let Some((field, value)) = line.split_once(':') {
                self.field(field, value.strip_prefix(' ').unwrap_or(value));
            }
        }
        None
    }

    fn field(&mut self, field: &str, value: &str) {
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Parser;

    #[test]
    fn events_are_found_wherever_the_bytes_are_cut() {
        let text = ": hello\n\nid: 1\nevent: trace.upsert\ndata: {\"a\":\ndata: 1}\n\r\nevent: stats\r\ndata:{}\r\n\r\n";
        let mut parser = Parser::default();
        let mut seen = Vec::new();
        for byte in text.bytes() {
            parser.pending.push(byte);
            seen.extend(parser.next().map(|event| (event.name, event.data)));
        }
        let expect = [("trace.upsert", "{\"a\":\n1}"), ("stats", "{}")];
        assert_eq!(seen, expect.map(|(name, data)| (name.to_owned(), data.to_owned())));
    }
}
