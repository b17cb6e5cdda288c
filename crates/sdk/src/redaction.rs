//! What must not leave the program: secrets and personal data, found by how they look and by what attributes are called.

use regex::Regex;
use std::borrow::Cow;
use std::sync::LazyLock;

/// What stands where something was taken out.
pub const REDACTED: &str = "[redacted]";

/// How secrets look, each with something that tells it from ordinary text: words and numbers must stay.
const SECRETS: &str = concat!(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
    r"|\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{8,}",
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"|(?i:\bBearer\s+[A-Za-z0-9._~+/-]{8,}=*)",
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bAIza[A-Za-z0-9_-]{35}",
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+",
    r"|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",
    r#"|(?i:\b(?:api[-_. ]?key|secret|password|passwd|access[-_]?token)["']?\s*[:=]\s*["']?)[^\s"',;&}]{4,}"#,
);

/// Runs of digits that may be the number of a card; Luhn's sum decides.
const CARD: &str = r"\b[0-9](?:[ -]?[0-9]){12,18}\b";

/// Attributes that hold a secret, whatever it looks like.
const KEYS: &str = concat!(
    r"(?i)(?:^|[._-])(?:api[._-]?key|secret|password|passwd|credentials?|private[._-]?key|authorization|cookie|",
    r"access[._-]?token|refresh[._-]?token|id[._-]?token|auth[._-]?token|e?mail)$"
);

/// The letters at which a text may be seen to hold a secret: those of their forms that few other texts have.
const TELLING: [bool; 256] = {
    let mut telling = [false; 256];
    let letters = b"@:=-_KSJzbB\xBF\xAA";
    let mut place = 0;
    while place < letters.len() {
        telling[letters[place] as usize] = true;
        place += 1;
    }
    telling
};

/// Whether a text may hold a secret. Expressions are slow, and most values are names.
fn is_suspect(text: &[u8]) -> bool {
    let mut assigned = false;
    for (place, letter) in text.iter().enumerate().filter(|(_, letter)| TELLING[usize::from(**letter)]) {
        let (before, from) = text.split_at(place);
        let suspect = match letter {
            b'@' => true,
            b':' | b'=' => {
                assigned = true;
                false
            }
            b'-' | b'_' => is_prefix(before),
            b'K' | b'S' => before.ends_with(b"A"),
            b'J' => before.ends_with(b"ey"),
            b'z' => before.ends_with(b"AI"),
            b'b' | b'B' => from.get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"bearer")),
            // `ſ` and the sign of kelvins, which are an `s` and a `k` where case does not matter.
            _ => before.ends_with(b"\xC5") || before.ends_with(b"\x84"),
        };
        if suspect {
            return true;
        }
    }
    assigned && text.windows(3).any(is_word_of_secrets)
}

/// Whether a dash may be one of `sk-`, `pk_`, `gh._`, `xox.-`, `_pat_` and `---`.
fn is_prefix(before: &[u8]) -> bool {
    match before {
        [.., b's' | b'p' | b'r', b'k'] | [.., b'-', b'-'] => true,
        [.., third, second, _] => matches!((third, second), (b'g', b'h') | (b'o', b'x') | (b'p', b'a')),
        _ => false,
    }
}

/// Whether a name ends as those of secrets do: `…key`, `…secret`, `…password`, `…passwd`, `…credential`, `…credentials`,
/// `…authorization`, `…cookie`, `…token`, `…mail`.
fn may_hide(key: &[u8]) -> bool {
    let [.., first, second, third] = key else { return false };
    let three = [first, second, third].map(u8::to_ascii_lowercase);
    !key.is_ascii()
        || matches!(
            &three,
            b"key" | b"ret" | b"ord" | b"swd" | b"ial" | b"als" | b"ion" | b"kie" | b"ken" | b"ail"
        )
}

/// The first letters of what secrets are assigned to: `api_key`, `secret`, `password`, `passwd`, `access_token`.
fn is_word_of_secrets(three: &[u8]) -> bool {
    let [first, second, third] = three else { return false };
    let three = [first, second, third].map(u8::to_ascii_lowercase);
    matches!(&three, b"key" | b"sec" | b"pas" | b"tok")
}

struct Patterns {
    secrets: Option<Regex>,
    card: Option<Regex>,
    keys: Option<Regex>,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let pattern = |text| Regex::new(text).ok();
    Patterns { secrets: pattern(SECRETS), card: pattern(CARD), keys: pattern(KEYS) }
});

/// What is taken out of values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redaction {
    pub(crate) off: bool,
    pub(crate) own: Vec<Regex>,
}

impl Redaction {
    /// Whether an attribute of this name holds a secret by that alone.
    pub(crate) fn hides(&self, key: &str) -> bool {
        !self.off && may_hide(key.as_bytes()) && PATTERNS.keys.as_ref().is_some_and(|keys| keys.is_match(key))
    }

    /// The text without what must not leave, if there was any.
    pub(crate) fn cleaned(&self, text: &str) -> Option<String> {
        let mut clean = Cow::Borrowed(text);
        for pattern in &self.own {
            clean = replaced(pattern, clean);
        }
        if !self.off {
            if is_suspect(text.as_bytes())
                && let Some(secrets) = &PATTERNS.secrets
            {
                clean = replaced(secrets, clean);
            }
            if text.len() > 12 && text.bytes().filter(u8::is_ascii_digit).count() > 12 {
                clean = without_cards(clean);
            }
        }
        match clean {
            Cow::Owned(text) => Some(text),
            Cow::Borrowed(_) => None,
        }
    }
}

fn replaced<'a>(pattern: &Regex, text: Cow<'a, str>) -> Cow<'a, str> {
    let clean = match pattern.replace_all(&text, REDACTED) {
        Cow::Owned(clean) => clean,
        Cow::Borrowed(_) => return text,
    };
    Cow::Owned(clean)
}

fn without_cards(text: Cow<'_, str>) -> Cow<'_, str> {
    let Some(card) = &PATTERNS.card else { return text };
    if !card.find_iter(&text).any(|found| is_card(found.as_str())) {
        return text;
    }
    let clean = card.replace_all(&text, |found: &regex::Captures<'_>| {
        let number = found.get(0).map_or("", |found| found.as_str());
        if is_card(number) { REDACTED.to_owned() } else { number.to_owned() }
    });
    Cow::Owned(clean.into_owned())
}

/// Luhn's check: of the digits from the right, every second one counts double.
fn is_card(number: &str) -> bool {
    let digits: Vec<u32> = number.chars().filter_map(|letter| letter.to_digit(10)).collect();
    let double = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let counted = digits.iter().rev().enumerate();
    let sum: u32 = counted.map(|(place, digit)| if place % 2 == 1 { double(*digit) } else { *digit }).sum();
    digits.iter().any(|digit| *digit != 0) && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::string::string_regex;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let redaction = Redaction { off: false, own: vec![Regex::new("PROJECT-[0-9]+").unwrap()] };
        for (text, clean) in [
            ("the key is sk-proj-abcdefgh12345678 ok", "the key is [redacted] ok"),
            ("Authorization: Bearer abc.def-ghi_jkl", "Authorization: [redacted]"),
            ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
            ("write to ada.lovelace@example.com, please", "write to [redacted], please"),
            ("card 4111 1111 1111 1111 paid", "card [redacted] paid"),
            ("password=hunter22", "[redacted]"),
            ("{\"api_key\": \"abcd1234\"}", "{\"[redacted]\"}"),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[redacted]"),
            ("an own rule: PROJECT-42", "an own rule: [redacted]"),
        ] {
            assert_eq!(redaction.cleaned(text).as_deref(), Some(clean), "{text}");
        }
        for text in [
            "gpt-4o",
            "task-123",
            "4111 1111 1111 1112",
            "1700000000000000000",
            "risk-assessment",
            "a@b",
            "the token budget is 4096",
            "4bf92f3577b34da6a3ce929d0e0e4736",
        ] {
            assert_eq!(redaction.cleaned(text), None, "{text}");
        }
    }

    #[test]
    fn attributes_are_hidden_by_their_names() {
        let redaction = Redaction::default();
        for key in [
            "api.key",
            "user.email",
            "db.password",
            "http.request.header.authorization",
            "client_secret",
            "db.paſſword",
        ] {
            assert!(redaction.hides(key), "{key}");
        }
        for key in ["gen_ai.usage.input_tokens", "user.id", "gen_ai.token.type", "key", "secretary"] {
            assert!(!redaction.hides(key), "{key}");
        }
    }

    /// What is skipped would not have been found.
    fn skips_nothing(text: &str) {
        let found = PATTERNS.secrets.as_ref().unwrap().is_match(text);
        assert!(!found || is_suspect(text.as_bytes()), "{text:?}");
        let hidden = PATTERNS.keys.as_ref().unwrap().is_match(text);
        assert!(!hidden || may_hide(text.as_bytes()), "{text:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn every_secret_is_suspect(secret in string_regex(&secrets()).unwrap(), before in ".{0,8}", after in ".{0,8}") {
            skips_nothing(&secret);
            skips_nothing(&format!("{before} {secret}{after}"));
            skips_nothing(&format!("{before}{secret}{after}"));
        }

        #[test]
        fn every_hidden_name_may_be_hidden(key in string_regex(KEYS_ALONE).unwrap(), before in "[a-z._]{0,8}") {
            skips_nothing(&format!("{before}.{key}"));
            skips_nothing(&key);
        }

        #[test]
        fn letters_of_secrets_in_any_order(text in "[skpr_hgoxKIASeyJ@:=bearER passwdtoken.-]{0,40}") {
            skips_nothing(&text);
        }
    }

    /// Without what must be around them.
    fn secrets() -> String {
        SECRETS.replace(r"\b", "").replace(r"|\z", "")
    }

    /// Names that hide their values, without what must stand before and after them.
    const KEYS_ALONE: &str = "(?i:api[._-]?key|secret|password|passwd|credentials?|private[._-]?key|authorization|cookie|\
        access[._-]?token|refresh[._-]?token|id[._-]?token|auth[._-]?token|e?mail)";

    #[test]
    fn ordinary_texts_are_not_looked_at_closely() {
        for text in [
            "gpt-4o",
            "chat gpt-4o",
            "openai",
            "user-123",
            "invoke_agent planner",
            "http://127.0.0.1:4318/v1",
        ] {
            assert!(!is_suspect(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn off_leaves_all_but_own_rules() {
        let redaction = Redaction { off: true, own: vec![Regex::new("blue").unwrap()] };
        assert_eq!(redaction.cleaned("sk-abcdefgh12345678"), None);
        assert_eq!(redaction.cleaned("a blue sky").as_deref(), Some("a [redacted] sky"));
    }
}
