//! What background jobs do for people, and what people see of them.

use anyhow::{Result, ensure};
use reqwest::Method;

use crate::product::{Account, Product, id, send};
use crate::samples::picture;
use crate::wait::until;

/// Waits until no job of this account is under way; the counts then.
pub async fn all_ended(product: &Product, account: &Account) -> Result<serde_json::Value> {
    until("all jobs to end", || async {
        let counts = product.get(account, "/api/v1/users/me/jobs/summary").await?.expect(200)?.json()?;
        let under_way = ["inactive", "active", "delayed"].iter().any(|state| counts[*state] != 0);
        Ok((!under_way && counts["complete"] != 0).then_some(counts))
    })
    .await
}

/// A picture gets its four thumbnails, and its owner sees the job that made them.
pub async fn a_picture_gets_its_thumbnails(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let file = id(&product.upload(&ada, "root", "wide.jpg", picture(2000, 1000, "jpg")?).await?)?;
    let ready = until("the thumbnails", || async {
        let file = product.get(&ada, &format!("/api/v1/files/{file}")).await?.expect(200)?.json()?;
        Ok((file["thumbnails"]["state"] == "ready").then_some(file))
    })
    .await?;
    ensure!(ready["media"]["width"] == 2000 && ready["media"]["height"] == 1000, "{ready}");
    for width in [100, 250, 500, 1280] {
        let path = format!("/api/v1/files/{file}/thumbnails/{width}");
        let answer = product.get(&ada, &path).await?.expect(200)?;
        let decoded = image::load_from_memory(&answer.body)?;
        ensure!((decoded.width(), decoded.height()) == (width, width / 2), "{width}");
        let tag = answer.header("etag").unwrap_or_default().to_owned();
        send(product.as_user(&ada, Method::GET, &path).header("if-none-match", tag)).await?.expect(304)?;
    }
    let eve = product.register("eve").await?;
    product
        .get(&eve, &format!("/api/v1/files/{file}/thumbnails/100"))
        .await?
        .expect_problem(404, "not_found")?;

    all_ended(product, &ada).await?;
    let jobs = product.get(&ada, "/api/v1/users/me/jobs?type=thumbnails").await?.expect(200)?.json()?;
    ensure!(jobs["total"] == 1 && jobs["items"][0]["state"] == "complete", "{jobs}");
    ensure!(jobs["items"][0]["attempts"]["made"] == 1 && jobs["items"][0]["progress"] == 100, "{jobs}");
    let others = product.get(&eve, "/api/v1/users/me/jobs?type=thumbnails").await?.expect(200)?.json()?;
    ensure!(others["total"] == 0, "{others}");
    Ok(())
}

/// A damaged picture ends as one failed job with a reason that its owner sees, and holds nobody up.
pub async fn a_damaged_picture_fails_with_a_reason(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let whole = picture(600, 400, "png")?;
    let broken = id(&product.upload(&ada, "root", "broken.png", whole[..60].to_vec()).await?)?;
    let good = id(&product.upload(&ada, "root", "good.png", whole).await?)?;
    for (file, wanted) in [(&good, "ready"), (&broken, "failed")] {
        let seen = until(wanted, || async {
            let file = product.get(&ada, &format!("/api/v1/files/{file}")).await?.expect(200)?.json()?;
            Ok((file["thumbnails"]["state"] == wanted).then_some(file))
        })
        .await?;
        let reason = seen["thumbnails"]["reason"].as_str();
        ensure!(reason.is_some_and(|reason| reason.len() > 10) == (wanted == "failed"), "{seen}");
    }
    product
        .get(&ada, &format!("/api/v1/files/{broken}/thumbnails/100"))
        .await?
        .expect_problem(404, "no_thumbnail")?;
    let failed = product.get(&ada, "/api/v1/users/me/jobs?state=failed").await?.expect(200)?.json()?;
    ensure!(failed["total"] == 1 && failed["items"][0]["error"].is_string(), "{failed}");
    ensure!(failed["items"][0]["attempts"]["made"] == 1, "what cannot succeed is not tried again: {failed}");
    Ok(())
}
