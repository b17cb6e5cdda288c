//! Properties of any text.

use super::super::{parse, print, print_pretty};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};

/// A text of tokens, some of which make queries.
fn tokens() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        prop::sample::select(vec![
            "up",
            "sum",
            "rate",
            "by",
            "on",
            "(job)",
            "(",
            ")",
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "+",
            "-",
            "*",
            "^",
            "==",
            "bool",
            "and",
            "or",
            "offset",
            "@",
            "start()",
            "step()",
            "5m",
            "1",
            "Inf",
            "\"a\"",
            "{a=~\"b.*\"}",
            "[5m]",
            "[5m:1m]",
            "group_left",
            "fill",
            "(1)",
            "anchored",
            "min_of(1, 2)",
            "#",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.join(" "))
}

fn length() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["5m", "300", "step()", "range()", "1h30m", "1.5", "1w"]);
    leaf.prop_map(str::to_owned).prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), prop::sample::select(vec!["+", "-", "*", "%", "^"]), inner.clone())
                .prop_map(|(one, operator, other)| format!("{one} {operator} {other}")),
            inner.clone().prop_map(|inner| format!("-{inner}")),
            inner.clone().prop_map(|inner| format!("({inner})")),
            (inner.clone(), inner).prop_map(|(one, other)| format!("max_of({one}, {other})")),
        ]
    })
}

fn selector() -> impl Strategy<Value = String> {
    let name =
        prop::sample::select(vec!["up", "a:b", "sum", "{\"a.b\"}", "up{b!=\"\",a=~\"x|y\"}", "offset"]);
    let suffix = prop_oneof![
        Just(String::new()),
        Just(" @ end()".to_owned()),
        Just(" smoothed".to_owned()),
        any::<i32>().prop_map(|time| format!(" @ {time}")),
        length().prop_map(|length| format!(" offset ({length})")),
        (-9..9).prop_map(|minutes| format!(" offset {minutes}m")),
    ];
    (name, suffix).prop_map(|(name, suffix)| format!("{name}{suffix}"))
}

/// A query that is likely one.
fn query() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        selector(),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| format!("label_replace(up, \"a\", {text:?}, \"b\", \"c\")")),
        (selector(), length()).prop_map(|(selector, length)| format!("rate({selector}[{length}])")),
    ];
    let operators = vec!["+", "-", "^", "== bool", "> on (a) group_left (b)", "or", "% fill (1)", "atan2"];
    leaf.prop_recursive(4, 32, 3, move |inner| {
        prop_oneof![
            (inner.clone(), prop::sample::select(operators.clone()), inner.clone())
                .prop_map(|(one, operator, other)| format!("{one} {operator} {other}")),
            inner.clone().prop_map(|inner| format!("-{inner}")),
            inner.clone().prop_map(|inner| format!("({inner})")),
            inner.clone().prop_map(|inner| format!("sum without (\"a b\") ({inner})")),
            (inner.clone(), length(), length())
                .prop_map(|(inner, range, step)| format!("min_over_time({inner}[{range}:{step}])")),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_panics(text in prop_oneof![any::<String>(), tokens()]) {
        match parse(&text) {
            Ok(expression) => {
                assert!(!print(&expression).is_empty());
            }
            Err(error) => {
                assert!(error.at + error.length <= text.len(), "{error:?}");
                assert!(text.is_char_boundary(error.at), "{error:?}");
                assert!(!error.message.is_empty());
            }
        }
    }

    #[test]
    fn what_is_written_reads_back(text in prop_oneof![query(), tokens()]) {
        if let Ok(expression) = parse(&text) {
            let written = print(&expression);
            let again = parse(&written).map_err(|error| error.message).map(|again| without_places(&again));
            // Matchers are written in order, which changes nothing else.
            let sorted = parse(&print(&parse(&written).unwrap())).unwrap();
            assert_eq!(again, Ok(without_places(&sorted)), "{text} {written}");
            assert_eq!(print(&sorted), written);
            assert_eq!(parse(&print_pretty(&expression)).map(|pretty| print(&pretty)), Ok(written));
        }
    }
}

/// Not a number equals nothing, so trees are compared as text.
fn without_places(expression: &super::super::Expression) -> String {
    let text = format!("{expression:?}");
    let mut kept = String::new();
    for part in text.split("place: ") {
        let rest = part.split_once(['}', ',']).filter(|(place, _)| place.contains(".."));
        kept.push_str(rest.map_or(part, |(_, rest)| rest));
    }
    kept
}
