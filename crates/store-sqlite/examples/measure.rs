//! Prints what the embedded store does in a second on this disk: `cargo run --release -p store-sqlite --example measure [folder]`. With `search` as the first
//! argument, how long searches take, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool for people, which may stop at the first failure"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::files::search::{
    IndexedText, SearchFilter, SearchQuery, SearchScope, SearchStore as _, words_of_search,
};
use common::files::{Commit, FileStore as _, Kind, ListQuery, NewFolder, Order, Sort};
use common::jobs::{ClaimRequest, JobAdmin as _, JobStore as _, NewJob};
use common::{FileId, Timestamp, UserId};
use store_sqlite::{AuthDb, FilesDb, JobsDb, OpenOptions};
use testkit::TestIds;
use testkit::file_store::{FilesSubject, named, query};

const RUN: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    let only_search = arguments.next_if(|argument| argument == "search").is_some();
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent).unwrap();
    let options = OpenOptions::default();
    let begun = Instant::now();
    let auth = AuthDb::open(folder.path().join("auth.db"), &options).unwrap();
    let files = Arc::new(FilesDb::open(folder.path().join("files.db"), &options).unwrap());
    let jobs = Arc::new(JobsDb::open(folder.path().join("jobs.db"), &options).unwrap());
    println!("three fresh databases open in {:.1?}; {}", begun.elapsed(), resident());

    let subject = Arc::new(FilesSubject::new(Arc::clone(&files), ()).await);
    if only_search {
        return searches(&subject, &files).await;
    }
    for callers in [1, 8, 32] {
        uploads(&subject, callers, 10_240).await;
    }
    lists(&subject).await;
    reads(&subject, &files).await;
    job_rates(&jobs).await;
    println!("after all that: {}", resident());
    drop(auth);
    reopen(folder.path(), subject, files);
}

/// Runs `callers` loops for a while; how often a second they got round, and the CPU time of this process for each time.
async fn rate<F: Future<Output = ()> + Send + 'static>(
    what: &str,
    callers: usize,
    work: impl Fn(usize) -> F + Clone + Send + 'static,
) {
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let mut loops = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let work = work.clone();
        loops.spawn(async move {
            let mut count = 0_u64;
            while begun.elapsed() < RUN {
                work(caller).await;
                count += 1;
            }
            count
        });
    }
    let count: u64 = loops.join_all().await.into_iter().sum();
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!(
        "{what}, {callers} callers: {:.0}/s, {:.1} µs CPU each",
        count as f64 / seconds,
        cpu * 1e6 / count as f64
    );
}

async fn uploads(subject: &Arc<FilesSubject>, callers: usize, size: usize) {
    let folder = subject.folder(subject.root(), &format!("uploads of {callers}")).await.id;
    let files = Arc::clone(subject);
    rate(&format!("inline uploads of {size} bytes"), callers, move |caller| {
        let files = Arc::clone(&files);
        async move {
            let name = format!("{caller} {}", files.ids.next::<FileId>());
            files.commit(&files.upload(folder, &name, size)).await.unwrap();
        }
    })
    .await;
}

async fn fill(subject: &Arc<FilesSubject>, folder: FileId, count: usize) {
    let mut left = (0..count).collect::<Vec<_>>();
    while !left.is_empty() {
        let part = left.split_off(left.len().saturating_sub(128));
        let commits = part.into_iter().map(|n| {
            let (is_folder, name) = (n % 10 == 0, format!("entry {n}"));
            let subject = Arc::clone(subject);
            async move {
                if is_folder {
                    let new = NewFolder { name: named(&name), ..subject.new_folder(folder, "x") };
                    subject.store.create_folder(&new).await.unwrap();
                } else {
                    subject.commit(&Commit { ..subject.upload(folder, &name, 100) }).await.unwrap();
                }
            }
        });
        futures_util::future::join_all(commits).await;
    }
}

async fn lists(subject: &Arc<FilesSubject>) {
    for entries in [100, 100_000] {
        let folder = subject.folder(subject.root(), &format!("list of {entries}")).await.id;
        let begun = Instant::now();
        fill(subject, folder, entries).await;
        println!("{entries} entries made in {:.1?}", begun.elapsed());
        for limit in [10, 100] {
            let subject = Arc::clone(subject);
            let list = ListQuery { limit, ..query(Sort::Name, Order::Asc, limit) };
            rate(&format!("first page of {limit} of {entries}"), 1, move |_| {
                let (subject, list) = (Arc::clone(&subject), list.clone());
                async move { drop(subject.store.list_children(folder, &list).await.unwrap()) }
            })
            .await;
        }
        let begun = Instant::now();
        let mut list = ListQuery { kind: Some(Kind::File), ..query(Sort::Name, Order::Asc, 1000) };
        let mut count = 0;
        loop {
            let page = subject.store.list_children(folder, &list).await.unwrap();
            count += page.items.len();
            list.after = page.items.last().map(|node| common::files::Position::of(node, Sort::Name));
            if !page.more {
                break;
            }
        }
        println!("all {count} files in pages of 1000: {:.1?}", begun.elapsed());
    }
}

async fn reads(subject: &Arc<FilesSubject>, files: &Arc<FilesDb>) {
    let folder = subject.folder(subject.root(), "a").await.id;
    let file = subject.file(folder, "b", 4096).await;
    let blob = file.content.unwrap().blob;
    for callers in [1, 8, 32] {
        let db = Arc::clone(files);
        rate("path of a node, three deep", callers, move |_| {
            let db = Arc::clone(&db);
            async move { drop(db.find_path(file.id).await.unwrap()) }
        })
        .await;
        let db = Arc::clone(files);
        rate("one row by its key", callers, move |_| {
            let db = Arc::clone(&db);
            async move { assert!(db.find_blob(blob).await.unwrap().is_some()) }
        })
        .await;
    }
}

/// 10,000 files with names of three words, every tenth with a text of 300 words, of 5,000 words in all.
async fn searches(subject: &Arc<FilesSubject>, files: &Arc<FilesDb>) {
    const FILES: usize = 10_000;
    let word = |n: usize| {
        const PARTS: [&str; 17] = [
            "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va",
            "we",
        ];
        format!("{}{}{}", PARTS[n % 17], PARTS[n / 17 % 17], PARTS[n / 289 % 17])
    };
    // the squares crowd at the first words, as words of a language do
    let any = |n: usize| word((n.wrapping_mul(2_654_435_761) % 70).pow(2));
    let folder = subject.folder(subject.root(), "searched").await.id;
    let begun = Instant::now();
    for n in 0..FILES {
        let name = format!("{} {} {n}.txt", any(n), any(n + FILES));
        let file = subject.file(folder, &name, 100).await;
        if n % 10 == 0 {
            let text = (0..300).map(|at| any(n * 300 + at)).collect::<Vec<_>>().join(" ");
            assert!(files.keep_text(file.content.unwrap().blob, &IndexedText::new(text)).await.unwrap());
        }
    }
    println!("{FILES} files made in {:.1?}", begun.elapsed());
    let common = any(1);
    for (what, text) in [
        ("one letter", &common[..1]),
        ("two letters", &common[..2]),
        ("a word of many names and texts", &*common),
        ("two words", &format!("{common} {}", any(2))),
        ("one file's number", "4711"),
        ("nothing", "zzz"),
    ] {
        for (place, below) in [("all", None), ("a folder", Some(vec![folder]))] {
            let query = SearchQuery {
                words: words_of_search(text),
                scopes: vec![SearchScope { space: subject.space.id, below }],
                filter: SearchFilter::default(),
                after: None,
                limit: 101,
            };
            let mut times = Vec::new();
            let mut found = 0;
            for _ in 0..50 {
                let begun = Instant::now();
                found = files.search(&query).await.unwrap().nodes.len();
                times.push(begun.elapsed());
            }
            times.sort_unstable();
            println!(
                "{what}, in {place}: {found} found, median {:.1?}, 95th of 100 {:.1?}",
                times[25], times[47]
            );
        }
    }
}

async fn job_rates(jobs: &Arc<JobsDb>) {
    let ids = Arc::new(TestIds::new());
    let users: Arc<Vec<UserId>> = Arc::new((0..100).map(|_| ids.next()).collect());
    let new_job = {
        let (ids, users) = (Arc::clone(&ids), Arc::clone(&users));
        move |n: usize| NewJob {
            user: Some(users[n % users.len()]),
            max_attempts: 3,
            ..NewJob::new(ids.next(), "noop", serde_json::json!({"n": n}), Timestamp::default())
        }
    };
    let now = Timestamp::default();
    for (callers, array) in [(50, 1), (2, 500)] {
        let (jobs, new_job) = (Arc::clone(jobs), new_job.clone());
        rate(&format!("insert {array} jobs"), callers, move |caller| {
            let (jobs, array) =
                (Arc::clone(&jobs), (0..array).map(|n| new_job(caller + n)).collect::<Vec<_>>());
            async move { drop(jobs.insert(&array, now).await.unwrap()) }
        })
        .await;
    }
    let store = Arc::clone(jobs);
    rate("claim and complete a job", 10, move |_| {
        let jobs = Arc::clone(&store);
        async move {
            let request =
                ClaimRequest { types: vec!["noop".to_owned()], worker: "w".to_owned(), max: 1, lease: RUN };
            for claimed in jobs.claim(&request, now).await.unwrap().jobs {
                jobs.complete(claimed.holder, None, now).await.unwrap();
            }
        }
    })
    .await;
    println!("jobs: {:?}", jobs.counts(None).await.unwrap());
}

fn reopen(folder: &Path, subject: Arc<FilesSubject>, files: Arc<FilesDb>) {
    drop(subject);
    let begun = Instant::now();
    drop(files);
    println!("files.db closed in {:.1?}", begun.elapsed());
    let begun = Instant::now();
    let files = FilesDb::open(folder.join("files.db"), &OpenOptions::default()).unwrap();
    println!("files.db opened again in {:.1?}", begun.elapsed());
    drop(files);
}

fn status(key: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

fn resident() -> String {
    format!("resident {}", status("VmRSS:"))
}

/// User and system time of this process, in clock ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    fields.iter().sum::<f64>() / 100.0
}
