//! What `docs/security.md` says against the repository.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::shell::root;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in ["crates", "services", "tests", "xtask"] {
        sources(&root().join(folder), &mut found);
    }
    let read = |path: PathBuf| {
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, text)
    };
    found.into_iter().map(read).collect()
}

/// Functions by their names, as a text declares them.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.split_once("fn ")?.1.split(['(', '<']).next())
}

#[test]
fn the_proofs_that_are_named_are_there() {
    let document = std::fs::read_to_string(root().join("docs/security.md")).expect("the document is there");
    let (_, proofs) = document.split_once("## How it is proved").expect("the part is there");
    let proofs = proofs.split("\n## ").next().unwrap_or_default();
    let rows = proofs.lines().filter_map(|line| line.strip_prefix("| ")?.rsplit(" | ").next());
    let named: BTreeSet<&str> = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() > 80, "{} tests are named", named.len());
    let sources = all_sources();
    let there: BTreeSet<&str> = sources.iter().flat_map(|(_, text)| functions(text)).collect();
    let missing: Vec<_> = named.difference(&there).collect();
    assert!(missing.is_empty(), "docs/security.md names tests that are not there: {missing:?}");
}

/// What is stored or posted could reach a shell only where a program is started, and there are two such places: the children that decode pictures, and the
/// build of the page.
#[test]
fn no_program_is_started_by_a_shell() {
    let is_product = |path: &Path| {
        let below = path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned();
        let part = below.split('/').nth(1).unwrap_or_default().to_owned();
        !below.starts_with("tests/")
            && !below.starts_with("xtask/")
            && part != "testkit"
            && !below.contains("/tests/")
            && !below.contains("/tests.rs")
            && !below.contains("/examples/")
    };
    let names_programs = |line: &str| line.contains("process::") && line.contains("Command");
    let starts: Vec<_> = all_sources()
        .into_iter()
        .filter(|(path, text)| is_product(path) && text.lines().any(names_programs))
        .map(|(path, _)| path.strip_prefix(root()).map(Path::to_path_buf).unwrap_or(path))
        .collect();
    let known = ["crates/thumbnails/src/pool.rs", "services/files-manager/build/page.rs"];
    let unknown: Vec<_> = starts.iter().filter(|path| !known.iter().any(|one| path.ends_with(one))).collect();
    assert!(unknown.is_empty(), "programs are started in {unknown:?}");
    assert_eq!(starts.len(), known.len(), "{starts:?}");
}
