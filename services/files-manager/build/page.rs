//! `npm ci` and `npm run build`, each only when what it depends on has changed.

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

/// What the page is made from, below `web/`; never `node_modules`.
const SOURCES: &[&str] = &[
    "src",
    "index.html",
    "package.json",
    "package-lock.json",
    "vite.config.ts",
    "svelte.config.js",
    "tsconfig.json",
    ".npmrc",
];

/// Made in `src` by the bundler's first step.
const GENERATED: &str = "schema.d.ts";

/// The folder with the finished page, `target/web/<hash of the sources>`.
pub(crate) fn build() -> Result<PathBuf, Box<dyn Error>> {
    let manifest =
        PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets CARGO_MANIFEST_DIR")?);
    let root = manifest.join("../..").canonicalize()?;
    let web = root.join("web");
    let mut hash = Sha256::new();
    for source in SOURCES.iter().map(|source| web.join(source)).chain([root.join("openapi")]) {
        take_in(&mut hash, &source)?;
    }
    let built = root.join("target/web").join(&hex::encode(hash.finalize())[..16]);

    fs::create_dir_all(root.join("target/web"))?;
    let lock = File::create(root.join("target/web/.lock"))?;
    // two builds of different profiles may run at once
    lock.lock()?;
    let document = built.join("index.html");
    if document.is_file() {
        // whoever wants the page that is in use takes the newest
        #[expect(clippy::disallowed_methods, reason = "the time of a file on this machine")]
        File::options().append(true).open(document)?.set_modified(SystemTime::now())?;
        return Ok(built);
    }
    install(&web)?;
    let unfinished = built.with_extension("unfinished");
    let out = unfinished.to_str().ok_or("the path of the repository is not UTF-8")?;
    npm(&web, &["run", "--silent", "bundle", "--", "--outDir", out, "--emptyOutDir"])?;
    fs::rename(&unfinished, &built)?;
    Ok(built)
}

fn install(web: &Path) -> Result<(), Box<dyn Error>> {
    let lock = fs::read(web.join("package-lock.json"))?;
    let stamp = web.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    npm(web, &["ci", "--no-audit", "--no-fund", "--loglevel=error"])?;
    Ok(fs::write(stamp, lock)?)
}

fn npm(web: &Path, arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let output = Command::new("npm").args(arguments).current_dir(web).output().map_err(|error| {
        format!("npm cannot be started ({error}): building the web page needs Node 20.19, or 22.12 or later; or name a finished page in FILES_MANAGER_WEB_DIST")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("npm {}: {}\n{}", arguments.join(" "), output.status, String::from_utf8_lossy(&said)).into())
}

fn take_in(hash: &mut Sha256, path: &Path) -> Result<(), Box<dyn Error>> {
    if path.is_dir() {
        let mut entries = fs::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()?;
        entries.sort();
        return entries.iter().try_for_each(|entry| take_in(hash, entry));
    }
    if !path.ends_with(GENERATED) {
        // files and not their folders: Cargo looks at all that a folder holds, and what the build makes there would make every build stale; a new
        // file counts from when another one names it
        println!("cargo:rerun-if-changed={}", path.display());
        let content = fs::read(path)?;
        hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update(content.len().to_le_bytes());
        hash.update(&content);
    }
    Ok(())
}
