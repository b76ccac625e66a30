//! The collection of real files, each with what must come of it; where it is not there, files of each kind made here.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use common::Sha256;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::Value;

use crate::product::{Account, Product, id};
use crate::wait::until;

/// A row of the collection's index.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its file name.
    pub name: String,
    /// `WxH` of the upright picture, or `-`.
    pub size: String,
    /// `yes`, `no` (must never be tried), `error` (must fail with a reason) or `optional`.
    pub thumbnails: String,
    /// The types that it may be found to be.
    pub mimes: Vec<String>,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// The folder of the collection, if there is one on this machine.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os("FM_TEST_SAMPLES").map(PathBuf::from).filter(|folder| folder.join("INDEX.tsv").is_file())
}

/// The collection, or what can be made here.
///
/// # Errors
/// When the index or a file of it cannot be read.
pub fn all() -> Result<Vec<Sample>> {
    folder().map_or_else(made_here, |folder| read(&folder))
}

fn read(folder: &Path) -> Result<Vec<Sample>> {
    let index = std::fs::read_to_string(folder.join("INDEX.tsv"))?;
    let mut rows = index.lines();
    let columns: Vec<_> = rows.next().context("the index is empty")?.split('\t').collect();
    let column = |name: &str| {
        columns.iter().position(|column| *column == name).with_context(|| format!("no column {name}"))
    };
    let (file, size, thumbnails, mime) =
        (column("file")?, column("size_after_orientation")?, column("thumbnails")?, column("mime")?);
    rows.map(|row| {
        let cells: Vec<_> = row.split('\t').collect();
        Ok(Sample {
            name: cells[file].to_owned(),
            size: cells[size].to_owned(),
            thumbnails: cells[thumbnails].to_owned(),
            mimes: cells[mime].split('|').map(str::to_owned).collect(),
            content: std::fs::read(folder.join(cells[file])).with_context(|| cells[file].to_owned())?,
        })
    })
    .collect()
}

fn made_here() -> Result<Vec<Sample>> {
    let sample = |name: &str, size: &str, thumbnails: &str, mime: &str, content: Vec<u8>| Sample {
        name: name.into(),
        size: size.into(),
        thumbnails: thumbnails.into(),
        mimes: vec![mime.into()],
        content,
    };
    let mut samples = Vec::new();
    for (extension, mime) in [
        ("jpg", "image/jpeg"),
        ("png", "image/png"),
        ("gif", "image/gif"),
        ("bmp", "image/bmp"),
        ("webp", "image/webp"),
    ] {
        samples.push(sample(
            &format!("picture.{extension}"),
            "320x200",
            "yes",
            mime,
            picture(320, 200, extension)?,
        ));
    }
    let jpeg = picture(640, 480, "jpg")?;
    samples.push(sample("truncated.jpg", "-", "error", "image/jpeg", jpeg[..150].to_vec()));
    samples.push(sample("page.html", "-", "no", "text/html", b"<!doctype html><p>x".to_vec()));
    samples.push(sample("empty.txt", "-", "no", "text/plain", Vec::new()));
    samples.push(sample("text.txt", "-", "no", "text/plain", "Grüße\n".into()));
    samples.push(sample("one.csv", "-", "no", "text/csv", b"a,b\n1,2\n".to_vec()));
    Ok(samples)
}

/// A picture with a colour gradient.
///
/// # Errors
/// When it cannot be encoded.
pub fn picture(width: u32, height: u32, extension: &str) -> Result<Vec<u8>> {
    let shade = |at: u32, of: u32| u8::try_from(at * 255 / of.max(1)).unwrap_or(255);
    let pixels = RgbImage::from_fn(width, height, |x, y| Rgb([shade(x, width), shade(y, height), 128]));
    let format = ImageFormat::from_extension(extension).with_context(|| format!("no format {extension}"))?;
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(pixels).write_to(&mut bytes, format)?;
    Ok(bytes.into_inner())
}

/// The width of an encoded picture, decoded whole.
///
/// # Errors
/// When it cannot be decoded.
pub fn width_of(picture: &[u8]) -> Result<u32> {
    Ok(image::load_from_memory(picture)?.width())
}

/// Every sample goes up, is found to be what it is, comes back as it was, and ends as the index says.
pub async fn every_sample_ends_as_the_index_says(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let samples = all()?;
    let mut files = Vec::new();
    for sample in &samples {
        let file = product
            .upload(&ada, "root", &sample.name, sample.content.clone())
            .await
            .context(sample.name.clone())?;
        let mime = file["mimeType"].as_str().unwrap_or_default();
        ensure!(sample.mimes.iter().any(|allowed| allowed == mime), "{}: found to be {mime}", sample.name);
        ensure!(file["sha256"] == Sha256::of(&sample.content).to_string(), "{}", sample.name);
        let tried = file["thumbnails"]["state"] != "none";
        ensure!(!tried || sample.thumbnails != "no", "{} must never be tried", sample.name);
        ensure!(tried || sample.thumbnails != "yes", "{} must be tried", sample.name);
        files.push(id(&file)?);
    }
    let mut wrong = Vec::new();
    for (sample, file) in samples.iter().zip(&files) {
        if let Err(error) = ends_as_said(product, &ada, sample, file).await {
            wrong.push(format!("{}: {error:#}", sample.name));
        }
    }
    ensure!(wrong.is_empty(), "{} of {} samples:\n{}", wrong.len(), samples.len(), wrong.join("\n"));
    Ok(())
}

async fn ends_as_said(product: &Product, ada: &Account, sample: &Sample, file: &str) -> Result<()> {
    let settled = until("its thumbnails to be made or refused", || async {
        let file = product.get(ada, &format!("/api/v1/files/{file}")).await?.expect(200)?.json()?;
        Ok((file["thumbnails"]["state"] != "pending").then_some(file))
    })
    .await?;
    ensure!(product.content(ada, file).await? == sample.content, "came back differently");
    let state = settled["thumbnails"]["state"].as_str().unwrap_or_default();
    match sample.thumbnails.as_str() {
        "yes" => ensure!(state == "ready", "{}", settled["thumbnails"]),
        // a file that is not even found to be a picture has its reason in its type
        "error" => ensure!(state == "failed" || state == "none", "{}", settled["thumbnails"]),
        _ => {}
    }
    if state == "failed" {
        let reason = settled["thumbnails"]["reason"].as_str().unwrap_or_default();
        ensure!(reason.len() > 10, "the reason {reason:?} helps nobody");
    }
    if state == "ready" {
        sizes_are_right(product, ada, sample, file, &settled).await?;
    }
    Ok(())
}

async fn sizes_are_right(
    product: &Product,
    ada: &Account,
    sample: &Sample,
    file: &str,
    settled: &Value,
) -> Result<()> {
    let (width, height) = sample.size.split_once('x').context("a picture without a size")?;
    let (width, height): (u32, u32) = (width.parse()?, height.parse()?);
    let found = &settled["media"];
    let as_said = found["width"] == width && found["height"] == height;
    // programs differ on the size of what is wrong in itself
    ensure!(as_said || sample.thumbnails == "optional", "{found}");
    if !as_said {
        return Ok(());
    }
    for asked in [100_u32, 250, 500, 1280] {
        let answer =
            product.get(ada, &format!("/api/v1/files/{file}/thumbnails/{asked}")).await?.expect(200)?;
        let made =
            image::load_from_memory(&answer.body).with_context(|| format!("{asked} cannot be decoded"))?;
        ensure!(made.width() <= asked.min(width) && made.width() > 0, "{asked}: {} wide", made.width());
        // bounded in height, a picture may be narrower than asked; its proportions stay
        let proportion = f64::from(made.width()) * f64::from(height) / f64::from(width);
        let off = (f64::from(made.height()) - proportion).abs();
        ensure!(
            off <= 1.0 + f64::from(height) / f64::from(width),
            "{asked}: {}x{}",
            made.width(),
            made.height()
        );
    }
    Ok(())
}
