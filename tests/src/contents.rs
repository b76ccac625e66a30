//! Uploads and downloads of bytes.

use anyhow::{Context as _, Result, ensure};
use common::Sha256;
use reqwest::Method;

use crate::product::{Account, Product, encode, id, send};

/// Bytes that no compression and no luck can make up.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    use rand::{RngExt as _, SeedableRng as _};
    let mut bytes = vec![0; len];
    rand::rngs::SmallRng::seed_from_u64(seed).fill(&mut bytes[..]);
    bytes
}

async fn range(
    product: &Product,
    account: &Account,
    file: &str,
    range: &str,
) -> Result<crate::product::Answer> {
    send(
        product
            .as_user(account, Method::GET, &format!("/api/v1/files/{file}/content"))
            .header("range", range),
    )
    .await
}

/// Contents of every size that is stored in another way come back as they were, with their digest.
pub async fn bytes_in_same_bytes_out(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    for (seed, len) in [0, 1, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 64 * 1024, 1_000_003, 5 * 1024 * 1024]
        .into_iter()
        .enumerate()
    {
        let content = noise(len, seed as u64);
        let file = product.upload(&ada, "root", &format!("{len}.bin"), content.clone()).await?;
        let digest = Sha256::of(&content);
        ensure!(file["size"] == len && file["sha256"] == digest.to_string(), "{file}");
        let answer =
            product.get(&ada, &format!("/api/v1/files/{}/content", id(&file)?)).await?.expect(200)?;
        ensure!(answer.body == content, "{len} bytes came back differently");
        ensure!(answer.header("repr-digest") == Some(digest.to_field().as_str()));
        ensure!(answer.header("content-length") == Some(len.to_string().as_str()));
        ensure!(answer.header("accept-ranges") == Some("bytes"));
        ensure!(answer.header("etag").is_some_and(|etag| etag.starts_with('"')), "a strong tag");
        ensure!(answer.header("last-modified").is_some());
        ensure!(answer.header("x-content-type-options") == Some("nosniff"));
    }
    Ok(())
}

/// The answers of RFC 9110 to ranges, on a small and on a large file.
pub async fn ranges_are_exact(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    for len in [10_usize, 1_000_000] {
        let content = noise(len, 7);
        let file = id(&product.upload(&ada, "root", &format!("{len}.bin"), content.clone()).await?)?;
        let last = len - 1;
        for (asked, start, end) in [
            ("bytes=0-1".to_owned(), 0, 1),
            ("bytes=6-9".to_owned(), 6, 9),
            ("bytes=5-".to_owned(), 5, last),
            ("bytes=-4".to_owned(), len - 4, last),
            (format!("bytes=0-{len}"), 0, last),
            ("bytes=-18446744073709551616".to_owned(), 0, last),
        ] {
            let answer = range(product, &ada, &file, &asked).await?;
            if answer.status.as_u16() == 200 {
                ensure!(
                    start == 0 && end == last && answer.body == content,
                    "{asked}: 200 is for the whole only"
                );
                continue;
            }
            let answer = answer.expect(206)?;
            ensure!(
                answer.header("content-range") == Some(format!("bytes {start}-{end}/{len}").as_str()),
                "{asked}"
            );
            ensure!(answer.body == content[start..=end], "{asked}");
        }
        let beyond = range(product, &ada, &file, &format!("bytes={len}-")).await?.expect(416)?;
        ensure!(beyond.header("content-range") == Some(format!("bytes */{len}").as_str()));
        let two = range(product, &ada, &file, "bytes=0-1,5-6").await?.expect(206)?;
        ensure!(
            two.header("content-type")
                .is_some_and(|kind| kind.starts_with("multipart/byteranges; boundary="))
        );
        let nonsense = range(product, &ada, &file, "lines=1-2").await?.expect(200)?;
        ensure!(nonsense.body == content, "an unknown unit is ignored");
    }
    Ok(())
}

/// Tags tell versions apart, even of one size within one second, and an interrupted download never mixes two.
pub async fn validators_follow_the_bytes(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let file = id(&product.upload(&ada, "root", "f.bin", noise(50_000, 1)).await?)?;
    let path = format!("/api/v1/files/{file}/content");
    let first = product.get(&ada, &path).await?.expect(200)?;
    let tag = first.header("etag").unwrap_or_default().to_owned();
    let conditional = |name: &'static str, value: &str| {
        send(product.as_user(&ada, Method::GET, &path).header(name, value.to_owned()))
    };
    conditional("if-none-match", &tag).await?.expect(304)?;
    conditional("if-match", "\"another\"").await?.expect_problem(412, "precondition_failed")?;

    let newer = noise(50_000, 2);
    let put = |tag: &str, content: Vec<u8>| {
        send(product.as_user(&ada, Method::PUT, &path).header("if-match", tag.to_owned()).body(content))
    };
    put("\"another\"", newer.clone()).await?.expect_problem(412, "precondition_failed")?;
    let replaced = put(&tag, newer.clone()).await?.expect(200)?.json()?;
    ensure!(replaced["version"] == 2 && replaced["id"] == file.as_str(), "{replaced}");
    let now = conditional("if-none-match", &tag).await?.expect(200)?;
    ensure!(now.body == newer && now.header("etag") != Some(&tag));
    let resumed =
        product.as_user(&ada, Method::GET, &path).header("range", "bytes=25000-").header("if-range", &tag);
    let resumed = send(resumed).await?.expect(200)?;
    ensure!(resumed.body == newer, "the rest of an old version is never given");
    let head = send(product.as_user(&ada, Method::HEAD, &path)).await?.expect(200)?;
    ensure!(head.body.is_empty() && head.header("content-length") == Some("50000"));
    Ok(())
}

/// What is uploaded is never run in the product's origin, whatever it calls itself.
pub async fn active_content_is_disarmed(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let html = "<!doctype html><script>alert(1)</script>";
    let svg = r#"<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"#;
    for (name, content) in [
        ("page.html", html),
        ("page.xhtml", html),
        ("page.txt", html),
        ("page.jpg", html),
        ("page", html),
        ("picture.svg", svg),
        ("picture.png", svg),
    ] {
        let file = id(&product.upload(&ada, "root", name, content).await?)?;
        let answer = product.get(&ada, &format!("/api/v1/files/{file}/content")).await?.expect(200)?;
        ensure!(answer.header("x-content-type-options") == Some("nosniff"), "{name}");
        let attached =
            answer.header("content-disposition").is_some_and(|value| value.starts_with("attachment"));
        let sandboxed =
            answer.header("content-security-policy").is_some_and(|value| value.contains("sandbox"));
        ensure!(attached || sandboxed, "{name} is neither attached nor sandboxed: {:?}", answer.headers);
    }
    let file = id(&product.upload(&ada, "root", "naïve “quote” 日本 😀.txt", "x").await?)?;
    let answer =
        product.get(&ada, &format!("/api/v1/files/{file}/content?download=true")).await?.expect(200)?;
    let disposition = answer.header("content-disposition").unwrap_or_default().to_owned();
    let name = format!("filename*=UTF-8''{}", encode("naïve “quote” 日本 😀").replace("%2E", "."));
    ensure!(
        disposition.starts_with("attachment") && disposition.contains(&name),
        "{disposition} lacks {name}"
    );
    Ok(())
}

/// A wrong digest, or a body that ends early, leaves nothing behind.
pub async fn a_broken_upload_leaves_nothing(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let path = "/api/v1/files/root/children/f.bin/content";
    for len in [100, 200_000] {
        let wrong = product
            .as_user(&ada, Method::PUT, path)
            .header("repr-digest", Sha256::of(b"something else").to_field())
            .body(noise(len, 3));
        send(wrong).await?.expect_problem(400, "digest_mismatch")?;
    }
    ensure!(product.children(&ada, "root").await?.is_empty());
    let usage = product.get(&ada, "/api/v1/usage").await?.expect(200)?.json()?;
    ensure!(usage["usedBytes"] == 0, "{usage}");
    let right = noise(200_000, 4);
    let request = product
        .as_user(&ada, Method::PUT, path)
        .header("repr-digest", Sha256::of(&right).to_field())
        .body(right);
    send(request).await?.expect(201)?;
    Ok(())
}

/// Three ways to meet a taken name.
pub async fn conflicts_are_answered_as_asked(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    product.upload(&ada, "root", "a.txt", "one").await?;
    let put = |query: &str, content: &'static str| {
        let path = format!("/api/v1/files/root/children/a.txt/content{query}");
        send(product.as_user(&ada, Method::PUT, &path).body(content))
    };
    put("", "two").await?.expect_problem(409, "name_taken")?;
    put("?onConflict=fail", "two").await?.expect_problem(409, "name_taken")?;
    let renamed = put("?onConflict=rename", "two").await?.expect(201)?.json()?;
    ensure!(renamed["name"] == "a (2).txt", "{renamed}");
    let replaced = put("?onConflict=replace", "three").await?.expect(200)?.json()?;
    ensure!(replaced["name"] == "a.txt" && replaced["version"] == 2, "{replaced}");
    ensure!(product.content(&ada, &id(&replaced)?).await? == "three");
    put("?onConflict=perhaps", "four").await?.expect_problem(400, "invalid_request")?;
    ensure!(product.children(&ada, "root").await?.len() == 2);
    Ok(())
}

/// A folder comes as one archive, the same each time, so that a download which broke off goes on wherever the next request is answered.
pub async fn a_folder_is_one_download_that_can_be_gone_on_with(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let top = product.make_folder(&ada, "root", "Reise").await?;
    let large = noise(1_000_000, 9);
    product.upload(&ada, &top, "groß.bin", large.clone()).await?;
    product.upload(&ada, &top, "klein.txt", "small").await?;
    let path = format!("/api/v1/files/{top}/archive?format=tar");
    let whole = product.get(&ada, &path).await?.expect(200)?;
    let etag = whole.header("etag").context("a tag")?.to_owned();
    ensure!(whole.header("content-length") == Some(whole.body.len().to_string().as_str()));
    ensure!(whole.header("content-disposition") == Some("attachment; filename=\"Reise.tar\""));
    let holds = |needle: &[u8]| whole.body.windows(needle.len()).any(|window| window == needle);
    ensure!(holds(&large[..4096]) && holds(&large[large.len() - 4096..]) && holds(b"small"));
    // in turn to each replica
    for start in [1, 1500, 900_000, whole.body.len() - 10] {
        let rest = product.as_user(&ada, Method::GET, &path).header("range", format!("bytes={start}-"));
        let rest = send(rest.header("if-range", &etag)).await?.expect(206)?;
        ensure!(rest.body == whole.body[start..], "from {start}");
    }
    product.upload(&ada, &top, "new.txt", "!").await?;
    let other = product.as_user(&ada, Method::GET, &path).header("range", "bytes=1500-");
    let other = send(other.header("if-range", &etag)).await?.expect(200)?;
    ensure!(other.body.len() > whole.body.len());
    Ok(())
}
