//! The pool with real child processes: what it makes, and what becomes of children that die, hang or lie.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use image::{DynamicImage, ImageFormat};
use rustix::process::{Pid, Signal, kill_process};
use support::{file, scene, write};
use thumbnails::{Error, Limits, Options, Pool, PoolConfig, render};
use tokio::task::JoinSet;

const DEADLINE: Duration = Duration::from_secs(60);

fn config() -> PoolConfig {
    PoolConfig { program: PathBuf::from(env!("CARGO_BIN_EXE_thumbnail-child")), ..PoolConfig::default() }
}

fn pool() -> Pool {
    Pool::new(config()).unwrap()
}

/// Options with a width that no other test uses, by which a test finds its children: tests may share a process.
fn options(width: u32) -> Options {
    Options { widths: vec![width] }
}

fn picture() -> File {
    file(&write(&DynamicImage::from(scene(640, 480)), ImageFormat::Jpeg))
}

/// A child: a process started by `parent` as a thumbnail child and asked for `width`.
fn find_child(parent: u32, width: u32) -> Option<Pid> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name();
        name.to_str()?.parse::<i32>().ok()
    });
    let asked = format!("\"widths\":[{width}]");
    processes.filter(|pid| parent_of(*pid) == Some(parent)).find_map(|pid| {
        let arguments = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        (arguments.contains("__thumbnail-child") && arguments.contains(&asked)).then(|| Pid::from_raw(pid))?
    })
}

/// The parent of a process that is not dead.
fn parent_of(pid: i32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.next()?.parse().ok()
}

fn is_alive(pid: Pid) -> bool {
    parent_of(pid.as_raw_nonzero().get()).is_some()
}

/// Looks until there is something to return.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "no {what} within {DEADLINE:?}");
        std::thread::yield_now();
    }
}

async fn wait_for_child(width: u32) -> Pid {
    let parent = std::process::id();
    tokio::task::spawn_blocking(move || wait_for("child", || find_child(parent, width))).await.unwrap()
}

#[tokio::test]
async fn a_child_makes_what_this_process_would() {
    let pool = pool();
    let options = Options::default();
    let made = pool.make(picture(), &options).await.unwrap();
    assert_eq!(made, render(picture(), &options, &Limits::default()).unwrap());
    let error = pool.make(file(b"no picture"), &options).await.unwrap_err();
    assert_eq!(error, render(file(b"no picture"), &options, &Limits::default()).unwrap_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_pictures_at_once_each_get_their_own() {
    let pool = Pool::new(PoolConfig { children: 3, ..config() }).unwrap();
    let mut tasks = JoinSet::new();
    for width in 41..=52 {
        let (pool, picture) = (pool.clone(), file(&write(&scene(width, 30).into(), ImageFormat::Png)));
        tasks.spawn(async move { (width, pool.make(picture, &options(20)).await) });
    }
    for (width, made) in tasks.join_all().await {
        assert_eq!(made.unwrap().facts.width, width);
    }
}

#[tokio::test]
async fn a_killed_child_is_an_error_and_the_next_picture_works() {
    let pool = Pool::new(PoolConfig { children: 1, ..config() }).unwrap();
    let options = options(101);
    let killed = async {
        let child = wait_for_child(101).await;
        kill_process(child, Signal::KILL).unwrap();
    };
    let (result, ()) = tokio::join!(pool.make(file(b"HANG"), &options), killed);
    let error = result.unwrap_err();
    assert_eq!(error, Error::ChildDied { reason: "signal 9".to_owned() });
    assert!(!error.is_permanent());
    assert!(pool.make(picture(), &options).await.is_ok());
}

#[tokio::test]
async fn a_hung_child_is_killed_in_time() {
    let timeout = Duration::from_millis(300);
    let pool = Pool::new(PoolConfig { timeout, children: 1, ..config() }).unwrap();
    let error = pool.make(file(b"HANG"), &options(102)).await.unwrap_err();
    assert_eq!(error, Error::TimedOut { limit_ms: 300 });
    assert!(!error.is_permanent());
    assert_eq!(find_child(std::process::id(), 102), None);
}

#[tokio::test]
async fn children_that_abort_or_talk_nonsense_are_told_apart() {
    let pool = pool();
    for (word, reason) in [
        (b"DIES", "signal 6"),
        (b"EXIT", "exit code 3 and no answer"),
        (b"TALK", "exit code 0 and no answer"),
        (b"FLOD", "it said more than it may"),
    ] {
        let error = pool.make(file(word), &options(103)).await.unwrap_err();
        assert_eq!(error, Error::ChildDied { reason: reason.to_owned() });
    }
    assert!(pool.make(picture(), &options(103)).await.is_ok());
}

#[tokio::test]
async fn a_child_cannot_take_more_memory_than_it_may() {
    // 30 MB of pixels; the calculation would let them pass, the kernel does not.
    let picture = write(&scene(4000, 2500).into(), ImageFormat::Bmp);
    let limits = Limits { child_memory_bytes: 20 << 20, ..Limits::default() };
    let pool = Pool::new(PoolConfig { limits, ..config() }).unwrap();
    let error = pool.make(file(&picture), &options(104)).await.unwrap_err();
    assert_eq!(error, Error::OutOfMemory);
    assert!(error.is_permanent());
    let small = write(&scene(40, 25).into(), ImageFormat::Bmp);
    assert!(pool.make(file(&small), &options(104)).await.is_ok());
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error_that_may_pass() {
    let pool =
        Pool::new(PoolConfig { program: PathBuf::from("/nonexistent"), ..PoolConfig::default() }).unwrap();
    let error = pool.make(picture(), &Options::default()).await.unwrap_err();
    assert_eq!((error.word(), error.is_permanent()), ("io", false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_future_kills_the_child_and_frees_its_place() {
    let pool = Pool::new(PoolConfig { children: 1, ..config() }).unwrap();
    let hanging = options(105);
    let child = tokio::select! {
        result = pool.make(file(b"HANG"), &hanging) => panic!("{result:?}"),
        child = wait_for_child(105) => child,
    };
    assert!(pool.make(picture(), &options(106)).await.is_ok());
    tokio::task::spawn_blocking(move || wait_for("end of the child", || (!is_alive(child)).then_some(())))
        .await
        .unwrap();
}

/// Waits until a child works under all its limits, and stops it there, so that it can be looked at.
fn stop_at_work(parent: u32, width: u32) -> Pid {
    let child = wait_for("child", || find_child(parent, width));
    wait_for("limits of the child", || {
        let limits = read_of(child, "limits");
        assert!(!limits.is_empty(), "the child ended before it could be stopped");
        // The last of the limits that it takes on.
        let open_files = limits.lines().find(|line| line.starts_with("Max open files"))?;
        open_files.split_whitespace().any(|field| field == "16").then_some(())
    });
    kill_process(child, Signal::STOP).unwrap();
    wait_for("stop of the child", || read_of(child, "stat").contains(") T ").then_some(()));
    child
}

fn read_of(process: Pid, name: &str) -> String {
    fs::read_to_string(format!("/proc/{}/{name}", process.as_raw_nonzero())).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_has_nothing_that_it_does_not_need() {
    // Of what this process has open, the child gets nothing.
    let canary = tempfile::NamedTempFile::new().unwrap();
    let _socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let canary_path = canary.path().display().to_string();
    let looking = tokio::task::spawn_blocking(move || {
        let child = stop_at_work(std::process::id(), 107);
        let limits = read_of(child, "limits");
        let soft = |name: &str| -> u64 {
            let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..].split_whitespace().next().unwrap().parse().unwrap()
        };
        assert_eq!((soft("Max core file size"), soft("Max file size"), soft("Max cpu time")), (0, 0, 30));
        assert!((768 << 20..2 << 30).contains(&soft("Max address space")));
        let fields = read_of(child, "stat").rsplit_once(')').unwrap().1.to_owned();
        // The nineteenth field is the niceness, the third is the first after the name.
        assert_eq!(fields.split_whitespace().nth(16), Some("10"));
        assert_eq!(read_of(child, "environ").trim_end_matches('\0'), "MALLOC_ARENA_MAX=1");
        let files = fs::read_dir(format!("/proc/{}/fd", child.as_raw_nonzero())).unwrap();
        let targets = files.map(|file| fs::read_link(file.unwrap().path()).unwrap_or_default());
        let targets: Vec<_> = targets.map(|target| target.display().to_string()).collect();
        assert!(!targets.iter().any(|target| target == &canary_path), "{targets:?}");
        assert!(!targets.iter().any(|target| target.contains("socket")), "{targets:?}");
        kill_process(child, Signal::CONT).unwrap();
    });
    let (pool, options) = (pool(), options(107));
    let (made, looked) = tokio::join!(pool.make(slow_picture(), &options), looking);
    looked.unwrap();
    assert_eq!(made.unwrap().facts.width, 8000);
}

#[test]
fn children_do_not_outlive_their_parent() {
    let mut picture = tempfile::NamedTempFile::new().unwrap();
    picture.write_all(&slow_picture_bytes()).unwrap();
    let mut parent = Command::new(env!("CARGO_BIN_EXE_thumbnail-child"))
        .args(["--parent".as_ref(), picture.path().as_os_str(), "108".as_ref()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let child = stop_at_work(parent.id(), 108);
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_for("end of the child", || (!is_alive(child)).then_some(()));
}

/// 64 megapixels of one bit: takes a child a tenth of a second at least.
fn slow_picture_bytes() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 8000, 8000);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.write_header().unwrap().write_image_data(&vec![0x5a; 1000 * 8000]).unwrap();
    bytes
}

fn slow_picture() -> File {
    file(&slow_picture_bytes())
}
