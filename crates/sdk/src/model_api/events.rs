//! Server-sent events, out of bytes as they come.

use super::CallError;

/// No event of a model is longer than this.
const LONGEST: usize = 16 * 1024 * 1024;

/// What came, and the event that is being read.
#[derive(Debug, Default)]
pub(super) struct Events {
    bytes: Vec<u8>,
    /// So many of the bytes are read already.
    read: usize,
    data: Option<String>,
}

impl Events {
    /// Takes in what came.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), CallError> {
        self.bytes.drain(..std::mem::take(&mut self.read));
        self.bytes.extend_from_slice(bytes);
        let length = self.bytes.len() + self.data.as_ref().map_or(0, String::len);
        if length > LONGEST { Err(CallError::TooLong(LONGEST)) } else { Ok(()) }
    }

    /// The data of the next event that is here as a whole.
    pub(super) fn next(&mut self) -> Option<String> {
        while let Some(line) = self.line() {
            if line.is_empty() {
                if let Some(data) = self.data.take() {
                    return Some(data);
                }
                continue;
            }
            // Other fields tell nothing that the data does not, and what begins with a colon keeps the connection open.
            let Some(value) = line.strip_prefix("data:") else { continue };
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            }
        }
        None
    }

    fn line(&mut self) -> Option<String> {
        let rest = self.bytes.get(self.read..)?;
        let length = rest.iter().position(|byte| *byte == b'\n')?;
        let line = rest.get(..length)?;
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
        self.read += length + 1;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_wherever_the_bytes_are_divided() {
        let sent = ": keep-alive\r\n\r\nevent: delta\r\ndata: {\"text\":\"Grüße\"}\r\n\r\ndata:two\ndata: lines\nid: 7\n\ndata: [DONE]\n\ndata: half";
        let expected = ["{\"text\":\"Grüße\"}", "two\nlines", "[DONE]"];
        for size in 1..=sent.len() {
            let mut events = Events::default();
            let mut got = Vec::new();
            for bytes in sent.as_bytes().chunks(size) {
                events.push(bytes).unwrap();
                got.extend(std::iter::from_fn(|| events.next()));
            }
            assert_eq!(got, expected, "by {size}");
        }
    }

    #[test]
    fn an_event_without_end_is_given_up() {
        let mut events = Events::default();
        events.push(b"data: ").unwrap();
        let piece = vec![b'x'; LONGEST / 2];
        events.push(&piece).unwrap();
        assert!(events.next().is_none());
        assert!(matches!(events.push(&piece), Err(CallError::TooLong(_))));
    }
}
