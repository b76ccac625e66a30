//! n: one page of a list, and of what a search finds, in stores that hold few files and many.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Sizes;
use crate::contestants::Contestants;
use crate::fill::{Filled, Filling};
use crate::http::Connection;
use crate::process;
use crate::report::{Report, percentile};

/// Files of the stores beside which the large one is measured.
const SMALLER: [usize; 2] = [10, 10_000];
/// Pages of each kind in a round: enough for the hundredth of them that take longest.
const PAGES: usize = 300;
/// Where that would take longer, it is fewer, but not fewer than these.
const PATIENCE: Duration = Duration::from_secs(10);
const FEWEST: usize = 10;

/// A store with so many files.
struct Store {
    /// What its column is called.
    name: &'static str,
    files: usize,
    filled: Filled,
}

pub(super) async fn run(contestants: &Contestants, sizes: &Sizes) -> Result<()> {
    let mut stores = Vec::new();
    for files in SMALLER.into_iter().filter(|files| *files < sizes.files).chain([sizes.files]) {
        let folder = contestants.scratch.path().join(format!("many-{files}"));
        let filling = Filling {
            folder: "all".to_owned(),
            files,
            content: b"a small file".to_vec(),
            name: name_of,
            text: text_of,
        };
        let filled = Filled::start(&contestants.program, &folder, &[filling]).await?;
        stores.push(Store { name: format!("{files} files").leak(), files, filled });
    }
    let mut report = Report::default();
    for _ in 0..sizes.rounds {
        for number in 0..PAGE_KINDS.len() {
            for store in &stores {
                let (workload, path) = page(store, number).await?;
                let cpu = process::cpu_seconds(store.filled.server.pid);
                let millis = ask(store, &path).await?;
                let cpu = process::cpu_seconds(store.filled.server.pid) - cpu;
                report.add(workload, "p50 ms", store.name, percentile(&millis, 0.5));
                report.add(workload, "p99 ms", store.name, percentile(&millis, 0.99));
                report.add(workload, "server CPU ms/page", store.name, cpu * 1000.0 / millis.len() as f64);
            }
        }
    }
    report.print_columns(&stores.iter().map(|store| store.name).collect::<Vec<_>>());
    Ok(())
}

/// Asks for the same page again and again, each time when it was answered; milliseconds of each.
async fn ask(store: &Store, path: &str) -> Result<Vec<f64>> {
    let request = store.filled.api.head("GET", path, None);
    let (began, mut millis) = (Instant::now(), Vec::with_capacity(PAGES));
    let mut connection = Connection::open(store.filled.server.address).await?;
    while millis.len() < PAGES && (millis.len() < FEWEST || began.elapsed() < PATIENCE) {
        let answer = connection.send(&request, b"", false).await?;
        ensure!(answer.status == 200, "{path}: {}", answer.status);
        millis.push(answer.took.as_secs_f64() * 1000.0);
    }
    Ok(millis)
}

/// What a page is of.
#[derive(Clone, Copy)]
enum Of {
    /// The folder, from its beginning.
    List(&'static str),
    /// The folder, from its middle on: by a number, and by the cursor of the page before.
    Offset,
    Cursor,
    Search(&'static str),
}

/// Pages of ten are as long whatever the store holds; those of a hundred are not in the smallest one.
const PAGE_KINDS: [(&str, Of); 17] = [
    ("n list: first 10, by name", Of::List("limit=10")),
    ("n list: first 100, by name", Of::List("limit=100")),
    ("n list: first 100, by size, largest first", Of::List("limit=100&sort=size&order=desc")),
    ("n list: first 100, by time, latest first", Of::List("limit=100&sort=modifiedAt&order=desc")),
    ("n list: 100 from the middle, by offset", Of::Offset),
    ("n list: 100 from the middle, by cursor", Of::Cursor),
    ("n search: first 10, a word of all names", Of::Search("q=report&limit=10")),
    ("n search: first 10, beginnings of words, two letters", Of::Search("q=re&limit=10")),
    ("n search: first 10, a word of every hundredth name", Of::Search("q=batch07&limit=10")),
    ("n search: first 100, a word of every hundredth name", Of::Search("q=batch07&limit=100")),
    ("n search: first 10, the beginning of a word, five letters", Of::Search("q=repor&limit=10")),
    ("n search: two words, one of all names", Of::Search("q=report%20batch07&limit=10")),
    ("n search: a word of all names, the number of one file", Of::Search("q=report%200000007&limit=10")),
    ("n search: the number of one file", Of::Search("q=0000007&limit=10")),
    ("n search: first 10, a word of all texts", Of::Search("q=minutes&limit=10")),
    ("n search: first 10, a word of every hundredth text", Of::Search("q=topic00&limit=10")),
    ("n search: a word that nothing has", Of::Search("q=zzzz&limit=10")),
];

/// What it is called, and its address.
async fn page(store: &Store, number: usize) -> Result<(&'static str, String)> {
    let (workload, of) = PAGE_KINDS[number];
    let children = format!("/api/v1/files/{}/children", store.filled.folders[0]);
    let middle = format!("{children}?limit=100&offset={}", store.files / 2);
    let path = match of {
        Of::List(query) => format!("{children}?{query}"),
        Of::Offset => middle,
        Of::Cursor => match store.filled.api.json("GET", &middle, "").await?["nextCursor"].as_str() {
            Some(cursor) => format!("{children}?limit=100&cursor={cursor}"),
            // nothing comes after the middle of ten
            None => middle,
        },
        Of::Search(query) => format!("/api/v1/search?{query}"),
    };
    Ok((workload, path))
}

/// Names of four words: one that all have, one of some thousands, one of a hundred, and a number of their own.
fn name_of(n: usize) -> String {
    format!("report {} batch{:02} {n:07}.bin", word(n), n % 100)
}

/// Of every tenth file a text of a hundred words: one that all have, one of a hundred, and others.
fn text_of(n: usize) -> Option<String> {
    let words = |n: usize| (0..98).map(|at| word(n * 98 + at)).collect::<Vec<_>>().join(" ");
    n.is_multiple_of(10).then(|| format!("minutes topic{:02} {}", n / 10 % 100, words(n)))
}

/// One of some thousands, as unevenly frequent as words are: the squares crowd at the first ones.
fn word(n: usize) -> String {
    const PARTS: [&str; 17] = [
        "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va", "we",
    ];
    const WORDS: usize = 17 * 17 * 17;
    let even = (n.wrapping_mul(2_654_435_761) >> 8) % WORDS;
    let number = even * even / WORDS;
    [number, number / 17, number / 289].map(|part| PARTS[part % 17]).concat()
}
