//! Contents that a browser might run, and names that a header might not take.

use reqwest::StatusCode;

use crate::helpers::{child, content};
use crate::support::{Server, id_of};

const HTML: &str = "<!doctype html><script>alert(1)</script>";
const SVG: &str = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";

#[actix_web::test]
async fn c026_c029_no_script_runs_in_our_origin() {
    let server = Server::start().await;
    let user = server.user("a");
    for (name, text, attached) in [
        ("page.html", HTML, true),
        ("page.xhtml", HTML, true),
        ("page.txt", HTML, true),
        ("page.jpg", HTML, true),
        ("page", HTML, true),
        ("plain.html", "no tag at the start <script>alert(1)</script>", true),
        ("a.svg", SVG, true),
        ("svg.png", SVG, true),
        ("a.xml", "<?xml version='1.0'?><a/>", true),
        ("a.md", "<script>alert(1)</script>", false),
        ("a.txt", "plain", false),
        ("a.js", "alert(1)", false),
    ] {
        let made = user.upload_with(&child("root", name, ""), text, &[("content-type", "text/html")]).await;
        let path = content(&id_of(&made.expect(StatusCode::CREATED)));
        for (path, attached) in [(path.clone(), attached), (format!("{path}?download=true"), true)] {
            let answer = user.get(&path).await;
            let policy = answer.header("content-security-policy").unwrap();
            assert!(policy.starts_with("sandbox; default-src 'none'"), "{name}: {policy}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{name}");
            let disposition = answer.header("content-disposition").unwrap();
            assert_eq!(disposition.starts_with("attachment"), attached, "{name}: {disposition}");
            assert_ne!(answer.header("content-type"), Some("text/javascript"), "{name}");
        }
    }
}

#[actix_web::test]
async fn pictures_and_documents_can_be_shown() {
    let server = Server::start().await;
    let user = server.user("a");
    for (name, bytes, kind) in [
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), "image/png"),
        ("a.pdf", b"%PDF-1.7", "application/pdf"),
        ("a.mp4", b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "video/mp4"),
        ("a.opus", b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead", "audio/ogg"),
    ] {
        let id = user.file(name, "root", bytes).await;
        let answer = user.get(&content(&id)).await;
        assert_eq!(answer.header("content-type"), Some(kind));
        assert!(answer.header("content-disposition").unwrap().starts_with("inline"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

#[actix_web::test]
async fn texts_say_their_charset_where_it_shows() {
    let server = Server::start().await;
    let user = server.user("a");
    for (name, bytes, kind) in [
        ("utf-8", "日本".as_bytes().to_vec(), "text/plain; charset=utf-8"),
        ("long", "日本 ".repeat(20_000).into_bytes(), "text/plain; charset=utf-8"),
        ("utf-16", b"\xFF\xFEa\0b\0".to_vec(), "text/plain; charset=utf-16le"),
        ("koi8", b"\xF0\xD2\xC9\xD7\xC5\xD4".to_vec(), "text/plain"),
        ("table.csv", b"a,b".to_vec(), "text/csv; charset=utf-8"),
    ] {
        let id = user.file(name, "root", bytes.clone()).await;
        let answer = user.get(&content(&id)).await;
        assert_eq!(answer.header("content-type"), Some(kind), "{name}");
        // C031: a mark at the start is kept
        assert_eq!(answer.bytes, bytes);
    }
}

#[actix_web::test]
async fn c017_c020_every_name_fits_into_the_header() {
    let server = Server::start().await;
    let user = server.user("a");
    for (name, value) in [
        ("plain name.txt", "inline; filename=\"plain name.txt\""),
        ("Über uns.txt", "inline; filename=\"_ber uns.txt\"; filename*=UTF-8''%C3%9Cber%20uns.txt"),
        (
            "naïve “quote” 日本.txt",
            "inline; filename=\"na_ve _quote_ __.txt\"; filename*=UTF-8''na%C3%AFve%20%E2%80%9Cquote%E2%80%9D%20%E6%97%A5%E6%9C%AC.txt",
        ),
        ("😀", "inline; filename=\"_\"; filename*=UTF-8''%F0%9F%98%80"),
        ("a\"b%c.txt", "inline; filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b%25c.txt"),
    ] {
        let id = user.file(name, "root", "x").await;
        assert_eq!(user.get(&content(&id)).await.header("content-disposition"), Some(value));
    }
}
