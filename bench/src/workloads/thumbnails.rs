//! h: photos of 12 megapixels to 500, 250 and 100 pixels (ours makes 1280 as well).

use std::io::Cursor;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use image::codecs::jpeg::JpegEncoder;

use super::{Api, Sizes};
use crate::contestants::{Contestants, OURS};
use crate::process;
use crate::report::Report;

const PICTURES: usize = 24;

const PILLOW: &str = r"
import sys
from PIL import Image
for path in sys.argv[1:]:
    with Image.open(path) as picture:
        picture.draft('RGB', (500, 500))
        for width in (500, 250, 100):
            picture.thumbnail((width, width * 10))
            picture.save(f'{path}.{width}.jpg', quality=80)
";

pub(super) async fn run(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    const WORKLOAD: &str = "h thumbnails of 12-megapixel JPEGs";
    let picture = photo()?;
    let folder = contestants.scratch.path().join("pictures");
    std::fs::create_dir_all(&folder)?;
    let paths: Vec<_> = (0..PICTURES).map(|n| folder.join(format!("{n}.jpg"))).collect();
    for path in &paths {
        std::fs::write(path, &picture)?;
    }
    for round in 0..sizes.rounds {
        let mut pillow = Command::new(&contestants.python);
        pillow.args(["-c", PILLOW]).args(&paths);
        tool(report, WORKLOAD, "Pillow, one decode", vec![pillow])?;
        let vips = paths
            .iter()
            .map(|path| {
                let mut command = Command::new("vipsthumbnail");
                command.arg(path).args(["--size", "500x5000>", "-o", "%s.v500.jpg[Q=80]"]);
                command
            })
            .collect();
        tool(report, WORKLOAD, "vipsthumbnail, 500 only", vips)?;
        ours(contestants, round, &picture, report, WORKLOAD).await?;
    }
    Ok(())
}

async fn ours(
    contestants: &Contestants,
    round: usize,
    picture: &[u8],
    report: &mut Report,
    workload: &str,
) -> Result<()> {
    let api = Api::of(contestants);
    let folder = api.folder(&format!("pictures-{round}")).await?;
    let pid = contestants.ours.pid;
    let (cpu, began) = (process::cpu_seconds(pid), Instant::now());
    for n in 0..PICTURES {
        api.upload(&folder, &format!("{n}.jpg"), picture).await?;
    }
    loop {
        let page = api.json("GET", &format!("/api/v1/files/{folder}/children?limit=1000"), "").await?;
        let states = || {
            page["items"].as_array().into_iter().flatten().map(|file| file["thumbnails"]["state"].as_str())
        };
        ensure!(states().all(|state| state != Some("failed")), "a thumbnail failed");
        if states().all(|state| state == Some("ready")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let count = PICTURES as f64;
    report.add(workload, "pictures/s", OURS, count / began.elapsed().as_secs_f64());
    report.add(workload, "CPU s/picture", OURS, (process::cpu_seconds(pid) - cpu) / count);

    let began = Instant::now();
    let id = api.upload("root", &format!("single-{round}.jpg"), picture).await?;
    let answered = began.elapsed();
    while api.json("GET", &format!("/api/v1/files/{id}"), "").await?["thumbnails"]["state"] != "ready" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    report.add(
        "h2 one picture on an idle server",
        "ms from 201 to all thumbnails",
        OURS,
        (began.elapsed() - answered).as_secs_f64() * 1000.0,
    );
    Ok(())
}

/// Runs programs one after another, and counts what they cost as our children.
fn tool(report: &mut Report, workload: &str, name: &'static str, commands: Vec<Command>) -> Result<()> {
    let me = std::process::id();
    let (cpu, began) = (process::cpu_seconds(me), Instant::now());
    for mut command in commands {
        ensure!(command.status()?.success(), "{name} failed");
    }
    let count = PICTURES as f64;
    report.add(workload, "pictures/s", name, count / began.elapsed().as_secs_f64());
    report.add(workload, "CPU s/picture", name, (process::cpu_seconds(me) - cpu) / count);
    Ok(())
}

/// 4000 × 3000 with enough detail that its size is a photo's.
fn photo() -> Result<Vec<u8>> {
    let wave = |x: u32, y: u32, k: f32| ((x as f32 * k).sin() + (y as f32 * k * 1.3).cos()) * 60.0 + 128.0;
    let pixels = image::RgbImage::from_fn(4000, 3000, |x, y| {
        let grain = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 27;
        image::Rgb(
            [wave(x, y, 0.011), wave(x, y, 0.017), wave(x, y, 0.023)]
                .map(|tone| (tone as u8).wrapping_add(grain as u8 / 4)),
        )
    });
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(&pixels)?;
    Ok(bytes.into_inner())
}
