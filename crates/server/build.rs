//! Builds this crate anew when the page was built anew.

fn main() {
    let page = "../../ui/dist";
    // A folder that is missing counts as changed each time, an empty one does not. Where it cannot be made, that is all.
    let _ = std::fs::create_dir_all(page);
    println!("cargo::rerun-if-changed={page}");
}
