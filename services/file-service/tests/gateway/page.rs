//! The web page.

use reqwest::{Method, StatusCode};
use testkit::nginx::Behind;

use crate::helpers::{OK, ask, expect_own_problem, start};

#[actix_web::test]
async fn the_page_stands_where_the_all_in_one_has_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("assets")).unwrap();
    let document = format!("<!doctype html><title>Files</title>{}", " ".repeat(1000));
    std::fs::write(folder.path().join("index.html"), &document).unwrap();
    std::fs::write(folder.path().join("assets/a-1234.js"), "export{}".repeat(1000)).unwrap();
    std::fs::write(folder.path().join("assets/a.svg"), "<svg/>").unwrap();
    std::fs::write(folder.path().join("robots.txt"), "no").unwrap();
    let page = Some(folder.path().to_owned());
    let nginx = start(Behind { page, ..Behind::default() }).await;
    let get =
        async |path: &str, fields: &[(&str, &str)]| ask(Method::GET, &nginx.address(), path, fields).await;

    for path in [
        "/",
        "/app",
        "/app/",
        "/app/files/5f1e8896c7ba06511e683b25",
        "/app/index.html",
        "/?a=b",
        "/app/assets/x.js",
    ] {
        let got = get(path, &[]).await;
        assert_eq!((got.status, got.text()), (OK, &*document), "{path}");
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-cache"),
            ("vary", "Accept-Encoding"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("x-frame-options", "SAMEORIGIN"),
        ] {
            assert_eq!(got.header(name), Some(value), "{path}: {name}");
        }
        let policy = got.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(got.header("x-request-id").is_some());
        let tag = got.header("etag").unwrap();
        let same = get(path, &[("if-none-match", tag)]).await;
        assert_eq!((same.status, same.header("etag")), (StatusCode::NOT_MODIFIED, Some(tag)), "{path}");
        assert_eq!(same.header("cache-control"), Some("no-cache"));
    }
    let script = get("/assets/a-1234.js", &[]).await;
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(script.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(script.header("content-security-policy"), None);
    let packed = get("/assets/a-1234.js", &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.bytes.len() < 500);
    assert_eq!(get("/assets/a.svg", &[]).await.header("content-type"), Some("image/svg+xml"));
    assert_eq!(get("/robots.txt", &[]).await.header("content-type"), Some("text/plain; charset=utf-8"));
    for path in ["/index.html", "/assets/", "/assets", "/assets/none.js", "/none", "/app.js"] {
        expect_own_problem(&get(path, &[]).await, 404, "not_found");
    }
    let head = ask(Method::HEAD, &nginx.address(), "/", &[]).await;
    assert_eq!((head.status, head.bytes.len()), (OK, 0));
    assert_eq!(head.header("content-length"), Some(&*document.len().to_string()));
}
