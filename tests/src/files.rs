//! Folders, names, lists, moves, the trash.

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::product::{Account, Product, id, send};
use crate::wait::until;

async fn patch(
    product: &Product,
    account: &Account,
    file: &str,
    body: Value,
) -> Result<crate::product::Answer> {
    send(product.as_user(account, Method::PATCH, &format!("/api/v1/files/{file}")).json(&body)).await
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().filter_map(|item| item["name"].as_str()).collect()
}

/// Folders in folders, natural order, folders first, a breadcrumb, a rename, a move.
pub async fn a_tree_is_built_and_rearranged(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let photos = product.make_folder(&ada, "root", "Photos").await?;
    for name in ["img10.txt", "img2.txt", "IMG1.txt"] {
        product.upload(&ada, &photos, name, name.to_owned()).await?;
    }
    let year = product.make_folder(&ada, &photos, "zz 2026").await?;
    ensure!(
        names(&product.children(&ada, &photos).await?) == ["zz 2026", "IMG1.txt", "img2.txt", "img10.txt"]
    );

    let path = product.get(&ada, &format!("/api/v1/files/{year}/path")).await?.expect(200)?.json()?;
    ensure!(
        names(path["items"].as_array().map_or(&[], Vec::as_slice)) == ["", "Photos", "zz 2026"],
        "{path}"
    );

    patch(product, &ada, &year, json!({"name": "2026"})).await?.expect(200)?;
    patch(product, &ada, &year, json!({"parentId": "root"})).await?.expect(200)?;
    ensure!(names(&product.children(&ada, "root").await?) == ["2026", "Photos"]);
    patch(product, &ada, &year, json!({"name": "Photos"})).await?.expect_problem(409, "name_taken")?;
    patch(product, &ada, &photos, json!({"parentId": year})).await?.expect(200)?;
    patch(product, &ada, &year, json!({"parentId": photos}))
        .await?
        .expect_problem(409, "would_make_cycle")?;
    let root = product.get(&ada, "/api/v1/files/root").await?.expect(200)?.json()?;
    patch(product, &ada, &id(&root)?, json!({"name": "x"})).await?.expect_problem(409, "root_is_fixed")?;

    let deep = json!({"path": "a/b/c", "parentId": year});
    let made = product.post(&ada, "/api/v1/files", &deep).await?.expect(201)?.json()?;
    let again = product.post(&ada, "/api/v1/files", &deep).await?.expect(200)?.json()?;
    ensure!(made["id"] == again["id"] && made["name"] == "c");
    Ok(())
}

/// Cursors go through a list once, whatever is added and removed before them, and fit no other list.
pub async fn cursors_survive_changes_and_fit_one_list(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let folder = product.make_folder(&ada, "root", "many").await?;
    for n in 0..25 {
        product.upload(&ada, &folder, &format!("{n:02}"), format!("{n}")).await?;
    }
    let base = format!("/api/v1/files/{folder}/children?limit=10");
    let first = product.get(&ada, &base).await?.expect(200)?.json()?;
    ensure!(
        first["total"] == 25 && first["items"].as_array().is_some_and(|items| items.len() == 10),
        "{first}"
    );
    let cursor = first["nextCursor"].as_str().unwrap_or_default().to_owned();

    product.upload(&ada, &folder, "00 earlier", "x").await?;
    let gone = id(&first["items"][9])?;
    send(product.as_user(&ada, Method::DELETE, &format!("/api/v1/files/{gone}"))).await?.expect(204)?;
    let second = product.get(&ada, &format!("{base}&cursor={cursor}")).await?.expect(200)?.json()?;
    ensure!(second["items"][0]["name"] == "10", "{second}");

    let altered = format!("{}{}", if cursor.starts_with('A') { 'B' } else { 'A' }, &cursor[1..]);
    product.get(&ada, &format!("{base}&cursor={altered}")).await?.expect_problem(400, "invalid_cursor")?;
    product
        .get(&ada, &format!("{base}&sort=size&cursor={cursor}"))
        .await?
        .expect_problem(400, "invalid_cursor")?;
    product
        .get(&ada, &format!("/api/v1/files/root/children?limit=10&cursor={cursor}"))
        .await?
        .expect_problem(400, "invalid_cursor")?;
    Ok(())
}

/// Trash, look, restore beside a newcomer of the same name, delete for good, and the space comes back.
pub async fn the_trash_gives_back_and_lets_go(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let folder = product.make_folder(&ada, "root", "d").await?;
    let inside = id(&product.upload(&ada, &folder, "a.txt", vec![b'x'; 100_000]).await?)?;
    let delete = |file: &str, query: &str| {
        send(product.as_user(&ada, Method::DELETE, &format!("/api/v1/files/{file}{query}")))
    };
    delete(&folder, "").await?.expect(204)?;
    ensure!(product.children(&ada, "root").await?.is_empty());
    product.get(&ada, &format!("/api/v1/files/{folder}/children")).await?.expect_problem(404, "not_found")?;
    ensure!(product.content(&ada, &inside).await?.len() == 100_000, "what is in the trash can be looked at");
    let trash = product.get(&ada, "/api/v1/trash").await?.expect(200)?.json()?;
    ensure!(trash["total"] == 1 && trash["items"][0]["id"] == folder.as_str(), "{trash}");

    let newcomer = product.make_folder(&ada, "root", "d").await?;
    let restored = send(product.as_user(&ada, Method::POST, &format!("/api/v1/files/{folder}/restore")))
        .await?
        .expect(200)?
        .json()?;
    ensure!(restored["name"] == "d (2)" && restored["id"] == folder.as_str(), "{restored}");
    ensure!(names(&product.children(&ada, "root").await?) == ["d", "d (2)"]);
    ensure!(product.children(&ada, &newcomer).await?.is_empty());
    send(product.as_user(&ada, Method::POST, &format!("/api/v1/files/{folder}/restore")))
        .await?
        .expect_problem(409, "not_in_trash")?;

    let used = || async {
        let usage = product.get(&ada, "/api/v1/usage").await?.expect(200)?.json()?;
        Ok::<_, anyhow::Error>(usage["usedBytes"].as_u64())
    };
    ensure!(used().await? == Some(100_000));
    delete(&folder, "?permanent=true").await?.expect(204)?;
    for gone in [&folder, &inside] {
        product.get(&ada, &format!("/api/v1/files/{gone}")).await?.expect_problem(404, "not_found")?;
        product
            .get(&ada, &format!("/api/v1/files/{gone}/content"))
            .await?
            .expect_problem(404, "not_found")?;
    }
    until("the purge to give the space back", || async { Ok((used().await? == Some(0)).then_some(())) })
        .await?;
    ensure!(
        product.make_folder(&ada, &folder, "x").await.is_err(),
        "nothing can be put below what was deleted"
    );
    Ok(())
}

/// To anyone else a private file does not exist: the same answer as for an id that never was.
pub async fn strangers_see_nothing(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let eve = product.register("eve").await?;
    let file = id(&product.upload(&ada, "root", "secret.txt", "secret").await?)?;
    let folder = product.make_folder(&ada, "root", "private").await?;
    let never = "5f1e8896c7ba06511e683b25".to_owned();
    let calls: Vec<(Method, &str, Option<Value>)> = vec![
        (Method::GET, "", None),
        (Method::PATCH, "", Some(json!({"name": "x"}))),
        (Method::DELETE, "", None),
        (Method::DELETE, "?permanent=true", None),
        (Method::GET, "/content", None),
        (Method::PUT, "/content", Some(json!({}))),
        (Method::GET, "/thumbnails/100", None),
        (Method::GET, "/children", None),
        (Method::GET, "/path", None),
        (Method::POST, "/restore", None),
        (Method::PUT, "/public", None),
        (Method::PUT, "/children/x/content", Some(json!({}))),
    ];
    for (method, path, body) in calls {
        let mut answers = Vec::new();
        for target in [&file, &folder, &never] {
            let mut request = product.as_user(&eve, method.clone(), &format!("/api/v1/files/{target}{path}"));
            if let Some(body) = &body {
                request = request.json(body);
            }
            let answer = send(request).await?;
            ensure!(answer.status.as_u16() == 404, "{method} {path}: {}", answer.status);
            let mut problem = answer.json()?;
            problem["requestId"] = Value::Null;
            answers.push(problem);
        }
        ensure!(
            answers[0] == answers[2] && answers[1] == answers[2],
            "{method} {path} tells apart: {answers:?}"
        );
    }
    let into = json!({"name": "x", "parentId": folder});
    product.post(&eve, "/api/v1/files", &into).await?.expect_problem(404, "parent_not_found")?;
    ensure!(product.content(&ada, &file).await? == "secret");
    Ok(())
}

/// Of many who want one name at once exactly one gets it, and the others learn who has it.
pub async fn one_name_goes_to_one_file(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let answers = futures_util::future::join_all((0..12).map(|n| {
        let ada = &ada;
        async move { product.put(ada, "root", "same.txt", format!("content {n}")).await }
    }))
    .await;
    let mut made = Vec::new();
    for answer in answers {
        let answer = answer?;
        if answer.status.as_u16() == 201 {
            made.push(answer.json()?);
        } else {
            let problem = answer.expect_problem(409, "name_taken")?;
            ensure!(problem["existingId"].is_string(), "{problem}");
        }
    }
    ensure!(made.len() == 1, "{} got the name", made.len());
    ensure!(product.children(&ada, "root").await?.len() == 1);
    let usage = product.get(&ada, "/api/v1/usage").await?.expect(200)?.json()?;
    ensure!(usage["usedBytes"] == made[0]["size"], "nothing is left of those who lost: {usage}");
    Ok(())
}

/// A file is found by its name at once, and by its text when a job has read it; by others for as long as they may see it.
pub async fn files_are_found_by_names_and_texts(product: &Product) -> Result<()> {
    let (ada, bob) = (product.register("ada").await?, product.register("bob").await?);
    let folder = product.make_folder(&ada, "root", "Reise").await?;
    let page = "<title>Plan</title><script>var hidden</script><p>Wir fahren nach Z&uuml;rich";
    let file = id(&product.upload(&ada, &folder, "Route.html", page).await?)?;
    let found = async |who: &Account, query: &str| -> Result<Vec<String>> {
        let found = product.get(who, &format!("/api/v1/search?q={query}")).await?.expect(200)?.json()?;
        let items = found["items"].as_array().cloned().unwrap_or_default();
        Ok(items.iter().filter_map(|item| item["file"]["name"].as_str()).map(str::to_owned).collect())
    };
    ensure!(found(&ada, "ROUT").await? == ["Route.html"]);
    until("the text is found", || async {
        Ok((found(&ada, "zurich%20plan").await? == ["Route.html"]).then_some(()))
    })
    .await?;
    ensure!(found(&ada, "hidden").await?.is_empty() && found(&bob, "zurich").await?.is_empty());
    let result = product.get(&ada, "/api/v1/search?q=zur").await?.expect(200)?.json()?;
    let item = &result["items"][0];
    ensure!(item["match"] == "text" && item["path"][1]["name"] == "Reise", "{result}");
    ensure!(item["excerpt"]["text"].as_str().is_some_and(|text| text.contains("Zürich")), "{result}");

    let body = json!({"address": bob.email, "role": "viewer"});
    let given = product.post(&ada, &format!("/api/v1/files/{folder}/shares"), &body).await?.expect(201)?;
    let given = id(&given.json()?)?;
    ensure!(found(&bob, "zurich").await? == ["Route.html"] && found(&bob, "reise").await? == ["Reise"]);
    patch(product, &ada, &file, json!({"name": "Weg.html", "tags": ["Schweiz"]})).await?.expect(200)?;
    ensure!(found(&bob, "route").await?.is_empty() && found(&bob, "schweiz%20weg").await? == ["Weg.html"]);
    send(product.as_user(&ada, Method::DELETE, &format!("/api/v1/shares/{given}"))).await?.expect(204)?;
    ensure!(found(&bob, "zurich").await?.is_empty());
    send(product.as_user(&ada, Method::DELETE, &format!("/api/v1/files/{folder}"))).await?.expect(204)?;
    ensure!(found(&ada, "zurich").await?.is_empty() && found(&ada, "weg").await?.is_empty());

    let text =
        product.get(&ada, &format!("/api/v1/files/{file}/text?limit=16")).await?.expect(200)?.json()?;
    ensure!(text["text"] == page[..16] && text["encoding"] == "utf-8" && text["next"] == 16, "{text}");
    Ok(())
}
