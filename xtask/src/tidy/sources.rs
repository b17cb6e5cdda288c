//! Rules on files: names, length, what the first line says, which paths documents name.

use crate::project;
use std::path::Path;

const MAX_LINES: usize = 500;
const BANNED_NAMES: [&str; 7] = ["common", "util", "utils", "helper", "helpers", "misc", "manager"];
/// Where developers' and build machines' folders begin; in pieces, so that this file is not at fault itself.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/home", "/"), concat!("/Use", "rs/")];
const TO_DO: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
const TEXT: [&str; 15] = [
    "rs", "toml", "md", "ts", "svelte", "mjs", "js", "css", "html", "json", "py", "sh", "yaml", "yml", "txt",
];

pub fn faults() -> Vec<String> {
    let root = project::root();
    let mut faults = Vec::new();
    for path in project::files(root) {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let is_text = TEXT.contains(&extension) || name.starts_with(".ci/");
        let Some(text) = is_text.then(|| std::fs::read_to_string(&path).ok()).flatten() else { continue };
        faults.extend(check(&name, &text).into_iter().map(|fault| format!("{name}{fault}")));
    }
    faults.extend(unknown_paths(root));
    faults
}

/// What is wrong with a file, each with `:line` where there is one.
fn check(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let path = Path::new(name);
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let is_source = ["rs", "ts", "svelte"]
        .iter()
        .any(|extension| path.extension().is_some_and(|found| found == *extension));
    if is_source
        && BANNED_NAMES
            .iter()
            .any(|banned| stem.eq_ignore_ascii_case(banned) || stem.ends_with(&format!("_{banned}")))
    {
        faults.push(": name the file after its job".to_owned());
    }
    if name.ends_with(".rs") {
        faults.extend(rust_faults(name, text));
    }
    if !name.ends_with("package-lock.json") {
        faults.extend(
            text.lines()
                .enumerate()
                .filter_map(|(row, line)| Some(format!(":{}: {}", row + 1, line_fault(line)?))),
        );
    }
    faults
}

fn rust_faults(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !text.starts_with("//!") {
        faults.push(":1: begin with a `//!` line that says what the file is for".to_owned());
    }
    let is_test = name.contains("/tests/") || name.ends_with("/tests.rs") || name.contains("/benches/");
    let before_tests = text.lines().take_while(|line| !line.trim_start().starts_with("#[cfg(test)]")).count();
    if !is_test && before_tests > MAX_LINES {
        faults.push(format!(": {before_tests} lines before its tests; {MAX_LINES} are allowed"));
    }
    faults
}

fn line_fault(line: &str) -> Option<&'static str> {
    let names_issue = line.contains("#1")
        || line.split('#').skip(1).any(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()));
    if TO_DO.iter().any(|word| line.contains(word)) && !names_issue {
        return Some("work to be done needs an issue's number");
    }
    let begins_path = |at: usize| {
        line.get(..at)
            .and_then(|before| before.chars().next_back())
            .is_none_or(|before| !before.is_alphanumeric() && !"}.-_*~>".contains(before))
    };
    let machine_path =
        MACHINE_PATHS.iter().any(|path| line.match_indices(path).any(|(at, _)| begins_path(at)));
    machine_path.then_some("a path of one machine")
}

/// Paths in backticks that `ARCHITECTURE.md` names but that are not there.
fn unknown_paths(root: &Path) -> Vec<String> {
    let map = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap_or_default();
    let mut faults = Vec::new();
    for (row, line) in map.lines().enumerate() {
        let named = line.split('`').skip(1).step_by(2).filter(|text| is_path(text));
        let gone = named.filter(|text| !root.join(text.trim_end_matches('/')).exists());
        faults.extend(gone.map(|text| format!("ARCHITECTURE.md:{}: `{text}` does not exist", row + 1)));
    }
    faults
}

fn is_path(text: &str) -> bool {
    let first = text.split('/').next().unwrap_or_default();
    ["crates", "ui", "e2e", "docs", "xtask", ".ci", ".cargo"].contains(&first)
        && !text.contains([' ', '*', '{'])
}

#[cfg(test)]
mod tests {
    use super::{check, is_path};

    #[test]
    fn faults_are_found() {
        let long = format!("//! x\n{}", "x\n".repeat(500));
        let task = concat!("// TO", "DO: later");
        let home = concat!("see /ro", "ot/x");
        let table: [(&str, &str, &[&str]); 8] = [
            ("crates/a/src/b.rs", "//! Says what.\n", &[]),
            ("crates/a/src/utils.rs", "//! x\n", &["name the file"]),
            ("crates/a/src/b.rs", "use x;\n", &[":1: begin"]),
            ("crates/a/src/b.rs", &long, &["501 lines"]),
            ("crates/a/src/tests.rs", &long, &[]),
            ("docs/a.md", task, &["issue's number"]),
            ("docs/a.md", &format!("{task} (#12)"), &[]),
            ("docs/a.md", home, &["one machine"]),
        ];
        for (name, text, expect) in table {
            let faults = check(name, text);
            assert_eq!(faults.len(), expect.len(), "{name}: {faults:?}");
            assert!(
                expect.iter().zip(&faults).all(|(part, fault)| fault.contains(part)),
                "{name}: {faults:?}"
            );
        }
        assert!(is_path("crates/app") && !is_path("clew serve") && !is_path("crates/*"));
    }
}
