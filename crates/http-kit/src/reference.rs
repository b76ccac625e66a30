//! Serves the OpenAPI document, and a page that people can read, made from it: no script, nothing from elsewhere.

use std::fmt::Write as _;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde_json::Value;
use utoipa::openapi::OpenApi;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:0 auto;padding:1rem 1.25rem 4rem}\
h1{margin-bottom:0}h2{margin-top:2.5rem;border-bottom:1px solid #8886;text-transform:capitalize}\
details{border:1px solid #8884;border-radius:8px;margin:.5rem 0;padding:.5rem .75rem}\
summary{cursor:pointer}summary code{font-weight:600}\
code{font-family:ui-monospace,monospace;font-size:.9em;overflow-wrap:anywhere}\
.method{display:inline-block;min-width:4.5rem;font-weight:700}\
table{border-collapse:collapse;width:100%;margin:.5rem 0}td,th{text-align:start;padding:.25rem .75rem .25rem 0;vertical-align:top}\
th{font-weight:600}";

const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The document in its two forms, rendered once.
#[derive(Debug, Clone)]
pub struct Reference {
    json: web::Bytes,
    page: web::Bytes,
}

impl Reference {
    /// Renders a document.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn new(document: &OpenApi) -> Result<Self, serde_json::Error> {
        let value = serde_json::to_value(document)?;
        Ok(Self { json: document.to_json()?.into(), page: page(&value).into() })
    }

    /// Serves `/api/openapi.json` and `/api/docs`.
    pub fn configure(&self, config: &mut web::ServiceConfig) {
        let (json, page) = (self.json.clone(), self.page.clone());
        config
            .route("/api/openapi.json", web::get().to(move || answer(json.clone(), "application/json")))
            .route("/api/docs", web::get().to(move || answer(page.clone(), "text/html; charset=utf-8")))
            .route("/api/docs/style.css", web::get().to(|| answer(STYLE.into(), "text/css; charset=utf-8")));
    }
}

async fn answer(body: web::Bytes, kind: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .body(body)
}

fn page(document: &Value) -> String {
    let title = escaped(text(&document["info"]["title"]));
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} API</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/api/docs/style.css\"></head><body>\
         <h1>{title} API</h1><p>{} <a href=\"/api/openapi.json\">OpenAPI document</a></p>",
        escaped(text(&document["info"]["description"]))
    );
    for tag in tags(document) {
        write!(page, "<h2>{}</h2>", escaped(&tag)).expect("a String takes everything");
        for (path, method, operation) in
            operations(document).filter(|(_, _, operation)| tag_of(operation) == tag)
        {
            describe(&mut page, path, method, operation);
        }
    }
    page + "</body></html>"
}

fn describe(page: &mut String, path: &str, method: &str, operation: &Value) {
    let summary = escaped(text(&operation["summary"]));
    write!(
        page,
        "<details><summary><span class=\"method\">{}</span><code>{}</code> {summary}</summary><p>{}</p>",
        method.to_uppercase(),
        escaped(path),
        escaped(text(&operation["description"]))
    )
    .expect("a String takes everything");
    rows(
        page,
        "Parameter",
        operation["parameters"].as_array().into_iter().flatten().map(|parameter| {
            (
                format!("{} ({})", text(&parameter["name"]), text(&parameter["in"])),
                text(&parameter["description"]),
            )
        }),
    );
    let bodies = operation["requestBody"]["content"].as_object().into_iter().flatten();
    rows(page, "Body", bodies.map(|(kind, content)| (kind.clone(), schema_name(content))));
    let responses = operation["responses"].as_object().into_iter().flatten();
    rows(
        page,
        "Status",
        responses.map(|(status, response)| (status.clone(), text(&response["description"]))),
    );
    page.push_str("</details>");
}

fn rows<'a>(page: &mut String, title: &str, rows: impl Iterator<Item = (String, &'a str)>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    write!(page, "<table><tr><th>{title}</th><th>Meaning</th></tr>").expect("a String takes everything");
    for (name, meaning) in rows {
        write!(page, "<tr><td><code>{}</code></td><td>{}</td></tr>", escaped(&name), escaped(meaning))
            .expect("a String takes everything");
    }
    page.push_str("</table>");
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        item.as_object().into_iter().flatten().map(move |(method, operation)| (path, method, operation))
    })
}

fn tags(document: &Value) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for (_, _, operation) in operations(document) {
        let tag = tag_of(operation);
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

fn tag_of(operation: &Value) -> &str {
    operation["tags"][0].as_str().unwrap_or("other")
}

fn schema_name(content: &Value) -> &str {
    text(&content["schema"]["$ref"]).rsplit('/').next().unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_page_shows_every_operation_and_escapes_texts() {
        let document = json!({
            "info": {"title": "<Files>", "description": "a & b"},
            "paths": {"/x/{id}": {
                "get": {"tags": ["files"], "summary": "Shows <it>", "parameters": [{"name": "id", "in": "path", "description": "Its id"}],
                        "responses": {"200": {"description": "Here it is"}}},
                "put": {"summary": "Keeps it", "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}}
            }}
        });
        let page = page(&document);
        for part in [
            "&lt;Files&gt;",
            "a &amp; b",
            "Shows &lt;it&gt;",
            "id (path)",
            "Here it is",
            "Thing",
            "<h2>files</h2>",
            "<h2>other</h2>",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert!(!page.contains("<it>") && !page.contains("<script"));
    }
}
