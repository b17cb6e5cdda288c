//! Ids: of traces, spans and tenants.

use std::fmt;

/// The 16 bytes that all spans of one trace share. Never all zero in stored telemetry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TraceId(pub [u8; 16]);

/// The 8 bytes that tell a span from the others of its trace. Never all zero in stored telemetry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SpanId(pub [u8; 8]);

impl TraceId {
    /// Reads 1 to 32 hex digits of either case; shorter ids are padded with zeros on the left, dashes are skipped.
    /// `None` for anything else and for the all-zero id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        parse_hex(text).map(Self)
    }
}

impl SpanId {
    /// Reads 1 to 16 hex digits of either case, padded with zeros on the left. `None` for anything else and for zero.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        parse_hex(text).map(Self)
    }
}

fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    if digits.is_empty() || digits.len() > 2 * N {
        return None;
    }
    let mut bytes = [0u8; N];
    for (place, digit) in digits.iter().rev().enumerate() {
        let value = u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        bytes[N - 1 - place / 2] |= value << (4 * (place % 2));
    }
    (bytes != [0u8; N]).then_some(bytes)
}

fn write_hex(bytes: &[u8], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

/// Whose telemetry it is. Tenants never see each other's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(String);

impl TenantId {
    /// A tenant's name: 1 to 64 of `A-Z a-z 0-9 _ -`. It is a folder's name on disk, hence the narrow choice.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        ((1..=64).contains(&name.len()) && name.bytes().all(allowed)).then(|| Self(name.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TenantId {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::TraceId;

    #[test]
    fn trace_ids_are_read_leniently() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(TraceId::parse(text).map(|id| id.to_string()).as_deref(), expect, "{text}");
        };
        check("a1b2c3d4e5f67890", Some("0000000000000000a1b2c3d4e5f67890"));
        check("4BF92F35-77B3-4DA6-A3CE-929D0E0E4736", Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        check("0", None);
        check("", None);
        check("xyz", None);
        check("4bf92f3577b34da6a3ce929d0e0e47361", None);
    }
}
