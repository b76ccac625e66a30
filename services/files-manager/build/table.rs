//! The files of the page as a Rust table: path, type, hash, bytes as they are and compressed.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

/// Writes `page.rs` and what it includes into `out`.
pub(crate) fn write(dist: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let mut files = Vec::new();
    collect(dist, &mut files)?;
    files.sort();
    if !dist.join("index.html").is_file() {
        return Err(format!("{} holds no index.html", dist.display()).into());
    }
    let kept = out.join("page");
    fs::create_dir_all(&kept)?;
    let mut table = String::from("pub(crate) static FILES: &[File] = &[\n");
    for (number, file) in files.iter().enumerate() {
        let content = fs::read(file)?;
        let path =
            file.strip_prefix(dist)?.to_str().ok_or("a file of the page has a name that is not UTF-8")?;
        let plain = kept.join(number.to_string());
        write_if_changed(&plain, &content)?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&content)?;
        let compressed = gzip.finish()?;
        // what hardly shrinks is not worth a decoder's time
        let gzipped = if compressed.len() * 10 < content.len() * 9 {
            let packed = kept.join(format!("{number}.gz"));
            write_if_changed(&packed, &compressed)?;
            format!("Some(include_bytes!({packed:?}))")
        } else {
            "None".to_owned()
        };
        writeln!(
            table,
            "    File {{ path: {path:?}, mime: {:?}, hash: {:?}, plain: include_bytes!({plain:?}), gzip: {gzipped} }},",
            mime(path),
            &hex::encode(Sha256::digest(&content))[..32],
        )?;
    }
    table.push_str("];\n");
    write_if_changed(&out.join("page.rs"), table.as_bytes())
}

/// A file that is written again is compiled in again.
fn write_if_changed(path: &Path, content: &[u8]) -> Result<(), Box<dyn Error>> {
    if fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    Ok(fs::write(path, content)?)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn mime(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
