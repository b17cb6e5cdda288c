//! The filter language, as a table and as properties.

use super::{Comparison, Expression, Field, Operator, literal, parse, print};
use expect_test::{Expect, expect};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};

#[test]
fn filters_in_canonical_form() {
    let check = |text: &str, expect: &str| {
        assert_eq!(parse(text).map(|filter| print(&filter)).as_deref(), Ok(expect), "{text}");
    };
    check("", "");
    check("  ", "");
    check("refund", "refund");
    check("\"a b\"", "\"a b\"");
    check("kind:tool has:error", "kind:tool status:=error");
    check("kind:tool AND -model:gpt-4o", "kind:tool -model:gpt-4o");
    check("a:1 OR b:2 c:3", "a:1 OR (b:2 c:3)");
    check("NOT (a:1 OR b:2)", "-(a:1 OR b:2)");
    check("(-a:1 OR NOT b:2) c:3", "(-a:1 OR -b:2) c:3");
    check("--a:1", "--a:1");
    check("duration:>1.5s", "duration:>1.5s");
    check("tokens:>10k", "tokens:>10k");
    check("http.status_code:400..499", "http.status_code:>=400 http.status_code:<=499");
    check("path:a/../b", "path:\"a/../b\"");
    check("name:*chat*", "name:*chat*");
    check("name:\"*\"", "name:\"*\"");
    check("name:=\"exact words\"", "name:=\"exact words\"");
    check("name:\">5\"", "name:\">5\"");
    check("workflow.id:wf:12:3", "workflow.id:wf:12:3");
    check("\"my key\":1", "\"my key\":1");
    check("\"kind\":x \"has\":y", "\"kind\":x \"has\":y");
    check("resource.service.version:1.0.0", "resource.service.version:1.0.0");
    check("\"resource.my key\":1", "\"resource.my key\":1");
    check("has:gen_ai.request.model", "has:gen_ai.request.model");
    check("has:\"error\" has:\"my key\"", "has:\"error\" has:\"my key\"");
    check("temperature:-0.5", "temperature:-0.5");
    check("version:>=v1.2", "version:>=v1.2");
    check("a->b", "\"a->b\"");
    check("status:ERROR", "status:ERROR");
}

#[test]
fn errors_say_where_and_how_to_mend() {
    let check = |text: &str, expect: Expect| {
        let error = parse(text).unwrap_err();
        expect.assert_eq(&format!("{}+{}: {}", error.at, error.length, error.message));
    };
    check("kind:", expect![[r#"4+1: a value is missing after kind:; for an empty one write """#]]);
    check("kind: tool", expect!["4+1: there is a space after kind:; remove it"]);
    check("kind :tool", expect!["5+1: a key is missing before this; write key:value without a space"]);
    check("a:1 (b:2", expect!["4+1: this parenthesis is not closed; add ) at the end"]);
    check("a:1)", expect!["3+1: this parenthesis was never opened; remove it"]);
    check("()", expect!["1+1: a term is missing before this parenthesis; add one or remove it"]);
    check(":5", expect!["0+1: a key is missing before this; write key:value without a space"]);
    check("\"abc", expect![[r#"0+4: this quote is not closed; add a " at the end"#]]);
    check("name:\"abc", expect![[r#"5+4: this quote is not closed; add a " at the end"#]]);
    check(
        "duration:>soon",
        expect![[
            r#"10+4: "soon" is not a duration; write a number with ns, us, ms, s, m or h, such as 1.5s"#
        ]],
    );
    check(
        "duration:5parsecs",
        expect![[
            r#"9+8: "5parsecs" is not a duration; write a number with ns, us, ms, s, m or h, such as 1.5s"#
        ]],
    );
    check("tokens:many", expect![[r#"7+4: "many" is not a number; write one such as 10, 1.5 or 10k"#]]);
    check("a:1..x", expect![[r#"2+4: "x" is not a number; write one such as 10, 1.5 or 10k"#]]);
    check("tokens:>b", expect![[r#"8+1: "b" is not a number; write one such as 10, 1.5 or 10k"#]]);
    check("kind:>tool", expect!["6+4: there is no order of these; write kind:tool"]);
    check("a:!=b", expect!["1+3: there is no operator :!=; write -key:=value for what is not equal"]);
    check(
        "a:~b",
        expect![
            "1+2: there is no operator :~; there are no regular expressions; write key:*part* with * for any text, or quote the value"
        ],
    );
    check("duration>5s", expect!["0+11: a colon is missing; write duration:>5s"]);
    check("status!=error", expect!["0+13: a colon is missing; write -status:=error"]);
    check(
        "status:bad",
        expect![[r#"7+3: "bad" is not a status; write status:error, status:ok or status:unset"#]],
    );
    check("trace:xyz", expect![[r#"6+3: "xyz" is not a trace id; write its 32 hex digits"#]]);
    check("has:>a", expect!["5+1: has takes a key; write has:a"]);
    check("OR a:1", expect!["0+2: a term is missing before this; to search for the word itself, quote it"]);
    check("a:1 OR", expect!["6+0: something is missing at the end; write a term such as kind:tool"]);
    check(&format!("{}a", "(".repeat(70)), expect!["65+1: this nests too deep; use fewer parentheses"]);
    check(&"a ".repeat(257), expect!["512+1: this query has more than 256 terms; use fewer"]);
    check(&"a".repeat(17 << 10), expect!["16384+1024: this query is longer than 16384 bytes; shorten it"]);
}

/// Any field with any value that suits it.
fn comparisons() -> impl Strategy<Value = Expression> {
    let texts = prop_oneof![
        ".{0,12}",
        "[-!=<>~:.*()\"\\\\ a-z0-9]{1,8}",
        Just("error".to_owned()),
        Just("AND".to_owned())
    ];
    let numbers = prop_oneof!["[1-9][0-9]{0,5}", "0\\.[1-9]", Just("-3".to_owned())];
    let keys =
        prop_oneof!["[a-z.]{1,8}", "[-a-z:()\" =]{1,6}", Just("has".to_owned()), Just("kind".to_owned())];
    let attributes = keys.prop_map(Field::Attribute).boxed();
    let resources = "[a-z. ]{1,8}".prop_map(Field::ResourceAttribute).boxed();
    let named =
        prop::sample::select(vec![Field::Name, Field::Service, Field::Agent, Field::ScopeName]).boxed();
    let counted = prop::sample::select(vec![Field::Duration, Field::Tokens, Field::Cost]).boxed();
    let fields = prop_oneof![attributes, resources, named];
    let compare = |(field, operator, text): (Field, Operator, String)| {
        let value = literal(&field, &text);
        Expression::Compare(Comparison { field, operator, value })
    };
    let equal = prop::sample::select(vec![Operator::Matches, Operator::Equal]);
    let ordered = prop::sample::select(vec![
        Operator::Less,
        Operator::LessOrEqual,
        Operator::Greater,
        Operator::GreaterOrEqual,
        Operator::Equal,
        Operator::Matches,
    ]);
    let globs = "[a-z]{0,3}\\*[-a-z:]{0,3}";
    prop_oneof![
        (fields.clone(), equal, texts.clone()).prop_map(compare),
        (prop_oneof![fields.clone(), counted], ordered, numbers).prop_map(compare),
        (fields.clone(), Just(Operator::Glob), globs).prop_map(compare),
        fields.prop_map(Expression::Exists),
        texts.prop_map(Expression::Text),
    ]
}

/// Trees as the parser makes them: lists have two parts or more.
fn expressions() -> impl Strategy<Value = Expression> {
    comparisons().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::Or),
            inner.prop_map(|inner| Expression::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        drop(parse(&text));
    }

    #[test]
    fn errors_lie_within_the_text(text in "[-a-c:=<>~!*()\" .0-9ORANDTé]{0,40}") {
        if let Err(error) = parse(&text) {
            assert!(error.at + error.length <= text.len());
            assert!(text.is_char_boundary(error.at) && text.is_char_boundary(error.at + error.length));
        }
    }

    #[test]
    fn reading_then_printing_is_stable(text in "[-a-c:=<>*()\" .0-9ORANDT]{0,40}") {
        if let Ok(filter) = parse(&text) {
            let printed = print(&filter);
            assert_eq!(parse(&printed).as_ref(), Ok(&filter), "{printed}");
        }
    }

    #[test]
    fn printing_then_reading_gives_the_same_tree(filter in expressions()) {
        let printed = print(&filter);
        assert_eq!(parse(&printed).as_ref(), Ok(&filter), "{printed}");
    }
}
