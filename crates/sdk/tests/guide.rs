//! Code in the guide is code that is compiled: that of the crate's documentation, or of a program that tests run.

use std::path::Path;

/// A line of code, as it stands in a file or in its documentation, where some lines are hidden from readers.
fn code(line: &str) -> &str {
    let line = line.trim();
    let line = line.strip_prefix("//!").or(line.strip_prefix("///")).unwrap_or(line);
    line.trim().trim_start_matches("# ")
}

#[test]
fn code_of_the_guide_is_compiled() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(here.join(file)).unwrap();
    let guide = read("../../docs/sdk.md");
    for (heading, file) in [
        ("\n### Responses\n", "src/openai/mod.rs"),
        ("\n### Embeddings\n", "src/openai/mod.rs"),
        ("\n### rmcp\n", "src/rmcp/mod.rs"),
        ("\n### sqlx\n", "src/sqlx/mod.rs"),
        ("\n## rig\n", "../../e2e/rig/src/main.rs"),
    ] {
        let (_, section) = guide.split_once(heading).unwrap();
        let section = section.split("\n## ").next().and_then(|rest| rest.split("\n### ").next()).unwrap();
        let blocks: Vec<_> =
            section.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!blocks.is_empty(), "no code in {heading}");
        let compiled = read(file);
        let compiled: Vec<_> = compiled.lines().map(code).collect();
        for line in blocks.iter().flat_map(|block| block.lines()).map(str::trim) {
            assert!(line.is_empty() || compiled.contains(&line), "{file} has no `{line}`");
        }
    }
}
