//! The text of a PDF whose pages are not compressed: what its `Tj` operators show.

use std::iter::Peekable;
use std::slice::Iter;

/// The text, a line for each `Tj`; nothing when this is no PDF, or shows no text that can be read.
pub fn text(file: &[u8]) -> Option<String> {
    if !file.starts_with(b"%PDF-") {
        return None;
    }
    let mut lines = Vec::new();
    let mut bytes = file.iter().peekable();
    while let Some(byte) = bytes.next() {
        if *byte != b'(' {
            continue;
        }
        let string = string(&mut bytes);
        if is_shown(bytes.clone()) {
            lines.push(string);
        }
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The rest of a string, after its opening parenthesis. Parentheses within it are in pairs, or escaped.
fn string(bytes: &mut Peekable<Iter<'_, u8>>) -> String {
    let (mut text, mut open) = (Vec::new(), 1);
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => text.extend(bytes.next()),
            b'(' => {
                open += 1;
                text.push(byte);
            }
            b')' if open == 1 => break,
            b')' => {
                open -= 1;
                text.push(byte);
            }
            _ => text.push(byte),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn is_shown(bytes: Peekable<Iter<'_, u8>>) -> bool {
    bytes.skip_while(|byte| byte.is_ascii_whitespace()).take(2).eq(b"Tj")
}

#[cfg(test)]
mod tests {
    use super::text;

    fn check(file: &str, expected: Option<&str>) {
        assert_eq!(text(file.as_bytes()).as_deref(), expected, "{file}");
    }

    #[test]
    fn shown_strings_are_the_text() {
        check("%PDF-1.4 BT (Hello) Tj 0 -14 Td (World)Tj ET", Some("Hello\nWorld"));
        check("%PDF-1.4 (a \\) b (c) d) Tj", Some("a ) b (c) d"));
        check("%PDF-1.4 /Title (not shown) >>", None);
        check("%PDF-1.4 (never closed", None);
        check("(Hello) Tj", None);
    }
}
