//! PromQL's text: what is read, what is written, what is refused.

mod arbitrary;
mod errors;
mod matching;

use super::{Expression, Node, ValueType, line_and_column, parse, parse_selector, print, print_pretty};

fn written(text: &str) -> String {
    match parse(text) {
        Ok(expression) => print(&expression),
        Err(error) => panic!("{text}: {} at {}", error.message, error.at),
    }
}

#[test]
fn queries_in_canonical_form() {
    let check = |text: &str, expect: &str| assert_eq!(written(text), expect, "{text}");
    check("  up # all that are up\n", "up");
    check("a:b:c", "a:b:c");
    check("SUM(up) BY (job,)", "sum by (job) (up)");
    check("sum by(a, \"b c\")(up)", "sum by (a, \"b c\") (up)");
    check("sum by () (up)", "sum(up)");
    check("sum without () (up)", "sum without () (up)");
    check("count_values('v', up)", "count_values(\"v\", up)");
    check("sum + by * offset", "sum + by * offset");
    check("fill + fill_left(1) fill", "fill + fill_left (1) fill");
}

#[test]
fn selectors() {
    let check = |text: &str, expect: &str| assert_eq!(written(text), expect, "{text}");
    check("up{job='api',}", "up{job=\"api\"}");
    check("up{b!=\"1\", a=~`\\d+`}", "up{a=~\"\\\\d+\",b!=\"1\"}");
    check("{\"http.requests\", \"a label\"!~\"x\"}", "{\"a label\"!~\"x\",__name__=\"http.requests\"}");
    check("{by='1', inf='2'}", "{by=\"1\",inf=\"2\"}");
    check("up offset 90s", "up offset 1m30s");
    check("up offset -1w @ 12.3456", "up @ 12.346 offset -1w");
    check("up @ end() offset 0", "up @ end()");
    check("up [ 5m ] offset 1y1w1d1h1m1s1ms", "up[5m] offset 373d1h1m1s1ms");
    check("up[300] smoothed @ start()", "up[5m] smoothed @ start()");
    check("up anchored", "up anchored");
    check("max_over_time(up[1h:] offset 1m)", "max_over_time(up[1h:] offset 1m)");
    check("rate(up[5m])[1h:5m] @ 1e3", "rate(up[5m])[1h:5m] @ 1000.000");
}

#[test]
fn lengths() {
    let check = |text: &str, expect: &str| assert_eq!(written(text), expect, "{text}");
    check("up[5m*2]", "up[5m * 2]");
    check("up[step()+1]", "up[step() + 1]");
    check("up[((range()))]", "up[(range())]");
    check("up[max_of(step(),5s):-1*-2]", "up[max_of(step(), 5s):-1 * -2]");
    check("up offset -step() * 2", "up offset -step() * 2");
    check("up offset (1m + 5)", "up offset (1m + 5)");
    check("up offset -(5) - 1", "up offset -(5) - 1");
    check("up offset 1m + 5m", "up offset 1m + 5m");
    let sum = parse("up offset 1m + 5m").unwrap();
    assert!(matches!(sum.node, Node::Binary(_)), "after a plain offset the query goes on");
}

#[test]
fn numbers_and_texts() {
    let check = |text: &str, expect: &str| assert_eq!(written(text), expect, "{text}");
    check("0x1F", "31");
    check("0755", "493");
    check("089", "89");
    check("1_000.5", "1000.5");
    check("1e3", "1000");
    check(".5e-2", "0.005");
    check("-1", "-1");
    check("- -1", "1");
    check("iNf", "+Inf");
    check("-inf", "-Inf");
    check("NAN", "NaN");
    check("1h30m", "1h30m");
    check("-5m", "-5m");
    check(r#""a\n\x41\u00e9\U0001f600\101\"""#, r#""a\nAé😀A\"""#);
    check(r"'it\'s'", "\"it's\"");
    check("`\\n\n`", "\"\\\\n\\n\"");
    check(r#""\xc3\xa9""#, "\"é\"");
}

#[test]
fn operators_bind_as_in_prometheus() {
    let check = |text: &str, expect: &str| {
        assert_eq!(grouped(&parse(text).unwrap()), expect, "{text}");
    };
    check("a + b * c", "(a + (b * c))");
    check("a - b - c", "((a - b) - c)");
    check("a ^ b ^ c", "(a ^ (b ^ c))");
    check("-a ^ b", "-(a ^ b)");
    check("-a * b", "(-a * b)");
    check("a ^ -b * c", "((a ^ -b) * c)");
    check("a atan2 b / c % d", "(((a atan2 b) / c) % d)");
    check("a or b and c unless d", "(a or ((b and c) unless d))");
    check("a == b > c", "((a == b) > c)");
    check("a + b </ c", "((a + b) </ c)");
    check("a and b == c", "(a and (b == c))");
}

/// Parentheses around every operator.
fn grouped(expression: &Expression) -> String {
    match &expression.node {
        Node::Binary(binary) => {
            format!("({} {} {})", grouped(&binary.left), binary.operator.text(), grouped(&binary.right))
        }
        Node::Sign { operand, .. } => format!("-{}", grouped(operand)),
        _ => print(expression),
    }
}

#[test]
fn matching_of_vectors() {
    let check = |text: &str, expect: &str| assert_eq!(written(text), expect, "{text}");
    check("a * on(x, y) group_left(z) b", "a * on (x, y) group_left (z) b");
    check("a * ignoring(x) group_right b", "a * ignoring (x) group_right () b");
    check("a - ignoring() b", "a - b");
    check("a - on() b", "a - on () b");
    check("a > bool 1", "a > bool 1");
    check("1 > bool on() 2", "1 > bool 2");
    check("a + fill(-1) b", "a + fill (-1) b");
    check("a + fill_right(5m) fill_left(NaN) b", "a + fill_left (NaN) fill_right (300) b");
    check("a or on(x) b", "a or on (x) b");
}

#[test]
fn types() {
    let check =
        |text: &str, expect: ValueType| assert_eq!(parse(text).unwrap().value_type(), expect, "{text}");
    check("1 + time()", ValueType::Scalar);
    check("-(1)", ValueType::Scalar);
    check("1 + up", ValueType::Vector);
    check("\"a\"", ValueType::String);
    check("up[5m]", ValueType::Matrix);
    check("up[5m:]", ValueType::Matrix);
    check("scalar(up)", ValueType::Scalar);
    check("sum(up)", ValueType::Vector);
}

#[test]
fn places() {
    let text = "1 +\n  sum(rate(up[5m] offset 1m)) by (job)";
    let Node::Binary(binary) = parse(text).unwrap().node else { panic!("not an operator") };
    assert_eq!(text.get(binary.right.place.clone()), Some("sum(rate(up[5m] offset 1m)) by (job)"));
    assert_eq!(line_and_column(text, binary.right.place.start), (2, 3));
    let Node::Aggregation(sum) = binary.right.node else { panic!("not an aggregation") };
    let Node::Call { arguments, .. } = &sum.expression.node else { panic!("not a call") };
    let range = arguments.first().unwrap();
    assert_eq!(text.get(range.place.clone()), Some("up[5m] offset 1m"));
    let Node::Range(range) = &range.node else { panic!("not a range") };
    assert_eq!(text.get(range.place.clone()), Some("up"));
}

#[test]
fn selectors_alone() {
    assert_eq!(parse_selector("up{a=\"b\"}").unwrap().len(), 2);
    assert!(parse_selector("up[5m]").is_err());
    assert!(parse_selector("up offset 5m").is_err());
    assert!(parse_selector("{}").is_err());
}

#[test]
fn long_queries_are_split() {
    let text = "sum by (job, instance) (rate(http_requests_total{job=\"api\", code=~\"5..\"}[5m])) \
                / on (job) group_left () topk(3, sum by (job) (rate(http_requests_total{job=\"api\"}[5m])))";
    let pretty = print_pretty(&parse(text).unwrap());
    expect_test::expect![[r#"
          sum by (job, instance) (rate(http_requests_total{code=~"5..",job="api"}[5m]))
        / on (job) group_left ()
          topk(3, sum by (job) (rate(http_requests_total{job="api"}[5m])))"#]]
    .assert_eq(&pretty);
    assert_eq!(written(&pretty), written(text));
}

/// The names of Prometheus 3.14.
#[test]
fn all_functions_are_known() {
    assert_eq!(super::functions().count(), 90);
}
