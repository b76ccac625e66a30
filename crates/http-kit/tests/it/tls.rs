//! TLS of the server's own.

use actix_web::web;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use http_kit::server::ServerSettings;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::{Server, settings};

/// One value of DER (X.690, 8.1).
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut value = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => value.push(short),
        Ok(long) => value.extend([0x81, long]),
        Err(_) => value.extend([&[0x82][..], &u16::try_from(length).unwrap().to_be_bytes()].concat()),
    }
    value.extend_from_slice(content);
    value
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(0x30, &parts.concat())
}

/// A certificate for `localhost` that signs itself (RFC 5280, 4.1; RFC 8410).
fn certificate(pair: &Ed25519KeyPair) -> Vec<u8> {
    let ed25519 = sequence(&[&[0x06, 0x03, 0x2b, 0x65, 0x70]]);
    let bits = |bytes: &[u8]| der(0x03, &[&[0], bytes].concat());
    let common_name = sequence(&[&[0x06, 0x03, 0x55, 0x04, 0x03], &der(0x0c, b"localhost")]);
    let name = sequence(&[&der(0x31, &common_name)]);
    let validity = sequence(&[&der(0x17, b"200101000000Z"), &der(0x18, b"20991231235959Z")]);
    let alternatives = sequence(&[&der(0x82, b"localhost")]);
    let extension = sequence(&[&[0x06, 0x03, 0x55, 0x1d, 0x11], &der(0x04, &alternatives)]);
    let signed = sequence(&[
        &der(0xa0, &der(0x02, &[2])),
        &der(0x02, &[1]),
        &ed25519,
        &name,
        &validity,
        &name,
        &sequence(&[&ed25519, &bits(pair.public_key().as_ref())]),
        &der(0xa3, &sequence(&[&extension])),
    ]);
    let signature = bits(pair.sign(&signed).as_ref());
    sequence(&[&signed, &ed25519, &signature])
}

#[tokio::test]
async fn a_listener_speaks_tls() {
    // already done where another test was first
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let pair = Ed25519KeyPair::generate().unwrap();
    let certificate = certificate(&pair);
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pair.to_pkcs8v1().unwrap().as_ref().to_vec()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(certificate.clone())], key)
        .unwrap();
    let server = Server::start_with(ServerSettings { tls: Some(config), ..settings() }, |config| {
        config.route("/api/v1/ok", web::get().to(|| async { "over TLS" }));
    });
    #[expect(clippy::disallowed_methods, reason = "a client that trusts this certificate alone")]
    let client = reqwest::Client::builder()
        .no_proxy()
        .resolve("localhost", server.address)
        .tls_certs_only([reqwest::Certificate::from_der(&certificate).unwrap()])
        .build()
        .unwrap();
    let url = format!("https://localhost:{}/api/v1/ok", server.address.port());
    let answer = client.get(url).send().await.unwrap();
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(answer.text().await.unwrap(), "over TLS");
}
