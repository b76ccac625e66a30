//! Serves the web page out of the program.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

/// One file of the page.
pub(crate) struct File {
    path: &'static str,
    mime: &'static str,
    etag: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What the page may load: its own files and the API, nothing inline, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; \
     font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";

/// The page stands at `/`; its places are below `/app`, where every path is the same document.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    for path in ["/", "/app", "/app/{place:.*}"] {
        config.service(web::resource(path).route(web::get().to(document)).route(web::head().to(document)));
    }
    for file in FILES.iter().filter(|file| file.path != "index.html") {
        let serve = move |request: HttpRequest| async move { answer(&request, file) };
        config.service(
            web::resource(format!("/{}", file.path)).route(web::get().to(serve)).route(web::head().to(serve)),
        );
    }
}

async fn document(request: HttpRequest) -> HttpResponse {
    let index = FILES
        .iter()
        .find(|file| file.path == "index.html")
        .expect("the build refuses a page without index.html");
    answer(&request, index)
}

fn answer(request: &HttpRequest, file: &'static File) -> HttpResponse {
    let asks = |name: header::HeaderName, wanted: &str| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.contains(wanted))
    };
    let mut response =
        if asks(header::IF_NONE_MATCH, file.etag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    // the names of built assets hold a hash of their content
    let cache =
        if file.path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    response
        .insert_header((header::ETAG, file.etag))
        .insert_header((header::CACHE_CONTROL, cache))
        .insert_header((header::VARY, "Accept-Encoding"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "same-origin"));
    if file.path == "index.html" {
        response.insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
    }
    if asks(header::IF_NONE_MATCH, file.etag) {
        return response.finish();
    }
    response.content_type(file.mime);
    match file.gzip.filter(|_| asks(header::ACCEPT_ENCODING, "gzip")) {
        Some(packed) => response.insert_header((header::CONTENT_ENCODING, "gzip")).body(packed),
        None => response.body(file.plain),
    }
}
