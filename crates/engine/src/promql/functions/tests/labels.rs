//! Functions of labels, order and info.

use super::{ask, check, floats, told};
use query::promql::{Series, Steps};

#[test]
fn labels_are_replaced() {
    let stored = [floats("x{a=\"one-two\", b=\"3\"}", "1")];
    check(
        &stored,
        &[
            (
                r#"label_replace(x, "c", "$2:$1", "a", "(.*)-(.*)")"#,
                r#"{__name__="x", a="one-two", b="3", c="two:one"} 1"#,
            ),
            (r#"label_replace(x, "c", "$1", "a", "one")"#, r#"{__name__="x", a="one-two", b="3"} 1"#),
            (r#"label_replace(x, "a", "", "b", "3")"#, r#"{__name__="x", b="3"} 1"#),
            (
                r#"label_replace(x, "c", "none", "missing", "")"#,
                r#"{__name__="x", a="one-two", b="3", c="none"} 1"#,
            ),
            (r#"label_replace(x + 0, "__name__", "y", "", "")"#, r#"{__name__="y", a="one-two", b="3"} 1"#),
            (
                r#"label_replace(x, "c", "${word}", "a", "(?P<word>o..).*")"#,
                r#"{__name__="x", a="one-two", b="3", c="one"} 1"#,
            ),
            (
                r#"label_replace(x, "", "", "a", "")"#,
                "error: invalid destination label name in label_replace(): ",
            ),
        ],
    );
}

#[test]
fn labels_are_joined() {
    let stored = [floats("x{a=\"1\", b=\"2\"}", "1"), floats("y{a=\"1\"}", "1"), floats("y{a=\"2\"}", "1")];
    check(
        &stored,
        &[
            (
                r#"label_join(x, "c", "-", "a", "missing", "b")"#,
                r#"{__name__="x", a="1", b="2", c="1--2"} 1"#,
            ),
            (r#"label_join(x, "a", "-")"#, r#"{__name__="x", b="2"} 1"#),
            (r#"label_join(x, "c", "-", "")"#, "error: invalid source label name in label_join(): "),
            (r#"label_join(y, "a", "-")"#, "error: vector cannot contain metrics with the same labelset"),
        ],
    );
}

#[test]
fn vectors_are_sorted() {
    let stored = [
        floats("x{a=\"10\"}", "NaN"),
        floats("x{a=\"9\"}", "3"),
        floats("x{a=\"b\"}", "1"),
        floats("x{a=\"c\"}", "2"),
    ];
    let x = |names: &[(&str, &str)]| {
        let elements =
            names.iter().map(|(label, value)| format!("{{__name__=\"x\", a=\"{label}\"}} {value}"));
        elements.collect::<Vec<String>>().join("; ")
    };
    let by_label = [("9", "3"), ("10", "NaN"), ("b", "1"), ("c", "2")];
    let downwards = [("c", "2"), ("b", "1"), ("10", "NaN"), ("9", "3")];
    check(
        &stored,
        &[
            ("sort(x)", &x(&[("b", "1"), ("c", "2"), ("9", "3"), ("10", "NaN")])),
            ("sort_desc(x)", &x(&[("9", "3"), ("c", "2"), ("b", "1"), ("10", "NaN")])),
            ("sort_by_label(x, \"a\")", &x(&by_label)),
            ("sort_by_label_desc(x, \"a\")", &x(&downwards)),
        ],
    );
    let steps = Steps::Range { start: 0, end: 60_000, step: 60_000 };
    let answer = told(ask(&stored, "sort(x)", steps).unwrap());
    let warning = "PromQL warning: sort is ineffective for range queries since results are always ordered by labels (1:1)";
    assert!(answer.ends_with(warning), "{answer}");
}

fn with_info(more: Series) -> [Series; 3] {
    let about = "instance=\"i\", job=\"j\"";
    [
        floats(&format!("x{{{about}, a=\"1\"}}"), "1 2 3 4 5"),
        floats(&format!("target_info{{{about}, version=\"1\", zone=\"z\", a=\"2\"}}"), "1 1 1 stale _"),
        more,
    ]
}

#[test]
fn series_get_the_labels_of_their_origin() {
    let newer = floats("target_info{instance=\"i\", job=\"j\", version=\"2\"}", "_ _ _ 1 1");
    let stored = with_info(newer);
    let x = |more: &str| format!("{{__name__=\"x\", a=\"1\", instance=\"i\", job=\"j\"{more}}} 5");
    check(
        &stored,
        &[
            ("info(x)", &x(", version=\"2\"")),
            ("info(x, {version=~\".+\"})", &x(", version=\"2\"")),
            ("info(x, {zone=~\".+\"})", ""),
            ("info(x, {version=\"3\"})", ""),
            ("info(x, {version=~\"3|\"})", &x("")),
            ("info(x, {__name__=\"build_info\"})", &x("")),
            ("info(x{a=\"2\"})", ""),
        ],
    );
    let steps = Steps::Range { start: 60_000, end: 240_000, step: 60_000 };
    let answer = told(ask(&stored, "info(x)", steps).unwrap());
    let before = "{__name__=\"x\", a=\"1\", instance=\"i\", job=\"j\", version=\"1\", zone=\"z\"} 2 3";
    let after = "{__name__=\"x\", a=\"1\", instance=\"i\", job=\"j\", version=\"2\"} 4 5";
    assert_eq!(answer, format!("{before}; {after}"));
}

#[test]
fn infos_must_agree() {
    let same = floats("target_info{instance=\"i\", job=\"j\", version=\"2\"}", "1 1 1");
    let other = floats("build_info{instance=\"i\", job=\"j\", version=\"2\"}", "1 1 1");
    let duplicate = "error: found duplicate series for info metric";
    let answer = super::answer_at(&with_info(same), 2, "info(x)");
    assert!(answer.starts_with(duplicate), "{answer}");
    let answer = super::answer_at(&with_info(other), 2, "info(x, {__name__=~\".+_info\"})");
    assert_eq!(answer, "error: conflicting label: version");
}
