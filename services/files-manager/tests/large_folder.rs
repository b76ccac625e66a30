//! A folder of 100,000 entries, through the public API.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::HashSet;

use anyhow::{Result, ensure};
use e2e::product::Product;
use futures_util::StreamExt as _;
use support::Installation;

const ENTRIES: usize = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_a_hundred_thousand_entries_hold_each_once() {
    let installation = Installation::fresh();
    let running = installation.start();
    let product: Product = running.product();
    let result: Result<()> = async {
        let mut ada = product.register("ada").await?;
        let folder = product.make_folder(&ada, "root", "many").await?;
        for begin in (0..ENTRIES).step_by(10_000) {
            // an access token lives fifteen minutes, and this takes longer on a slow machine
            ada = product.login(&ada.email, &ada.password).await?;
            let uploads =
                (begin..begin + 10_000).map(|n| {
                    let (product, ada, folder) = (&product, &ada, &folder);
                    async move {
                        product.put(ada, folder, &format!("file {n}.txt"), "").await?.expect(201).map(drop)
                    }
                });
            let mut running = futures_util::stream::iter(uploads).buffer_unordered(32);
            while let Some(done) = running.next().await {
                done?;
            }
        }
        let page = |query: String| {
            let (product, ada, folder) = (&product, &ada, &folder);
            async move {
                product
                    .get(ada, &format!("/api/v1/files/{folder}/children?{query}"))
                    .await?
                    .expect(200)?
                    .json()
            }
        };
        let first = page("limit=3".to_owned()).await?;
        ensure!(first["total"] == ENTRIES, "{first}");
        ensure!(
            first["items"][0]["name"] == "file 0.txt" && first["items"][2]["name"] == "file 2.txt",
            "{first}"
        );
        let last = page(format!("limit=10&offset={}", ENTRIES - 1)).await?;
        ensure!(
            last["items"][0]["name"] == format!("file {}.txt", ENTRIES - 1) && last["nextCursor"].is_null(),
            "{last}"
        );
        for sort in ["name", "size", "modifiedAt", "type"] {
            let reversed = page(format!("limit=1000&sort={sort}&order=desc")).await?;
            ensure!(reversed["items"].as_array().is_some_and(|items| items.len() == 1000), "{sort}");
        }
        let all = product.children(&ada, &folder).await?;
        let names: HashSet<_> = all.iter().filter_map(|file| file["name"].as_str()).collect();
        ensure!(all.len() == ENTRIES && names.len() == ENTRIES, "{} items, {} names", all.len(), names.len());
        Ok(())
    }
    .await;
    if let Err(error) = result {
        panic!("{error:?}");
    }
}
