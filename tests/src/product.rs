//! A client of the public API, as a program would write it.

use std::sync::Once;

use anyhow::{Context as _, Result, ensure};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// A running product, fresh, by its public address.
#[derive(Clone, Debug)]
pub struct Product {
    /// Such as `http://127.0.0.1:8080`, without a slash at its end.
    pub address: String,
    /// The code that makes the first administrator.
    pub setup_code: String,
    client: reqwest::Client,
}

/// Someone who is signed in.
#[derive(Clone, Debug)]
pub struct Account {
    /// The address that they sign in with.
    pub email: String,
    /// Their password.
    pub password: String,
    /// Their access token.
    pub token: String,
    /// Their id.
    pub id: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: reqwest::header::HeaderMap,
    /// Its body.
    pub body: bytes::Bytes,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not JSON, with what it is.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("{}: no JSON: {}", self.status, String::from_utf8_lossy(&self.body)))
    }

    /// The answer, if it has this status.
    ///
    /// # Errors
    /// With the body, if it has another.
    pub fn expect(self, status: u16) -> Result<Self> {
        ensure!(
            self.status.as_u16() == status,
            "expected {status}, got {}: {}",
            self.status,
            String::from_utf8_lossy(&self.body).chars().take(500).collect::<String>()
        );
        Ok(self)
    }

    /// The answer, if it is a problem document with this status and code, and everything else that such a document has.
    ///
    /// # Errors
    /// When it is not.
    pub fn expect_problem(self, status: u16, code: &str) -> Result<Value> {
        let answer = self.expect(status)?;
        let kind = answer.header("content-type").unwrap_or_default();
        ensure!(kind.starts_with("application/problem+json"), "problem document expected, got {kind:?}");
        let problem = answer.json()?;
        ensure!(problem["code"] == code, "expected {code}, got {problem}");
        ensure!(problem["status"] == status, "status in the document: {problem}");
        for member in ["type", "title", "detail", "requestId", "error"] {
            ensure!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "no {member}: {problem}");
        }
        ensure!(
            answer.header("x-request-id") == problem["requestId"].as_str(),
            "the request id in header and document differ: {problem}"
        );
        Ok(problem)
    }

    /// A header field as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Sends a request and reads the answer to its end.
///
/// # Errors
/// When there is no answer.
pub async fn send(request: RequestBuilder) -> Result<Answer> {
    let response: Response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    Ok(Answer { status, headers, body: response.bytes().await? })
}

impl Product {
    /// The product at this address.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(address: impl Into<String>, setup_code: impl Into<String>) -> Result<Self> {
        static PROVIDER: Once = Once::new();
        // a second installation in the same process is refused, which is all right
        PROVIDER.call_once(|| drop(rustls::crypto::aws_lc_rs::default_provider().install_default()));
        let client = client()?;
        Ok(Self { address: address.into(), setup_code: setup_code.into(), client })
    }

    /// A request without a credential. The path begins with a slash.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.address))
    }

    /// A request of someone.
    pub fn as_user(&self, account: &Account, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&account.token)
    }

    /// GET by someone.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, account: &Account, path: &str) -> Result<Answer> {
        send(self.as_user(account, Method::GET, path)).await
    }

    /// POST of JSON by someone.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, account: &Account, path: &str, body: &Value) -> Result<Answer> {
        send(self.as_user(account, Method::POST, path).json(body)).await
    }

    /// Makes the first administrator, with the set-up code.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn set_up(&self) -> Result<Account> {
        let (email, password) = ("admin@example.org".to_owned(), "password of admin".to_owned());
        let body = json!({"code": self.setup_code, "email": email, "password": password});
        let login =
            send(self.request(Method::POST, "/api/v1/setup").json(&body)).await?.expect(201)?.json()?;
        Account::of(&login, email, password)
    }

    /// Registers a fresh account.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn register(&self, name: &str) -> Result<Account> {
        let (email, password) = (format!("{name}@example.org"), format!("password of {name}"));
        let body = json!({"email": email, "password": password});
        let login = send(self.request(Method::POST, "/api/v1/auth/register").json(&body))
            .await?
            .expect(201)?
            .json()?;
        Account::of(&login, email, password)
    }

    /// Signs an account in once more, with a session of its own.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn login(&self, email: &str, password: &str) -> Result<Account> {
        let body = json!({"email": email, "password": password});
        let login =
            send(self.request(Method::POST, "/api/v1/auth/login").json(&body)).await?.expect(200)?.json()?;
        Account::of(&login, email.to_owned(), password.to_owned())
    }

    /// Makes a folder; its id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn make_folder(&self, account: &Account, parent: &str, name: &str) -> Result<String> {
        let body = json!({"name": name, "parentId": parent});
        id(&self.post(account, "/api/v1/files", &body).await?.expect(201)?.json()?)
    }

    /// Uploads a file by one request; what came back.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn put(
        &self,
        account: &Account,
        parent: &str,
        name: &str,
        content: impl Into<reqwest::Body>,
    ) -> Result<Answer> {
        let path = format!("/api/v1/files/{parent}/children/{}/content", encode(name));
        send(self.as_user(account, Method::PUT, &path).body(content)).await
    }

    /// Uploads a file that must be taken; its description.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn upload(
        &self,
        account: &Account,
        parent: &str,
        name: &str,
        content: impl Into<reqwest::Body>,
    ) -> Result<Value> {
        self.put(account, parent, name, content).await?.expect(201)?.json()
    }

    /// The whole content of a file.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn content(&self, account: &Account, file: &str) -> Result<bytes::Bytes> {
        Ok(self.get(account, &format!("/api/v1/files/{file}/content")).await?.expect(200)?.body)
    }

    /// All children of a folder, page by page.
    ///
    /// # Errors
    /// When a page is refused.
    pub async fn children(&self, account: &Account, folder: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut cursor = None::<String>;
        loop {
            let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let path = format!("/api/v1/files/{folder}/children?limit=1000{after}");
            let mut page = self.get(account, &path).await?.expect(200)?.json()?;
            if let Some(items) = page["items"].as_array_mut() {
                all.append(items);
            }
            cursor = page["nextCursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }
}

impl Account {
    fn of(login: &Value, email: String, password: String) -> Result<Self> {
        let token = login["accessToken"].as_str().context("no accessToken")?.to_owned();
        Ok(Self { email, password, token, id: id(&login["user"])? })
    }
}

/// The id of anything.
///
/// # Errors
/// When there is none.
pub fn id(entity: &Value) -> Result<String> {
    Ok(entity["id"].as_str().with_context(|| format!("no id: {entity}"))?.to_owned())
}

/// A name as one segment of a path.
pub fn encode(name: &str) -> String {
    name.bytes().fold(String::new(), |mut path, byte| {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
        path
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the suites are a client of their own, not a part of the product"
)]
fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_secs(120)).build()?)
}
