//! Programs that work jobs of their own types over HTTP.

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join;
use reqwest::Method;
use serde_json::{Value, json};

use crate::product::{Account, Product, id, send};
use crate::wait::until;

/// A program: an account, and the name that it gives itself.
struct Program<'p> {
    product: &'p Product,
    account: &'p Account,
    name: &'static str,
}

/// A job that a program has claimed.
struct Claimed {
    id: String,
    lease: String,
    whole: Value,
}

impl Program<'_> {
    /// Waits for a job of this type, and holds it for so long.
    async fn claim(&self, kind: &str, lease_ms: u32) -> Result<Claimed> {
        let body = json!({ "types": [kind], "workerId": self.name, "leaseMs": lease_ms, "waitMs": 20_000 });
        let whole = until("a job to claim", || async {
            let claims = self.product.post(self.account, "/api/v1/jobs/claim", &body).await?.expect(200)?;
            Ok(claims.json()?["items"].as_array().and_then(|items| items.first().cloned()))
        })
        .await?;
        let lease = whole["lease"].as_str().context("no lease")?.to_owned();
        Ok(Claimed { id: id(&whole["job"])?, lease, whole })
    }

    /// Reports something; what is answered, null for nothing.
    async fn report(&self, job: &Claimed, what: &str, body: Value, status: u16) -> Result<Value> {
        let mut body = body;
        body["lease"] = json!(job.lease);
        let path = format!("/api/v1/jobs/{}/{what}", job.id);
        let answer = self.product.post(self.account, &path, &body).await?;
        if status == 409 {
            return answer.expect_problem(409, "lease_lost");
        }
        let answer = answer.expect(status)?;
        if answer.body.is_empty() { Ok(Value::Null) } else { answer.json() }
    }

    /// Nothing that this program says of the job is taken any more.
    async fn has_lost(&self, job: &Claimed) -> Result<()> {
        for (what, body) in [
            ("complete", json!({ "result": "late" })),
            ("fail", json!({ "error": "late" })),
            ("progress", json!({ "progress": 99 })),
            ("log", json!({ "line": "late" })),
            ("heartbeat", json!({})),
        ] {
            self.report(job, what, body, 409).await?;
        }
        Ok(())
    }
}

async fn make(product: &Product, admin: &Account, job: Value) -> Result<String> {
    id(&product.post(admin, "/api/v1/jobs", &job).await?.expect(201)?.json()?)
}

async fn job_of(product: &Product, account: &Account, job: &str) -> Result<Value> {
    product.get(account, &format!("/api/v1/users/me/jobs/{job}")).await?.expect(200)?.json()
}

/// From an upload to a result: a program reads the content without a credential, its owner follows the job.
pub async fn a_program_works_on_somebodys_file(product: &Product) -> Result<()> {
    let admin = product.set_up().await?;
    let (ada, eve) = (product.register("ada").await?, product.register("eve").await?);
    let program = Program { product, account: &admin, name: "counter-1" };
    // one that stands in the store, and one that is a file
    for text in ["one two three".to_owned(), "many words ".repeat(100_000)] {
        let name = format!("{}.txt", text.len());
        let file = id(&product.upload(&ada, "root", &name, text.clone()).await?)?;
        // the account of the program is somebody to share with, as any other
        let share = json!({ "address": admin.email, "role": "viewer" });
        product.post(&ada, &format!("/api/v1/files/{file}/shares"), &share).await?.expect(201)?;
        let job =
            json!({ "type": "word-count", "data": { "fileId": file }, "userId": ada.id, "priority": "high" });
        let made = make(product, &admin, job).await?;
        let seen = job_of(product, &ada, &made).await?;
        ensure!(seen["state"] == "inactive" && seen["data"]["fileId"] == file, "{seen}");

        let claim = json!({ "types": ["word-count"], "workerId": "w" });
        product.post(&ada, "/api/v1/jobs/claim", &claim).await?.expect_problem(403, "forbidden")?;
        let claimed = program.claim("word-count", 30_000).await?;
        ensure!(claimed.id == made && claimed.whole["job"]["userId"] == ada.id, "{}", claimed.whole);
        let address = claimed.whole["contentUrl"].as_str().context("no contentUrl")?;
        let content = send(product.request(Method::GET, address)).await?.expect(200)?;
        ensure!(content.body == text, "the content is another");
        ensure!(content.header("cache-control").is_some_and(|value| value.contains("private")));
        let part = send(product.request(Method::GET, address).header("range", "bytes=4-6")).await?;
        ensure!(part.expect(206)?.body == text.as_bytes()[4..7], "the part is another");
        // the ticket is all that opens it
        let (path, _) = address.split_once('?').context("no ticket")?;
        send(product.request(Method::GET, path)).await?.expect_problem(401, "unauthorized")?;

        let progress = json!({ "progress": 40, "data": { "bytes": 5 } });
        program.report(&claimed, "progress", progress, 204).await?;
        program.report(&claimed, "log", json!({ "line": "reading" }), 204).await?;
        let renewed = program.report(&claimed, "heartbeat", json!({ "leaseMs": 60_000 }), 200).await?;
        ensure!(renewed["leaseUntil"].as_str() > claimed.whole["leaseUntil"].as_str(), "{renewed}");
        let seen = job_of(product, &ada, &made).await?;
        ensure!(seen["state"] == "active" && seen["progress"] == 40, "{seen}");
        ensure!(seen["progressData"]["bytes"] == 5 && seen["workerId"] == "counter-1", "{seen}");
        let words = text.split_whitespace().count();
        program.report(&claimed, "complete", json!({ "result": { "words": words } }), 204).await?;
        program.report(&claimed, "complete", json!({}), 409).await?;

        let mine = product.get(&ada, "/api/v1/users/me/jobs?type=word-count").await?.expect(200)?.json()?;
        let done = &mine["items"][0];
        ensure!(done["id"] == made && done["state"] == "complete" && done["progress"] == 100, "{done}");
        ensure!(done["result"]["words"] == words && done["attempts"]["made"] == 1, "{done}");
        let log = product.get(&admin, &format!("/api/v1/jobs/{made}/log")).await?.expect(200)?.json()?;
        ensure!(log["items"][0]["line"] == "reading", "{log}");
        let path = format!("/api/v1/users/me/jobs/{made}");
        product.get(&eve, &path).await?.expect_problem(404, "not_found")?;

        // what is in the trash is not there for programs
        product.as_user(&ada, Method::DELETE, &format!("/api/v1/files/{file}")).send().await?;
        send(product.request(Method::GET, address)).await?.expect_problem(404, "not_found")?;
    }
    who_makes_jobs_reads_no_more_by_them(product, &program, &ada, &eve).await
}

/// Whosever job it is, its owner's, a stranger's or nobody's: it opens only what the account of the program may read.
async fn who_makes_jobs_reads_no_more_by_them(
    product: &Product,
    program: &Program<'_>,
    ada: &Account,
    eve: &Account,
) -> Result<()> {
    let file = id(&product.upload(ada, "root", "hers.txt", "private").await?)?;
    for user in [json!(ada.id), json!(eve.id), Value::Null] {
        let job = json!({ "type": "word-count", "data": { "fileId": file }, "userId": user });
        make(product, program.account, job).await?;
        let claimed = program.claim("word-count", 30_000).await?;
        let address = claimed.whole["contentUrl"].as_str().context("no contentUrl")?;
        send(product.request(Method::GET, address)).await?.expect_problem(404, "not_found")?;
        let failure = json!({ "error": "there is no such file", "retryable": false });
        let taken = program.report(&claimed, "fail", failure, 200).await?;
        ensure!(taken["retryAt"].is_null(), "{taken}");
    }
    Ok(())
}

/// A claim was allowed when it began to wait; its token ends, and then a job comes.
pub async fn a_withdrawn_token_gets_no_job_however_long_it_has_waited(product: &Product) -> Result<()> {
    const TOKENS: &str = "/api/v1/users/me/tokens";
    let admin = product.set_up().await?;
    let wanted = json!({ "name": "worker", "scopes": ["jobs:work"], "password": admin.password });
    let made = product.post(&admin, TOKENS, &wanted).await?.expect(201)?.json()?;
    let program = Account { token: made["token"].as_str().context("a token")?.to_owned(), ..admin.clone() };
    let claim = |kind: &str, wait_ms: u32| {
        let body = json!({ "types": [kind], "workerId": "w", "waitMs": wait_ms });
        let (product, program) = (product.clone(), program.clone());
        async move { product.post(&program, "/api/v1/jobs/claim", &body).await }
    };
    let token = format!("{TOKENS}/{}", id(&made)?);
    let meanwhile = async {
        // this one began later and has ended, so the other one waits
        claim("nothing", 1000).await?.expect(200)?;
        send(product.as_user(&admin, Method::DELETE, &token)).await?.expect(204)?;
        make(product, &admin, json!({ "type": "withdrawn" })).await
    };
    let (claimed, job) = try_join(claim("withdrawn", 20_000), meanwhile).await?;
    let claimed = claimed.expect(200)?.json()?;
    ensure!(claimed["items"] == json!([]), "{claimed}");
    let seen = product.get(&admin, &format!("/api/v1/jobs/{job}")).await?.expect(200)?.json()?;
    ensure!(seen["state"] == "inactive" && seen["attempts"]["made"] == 0, "{seen}");
    send(product.as_user(&admin, Method::DELETE, &format!("/api/v1/jobs/{job}"))).await?.expect(204)?;
    Ok(())
}

/// A program that dies holds nothing up, and what it says afterwards is not taken.
pub async fn a_job_of_a_dead_program_goes_on_elsewhere(product: &Product) -> Result<()> {
    let admin = product.set_up().await?;
    let [dead, heir] = ["dead", "heir"].map(|name| Program { product, account: &admin, name });
    let made = make(product, &admin, json!({ "type": "film", "attempts": 2 })).await?;
    let lost = dead.claim("film", 3000).await?;
    dead.report(&lost, "progress", json!({ "progress": 30, "data": { "frame": 7 } }), 204).await?;
    // it says nothing any more, and the other one already waits
    let taken = heir.claim("film", 30_000).await?;
    ensure!(taken.id == made && taken.lease != lost.lease, "{}", taken.whole);
    let job = &taken.whole["job"];
    ensure!(job["attempts"]["made"] == 2 && job["failures"][0]["error"] == "lease lost", "{job}");
    ensure!(job["progressData"]["frame"] == 7, "it can go on where the first one was: {job}");
    dead.has_lost(&lost).await?;
    heir.report(&taken, "complete", json!({ "result": "in time" }), 204).await?;
    let job = product.get(&admin, &format!("/api/v1/jobs/{made}")).await?.expect(200)?.json()?;
    ensure!(job["result"] == "in time" && job["workerId"] == "heir", "{job}");
    dead.has_lost(&lost).await
}

/// A job that fails each time ends in the dead-letter list with every attempt, and can be tried again from there; one that is called off is nobody's.
pub async fn what_always_fails_is_kept_for_people(product: &Product) -> Result<()> {
    let admin = product.set_up().await?;
    let program = Program { product, account: &admin, name: "unlucky" };
    let backoff = json!({ "kind": "exponential", "delayMs": 10, "maxDelayMs": 50 });
    let made = make(product, &admin, json!({ "type": "film", "attempts": 3, "backoff": backoff })).await?;
    for attempt in 1..=3 {
        let claimed = program.claim("film", 3000).await?;
        ensure!(claimed.id == made && claimed.whole["job"]["attempts"]["made"] == attempt);
        // the second attempt ends with a death
        if attempt != 2 {
            let failure = json!({ "error": format!("no film in attempt {attempt}") });
            let taken = program.report(&claimed, "fail", failure, 200).await?;
            ensure!(taken["retryAt"].is_null() == (attempt == 3), "{taken}");
        }
    }
    let dead = product.get(&admin, "/api/v1/jobs/dead?type=film").await?.expect(200)?.json()?;
    let job = &dead["items"][0];
    ensure!(dead["total"] == 1 && job["id"] == made && job["state"] == "failed", "{dead}");
    let errors: Vec<_> = job["failures"].as_array().into_iter().flatten().map(|one| &one["error"]).collect();
    ensure!(errors == ["no film in attempt 1", "lease lost", "no film in attempt 3"], "{job}");

    let retry = json!({ "type": "film" });
    let retried = product.post(&admin, "/api/v1/jobs/dead/retry", &retry).await?.expect(200)?.json()?;
    ensure!(retried == json!({ "retried": 1, "left": 0, "nextCursor": null }), "{retried}");
    let claimed = program.claim("film", 30_000).await?;
    ensure!(claimed.id == made && claimed.whole["job"]["attempts"]["made"] == 1, "{}", claimed.whole);
    product.post(&admin, &format!("/api/v1/jobs/{made}/cancel"), &json!({})).await?.expect(200)?;
    program.has_lost(&claimed).await?;
    let job = product.get(&admin, &format!("/api/v1/jobs/{made}")).await?.expect(200)?.json()?;
    ensure!(job["state"] == "cancelled", "{job}");
    Ok(())
}
