//! Jobs: small pictures from upload to all thumbnails.

use std::io::Cursor;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use image::codecs::jpeg::JpegEncoder;

use super::Run;
use super::loads::uploads;
use crate::report::percentile;
use crate::workloads::{Api, say};

/// Uploads at once.
const CONNECTIONS: usize = 8;
/// How often the list is asked whether all are there: so seldom that it costs little.
const PAUSE: Duration = Duration::from_millis(100);
/// Pictures that are waited for one by one.
const SINGLE_ONES: usize = 10;

pub(super) async fn run(run: &mut Run) -> Result<()> {
    const MANY: &str = "6 small pictures, from upload to all thumbnails";
    const ALONE: &str = "7 one small picture on an idle system";
    let picture = Arc::new(picture()?);
    let count = run.arguments.pictures;
    for round in 0..run.arguments.effort.rounds {
        say(&format!("pictures, round {round}"));
        for form in &run.forms {
            let name = format!("pictures-{round}");
            let head = uploads(form, &name, 1, picture.len()).await?;
            let (before, began) = (form.cpu(&run.shared), Instant::now());
            form.load(&run.shared, (CONNECTIONS, count), head, Arc::clone(&picture)).await?;
            let uploaded = began.elapsed();
            let folder = folder_named(form.api(), &name).await?;
            all_ready(form.api(), &folder, count, PAUSE).await?;
            let seconds = began.elapsed().as_secs_f64();
            let cpu = form.cpu(&run.shared).since(&before);
            run.report.add(MANY, "a jobs/s", form.name, count as f64 / seconds);
            run.report.add(MANY, "b of its seconds, uploads", form.name, uploaded.as_secs_f64() / seconds);
            cpu.note(&mut run.report, MANY, "ms/picture", 1000.0 / count as f64, form.name);

            let mut millis = Vec::new();
            let folder = form.api().folder(&format!("single-{round}")).await?;
            for n in 0..SINGLE_ONES {
                let id = form.api().upload(&folder, &format!("{n}.jpg"), &picture).await?;
                let answered = Instant::now();
                one_ready(form.api(), &id).await?;
                millis.push(answered.elapsed().as_secs_f64() * 1000.0);
            }
            run.report.add(ALONE, "p50 ms from 201 to all thumbnails", form.name, percentile(&millis, 0.5));
        }
    }
    Ok(())
}

async fn folder_named(api: &Api, name: &str) -> Result<String> {
    let page = api.json("GET", "/api/v1/files/root/children?type=folder&limit=1000", "").await?;
    let folders = page["items"].as_array().into_iter().flatten();
    let id = folders.filter(|folder| folder["name"] == name).find_map(|folder| folder["id"].as_str());
    Ok(id.unwrap_or_default().to_owned())
}

/// Waits for all pictures of a folder.
pub(super) async fn all_ready(api: &Api, folder: &str, count: usize, pause: Duration) -> Result<()> {
    let path = format!("/api/v1/files/{folder}/children?limit=1000");
    loop {
        let page = api.json("GET", &path, "").await?;
        let states =
            || page["items"].as_array().into_iter().flatten().map(|file| &file["thumbnails"]["state"]);
        ensure!(states().all(|state| state != "failed"), "a thumbnail failed");
        if states().filter(|state| *state == "ready").count() == count {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
    }
}

async fn one_ready(api: &Api, id: &str) -> Result<()> {
    while api.json("GET", &format!("/api/v1/files/{id}"), "").await?["thumbnails"]["state"] != "ready" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// 640 × 480.
pub(super) fn picture() -> Result<Vec<u8>> {
    let pixels = image::RgbImage::from_fn(640, 480, |x, y| {
        image::Rgb([(x / 3) as u8, (y / 2) as u8, (x.wrapping_mul(y) >> 9) as u8])
    });
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, 85).encode_image(&pixels)?;
    Ok(bytes.into_inner())
}
