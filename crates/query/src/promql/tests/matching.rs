//! Matchers of labels.

use super::super::{Matcher, MatcherOperator, regex};

fn matcher(operator: MatcherOperator, value: &str) -> Matcher {
    Matcher { name: "a".to_owned(), operator, value: value.to_owned() }
}

#[test]
fn matchers_match_whole_values() {
    let check = |operator, pattern: &str, yes: &[&str], no: &[&str]| {
        let compiled = matcher(operator, pattern).compile().unwrap();
        let inverse = match operator {
            MatcherOperator::Equal => MatcherOperator::NotEqual,
            _ => MatcherOperator::MatchesNot,
        };
        let inverse = matcher(inverse, pattern).compile().unwrap();
        for value in yes {
            assert!(compiled.matches(value) && !inverse.matches(value), "{pattern} {value}");
        }
        for value in no {
            assert!(!compiled.matches(value) && inverse.matches(value), "{pattern} {value}");
        }
    };
    check(MatcherOperator::Equal, "x.y", &["x.y"], &["xzy", ""]);
    let regex = MatcherOperator::Matches;
    check(regex, "", &[""], &["a"]);
    check(regex, ".*", &["", "a\nb"], &[]);
    check(regex, ".+", &["a\nb"], &[""]);
    check(regex, "api-.*", &["api-", "api-1\n"], &["api", "xapi-"]);
    check(regex, "a|bc|", &["a", "bc", ""], &["b", "abc"]);
    check(regex, "(a|bc)", &["a", "bc"], &["", "(a"]);
    check(regex, "a.c", &["abc", "a\nc"], &["abcd", "xabc"]);
    check(regex, "(?i)AB+", &["abb", "Ab"], &["a"]);
    check(regex, "5..|404", &["500", "404"], &["5000", "40"]);
}

#[test]
fn the_syntax_is_that_of_re2() {
    let check = |pattern: &str, yes: &[&str], no: &[&str]| {
        let compiled = regex(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        for value in yes {
            assert!(compiled.is_match(value), "{pattern} {value}");
        }
        for value in no {
            assert!(!compiled.is_match(value), "{pattern} {value}");
        }
    };
    check(r"\d+", &["12"], &["٣", "a"]);
    check(r"[\d\-x]+", &["1-x"], &["y"]);
    check(r"[^\W_]", &["a"], &["_", "-", "é"]);
    check(r"\w\s\S", &["a b"], &["é b", "ab"]);
    check(r"a\b.c", &["a-c"], &["abc"]);
    check(r"a\B.c", &["abc"], &["a-c"]);
    check("a{", &["a{"], &["a"]);
    check("{{x}}", &["{{x}}"], &[]);
    check("a{2}b{1,}c{0,1}", &["aab", "aabbc"], &["ab"]);
    check("[[]", &["["], &["a"]);
    check("[]a]+", &["a]"], &["["]);
    check("[^]a]", &["b"], &["]"]);
    check("[a&&b]+", &["a&b"], &["c"]);
    check("[a--]", &["-", "a"], &["b"]);
    check("[[:alpha:]-]+", &["a-b"], &["1"]);
    check(r"\Qa.b\E.", &["a.bc"], &["axbc"]);
    check(r"\<a\>", &["<a>"], &["a"]);
    check(r"\pL\p{Greek}", &["aα"], &["aa"]);
    check(r"(?P<n>a)(?:b)\x41\x{e9}\.", &["abAé."], &[]);
}

#[test]
fn what_is_no_expression_says_why() {
    for pattern in ["(", "[a", "a**?)", "\\", "(?=a)", "x{1000000}{1000000}"] {
        let error = matcher(MatcherOperator::Matches, pattern).compile().unwrap_err();
        assert!(error.starts_with("error parsing regexp: ") && error.contains(pattern), "{error}");
    }
}

#[test]
fn candidates_are_known_of_simple_expressions() {
    let candidates = |operator, value: &str| {
        let compiled = matcher(operator, value).compile().unwrap();
        compiled.candidates().map(|texts| texts.join(","))
    };
    assert_eq!(candidates(MatcherOperator::Equal, "a|b").as_deref(), Some("a|b"));
    assert_eq!(candidates(MatcherOperator::Matches, "b|a").as_deref(), Some("a,b"));
    assert_eq!(candidates(MatcherOperator::Matches, "a.*"), None);
    assert_eq!(candidates(MatcherOperator::NotEqual, "a"), None);
}
