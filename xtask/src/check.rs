//! `cargo xtask check`: format, lints, house rules, documentation, supply chain.

use crate::report::Report;
use crate::{project, tidy, tools};
use anyhow::Result;

/// Tools that are run when they are installed: the program, its arguments, what it looks at.
const OPTIONAL: [(&str, &[&str], &str); 3] = [
    ("cargo-deny", &["deny", "check", "advisories"], "known holes in dependencies"),
    ("cargo-machete", &["machete"], "unused dependencies"),
    ("typos", &[], "spelling"),
];

pub fn run() -> Result<()> {
    let mut report = Report::default();
    steps(&mut report);
    report.finish()
}

pub fn steps(report: &mut Report) {
    report.step("format", Ok(project::cargo(&["fmt", "--all", "--check"])));
    report.chore("house rules", tidy::run);
    // The release profile shares build scripts and macros with the binary.
    let lints = [
        "clippy",
        "--release",
        "--locked",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ];
    report.step("lints", Ok(project::cargo(&lints)));
    let mut documentation = project::cargo(&[
        "doc",
        "--release",
        "--locked",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--quiet",
    ]);
    documentation.env("RUSTDOCFLAGS", "-Dwarnings");
    report.step("documentation", Ok(documentation));
    for (program, arguments, what) in OPTIONAL {
        if tools::find(program).is_none() {
            report.skip(what, &format!("{program} is not installed (cargo install {program})"));
        } else if arguments.is_empty() {
            report.step(what, Ok(project::command(program, ".", arguments)));
        } else {
            report.step(what, Ok(project::cargo(arguments)));
        }
    }
}
