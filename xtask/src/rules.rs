//! Which way imports run, and what may be depended on. Read off `cargo metadata` and `cargo tree`; the lists stand in `deny.toml`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::shell::{cargo, output, root};

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    optional: bool,
}

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Named>,
    skip: Vec<Skipped>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Skipped {
    #[serde(rename = "crate")]
    name: String,
}

/// What each workspace member may use of the others, outside its tests.
const MAY_USE: &[(&str, &[&str])] = &[
    ("common", &[]),
    ("thumbnails", &[]),
    ("media-facts", &[]),
    ("texts", &[]),
    ("entries", &[]),
    ("archive", &[]),
    ("admin", &["common"]),
    ("http-kit", &["common"]),
    ("runtime", &["common"]),
    ("store-sqlite", &["common"]),
    ("blob", &["common"]),
    ("store-mongo", &["common"]),
    ("bus-amqp", &["common"]),
    ("cache-redis", &["common"]),
    ("clients", &["common", "http-kit"]),
    ("egress", &["common"]),
    ("program", &["common", "runtime"]),
    (
        "distributed",
        &["common", "http-kit", "runtime", "program", "clients", "store-mongo", "cache-redis", "bus-amqp"],
    ),
    ("testkit", &["common"]),
    ("auth-service", &["common", "http-kit", "runtime", "egress"]),
    (
        "file-service",
        &["common", "http-kit", "runtime", "thumbnails", "media-facts", "texts", "archive", "entries"],
    ),
    (
        "worker-service",
        &["common", "http-kit", "runtime", "thumbnails", "media-facts", "texts", "clients", "egress"],
    ),
    ("e2e", &["common", "testkit"]),
    ("xtask", &["common"]),
    ("bench", &["common", "e2e", "runtime", "store-sqlite", "testkit"]),
    (
        "files-manager",
        &[
            "common",
            "http-kit",
            "runtime",
            "program",
            "store-sqlite",
            "blob",
            "clients",
            "thumbnails",
            "admin",
            "auth-service",
            "file-service",
            "worker-service",
            "admin",
        ],
    ),
];

/// What only the program of a service may use: optional, so that its library is built without.
const MAY_USE_AS_PROGRAM: &[&str] = &["admin", "distributed", "program", "clients", "store-mongo", "blob"];

/// Crates that the all-in-one must not compile.
const NOT_IN_ALL_IN_ONE: &[&str] = &["mongodb", "redis", "deadpool-redis", "lapin", "object_store", "h2"];

/// Every rule; the first that is broken is the error.
pub(crate) fn check() -> Result<()> {
    let metadata: Metadata = serde_json::from_str(&output(&mut cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--all-features",
    ]))?)
    .context("cargo metadata cannot be read")?;
    let deny: Deny =
        toml::from_str(&std::fs::read_to_string(root().join("deny.toml"))?).context("deny.toml")?;
    imports(&metadata)?;
    licences(&metadata, &deny)?;
    bans(&metadata, &deny)?;
    all_in_one()
}

fn imports(metadata: &Metadata) -> Result<()> {
    let members: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .filter(|package| metadata.workspace_members.contains(&package.id))
        .map(|package| (package.name.as_str(), package))
        .collect();
    for (name, package) in &members {
        let (_, allowed) = MAY_USE
            .iter()
            .find(|(member, _)| member == name)
            .with_context(|| format!("{name} has no row in the table of imports (xtask/src/rules.rs)"))?;
        for dependency in
            package.dependencies.iter().filter(|dependency| dependency.kind.as_deref() != Some("dev"))
        {
            let used = dependency.name.as_str();
            let of_program = dependency.optional && MAY_USE_AS_PROGRAM.contains(&used);
            ensure!(
                !members.contains_key(used) || allowed.contains(&used) || of_program,
                "{name} uses {used}: imports run one way (ARCHITECTURE.md, 'Which way imports run')"
            );
        }
    }
    Ok(())
}

fn licences(metadata: &Metadata, deny: &Deny) -> Result<()> {
    for package in metadata.packages.iter().filter(|package| package.source.is_some()) {
        let expression = package.license.as_deref().unwrap_or("none");
        ensure!(
            licence_allowed(expression, &deny.licenses.allow),
            "{} {} is licensed {expression}, which deny.toml does not allow",
            package.name,
            package.version
        );
    }
    Ok(())
}

/// Whether an SPDX expression can be met: one side of each OR, both sides of each AND. `/` is an old way to write OR.
fn licence_allowed(expression: &str, allow: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ");
    let inner = expression.trim();
    let mut depth = 0_i32;
    for operator in [" OR ", " AND "] {
        let mut at = 0;
        while at < inner.len() {
            match inner.as_bytes()[at] {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ if depth == 0 && inner[at..].starts_with(operator) => {
                    let (left, right) = (&inner[..at], &inner[at + operator.len()..]);
                    let (left, right) = (licence_allowed(left, allow), licence_allowed(right, allow));
                    return if operator == " OR " { left || right } else { left && right };
                }
                _ => {}
            }
            at += 1;
        }
        depth = 0;
    }
    match inner.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(bare) => licence_allowed(bare, allow),
        None => allow.contains(inner),
    }
}

fn bans(metadata: &Metadata, deny: &Deny) -> Result<()> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    // what is built here, not what only other systems build
    let tree = output(&mut cargo(&[
        "tree",
        "--workspace",
        "--all-features",
        "--edges",
        "normal,build,dev",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--locked",
    ]))?;
    let built: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?.trim_start_matches('v')))
        })
        .collect();
    for package in &metadata.packages {
        if built.contains(&(package.name.as_str(), package.version.as_str())) {
            versions.entry(&package.name).or_default().insert(&package.version);
        }
    }
    for banned in &deny.bans.deny {
        ensure!(
            !versions.contains_key(banned.name.as_str()),
            "{} is in the tree: one TLS stack",
            banned.name
        );
    }
    let twice: Vec<_> = versions
        .iter()
        .filter(|(_, versions)| versions.len() > 1)
        .filter(|(name, _)| {
            !deny.bans.skip.iter().any(|skipped| skipped.name.split('@').next() == Some(**name))
        })
        .map(|(name, versions)| {
            format!("{name} ({})", versions.iter().copied().collect::<Vec<_>>().join(", "))
        })
        .collect();
    ensure!(
        twice.is_empty(),
        "in the tree in more than one version, without a reason in deny.toml: {}",
        twice.join("; ")
    );
    Ok(())
}

fn all_in_one() -> Result<()> {
    let tree = output(&mut cargo(&[
        "tree",
        "-p",
        "files-manager",
        "-e",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--locked",
    ]))?;
    for name in NOT_IN_ALL_IN_ONE {
        ensure!(
            !tree.lines().any(|line| line.split_whitespace().next() == Some(name)),
            "the all-in-one compiles {name}"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn licence_expressions_are_understood() {
        let allow: BTreeSet<String> = ["MIT", "Apache-2.0", "Zlib"].map(String::from).into();
        for (expression, allowed) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0", false),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0 AND MIT", false),
            ("(MIT OR GPL-3.0) AND Zlib", true),
            ("Zlib AND (GPL-3.0 OR LGPL-3.0)", false),
            ("none", false),
        ] {
            assert_eq!(licence_allowed(expression, &allow), allowed, "{expression}");
        }
    }

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                found.push(path);
            }
        }
    }

    /// In the single program all services have one internal listener, on which the first of two routes with one path would take the other's calls.
    #[test]
    fn no_two_services_have_an_internal_path_in_common() {
        let mut owners: BTreeMap<String, &str> = BTreeMap::new();
        for service in ["auth-service", "file-service", "worker-service"] {
            let mut files = Vec::new();
            sources(&root().join("services").join(service).join("src"), &mut files);
            for file in files {
                let text = std::fs::read_to_string(&file).unwrap();
                for rest in text.split("\"/internal/").skip(1) {
                    let path = rest.split('"').next().unwrap_or_default();
                    let owner = *owners.entry(path.to_owned()).or_insert(service);
                    assert_eq!(owner, service, "both have /internal/{path}");
                }
            }
        }
        assert!(owners.len() > 20, "{owners:?}");
    }
}
