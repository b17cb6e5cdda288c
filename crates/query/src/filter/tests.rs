//! The filter language, as a table and as properties.

use super::{parse, print};
use expect_test::{Expect, expect};
use proptest::prelude::{any, proptest};

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
    check("duration:>1.5s", "duration:>1.5s");
    check("tokens:>10k", "tokens:>10k");
    check("http.status_code:400..499", "http.status_code:>=400 http.status_code:<=499");
    check("name:*chat*", "name:*chat*");
    check("name:=\"exact words\"", "name:=\"exact words\"");
    check("workflow.id:wf:12:3", "workflow.id:wf:12:3");
    check("\"my key\":1", "\"my key\":1");
    check("resource.service.version:1.0.0", "resource.service.version:1.0.0");
    check("has:gen_ai.request.model", "has:gen_ai.request.model");
    check("temperature:-0.5", "temperature:-0.5");
}

#[test]
fn errors_say_where_and_how_to_mend() {
    let check = |text: &str, expect: Expect| {
        let error = parse(text).unwrap_err();
        expect.assert_eq(&format!("{}+{}: {}", error.at, error.length, error.message));
    };
    check("kind:", expect![[r#"4+1: a value is missing after kind:; for an empty one write """#]]);
    check("a:1 (b:2", expect![[r#"4+1: this parenthesis is not closed; add ) at the end"#]]);
    check("a:1)", expect![[r#"3+1: this parenthesis was never opened; remove it"#]]);
    check(":5", expect![[r#"0+1: a key is missing before this; write key:value"#]]);
    check("\"abc", expect![[r#"0+4: this quote is not closed; add a " at the end"#]]);
    check("duration:>soon", expect![[r#"10+4: "soon" is not a duration such as 1.5s"#]]);
    check(
        "OR a:1",
        expect![[r#"0+2: a term is missing before this; to search for the word itself, quote it"#]],
    );
    check("a:1 OR", expect![[r#"6+0: something is missing at the end; write a term such as kind:tool"#]]);
}

proptest! {
    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        drop(parse(&text));
    }

    #[test]
    fn printing_then_parsing_is_identity(text in "[-a-c:=<>*()\" .0-9ORANDT]{0,40}") {
        if let Ok(filter) = parse(&text) {
            let printed = print(&filter);
            // Nested lists of one kind are printed with parentheses, so the second tree is the same.
            assert_eq!(parse(&printed).as_ref(), Ok(&filter), "{printed}");
        }
    }
}
