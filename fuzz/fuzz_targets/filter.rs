//! The filter language: what is read and written again is the same.
#![no_main]

use query::filter;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(expression) = filter::parse(text) else { return };
    let printed = filter::print(&expression);
    assert_eq!(filter::parse(&printed).expect("what is printed can be read"), expression, "{printed}");
});
