//! Protobuf's wire format, read in place: tags, varints, fixed numbers and slices, with the offset of what is wrong.

/// Bytes of a request and where they start in it.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

/// Bytes that are not protobuf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    pub at: usize,
    pub what: &'static str,
}

const NO_NUMBER: &str = "a field has no valid number";

/// The number of what [`put_reason`] writes. No field has it, so that whoever reads the message finds it malformed.
const REASON: u32 = 0;
/// Its tag: bytes follow.
const REASON_TAG: u8 = 2;

/// Spoils a message that could not be written whole, and says why.
pub fn put_reason(out: &mut Vec<u8>, reason: &str) {
    put_bytes(out, REASON, reason.as_bytes());
}

/// The reason of [`put_reason`] at which reading stopped.
#[cold]
pub fn reason_at<'a>(slice: Slice<'a>, stopped: Malformed) -> Option<&'a str> {
    let next = stopped.at.checked_sub(slice.at).filter(|_| stopped.what == NO_NUMBER)?;
    slice.bytes.get(next.checked_sub(1)?).filter(|tag| **tag == REASON_TAG)?;
    let mut fields = Fields { bytes: slice.bytes, next, at: slice.at };
    let length = usize::try_from(fields.varint().ok()?).ok()?;
    std::str::from_utf8(Fields::take(&mut fields, length).ok()?.bytes).ok()
}

/// The data of one field.
#[derive(Debug, Clone, Copy)]
pub enum Data<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(Slice<'a>),
}

impl<'a> Data<'a> {
    /// Any number, whatever it is written as; zero for bytes.
    pub fn number(self) -> u64 {
        match self {
            Self::Varint(number) | Self::Fixed64(number) => number,
            Self::Fixed32(number) => u64::from(number),
            Self::Bytes(_) => 0,
        }
    }

    /// The low 32 bits of a number, as protobuf reads a 32-bit field.
    pub fn number32(self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "protobuf truncates 32-bit fields")]
        let number = self.number() as u32;
        number
    }

    pub fn int32(self) -> i32 {
        self.number32().cast_signed()
    }

    pub fn double(self) -> f64 {
        f64::from_bits(self.number())
    }

    /// The bytes; nothing for a number, as for a field that is not there.
    pub fn slice(self) -> Slice<'a> {
        match self {
            Self::Bytes(slice) => slice,
            _ => Slice { bytes: &[], at: 0 },
        }
    }
}

/// The fields of one message, in wire order.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    next: usize,
    at: usize,
}

impl<'a> Fields<'a> {
    pub fn new(slice: Slice<'a>) -> Self {
        Self { bytes: slice.bytes, next: 0, at: slice.at }
    }

    /// Packed varints, as far as they are whole.
    pub fn numbers(packed: Slice<'a>) -> impl Iterator<Item = u64> {
        let mut fields = Self::new(packed);
        std::iter::from_fn(move || if fields.next < fields.bytes.len() { fields.varint().ok() } else { None })
    }

    /// Offset in the message of what comes next.
    pub fn position(&self) -> usize {
        self.next
    }

    fn malformed<T>(&self, what: &'static str) -> Result<T, Malformed> {
        Err(Malformed { at: self.at + self.next, what })
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        if let Some(byte @ 0..=0x7f) = self.bytes.get(self.next) {
            self.next += 1;
            return Ok(u64::from(*byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for place in 0..10 {
            let Some(byte) = self.bytes.get(self.next + place) else {
                return self.malformed("the bytes end within a number");
            };
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                self.next += place + 1;
                return Ok(value);
            }
        }
        self.malformed("a number is longer than ten bytes")
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<Slice<'a>, Malformed> {
        let end = self.next.checked_add(length).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            return self.malformed("a field is longer than what is left");
        };
        let slice = Slice { bytes: &self.bytes[self.next..end], at: self.at + self.next };
        self.next = end;
        Ok(slice)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let slice = self.take(N)?;
        Ok(slice.bytes.try_into().expect("take gives as many bytes as asked for"))
    }

    fn field(&mut self) -> Result<(u32, Data<'a>), Malformed> {
        let tag = self.varint()?;
        let Some(number) = u32::try_from(tag >> 3).ok().filter(|number| *number != 0) else {
            return self.malformed(NO_NUMBER);
        };
        let data = match tag & 7 {
            0 => Data::Varint(self.varint()?),
            1 => Data::Fixed64(u64::from_le_bytes(self.fixed()?)),
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                Data::Bytes(self.take(length)?)
            }
            5 => Data::Fixed32(u32::from_le_bytes(self.fixed()?)),
            _ => return self.malformed("a field has an unknown wire type"),
        };
        Ok((number, data))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Data<'a>), Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.bytes.len() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.next = self.bytes.len();
        }
        Some(field)
    }
}

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// Appends a field of bytes, even when there are none.
pub fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a field of text unless it is empty.
pub fn put_text(out: &mut Vec<u8>, number: u32, text: &str) {
    if !text.is_empty() {
        put_bytes(out, number, text.as_bytes());
    }
}

/// Appends a varint field unless it is zero.
pub fn put_number(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_varint(out, u64::from(number) << 3);
        put_varint(out, value);
    }
}

/// Appends a 64-bit field, even when it is zero.
pub fn put_fixed64(out: &mut Vec<u8>, number: u32, value: u64) {
    put_varint(out, u64::from(number) << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a 32-bit field unless it is zero.
pub fn put_fixed32(out: &mut Vec<u8>, number: u32, value: u32) {
    if value != 0 {
        put_varint(out, u64::from(number) << 3 | 5);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Appends a message field whose content `write` appends.
pub fn put_message(out: &mut Vec<u8>, number: u32, write: impl FnOnce(&mut Vec<u8>)) {
    let open = begin_message(out, number);
    write(out);
    end_message(out, open);
}

/// A message field that is being appended.
#[derive(Debug, Clone, Copy)]
pub struct Open {
    /// Where its tag starts: truncating to here takes the field back.
    pub tag: usize,
    content: usize,
}

/// Starts a message field; what is appended until [`end_message`] is its content.
pub fn begin_message(out: &mut Vec<u8>, number: u32) -> Open {
    let tag = out.len();
    put_varint(out, u64::from(number) << 3 | 2);
    Open { tag, content: out.len() }
}

/// Ends a message field: its length, known only now, moves to before its content.
pub fn end_message(out: &mut Vec<u8>, open: Open) {
    let end = out.len();
    put_varint(out, (end - open.content) as u64);
    let prefix = out.len() - end;
    out[open.content..].rotate_right(prefix);
}
