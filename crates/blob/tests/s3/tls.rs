//! A server behind TLS, with a certificate that no authority has signed.

use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blob::S3Options;
use common::files::BlobStore as _;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use testkit::blob_store::{bytes, key, write};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::support::{Server, assert_unavailable, content};
use testkit::wait::soon;

/// One value of DER (X.690, 8.1), of less than 64 KiB.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let length = match length {
        0..0x80 => vec![low],
        0x80..0x100 => vec![0x81, low],
        _ => vec![0x82, high, low],
    };
    [&[tag][..], &length, &content].concat()
}

/// A certificate for `localhost` that signs itself (RFC 5280, 4.1; RFC 8410).
fn certificate(pair: &Ed25519KeyPair) -> Vec<u8> {
    let sequence = |parts: &[&[u8]]| der(0x30, parts);
    let bits = |bytes: &[u8]| der(0x03, &[&[0], bytes]);
    let ed25519 = sequence(&[&[0x06, 0x03, 0x2b, 0x65, 0x70]]);
    let common_name = sequence(&[&[0x06, 0x03, 0x55, 0x04, 0x03], &der(0x0c, &[b"localhost"])]);
    let name = sequence(&[&der(0x31, &[&common_name])]);
    let validity = sequence(&[&der(0x17, &[b"200101000000Z"]), &der(0x18, &[b"20991231235959Z"])]);
    let alternatives = sequence(&[&der(0x82, &[b"localhost"])]);
    let extension = sequence(&[&[0x06, 0x03, 0x55, 0x1d, 0x11], &der(0x04, &[&alternatives])]);
    let public_key = sequence(&[&ed25519, &bits(pair.public_key().as_ref())]);
    let signed = sequence(&[
        &der(0xa0, &[&der(0x02, &[&[2]])]),
        &der(0x02, &[&[1]]),
        &ed25519,
        &name,
        &validity,
        &name,
        &public_key,
        &der(0xa3, &[&sequence(&[&extension])]),
    ]);
    sequence(&[&signed, &ed25519, &bits(pair.sign(&signed).as_ref())])
}

/// Takes TLS off and hands on what comes.
async fn relay(tasks: &mut JoinSet<()>, acceptor: TlsAcceptor, to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                // a client that does not like the certificate goes away
                if let (Ok(mut client), Ok(mut server)) =
                    (acceptor.accept(socket).await, TcpStream::connect(to).await)
                {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_server_behind_tls_is_used_if_its_certificate_is_trusted() {
    // as every program of ours does first
    rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap();
    let pair = Ed25519KeyPair::generate().unwrap();
    let certificate = certificate(&pair);
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pair.to_pkcs8v1().unwrap().as_ref().to_vec()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(certificate.clone())], private)
        .unwrap();
    let (server, mut tasks) = (Server::start().await, JoinSet::new());
    let to = server.s3.endpoint().strip_prefix("http://").unwrap().parse().unwrap();
    let address = relay(&mut tasks, TlsAcceptor::from(Arc::new(config)), to).await;
    let strict = S3Options {
        endpoint: Some(format!("https://localhost:{}", address.port())),
        allow_http: false,
        ..server.options()
    };
    assert_unavailable(soon(server.open(strict.clone()).ping()).await);

    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(&certificate)
    );
    let blobs = server.open(S3Options { root_certificates: Some(pem.into_bytes()), ..strict });
    blobs.claim("one").await.unwrap();
    for (number, len) in [(1, 1_000), (2, 20_000_000)] {
        let stored = bytes(number, len);
        write(&blobs, key(number.into()), &stored, 1 << 20).await.unwrap();
        assert!(content(&blobs, key(number.into()), len).await.unwrap().unwrap() == stored, "{len}");
    }
}
