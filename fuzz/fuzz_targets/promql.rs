//! PromQL: what is read and written again is the same.
#![no_main]

use query::promql;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = promql::parse_selector(text);
    let Ok(expression) = promql::parse(text) else { return };
    for printed in [promql::print(&expression), promql::print_pretty(&expression)] {
        let again = promql::parse(&printed).expect("what is printed can be read");
        assert_eq!(promql::print(&again), promql::print(&expression), "{printed}");
    }
});
