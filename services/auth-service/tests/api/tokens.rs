//! Tokens that are not good.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::auth::AuthStore as _;
use common::{SessionId, SigningKeyId, UserId};
use http_kit::credentials::{Claims, TokenSigner};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Server, answer};

struct Forge {
    server: Server,
    token: String,
    header: Value,
    claims: Value,
    signer: TokenSigner,
}

fn part(token: &str, n: usize) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

impl Forge {
    async fn start() -> Self {
        let server = Server::start().await;
        let token = server.classic_token("bob").await;
        let stored = &server.store.list_signing_keys(server.now()).await.unwrap()[0];
        let seed = server.master.open("signing-key", &stored.sealed).unwrap();
        let signer = TokenSigner::from_seed(stored.id, &seed).unwrap();
        Self { header: part(&token, 0), claims: part(&token, 1), server, token, signer }
    }

    /// A token with these claims, signed by the real key.
    fn signed(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.claims.clone();
        change(&mut claims);
        self.signed_parts(&self.header, &claims)
    }

    fn signed_parts(&self, header: &Value, claims: &Value) -> String {
        let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&self.signer.seed()).unwrap();
        let text = format!("{}.{}", encode(header), encode(claims));
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(pair.sign(text.as_bytes())))
    }

    async fn refused(&self, token: &str, why: &str) {
        for request in [
            self.server.get("/users/me").header("x-token", token),
            self.server.get("/users/me").header("authorization", format!("Bearer {token}")),
            self.server.get("/disconnect").header("x-token", token),
        ] {
            let answer = answer(request).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{why}");
            answer.expect_classic(401, "Unauthorized");
        }
        let by_cookie = self.server.get("/api/v1/users/me").header("cookie", format!("fm_session={token}"));
        answer(by_cookie).await.expect_problem(401, "unauthorized");
    }
}

#[actix_web::test]
async fn what_the_forge_signs_as_it_is_passes() {
    let forge = Forge::start().await;
    let same = forge.signed(|_| {});
    assert_eq!(forge.server.me(&same).await, StatusCode::OK);
    assert_eq!(forge.server.me(&forge.token).await, StatusCode::OK);
}

#[actix_web::test]
async fn an_algorithm_is_never_taken_from_the_header() {
    let forge = Forge::start().await;
    let claims = encode(&forge.claims);
    for alg in ["none", "None", "NONE", "nOnE"] {
        let mut header = forge.header.clone();
        header["alg"] = json!(alg);
        let signature = forge.token.rsplit('.').next().unwrap();
        forge.refused(&format!("{}.{claims}.", encode(&header)), alg).await;
        forge.refused(&format!("{}.{claims}.{signature}", encode(&header)), alg).await;
    }
    let mut header = forge.header.clone();
    header["alg"] = json!("HS256");
    let public = forge.signer.public_key().ed25519;
    let text = format!("{}.{claims}", encode(&header));
    for secret in
        [&public[..], hex::encode(public).as_bytes(), URL_SAFE_NO_PAD.encode(public).as_bytes(), b""]
    {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
        forge.refused(&format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag)), "HS256 with the public key").await;
    }
    for alg in ["ES256", "RS256", "PS512", "Ed25519", "eddsa", ""] {
        let mut header = forge.header.clone();
        header["alg"] = json!(alg);
        forge.refused(&forge.signed_parts(&header, &forge.claims), alg).await;
    }
}

#[actix_web::test]
async fn a_signature_must_be_whole_and_ours() {
    let forge = Forge::start().await;
    let (text, signature) = forge.token.rsplit_once('.').unwrap();
    forge.refused(&format!("{text}."), "no signature").await;
    forge.refused(text, "two parts").await;
    forge.refused(&format!("{}.x", forge.token), "four parts").await;
    for cut in [1, 10, signature.len() - 1] {
        forge.refused(&forge.token[..forge.token.len() - cut], "truncated").await;
    }
    let other = TokenSigner::generate(forge.signer.public_key().id);
    let claims: Claims = serde_json::from_value(forge.claims.clone()).unwrap();
    forge.refused(&other.sign(&claims), "another key under the same id").await;
    let unknown = TokenSigner::generate(SigningKeyId::from_bytes([9; 12]));
    forge.refused(&unknown.sign(&claims), "an unknown key").await;
    let mut embedded = forge.header.clone();
    embedded["jwk"] =
        json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(other.public_key().ed25519)});
    let body = format!("{}.{}", encode(&embedded), encode(&forge.claims));
    forge
        .refused(
            &format!("{body}.{}", other.sign(&claims).rsplit('.').next().unwrap()),
            "a key in the header",
        )
        .await;
}

#[actix_web::test]
async fn a_key_id_that_is_none_of_ours_is_refused() {
    let forge = Forge::start().await;
    for kid in [json!("0"), json!("../../etc/passwd"), json!(null), json!(5), json!("f".repeat(24))] {
        let mut header = forge.header.clone();
        header["kid"] = kid;
        forge.refused(&forge.signed_parts(&header, &forge.claims), "wrong kid").await;
    }
    let mut header = forge.header.clone();
    header.as_object_mut().unwrap().remove("kid");
    forge.refused(&forge.signed_parts(&header, &forge.claims), "no kid").await;
}

#[actix_web::test]
async fn claims_must_all_be_right() {
    let forge = Forge::start().await;
    let now = forge.server.now().seconds();
    for (claim, value) in [
        ("iss", json!("https://evil.test")),
        ("iss", json!("")),
        ("aud", json!("another-product")),
        ("aud", json!([])),
        ("exp", json!(now - 60)),
        ("exp", json!(0)),
        ("exp", json!("tomorrow")),
        ("sub", json!(UserId::from_bytes([8; 12]))),
        ("sub", json!("bob")),
        ("sid", json!(SessionId::from_bytes([8; 12]))),
        ("sid", json!("")),
    ] {
        forge
            .refused(&forge.signed(|claims| claims[claim] = value.clone()), &format!("{claim} = {value}"))
            .await;
    }
    for claim in ["iss", "aud", "exp", "sub", "sid"] {
        let without = forge.signed(|claims| drop(claims.as_object_mut().unwrap().remove(claim)));
        forge.refused(&without, &format!("without {claim}")).await;
    }
}

#[actix_web::test]
async fn a_session_of_somebody_else_does_not_fit() {
    let forge = Forge::start().await;
    let token = forge.server.classic_token("ann").await;
    let ann = part(&token, 1)["sub"].clone();
    forge.refused(&forge.signed(|claims| claims["sub"] = ann), "bob's session for ann").await;
}

#[actix_web::test]
async fn c170_odd_tokens_are_401_or_too_large() {
    let forge = Forge::start().await;
    for odd in ["", " ", "x", ".", "..", "...", "a.b.c", "null", "undefined", "Bearer", "%00", "a b"] {
        for name in ["x-token", "authorization"] {
            let value = if name == "authorization" { format!("Bearer {odd}") } else { odd.to_owned() };
            answer(forge.server.get("/users/me").header(name, value))
                .await
                .expect_classic(401, "Unauthorized");
        }
    }
    let latin = reqwest::header::HeaderValue::from_bytes(b"\xfc\xe4\xf6").unwrap();
    answer(forge.server.get("/users/me").header("x-token", latin)).await.expect_classic(401, "Unauthorized");
    for length in [8 * 1024, 20 * 1024, 60 * 1024] {
        let long = answer(forge.server.get("/users/me").header("x-token", "a".repeat(length))).await;
        assert!(matches!(long.status.as_u16(), 400 | 401 | 431), "{length}: {}", long.status);
    }
    let twice = forge.server.get("/users/me").bearer_auth(&forge.token).bearer_auth("x");
    answer(twice).await.expect_classic(401, "Unauthorized");
    let twice = forge.server.get("/users/me").header("x-token", &forge.token).header("x-token", "x");
    answer(twice).await.expect_classic(401, "Unauthorized");
}

#[actix_web::test]
async fn no_change_to_a_token_leaves_it_good() {
    let forge = Forge::start().await;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = (0..forge.token.len(), any::<u8>());
    for _ in 0..300 {
        let (at, with) = strategy.new_tree(&mut runner).unwrap().current();
        let mut altered = forge.token.clone().into_bytes();
        let with =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."[usize::from(with) % 65];
        if altered[at] == with {
            continue;
        }
        altered[at] = with;
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(forge.server.me(&altered).await, StatusCode::UNAUTHORIZED, "{at} {with}");
    }
}
