//! Errors say where, and how to mend them.

use super::super::parse;
use expect_test::{Expect, expect};
use std::fmt::Write;

fn check(texts: &[&str], expect: &Expect) {
    let mut found = String::new();
    for text in texts {
        match parse(text) {
            Ok(_) => writeln!(found, "{text} IS READ").unwrap(),
            Err(error) => {
                let at = text.get(error.at..error.at + error.length).unwrap_or("?");
                writeln!(found, "{text}\n  {} `{at}` {}", error.at, error.message).unwrap();
            }
        }
    }
    expect.assert_eq(&found);
}

/// What is refused.
const NO_GRAMMAR: [&str; 22] = [
    "",
    "sum(",
    "sum(up",
    "up)",
    "up{",
    "up{a",
    "up{a=",
    "up{a==\"b\"}",
    "up{a=\"b\" b=\"c\"}",
    "up[",
    "up[5m",
    "up[5m:",
    "up[0]",
    "up[5m/0]",
    "up[400y]",
    "up +",
    "up up",
    "1 + + ",
    "sum by job (up)",
    "sum(up,)",
    "sum(1, up)",
    "topk(up)",
];

/// Likewise: modifiers, names and literals.
const NO_PART: [&str; 24] = [
    "sum()",
    "on",
    "up offset",
    "up @ up",
    "up @ 1e99",
    "(up + 1) offset 5m",
    "up offset 1m offset 2m",
    "up offset 5m [1m]",
    "rate(up)[5m]",
    "rat(up[5m])",
    "rata(up[5m])",
    "x(up)",
    "up * group_left (a) up",
    "up + fill_left(1) fill_left(2) up",
    "'a",
    "'\\q'",
    "'\\xzz'",
    "5mm",
    "1..2",
    "1_",
    "up && up",
    "über",
    "up[5m] anchored smoothed",
    "up[5m:] smoothed",
];

#[test]
fn of_the_grammar() {
    check(
        &NO_GRAMMAR,
        &expect![[r#"

          0 `` no expression found in input; write one, such as up
        sum(
          4 `` unexpected end of input, expected an expression, such as a metric's name, a function or a number
        sum(up
          3 `(` unclosed left parenthesis; add ) at the end
        up)
          2 `)` unexpected right parenthesis ')'; remove it
        up{
          2 `{` unexpected end of input inside braces; add } at the end
        up{a
          2 `{a` unexpected end of input inside braces; add } at the end
        up{a=
          2 `{a=` unexpected end of input inside braces; add } at the end
        up{a=="b"}
          4 `==` unexpected "==" in label matching, expected label matching operator; write = for what is equal
        up{a="b" b="c"}
          9 `b` unexpected "b" in label matching, expected "," or "}"
        up[
          3 `` unexpected end of input in duration expression, expected number, duration, step(), or range()
        up[5m
          5 `` unexpected end of input in subquery or range, expected ":" or "]"
        up[5m:
          6 `` unexpected end of input in duration expression, expected number, duration, step(), or range()
        up[0]
          3 `0` duration must be greater than 0
        up[5m/0]
          5 `/0` division by zero
        up[400y]
          3 `400y` bad number or duration syntax: "400y"; write a number such as 1.5 or 1e3, or a duration such as 1h30m, units from large to small: y w d h m s ms
        up +
          4 `` unexpected end of input, expected an expression, such as a metric's name, a function or a number
        up up
          3 `up` unexpected "up", expected an operator or the end
        1 + + 
          6 `` unexpected end of input, expected an expression, such as a metric's name, a function or a number
        sum by job (up)
          7 `job` unexpected "job" in grouping opts, expected "("
        sum(up,)
          6 `,` trailing commas not allowed in function call args; remove it
        sum(1, up)
          0 `sum(1, up)` wrong number of arguments for aggregate expression provided, expected 1, got 2; write sum(expression)
        topk(up)
          0 `topk(up)` wrong number of arguments for aggregate expression provided, expected 2, got 1; write topk(number, expression)
    "#]],
    );
}

#[test]
fn of_parts() {
    check(
        &NO_PART,
        &expect![[r#"
        sum()
          0 `sum()` no arguments for aggregate expression provided; write sum(expression)
        on
          0 `on` unexpected <on>, expected an expression; a metric of this name is written {"on"}
        up offset
          9 `` unexpected end of input in duration expression, expected number, duration, step(), or range()
        up @ up
          5 `up` unexpected "up" in @, expected timestamp: seconds since the Unix epoch, start() or end()
        up @ 1e99
          0 `up @ 1e99` timestamp out of bounds for @ modifier: 1000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000; it is in seconds since the Unix epoch
        (up + 1) offset 5m
          0 `(up + 1) offset 5m` offset modifier must be preceded by an instant vector selector or range vector selector or a subquery; move it next to the selector
        up offset 1m offset 2m
          0 `up offset 1m offset 2m` offset may not be set multiple times; add them up
        up offset 5m [1m]
          13 `[1m]` no offset modifiers allowed before range; write it after the ]
        rate(up)[5m]
          8 `[5m]` ranges only allowed for vector selectors; for values of an expression over time write a subquery, such as [5m:1m]
        rat(up[5m])
          0 `rat` unknown function with name "rat"; did you mean rate?
        rata(up[5m])
          0 `rata` unknown function with name "rata"; did you mean rate?
        x(up)
          0 `x` unknown function with name "x"; Prometheus 3.14 has no such function
        up * group_left (a) up
          5 `group_left` unexpected "group_left" in binary expression, expected on (…) or ignoring (…) before it
        up + fill_left(1) fill_left(2) up
          18 `fill_left` unexpected "fill_left" in fill modifier, expected each side once
        'a
          0 `'a` this quote is not closed; add a ' at the end
        '\q'
          1 `\q` there is no escape \q; write \\q for a backslash, or put the text between backticks
        '\xzz'
          1 `\x` \x needs 2 digits of base 16 after it
        5mm
          0 `5mm` bad number or duration syntax: "5mm"; write a number such as 1.5 or 1e3, or a duration such as 1h30m, units from large to small: y w d h m s ms
        1..2
          0 `1..2` bad number or duration syntax: "1..2"; write a number such as 1.5 or 1e3, or a duration such as 1h30m, units from large to small: y w d h m s ms
        1_
          0 `1_` bad number or duration syntax: "1_"; write a number such as 1.5 or 1e3, or a duration such as 1h30m, units from large to small: y w d h m s ms
        up && up
          3 `&` unexpected character: '&'; to have both, write "and"
        über
          0 `ü` unexpected character: 'ü'; a name with other letters than a to z is quoted, in braces: {"name"}
        up[5m] anchored smoothed
          16 `smoothed` anchored and smoothed modifiers cannot be used together; remove one
        up[5m:] smoothed
          8 `smoothed` smoothed modifier is not supported for subqueries; remove it
    "#]],
    );
}

/// What is refused.
const WRONG_TYPES: [&str; 28] = [
    "{}",
    "{a=~\".*\"}",
    "up{__name__=\"down\"}",
    "up{a=~\"(\"}",
    "rate(up)",
    "rate(sum(up))",
    "abs(up[5m])",
    "abs(1)",
    "vector(up)",
    "abs()",
    "round(up, 1, 2)",
    "label_join(up)",
    "sum(up[5m])",
    "topk(up, up)",
    "count_values(1, up)",
    "up[5m] + 1",
    "1 == 1",
    "1 and up",
    "up + bool up",
    "up + on(a) 1",
    "up + fill(0) 1",
    "up and on(a) group_left up",
    "up * on(a) group_left(a) up",
    "1[5m:]",
    "-\"a\"",
    "info(up, up)",
    "info(up, 1)",
    "up or fill(1) up",
];

#[test]
fn of_types() {
    check(
        &WRONG_TYPES,
        &expect![[r#"
            {}
              0 `{}` vector selector must contain at least one non-empty matcher; name a metric, or write label=~".+"
            {a=~".*"}
              0 `{a=~".*"}` vector selector must contain at least one non-empty matcher; name a metric, or write label=~".+"
            up{__name__="down"}
              0 `up{__name__="down"}` metric name must not be set twice: "up" or "down"; remove one
            up{a=~"("}
              3 `a=~"("` error parsing regexp: unclosed group: `(`; the syntax is RE2's, a literal . * + ? ( ) [ ] needs a \ before it
            rate(up)
              5 `up` expected type range vector in call to function "rate", got instant vector; add a range, such as [5m]
            rate(sum(up))
              5 `sum(up)` expected type range vector in call to function "rate", got instant vector; add a range and a step, such as [5m:1m]
            abs(up[5m])
              4 `up[5m]` expected type instant vector in call to function "abs", got range vector; remove the range, or put rate(…) around it
            abs(1)
              4 `1` expected type instant vector in call to function "abs", got scalar; to make it one, write vector(…)
            vector(up)
              7 `up` expected type scalar in call to function "vector", got instant vector; to make it one, write scalar(…)
            abs()
              0 `abs()` expected 1 argument(s) in call to "abs", got 0; it takes (instant vector)
            round(up, 1, 2)
              0 `round(up, 1, 2)` expected at most 2 argument(s) in call to "round", got 3; it takes (instant vector, scalar)
            label_join(up)
              0 `label_join(up)` expected at least 3 argument(s) in call to "label_join", got 1; it takes (instant vector, string, string, string)
            sum(up[5m])
              4 `up[5m]` expected type instant vector in aggregation expression, got range vector; remove the range, or put rate(…) around it
            topk(up, up)
              5 `up` expected type scalar in aggregation parameter, got instant vector; to make it one, write scalar(…)
            count_values(1, up)
              13 `1` expected type string in aggregation parameter, got scalar; write a text in quotes
            up[5m] + 1
              0 `up[5m]` binary expression must contain only scalar and instant vector types; put a function of ranges around a range
            1 == 1
              2 `==` comparisons between scalars must use BOOL modifier; write == bool
            1 and up
              0 `1 and up` set operator "and" not allowed in binary scalar expression; write vector(…) around the number
            up + bool up
              3 `+ bool` bool modifier can only be used on comparison operators; remove it
            up + on(a) 1
              0 `up + on(a) 1` vector matching only allowed between instant vectors; remove on or ignoring
            up + fill(0) 1
              0 `up + fill(0) 1` filling in missing series only allowed between instant vectors; remove fill
            up and on(a) group_left up
              0 `up and on(a) group_left up` no grouping allowed for "and" operation; remove group_left or group_right
            up * on(a) group_left(a) up
              3 `* on(a) group_left(a)` label "a" must not occur in ON and GROUP clause at once; remove it from one
            1[5m:]
              0 `1[5m:]` subquery is only allowed on instant vector, got scalar instead
            -"a"
              0 `-"a"` unary expression only allowed on expressions of type scalar or instant vector, got "string"
            info(up, up)
              9 `up` expected label selectors only, got vector selector instead; write {__name__="…"} for another info metric
            info(up, 1)
              9 `1` expected type instant vector in call to function "info", got scalar; to make it one, write vector(…)
            up or fill(1) up
              0 `up or fill(1) up` filling in missing series not allowed for set operators; remove fill
        "#]],
    );
}

#[test]
fn bounds() {
    let deep = |text: &str| parse(text).map(|_| ()).map_err(|error| error.message);
    let chain = vec!["up"; 190].join(" or ");
    assert_eq!(deep(&chain), Ok(()));
    let nested = format!("{}1{}", "(".repeat(90), ")".repeat(90));
    assert_eq!(deep(&nested), Ok(()));
    for text in [
        "(".repeat(5000),
        "-".repeat(5000),
        "1+".repeat(5000),
        "1^".repeat(5000),
        "sum(".repeat(5000),
        format!("up[{}1{}]", "(".repeat(5000), ")".repeat(5000)),
        format!("up[{}1]", "1+".repeat(5000)),
        format!("up{}", "[5m:1m]".repeat(5000)),
    ] {
        assert!(deep(&text).unwrap_err().contains("nests deeper"), "{text:.20}");
    }
    assert!(deep(&" ".repeat(70_000)).unwrap_err().contains("longer"));
}
