//! Every end-to-end case on the distributed form, through its gateway.

#![expect(clippy::unwrap_used, reason = "what cannot be started fails the test")]

use e2e::Product;
use e2e::stack::{Bucket, Options, Servers, Stack};
use tokio::sync::OnceCell;

static SERVERS: OnceCell<Servers> = OnceCell::const_new();

/// A fresh installation on the servers of this run, two replicas of each service.
async fn fresh() -> Stack {
    start(&Options::of_tests().unwrap()).await
}

async fn start(options: &Options) -> Stack {
    let servers = SERVERS.get_or_init(|| async { Servers::start().await.unwrap() }).await;
    tokio::task::block_in_place(|| Stack::start(servers, options)).unwrap()
}

e2e::all_cases!(crate::fresh);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_through_all_services() {
    let mut options = Options::of_tests().unwrap();
    options.settings.extend(e2e::trace::SETTINGS.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let stack = start(&options).await;
    let (files, worker) = (async || stack.log("file-service"), async || stack.log("worker-service"));
    e2e::trace::a_picture_is_followed(&stack.product(), files, worker).await.unwrap();
}

/// By it containers, units and balancers know who is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_healthcheck_tells_who_is_ready() {
    let mut stack = start(&Options { replicas: 1, ..Options::of_tests().unwrap() }).await;
    let programs = stack.programs().to_owned();
    tokio::task::block_in_place(|| {
        for replica in stack.replicas() {
            assert!(replica.healthcheck(&programs).unwrap().success(), "{}", replica.program());
        }
        for replica in stack.replicas() {
            replica.stop().unwrap();
            assert!(!replica.healthcheck(&programs).unwrap().success(), "{}", replica.program());
        }
    });
}

/// The cases that reach contents, over contents in a bucket.
mod in_s3 {
    use testkit::servers::s3::S3Server;

    use super::*;

    /// The server runs on the test's runtime and ends with it.
    struct WithServer {
        stack: Stack,
        _server: S3Server,
    }

    impl WithServer {
        fn product(&self) -> Product {
            self.stack.product()
        }
    }

    async fn fresh() -> WithServer {
        let server = S3Server::start().await.unwrap();
        let s3 = Some(Bucket::in_server(&server).unwrap());
        let options = Options { replicas: 1, s3, ..Options::of_tests().unwrap() };
        WithServer { stack: start(&options).await, _server: server }
    }

    e2e::cases! { super::fresh:
        contents {
            bytes_in_same_bytes_out
            ranges_are_exact
            validators_follow_the_bytes
            a_broken_upload_leaves_nothing
        }
        jobs {
            a_picture_gets_its_thumbnails
        }
    }
}

/// Below a path of a host, behind a proxy that gives the gateway no more than that.
mod below_a_path {
    use anyhow::{Context as _, Result, ensure};
    use e2e::product::{Answer, id, send};
    use reqwest::{Method, Url};
    use serde_json::json;
    use testkit::nginx::BELOW;

    use super::*;

    async fn fresh() -> Stack {
        start(&Options { replicas: 1, below_a_path: true, ..Options::of_tests().unwrap() }).await
    }

    e2e::cases! { super::fresh:
        accounts {
            a_cookie_session_serves_the_page_and_no_other_origin
        }
        contents {
            ranges_are_exact
        }
        events {
            a_change_is_listed_followed_and_told
        }
        uploads {
            parts_are_put_together
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn all_that_is_named_lies_below_it() {
        let folder = tempfile::tempdir().unwrap();
        let document =
            r##"<!doctype html><script type="module" src="/assets/a-1234.js"></script><a href="#top">"##;
        std::fs::create_dir(folder.path().join("assets")).unwrap();
        std::fs::write(folder.path().join("index.html"), document).unwrap();
        std::fs::write(folder.path().join("assets/a-1234.js"), "export {}").unwrap();
        let page = Some(folder.path().to_owned());
        let options = Options { replicas: 1, below_a_path: true, page, ..Options::of_tests().unwrap() };
        let stack = start(&options).await;
        the_page(&stack.product(), document).await.unwrap();
        the_api(&stack.product()).await.unwrap();
    }

    async fn the_page(product: &Product, document: &str) -> Result<()> {
        let get = async |path: &str| send(product.request(Method::GET, path)).await;
        let below = document.replace("=\"/", &format!("=\"{BELOW}/"));
        for place in ["", "/", "/?a=b", "/app", "/app/files/5f1e8896c7ba06511e683b25"] {
            let got = get(place).await?.expect(200)?;
            ensure!(got.body == below, "{place}: {}", String::from_utf8_lossy(&got.body));
            let tag = got.header("etag").context("no tag")?;
            let again = product.request(Method::GET, place).header("if-none-match", tag);
            send(again).await?.expect(304)?;
        }
        get("/assets/a-1234.js").await?.expect(200)?;
        for outside in ["", "/assets/a-1234.js", "/app", "/api/v1/setup", "/my", "/my/filesystem"] {
            let host = product.address.strip_suffix(BELOW).context("the address has the path")?;
            let host = Product::new(host, "")?;
            send(host.request(Method::GET, outside)).await?.expect(404)?;
        }
        for private in
            ["/internal/keys", "/metrics", "/health", "//internal/keys", "/_blobs/", "/assets/none.js"]
        {
            get(private).await?.expect(404)?;
        }
        Ok(())
    }

    async fn the_api(product: &Product) -> Result<()> {
        let admin = product.set_up().await?;
        let login = json!({"email": admin.email, "password": admin.password, "session": "cookie"});
        let login =
            send(product.request(Method::POST, "/api/v1/auth/login").json(&login)).await?.expect(200)?;
        ensure!(login.headers.contains_key("set-cookie"), "no cookie");
        for cookie in login.headers.get_all("set-cookie") {
            let cookie = cookie.to_str()?;
            ensure!(cookie.split("; ").any(|part| part == format!("Path={BELOW}")), "{cookie}");
        }
        // those of the gateway's own failures and those of the services, each as at the root
        send(product.request(Method::GET, "/unknown")).await?.expect_problem(404, "not_found")?;
        let classic = send(product.request(Method::GET, "/files/1/2/3")).await?.expect(404)?;
        ensure!(classic.json()? == json!({"error": "Not found"}), "{:?}", classic.body);

        // longer than what stands in the metadata: nginx sends it
        let content: Vec<u8> = (0..200_000_u32).map(|n| n.to_be_bytes()[3]).collect();
        // what is no slash in an address becomes none on the way
        product.put(&admin, "root", "a/b", "x").await?.expect_problem(400, "invalid_name")?;
        let made = product.put(&admin, "root", "a?#% ü.bin", content.clone()).await?.expect(201)?;
        ensure!(made.json()?["name"] == "a?#% ü.bin", "{:?}", made.body);
        ensure!(product.content(&admin, &id(&made.json()?)?).await? == content, "other bytes");

        let job = json!({"type": "below", "delayMs": 3_600_000});
        let job = product.post(&admin, "/api/v1/jobs", &job).await?.expect(201)?;
        let schedule = json!({"name": "below", "cron": "0 6 1 * *", "type": "below"});
        let schedule = product.post(&admin, "/api/v1/jobs/schedules", &schedule).await?.expect(201)?;
        let run = format!("/api/v1/jobs/schedules/{}/run", id(&schedule.json()?)?);
        let ran = product.post(&admin, &run, &json!({})).await?.expect(201)?;
        let folder = json!({"name": "below"});
        let folder = product.post(&admin, "/api/v1/files", &folder).await?.expect(201)?;
        for (asked, made) in [
            ("/api/v1/files", folder),
            ("/api/v1/jobs", job),
            ("/api/v1/jobs/schedules", schedule),
            (run.as_str(), ran),
        ] {
            let there = pointed_to(product, asked, &made)?;
            product.get(&admin, &there).await?.expect(200)?;
        }
        Ok(())
    }

    /// Where an answer points to, below the product's address.
    fn pointed_to(product: &Product, asked: &str, made: &Answer) -> Result<String> {
        let location = made.header("location").with_context(|| format!("{asked}: no location"))?;
        let there = Url::parse(&format!("{}{asked}", product.address))?.join(location)?;
        let there = there.as_str().strip_prefix(&product.address);
        Ok(there.with_context(|| format!("{asked}: {location} lies elsewhere"))?.to_owned())
    }
}
