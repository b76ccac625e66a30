//! What thumbnails cost: processor time and memory for each picture, in this process or through the pool.
//!
//! `measure [--pool] [--times N] [--widths 500,250,100] [--out FOLDER] FILE...`
#![allow(clippy::print_stdout, reason = "a command-line tool")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use thumbnails::{Error, Limits, Made, Options, Pool, PoolConfig, render};

fn main() -> Result<()> {
    thumbnails::run_child_if_asked();
    let mut options = Options::default();
    let (mut times, mut pooled, mut out, mut files) = (1_u32, false, None, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().context("a value is missing");
        match argument.as_str() {
            "--pool" => pooled = true,
            "--times" => times = value()?.parse()?,
            "--widths" => options.widths = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--out" => out = Some(PathBuf::from(value()?)),
            _ => files.push(PathBuf::from(argument)),
        }
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let pool = Pool::new(PoolConfig::default())?;
    println!("{:>9} {:>9} {:>8}  result", "ms", "cpu ms", "MiB");
    for path in &files {
        let (before, start) = (cpu_ms(pooled)?, Instant::now());
        let mut result = Err(Error::OutOfMemory);
        for _ in 0..times {
            let file = File::open(path).with_context(|| path.display().to_string())?;
            result = if pooled {
                runtime.block_on(pool.make(file, &options))
            } else {
                render(file, &options, &Limits::default())
            };
        }
        let wall = start.elapsed().as_secs_f64() * 1000.0 / f64::from(times);
        let cpu = (cpu_ms(pooled)? - before) / f64::from(times);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        println!("{wall:>9.1} {cpu:>9.1} {:>8.1}  {name}: {}", peak_mib()?, describe(&result));
        if let (Some(out), Ok(made)) = (&out, &result) {
            write_all(out, &name, made)?;
        }
    }
    Ok(())
}

fn describe(result: &Result<Made, Error>) -> String {
    match result {
        Ok(made) => {
            let facts = &made.facts;
            let sizes = made.thumbnails.iter().map(|thumbnail| {
                format!(" {}x{} {} B", thumbnail.width, thumbnail.height, thumbnail.bytes.len())
            });
            let animated = if facts.animated { " animated" } else { "" };
            let taken_at = facts.taken_at.as_ref().map_or(String::new(), |taken_at| {
                format!(" {}{}", taken_at.local, taken_at.offset.as_deref().unwrap_or_default())
            });
            let sizes: String = sizes.collect();
            format!("{:?} {}x{}{animated}{taken_at} ->{sizes}", facts.format, facts.width, facts.height)
        }
        Err(error) => format!("{}: {error}", error.word()),
    }
}

fn write_all(folder: &Path, name: &str, made: &Made) -> Result<()> {
    fs::create_dir_all(folder)?;
    for thumbnail in &made.thumbnails {
        let extension = thumbnail.format.mime().trim_start_matches("image/");
        fs::write(folder.join(format!("{name}.{}.{extension}", thumbnail.asked_width)), &thumbnail.bytes)?;
    }
    Ok(())
}

/// Processor time so far, of this process or of its children, to 10 ms.
fn cpu_ms(of_children: bool) -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').context("/proc/self/stat")?.1;
    let fields: Vec<f64> =
        after_name.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(0.0)).collect();
    // utime and stime are fields 14 and 15, cutime and cstime follow; the first three are gone.
    let first = if of_children { 12 } else { 10 };
    Ok((fields[first] + fields[first + 1]) * 10.0)
}

/// Most memory that this process has had.
fn peak_mib() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}
