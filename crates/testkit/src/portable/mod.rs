//! What is kept by the ports of `common::portable` comes back as it was, page by page, and is kept once.

use common::{ObjectId, Timestamp};

fn id<T: From<ObjectId>>(number: u8) -> T {
    ObjectId::from_bytes([number; 12]).into()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)
}

/// All records of a list, by pages of two.
macro_rules! all {
    (|$after:ident| $page:expr, |$item:ident| $key:expr) => {{
        let mut found = Vec::new();
        let mut $after = None;
        loop {
            let page = $page.await.unwrap();
            let is_last = page.len() < 2;
            assert!(page.len() <= 2, "more than was asked for");
            $after = page.last().map(|$item| $key);
            found.extend(page);
            if is_last {
                break found;
            }
        }
    }};
}

/// Keeps records twice, and finds them once each, as they were.
macro_rules! there_and_back {
    ($store:expr, $kept:expr, $keep:ident, |$after:ident| $page:expr, |$item:ident| $key:expr) => {{
        let mut kept = $kept;
        $store.$keep(&kept[..1]).await.unwrap();
        $store.$keep(&kept).await.unwrap();
        $store.$keep(&[]).await.unwrap();
        let mut found = all!(|$after| $page, |$item| $key);
        kept.sort_by_key(|$item| $key);
        found.sort_by_key(|$item| $key);
        assert_eq!(found, kept, stringify!($keep));
    }};
}

mod auth;
mod files;
mod history;
mod jobs;

pub use auth::auth;
pub use files::files;
pub use jobs::jobs;
