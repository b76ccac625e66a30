//! The page's journeys on the distributed form: in a real browser, through the real gateway, on two replicas of each service.
//!
//! Each file has an all-in-one of its own elsewhere (`files-manager`). Here all have one installation, as people do: they make accounts of their own,
//! and none may see what the others leave.

#![expect(clippy::unwrap_used, reason = "what cannot be started fails the test")]

use std::ffi::OsStr;
use std::path::PathBuf;

use anyhow::Result;
use e2e::stack::{Options, Servers, Stack};
use e2e::{Product, journeys};

/// What makes the first administrator, whom the others know.
const SET_UP: &str = "00-set-up";

/// Those that go through each of the services, both stores and the events of any replica, each with its file.
const TELLING: &[(&str, &str)] = &[
    ("jobs", "one’s own background jobs can be followed, down to the file"),
    ("jobs", "progress and what a job says are shown as they come"),
    ("organise", "the trash gives back what was thrown away, by toast, by key, by itself"),
    ("organise", "folders and several files are downloaded as one archive"),
    ("search", "what is typed is found by name, text and tag, and opened"),
    ("sharing", "what was shared with me stands in its place, and a role shows what it allows"),
    ("upload", "a folder is uploaded with all that is in it"),
    ("upload", "an upload goes on after signing in again"),
];

/// Those that want an installation of another kind.
const APART: &[&str] = &[SET_UP, "below-a-path", "provider", "sign-in"];

/// Entries of a large folder: several pages of the list. What stands in for MongoDB is slow, and the all-in-one has had more.
const LARGE: &str = "600";

/// An installation with the page that was built, and its servers.
struct Installation {
    stack: Stack,
    _servers: Servers,
}

impl Installation {
    async fn start(options: Options) -> Self {
        let page = std::env::var_os("FM_TEST_PAGE")
            .expect("FM_TEST_PAGE names the folder of the built page; `cargo xtask test` sets it");
        let options = Options { page: Some(PathBuf::from(page)), ..options };
        let servers = Servers::start().await.unwrap();
        let stack = tokio::task::block_in_place(|| Stack::start(&servers, &options)).unwrap();
        Self { stack, _servers: servers }
    }

    fn product(&self) -> Product {
        self.stack.product()
    }

    fn run(&mut self, files: &[&str], only: &[&str], at_once: usize) {
        let mail = self.stack.mail();
        let environment = [("FM_E2E_MAIL", mail.as_os_str()), ("FM_E2E_LARGE", OsStr::new(LARGE))];
        let ran: Result<()> = tokio::task::block_in_place(|| {
            journeys::run(&self.product(), files, only, at_once, &environment)
        });
        if let Err(error) = ran {
            panic!("{error:#}\nthe logs of the services are in {}", self.stack.keep_folder().display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn journeys_go_through_the_gateway() {
    let mut installation = Installation::start(Options::of_tests().unwrap()).await;
    installation.run(&[SET_UP], &[], 1);
    if cfg!(feature = "long") {
        let all = journeys::all().unwrap();
        let files: Vec<_> = all.iter().map(String::as_str).filter(|file| !APART.contains(file)).collect();
        // one pauses the queue for all
        installation.run(&files, &[], 1);
    } else {
        let (mut files, only): (Vec<_>, Vec<_>) = TELLING.iter().copied().unzip();
        files.dedup();
        installation.run(&files, &only, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_stands_below_a_path() {
    let options = Options { replicas: 1, below_a_path: true, ..Options::of_tests().unwrap() };
    let mut installation = Installation::start(options).await;
    installation.run(&["below-a-path"], &[], 1);
}

#[test]
fn what_is_named_is_there() {
    let all = journeys::all().unwrap();
    for named in TELLING.iter().map(|(file, _)| file).chain(APART) {
        assert!(all.iter().any(|file| file == named), "{named}");
    }
}
