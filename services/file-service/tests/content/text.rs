//! Contents as text, piece by piece.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Server, answer, keys};

#[actix_web::test]
async fn a_text_is_decoded_whatever_its_encoding() {
    let server = Server::start().await;
    let user = server.user("a");
    let russian = "Съешь ещё этих мягких французских булок";
    // the letters stand in windows-1251 as far from one another as in Unicode
    let cp1251: Vec<u8> = russian
        .chars()
        .map(|sign| match sign {
            'ё' => 0xB8,
            'А'..='я' => u8::try_from(u32::from(sign) - 0x410 + 0xC0).unwrap(),
            other => u8::try_from(u32::from(other)).unwrap(),
        })
        .collect();
    let utf16: Vec<u8> = "\u{feff}größer 𝄞".encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (name, content, encoding, text) in [
        ("a.txt", "größer".as_bytes().to_vec(), "utf-8", "größer"),
        ("b.txt", b"\xEF\xBB\xBFmarked".to_vec(), "utf-8", "marked"),
        ("c.txt", utf16, "utf-16be", "größer 𝄞"),
        ("d.txt", cp1251, "windows-1251", russian),
        ("e.html", b"<p>as it is</p>".to_vec(), "utf-8", "<p>as it is</p>"),
        ("f.txt", Vec::new(), "utf-8", ""),
        ("g.json", b"{\"a\":1}".to_vec(), "utf-8", "{\"a\":1}"),
    ] {
        let size = content.len();
        let id = user.file(name, "root", content).await;
        let piece = user.get(&format!("/api/v1/files/{id}/text")).await;
        let body = piece.expect(StatusCode::OK);
        assert_eq!(keys(&body), ["encoding", "etag", "from", "next", "size", "text", "truncated"]);
        assert_eq!((&body["encoding"], &body["text"]), (&json!(encoding), &json!(text)), "{name}");
        assert_eq!(
            (&body["next"], &body["truncated"], &body["size"]),
            (&Value::Null, &json!(false), &json!(size))
        );
        let tag = piece.header("etag").unwrap();
        assert_eq!(body["etag"], tag);
        let again =
            user.request(Method::GET, &format!("/api/v1/files/{id}/text")).header("if-none-match", tag);
        answer(again).await.expect(StatusCode::NOT_MODIFIED);
    }
}

#[actix_web::test]
async fn pieces_of_a_text_make_the_whole() {
    let server = Server::start().await;
    let user = server.user("a");
    let text: String = (0..3000).map(|n| format!("line {n} – größer als 日本\n")).collect();
    let id = user.file("a.txt", "root", text.clone()).await;
    for limit in [16, 1000, 70_001] {
        let (mut from, mut all) = (0, String::new());
        loop {
            let body = user.get(&format!("/api/v1/files/{id}/text?from={from}&limit={limit}")).await;
            let body = body.expect(StatusCode::OK);
            all.push_str(body["text"].as_str().unwrap());
            assert_eq!(body["truncated"], json!(!body["next"].is_null()));
            let Some(next) = body["next"].as_u64() else { break };
            assert!(next > from && next <= from + limit);
            from = next;
            if limit == 16 && from > 2000 {
                break;
            }
        }
        assert!(all == text || (limit == 16 && text.starts_with(&all) && all.len() > 2000), "{limit}");
    }
}

#[actix_web::test]
async fn what_is_no_text_is_refused() {
    let server = Server::start().await;
    let user = server.user("a");
    let binary = user.file("a.txt", "root", vec![0_u8, 1, 2, 3]).await;
    user.get(&format!("/api/v1/files/{binary}/text")).await.expect_problem(415, "unsupported_media_type");
    let folder = user.folder("f", "root").await;
    user.get(&format!("/api/v1/files/{folder}/text")).await.expect_problem(409, "not_a_file");
    let file = user.file("b.txt", "root", "0123456789").await;
    for query in ["limit=0", "limit=15", "limit=1048577", "from=11", "from=-1", "from=x", "other=1"] {
        user.get(&format!("/api/v1/files/{file}/text?{query}")).await.expect_problem(400, "invalid_request");
    }
    let end = user.get(&format!("/api/v1/files/{file}/text?from=10")).await.expect(StatusCode::OK);
    assert_eq!((&end["text"], &end["next"]), (&json!(""), &Value::Null));
    let stranger = server.user("b");
    stranger.get(&format!("/api/v1/files/{file}/text")).await.expect_problem(404, "not_found");
    stranger.get("/api/v1/files/x/text").await.expect_problem(404, "not_found");
}
