//! What services hear of a client, and what of them reaches it.

use actix_web::HttpResponse;
use reqwest::Method;
use testkit::nginx::Behind;

use crate::helpers::{Double, OK, ask, raw, start};

async fn asked(behind: Behind, fields: &[(&str, &str)]) -> crate::helpers::Asked {
    let double = Double::content();
    let nginx = start(Behind { files: vec![double.address], ..behind }).await;
    let got = ask(Method::GET, &nginx.address(), "/api/v1/usage?a=%20b", fields).await;
    assert_eq!(got.status, OK);
    let [asked] = &double.asked()[..] else { panic!("one request") };
    assert_eq!((&*asked.method, &*asked.path), ("GET", "/api/v1/usage?a=%20b"));
    let host = nginx.address().replace("http://", "");
    assert_eq!(asked.fields["host"], host);
    assert_eq!(asked.fields["x-forwarded-host"], host);
    assert_eq!(asked.fields.get("connection"), None);
    asked.clone()
}

#[actix_web::test]
async fn c190_what_a_stranger_says_of_addresses_is_dropped() {
    let spoofed = [
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-prefix", "/x"),
        ("x-forwarded-user", "root"),
        ("forwarded", "for=6.6.6.6"),
        ("x-real-ip", "6.6.6.6"),
        ("true-client-ip", "6.6.6.6"),
        ("via", "1.1 x"),
        ("x-original-url", "/internal"),
        ("x-rewrite-url", "/internal"),
        ("x-accel-redirect", "/_blobs/x"),
        ("x-accel-buffering", "no"),
        ("upload-draft-interop-version", "8"),
    ];
    let asked = asked(Behind::default(), &spoofed).await;
    assert_eq!(asked.fields["x-forwarded-for"], "127.0.0.1");
    assert_eq!(asked.fields["x-forwarded-proto"], "http");
    assert_eq!(asked.fields["forwarded"], "for=127.0.0.1;proto=http");
    let set_here = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"];
    for (name, _) in spoofed.iter().filter(|(name, _)| !set_here.contains(name)) {
        assert_eq!(asked.fields.get(*name), None, "{name}");
    }
    // what is the client's to say arrives
    assert_eq!(asked.fields["x-token"], "token-of-a");
}

#[actix_web::test]
async fn c191_a_proxy_in_front_is_believed_and_no_other() {
    let forwarded = [("x-forwarded-for", "6.6.6.6, 1.2.3.4"), ("x-forwarded-proto", "https")];
    let proxies = vec!["127.0.0.1".to_owned()];
    let behind_one = asked(Behind { proxies, ..Behind::default() }, &forwarded).await;
    assert_eq!(behind_one.fields["x-forwarded-for"], "1.2.3.4");
    assert_eq!(behind_one.fields["x-forwarded-proto"], "https");
    assert_eq!(behind_one.fields["forwarded"], "for=1.2.3.4;proto=https");
    let proxies = vec!["127.0.0.1".to_owned()];
    let six = asked(Behind { proxies, ..Behind::default() }, &[("x-forwarded-for", "2001:db8::5")]).await;
    assert_eq!(six.fields["x-forwarded-for"], "2001:db8::5");
    assert_eq!(six.fields["forwarded"], "for=\"[2001:db8::5]\";proto=http");
    let elsewhere = Behind { proxies: vec!["10.0.0.0/8".to_owned()], ..Behind::default() };
    assert_eq!(asked(elsewhere, &forwarded).await.fields["x-forwarded-for"], "127.0.0.1");
}

#[actix_web::test]
async fn request_ids_are_taken_over_if_they_are_plain() {
    let double = Double::start(|asked| {
        HttpResponse::Ok().insert_header(("x-request-id", asked.fields["x-request-id"].as_str())).finish()
    });
    let nginx = start(Behind { files: vec![double.address], ..Behind::default() }).await;
    let longest = "x".repeat(64);
    for good in ["a.B_9-", &longest] {
        let got = ask(Method::GET, &nginx.address(), "/files", &[("x-request-id", good)]).await;
        assert_eq!(got.header("x-request-id"), Some(good));
    }
    let too_long = "x".repeat(65);
    for bad in ["a b", "\"", &too_long, "{}"] {
        let got = ask(Method::GET, &nginx.address(), "/files", &[("x-request-id", bad)]).await;
        let made = got.header("x-request-id").unwrap();
        assert!(made.len() == 32 && made.bytes().all(|byte| byte.is_ascii_hexdigit()), "{made}");
    }
}

#[actix_web::test]
async fn answers_say_nothing_of_what_stands_behind() {
    let double = Double::start(|_| {
        HttpResponse::Ok()
            .insert_header(("upload-draft-interop-version", "8"))
            .insert_header(("server", "secret/1.0"))
            .insert_header(("x-accel-expires", "10"))
            .insert_header(("x-kept", "yes"))
            .body("x")
    });
    let nginx = start(Behind { files: vec![double.address], ..Behind::default() }).await;
    let got = ask(Method::GET, &nginx.address(), "/files", &[]).await;
    assert_eq!((got.header("server"), got.header("x-kept")), (Some("nginx"), Some("yes")));
    for name in ["upload-draft-interop-version", "x-accel-expires", "x-powered-by", "via"] {
        assert_eq!(got.header(name), None, "{name}");
    }
}

#[actix_web::test]
async fn old_and_odd_clients_are_understood() {
    let double = Double::content();
    let nginx = start(Behind { auth: vec![double.address], ..Behind::default() }).await;
    let (status, _, _) = raw(&nginx.address(), b"GET /connect HTTP/1.0\r\n\r\n").await;
    assert_eq!(status, 200);
    let request = b"GET http://other.example/users/me HTTP/1.1\r\nHost: x\r\nConnection: close, X-Token\r\nX-Token: t\r\n\r\n";
    assert_eq!(raw(&nginx.address(), request).await.0, 200);
    assert_eq!(double.asked().len(), 2);
}

#[actix_web::test]
async fn every_row_of_the_table_reaches_its_service() {
    use common::routes::{ROUTES, Service};
    let doubles = Service::ALL.map(|service| {
        (
            service,
            Double::start(move |_| HttpResponse::Ok().insert_header(("x-service", service.name())).finish()),
        )
    });
    let address = |wanted| vec![doubles.iter().find(|(service, _)| *service == wanted).unwrap().1.address];
    let nginx = start(Behind {
        auth: address(Service::Auth),
        files: address(Service::Files),
        jobs: address(Service::Worker),
        ..Behind::default()
    })
    .await;
    for route in ROUTES {
        for path in [route.prefix.to_owned(), format!("{}/x", route.prefix), format!("{}?a=/b", route.prefix)]
        {
            for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
                let got = ask(method.clone(), &nginx.address(), &path, &[]).await;
                assert_eq!(got.header("x-service"), Some(route.service.name()), "{method} {path}");
            }
        }
        let beside = ask(Method::GET, &nginx.address(), &format!("{}x", route.prefix), &[]).await;
        assert_ne!((beside.status, route.prefix.starts_with("/api/v1/")), (OK, false), "{}x", route.prefix);
    }
}
