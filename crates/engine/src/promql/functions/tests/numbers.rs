//! Functions of numbers and dates.

use super::{ask, check, floats, told};
use query::promql::Steps;

#[test]
fn functions_of_numbers() {
    let stored = [floats("x", "0 0 0 0 2.5"), floats("y", "-0.5 -0.5 -0.5 -0.5 -0.5"), floats("z", "NaN")];
    check(
        &stored,
        &[
            ("abs(y)", "0.5"),
            ("acos(y)", "2.0943951"),
            ("acosh(x)", "1.56679924"),
            ("acosh(y)", "NaN"),
            ("asin(y)", "-0.523598776"),
            ("asinh(x)", "1.64723115"),
            ("atan(x)", "1.19028995"),
            ("atanh(y)", "-0.549306144"),
            ("ceil(x)", "3"),
            ("ceil(y)", "-0"),
            ("cos(x)", "-0.801143616"),
            ("cosh(x)", "6.13228948"),
            ("deg(x)", "143.239449"),
            ("exp(y)", "0.60653066"),
            ("floor(y)", "-1"),
            ("ln(x)", "0.916290732"),
            ("ln(y)", "NaN"),
            ("log10(x)", "0.397940009"),
            ("log2(x)", "1.32192809"),
            ("rad(x)", "0.0436332313"),
            ("round(x)", "3"),
            ("round(y)", "0"),
            ("round(x, 0.2)", "2.6"),
            ("round(x, 4)", "4"),
            ("sgn(x)", "1"),
            ("sgn(y)", "-1"),
            ("sgn(z)", "NaN"),
            ("sin(x)", "0.598472144"),
            ("sinh(x)", "6.05020448"),
            ("sqrt(x)", "1.58113883"),
            ("tan(x)", "-0.747022297"),
            ("tanh(x)", "0.986614298"),
            ("start_timestamp(x)", ""),
        ],
    );
}

#[test]
fn numbers_are_kept_within_bounds() {
    let stored = [floats("x", "0 0 0 0 2.5"), floats("z", "NaN")];
    check(
        &stored,
        &[
            ("clamp(x, 0, 1)", "1"),
            ("clamp(x, 3, 5)", "3"),
            ("clamp(x, 2, 3)", "2.5"),
            ("clamp(x, 3, 2)", ""),
            ("clamp(x, NaN, 5)", "NaN"),
            ("clamp(z, 1, 2)", "NaN"),
            ("clamp_max(x, 1)", "1"),
            ("clamp_max(x, NaN)", "NaN"),
            ("clamp_min(x, 3)", "3"),
            ("clamp_min(z, Inf)", "inf"),
            ("max_of(1, 2)", "2"),
            ("max_of(NaN, 2)", "NaN"),
            ("max_of(NaN, Inf)", "inf"),
            ("min_of(1, 2)", "1"),
            ("min_of(NaN, -Inf)", "-inf"),
        ],
    );
}

#[test]
fn scalars_and_vectors() {
    let stored = [floats("x{a=\"1\"}", "1"), floats("x{a=\"2\"}", "2")];
    check(
        &stored,
        &[
            ("scalar(x)", "NaN"),
            ("scalar(x{a=\"2\"})", "2"),
            ("scalar(y)", "NaN"),
            ("vector(3)", "3"),
            ("pi()", "3.14159265"),
            ("time()", "240"),
            ("timestamp(x{a=\"1\"})", "{a=\"1\"} 0"),
            ("timestamp(x{a=\"1\"} + 0)", "{a=\"1\"} 240"),
            ("start()", "240"),
            ("end()", "240"),
            ("range()", "0"),
            ("step()", "0"),
        ],
    );
}

#[test]
fn the_query_knows_its_own_time() {
    let steps = Steps::Range { start: 60_000, end: 170_000, step: 60_000 };
    for (query, expected) in [
        ("start()", "60 60"),
        ("end()", "170 170"),
        ("range()", "110 110"),
        ("step()", "60 60"),
        ("time()", "60 120"),
    ] {
        assert_eq!(told(ask(&[], query, steps).unwrap()), expected, "{query}");
    }
}

#[test]
fn dates() {
    // 2024-02-29T23:59:59.9Z, a Thursday.
    let stored = [floats("x", "1709251199.9"), floats("before", "-1.5"), floats("never", "Inf")];
    check(
        &stored,
        &[
            ("year(x)", "2024"),
            ("month(x)", "2"),
            ("day_of_month(x)", "29"),
            ("day_of_week(x)", "4"),
            ("day_of_year(x)", "60"),
            ("days_in_month(x)", "29"),
            ("hour(x)", "23"),
            ("minute(x)", "59"),
            ("year(before)", "1969"),
            ("day_of_week(before)", "3"),
            ("minute(before)", "59"),
            ("year(never)", "NaN"),
            ("year(never * 0)", "NaN"),
            ("year()", "1970"),
            ("day_of_week()", "4"),
            ("minute()", "4"),
            ("days_in_month(vector(1675252800))", "28"),
        ],
    );
}
