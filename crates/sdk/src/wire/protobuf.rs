//! Protobuf's fields, appended to a buffer. As the format has it, numbers that are 0 and texts that are empty are left out
//! where nothing is said by them.

const VARINT: u32 = 0;
const EIGHT_BYTES: u32 = 1;
const LENGTH: u32 = 2;
const FOUR_BYTES: u32 = 5;

#[inline]
fn varint(buffer: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        let [low, ..] = value.to_le_bytes();
        buffer.push(low | 0x80);
        value >>= 7;
    }
    let [low, ..] = value.to_le_bytes();
    buffer.push(low);
}

/// How many bytes a length takes.
pub(crate) fn varint_length(value: usize) -> usize {
    let bits = usize::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// How many bytes a field of so many takes with its head, as one of the first fifteen of a message.
pub(crate) fn with_length(length: usize) -> usize {
    1 + varint_length(length) + length
}

/// How many bytes a number takes as such a field.
pub(crate) fn of_number(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    1 + bits.div_ceil(7) as usize
}

#[inline]
fn tag(buffer: &mut Vec<u8>, field: u32, wire_type: u32) {
    varint(buffer, u64::from(field << 3 | wire_type));
}

/// A whole number, a truth or a choice.
pub(crate) fn number(buffer: &mut Vec<u8>, field: u32, value: u64) {
    tag(buffer, field, VARINT);
    varint(buffer, value);
}

/// A count, unless it is 0.
pub(crate) fn count(buffer: &mut Vec<u8>, field: u32, value: u32) {
    if value > 0 {
        number(buffer, field, value.into());
    }
}

pub(crate) fn fixed32(buffer: &mut Vec<u8>, field: u32, value: u32) {
    tag(buffer, field, FOUR_BYTES);
    buffer.extend_from_slice(&value.to_le_bytes());
}

/// `fixed64` or, by its bits, `double`.
pub(crate) fn fixed64(buffer: &mut Vec<u8>, field: u32, value: u64) {
    tag(buffer, field, EIGHT_BYTES);
    buffer.extend_from_slice(&value.to_le_bytes());
}

/// What stands before a field whose length is known.
pub(crate) fn head(buffer: &mut Vec<u8>, field: u32, length: usize) {
    tag(buffer, field, LENGTH);
    varint(buffer, length as u64);
}

pub(crate) fn bytes(buffer: &mut Vec<u8>, field: u32, value: &[u8]) {
    head(buffer, field, value.len());
    buffer.extend_from_slice(value);
}

/// A text, unless it is empty.
pub(crate) fn text(buffer: &mut Vec<u8>, field: u32, value: &str) {
    if !value.is_empty() {
        bytes(buffer, field, value.as_bytes());
    }
}

/// A message within the message. Room is left for its length, of so many bytes; where it takes another number of them, what
/// was written is moved.
pub(crate) fn message(buffer: &mut Vec<u8>, field: u32, room: usize, write: impl FnOnce(&mut Vec<u8>)) {
    tag(buffer, field, LENGTH);
    let start = buffer.len();
    buffer.resize(start + room, 0);
    write(buffer);
    let end = buffer.len();
    let mut length = end - start - room;
    let needed = varint_length(length);
    if needed != room {
        if needed > room {
            buffer.resize(end + needed - room, 0);
        }
        buffer.copy_within(start + room..end, start + needed);
        buffer.truncate(start + needed + length);
    }
    for place in buffer.iter_mut().skip(start).take(needed) {
        let [low, ..] = length.to_le_bytes();
        length >>= 7;
        *place = if length > 0 { low | 0x80 } else { low };
    }
}

#[cfg(test)]
mod tests {
    use super::{message, varint, varint_length};

    #[test]
    fn lengths_are_those_of_numbers() {
        for value in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, usize::MAX] {
            let mut written = Vec::new();
            varint(&mut written, value as u64);
            assert_eq!(written.len(), varint_length(value), "{value}");
        }
    }

    #[test]
    fn room_of_any_size_gives_the_same_message() {
        for length in [0, 1, 127, 128, 300, 20_000] {
            let written = [0, 1, 2, 3, 5].map(|room| {
                let mut buffer = vec![7];
                message(&mut buffer, 1, room, |buffer| buffer.resize(buffer.len() + length, 9));
                buffer
            });
            let mut expected = vec![7, 10];
            varint(&mut expected, length as u64);
            expected.resize(expected.len() + length, 9);
            assert!(written.iter().all(|each| *each == expected), "{length}");
        }
    }
}
