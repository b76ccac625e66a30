//! A quota holds, however many uploads want the rest of it at once, and whatever becomes of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use anyhow::{Result, ensure};
use e2e::contents::noise;
use e2e::product::{Account, Product, id, send};
use reqwest::Method;
use support::Installation;

const MIB: usize = 1024 * 1024;

async fn used(product: &Product, ada: &Account) -> Result<u64> {
    let usage = product.get(ada, "/api/v1/usage").await?.expect(200)?.json()?;
    usage["usedBytes"].as_u64().ok_or_else(|| anyhow::anyhow!("no usage: {usage}"))
}

/// Uploads `count` contents of `len` bytes at once; how many were taken.
async fn at_once(product: &Product, ada: &Account, count: u64, len: usize) -> Result<usize> {
    let uploads = (0..count)
        .map(|n| async move { product.put(ada, "root", &format!("{len}-{n}"), noise(len, n)).await });
    let mut taken = 0;
    for answer in futures_util::future::join_all(uploads).await {
        let answer = answer?;
        if answer.status.as_u16() == 201 {
            taken += 1;
        } else {
            answer.expect_problem(507, "quota_exceeded")?;
        }
    }
    Ok(taken)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_at_once_ten_fit() {
    for len in [10_000, 100_000] {
        let quota = (10 * len).to_string();
        let installation = Installation::fresh().with("FM_FILES__QUOTA", &quota);
        let running = installation.start();
        let product = running.product();
        let result: Result<()> = async {
            let ada = product.register("ada").await?;
            let taken = at_once(&product, &ada, 50, len).await?;
            let files = product.children(&ada, "root").await?;
            ensure!(
                taken == files.len() && taken <= 10,
                "{taken} of {len} bytes were taken, {} are there",
                files.len()
            );
            ensure!(used(&product, &ada).await? == (taken * len) as u64);
            // those that had reserved and then failed have given it back: what is left can be used to the last byte
            for n in taken..10 {
                product.upload(&ada, "root", &format!("rest {n}"), noise(len, 99)).await?;
            }
            product.put(&ada, "root", "one byte more", "x").await?.expect_problem(507, "quota_exceeded")?;
            Ok(())
        }
        .await;
        if let Err(error) = result {
            panic!("{error:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_failures_is_nothing() {
    let installation = Installation::fresh().with("FM_FILES__QUOTA", "45MB");
    let running = installation.start();
    let product = running.product();
    let result: Result<()> = async {
        let ada = product.register("ada").await?;
        ensure!(at_once(&product, &ada, 3, 42_000_000).await? <= 1, "usage went above the quota");
        for file in product.children(&ada, "root").await? {
            let path = format!("/api/v1/files/{}?permanent=true", id(&file)?);
            send(product.as_user(&ada, Method::DELETE, &path)).await?.expect(204)?;
        }
        e2e::wait::until("the space to come back", || async {
            Ok((used(&product, &ada).await? == 0).then_some(()))
        })
        .await?;
        // announced larger than the quota: refused before a byte is read
        product.put(&ada, "root", "x", noise(46 * MIB, 1)).await?.expect_problem(507, "quota_exceeded")?;
        // of unknown length: refused when it has become too large
        let pieces = (0..60).map(|n| Ok::<_, std::io::Error>(noise(MIB, n)));
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
        match product.put(&ada, "root", "y", body).await {
            Ok(answer) => drop(answer.expect_problem(507, "quota_exceeded")?),
            // it may have gone on sending when the answer came, and lost it with the connection
            Err(error) => ensure!(format!("{error:?}").contains("onnection"), "{error:?}"),
        }
        e2e::wait::until("what was set aside to be given back", || async {
            let answer = product.put(&ada, "root", "whole", noise(44_000_000, 2)).await?;
            Ok((answer.status.as_u16() == 201).then_some(()))
        })
        .await?;
        ensure!(used(&product, &ada).await? == 44_000_000);
        Ok(())
    }
    .await;
    if let Err(error) = result {
        panic!("{error:?}");
    }
}
