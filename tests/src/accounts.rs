//! Set-up, sign-in, sign-out.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::json;

use crate::product::{Product, id, send};

/// A fresh installation asks for its set-up code, takes it once, and then has an administrator.
pub async fn setup_makes_the_first_administrator_once(product: &Product) -> Result<()> {
    let setup = send(product.request(Method::GET, "/api/v1/setup")).await?.expect(200)?.json()?;
    ensure!(setup["needed"] == true, "{setup}");

    let body = |code: &str| json!({"code": code, "email": "admin@example.org", "password": "correct horse"});
    let ask = |code: &str| send(product.request(Method::POST, "/api/v1/setup").json(&body(code)));
    ask("00000000").await?.expect_problem(403, "invalid_setup_code")?;
    let login = ask(&product.setup_code).await?.expect(201)?.json()?;
    ensure!(login["user"]["role"] == "admin", "{login}");
    ask(&product.setup_code).await?.expect_problem(409, "already_set_up")?;

    let setup = send(product.request(Method::GET, "/api/v1/setup")).await?.expect(200)?.json()?;
    ensure!(setup["needed"] == false, "{setup}");
    let stats = send(product.request(Method::GET, "/stats")).await?.expect(200)?.json()?;
    ensure!(stats == json!({"users": 0, "files": 0}), "the bootstrap administrator is not counted: {stats}");
    product.login("ADMIN@example.org", "correct horse").await?;
    Ok(())
}

/// Register, look, sign out: the token fails at once, another session goes on.
pub async fn signing_out_ends_this_session_at_once(product: &Product) -> Result<()> {
    let first = product.register("ada").await?;
    let second = product.login(&first.email, &first.password).await?;
    ensure!(first.token != second.token, "two sessions, two tokens");
    let me = product.get(&first, "/api/v1/users/me").await?.expect(200)?.json()?;
    ensure!(
        me["email"] == "ada@example.org" && me["role"] == "user" && me["id"] == first.id.as_str(),
        "{me}"
    );

    send(product.as_user(&first, Method::POST, "/api/v1/auth/logout")).await?.expect(204)?;
    for path in ["/api/v1/users/me", "/api/v1/files/root", "/api/v1/users/me/jobs"] {
        product.get(&first, path).await?.expect_problem(401, "unauthorized")?;
        product.get(&second, path).await?.expect(200)?;
    }
    Ok(())
}

/// The page's cookie: sent back by the browser, ended by a sign-out, useless from another origin.
pub async fn a_cookie_session_serves_the_page_and_no_other_origin(product: &Product) -> Result<()> {
    product.register("ada").await?;
    let body = json!({"email": "ada@example.org", "password": "password of ada", "session": "cookie"});
    let login = send(product.request(Method::POST, "/api/v1/auth/login").json(&body)).await?.expect(200)?;
    let cookie = login.header("set-cookie").unwrap_or_default().to_owned();
    ensure!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    ensure!(login.json()?.get("accessToken").is_none(), "a cookie session shows no token to scripts");
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();

    let with = |method: Method, path: &str| product.request(method, path).header("cookie", &cookie);
    send(with(Method::GET, "/api/v1/users/me")).await?.expect(200)?;
    let folder = json!({"name": "made by the page"});
    send(with(Method::POST, "/api/v1/files").json(&folder)).await?.expect_problem(403, "cross_origin")?;
    let foreign = with(Method::POST, "/api/v1/files").header("sec-fetch-site", "cross-site").json(&folder);
    send(foreign).await?.expect_problem(403, "cross_origin")?;
    let foreign =
        with(Method::POST, "/api/v1/files").header("origin", "https://elsewhere.example").json(&folder);
    send(foreign).await?.expect_problem(403, "cross_origin")?;
    let own = with(Method::POST, "/api/v1/files").header("sec-fetch-site", "same-origin").json(&folder);
    send(own).await?.expect(201)?;

    let out = with(Method::POST, "/api/v1/auth/logout").header("sec-fetch-site", "same-origin");
    send(out).await?.expect(204)?;
    send(with(Method::GET, "/api/v1/users/me")).await?.expect_problem(401, "unauthorized")?;
    Ok(())
}

/// A refresh token works once, and again only as long as its successor was not used; whoever uses it after that ends the session for everyone who has it.
pub async fn a_reused_refresh_token_ends_its_session(product: &Product) -> Result<()> {
    product.register("ada").await?;
    let body = json!({"email": "ada@example.org", "password": "password of ada"});
    let login =
        send(product.request(Method::POST, "/api/v1/auth/login").json(&body)).await?.expect(200)?.json()?;
    let refresh = |token: String| {
        send(product.request(Method::POST, "/api/v1/auth/refresh").json(&json!({"refreshToken": token})))
    };
    let old = login["refreshToken"].as_str().unwrap_or_default().to_owned();
    refresh(old.clone()).await?.expect(200)?;
    // the answer was lost
    let next = refresh(old.clone()).await?.expect(200)?.json()?;
    let next_token = next["refreshToken"].as_str().unwrap_or_default().to_owned();
    let next = refresh(next_token).await?.expect(200)?.json()?;
    let token = next["accessToken"].as_str().unwrap_or_default().to_owned();
    let me = || send(product.request(Method::GET, "/api/v1/users/me").bearer_auth(&token));
    me().await?.expect(200)?;
    refresh(old).await?.expect_problem(401, "invalid_credentials")?;
    me().await?.expect_problem(401, "unauthorized")?;
    refresh(next["refreshToken"].as_str().unwrap_or_default().to_owned())
        .await?
        .expect_problem(401, "invalid_credentials")?;
    Ok(())
}

/// After many wrong passwords the answer is 429 with a time to wait, and others still get in.
pub async fn guessing_is_slowed_down(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let bob = product.register("bob").await?;
    let try_once = |password: &str| {
        let body = json!({"email": "ada@example.org", "password": password});
        send(product.request(Method::POST, "/api/v1/auth/login").json(&body))
    };
    let mut limited = None;
    for n in 0..40 {
        let answer = try_once(&format!("wrong password {n}")).await?;
        if answer.status.as_u16() == 429 {
            limited = Some((n, answer));
            break;
        }
        answer.expect_problem(401, "invalid_credentials")?;
    }
    let Some((n, answer)) = limited else { anyhow::bail!("40 wrong passwords were all answered") };
    ensure!(n >= 10, "the first ten failures pass, so that people may mistype: limited after {n}");
    ensure!(answer.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok_and(|wait| wait > 0)));
    answer.expect_problem(429, "rate_limited")?;
    product.login(&bob.email, &bob.password).await?;
    product.get(&ada, "/api/v1/users/me").await?.expect(200)?;
    Ok(())
}

/// An account's owner names it, looks where it is signed in, ends a session, sets a password, and begins a second factor.
pub async fn an_owner_manages_their_account(product: &Product) -> Result<()> {
    let ada = product.register("ada").await?;
    let lost = product.login(&ada.email, &ada.password).await?;
    let change =
        json!({"name": "Ada", "preferences": {"theme": "dark", "views": {"root": {"layout": "grid"}}}});
    let patch = product.as_user(&ada, Method::PATCH, "/api/v1/users/me").json(&change);
    let etag = send(patch).await?.expect(200)?.header("etag").unwrap_or_default().to_owned();
    let me = product.get(&ada, "/api/v1/users/me").await?.expect(200)?;
    ensure!(me.header("etag") == Some(&*etag), "the tag of what was answered");
    ensure!(me.json()?["name"] == "Ada" && me.json()?["preferences"]["theme"] == "dark", "{:?}", me.json());

    let sessions = product.get(&ada, "/api/v1/users/me/sessions").await?.expect(200)?.json()?;
    // sessions of one second that different replicas opened stand in no order
    let items = sessions["items"].as_array().context("sessions")?;
    ensure!(sessions["total"] == 2 && items.iter().filter(|item| item["current"] == true).count() == 1);
    let lost_one = items.iter().find(|item| item["current"] == false).context("the other one")?;
    product.get(&lost, "/api/v1/files/root").await?.expect(200)?;
    let path = format!("/api/v1/users/me/sessions/{}", id(lost_one)?);
    send(product.as_user(&ada, Method::DELETE, &path)).await?.expect(204)?;
    for path in ["/api/v1/users/me", "/api/v1/files/root", "/api/v1/users/me/jobs"] {
        product.get(&lost, path).await?.expect_problem(401, "unauthorized")?;
    }

    let other = product.login(&ada.email, &ada.password).await?;
    product.get(&other, "/api/v1/files/root").await?.expect(200)?;
    let new = "another password of ada";
    let wrong = json!({"current": "wrong", "new": new});
    product.post(&ada, "/api/v1/users/me/password", &wrong).await?.expect_problem(403, "wrong_password")?;
    let right = json!({"current": ada.password, "new": new});
    product.post(&ada, "/api/v1/users/me/password", &right).await?.expect(204)?;
    product.get(&other, "/api/v1/files/root").await?.expect_problem(401, "unauthorized")?;
    product.get(&ada, "/api/v1/files/root").await?.expect(200)?;
    product.login(&ada.email, new).await?;

    let begun =
        product.post(&ada, "/api/v1/users/me/totp", &json!({ "password": new })).await?.expect(200)?;
    ensure!(begun.json()?["qr"].as_str().is_some_and(|qr| qr.contains("<svg")), "{:?}", begun.json());
    let forgot = json!({"email": "nobody@example.org"});
    send(product.request(Method::POST, "/api/v1/auth/password/forgot").json(&forgot)).await?.expect(202)?;
    Ok(())
}
