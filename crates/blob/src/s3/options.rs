use std::time::Duration;

use common::{PortError, PortResult};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{HttpClient, HttpConnector as _};
use object_store::{BackoffConfig, Certificate, ClientOptions, RetryConfig};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::client::Connector;
use crate::PART;
use crate::url::{is_bucket_name, is_prefix};

/// How long a request may take by default: less than a person waits, with what comes round it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
const _: () = assert!(REQUEST_TIMEOUT.as_millis() < common::allowance::WAITS.as_millis());

/// Where the bucket is and how it is used.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// Its name.
    pub bucket: String,
    /// What all keys begin with, without a slash at either end. Empty for the whole bucket.
    pub prefix: String,
    /// The server, such as `https://s3.example.org`. None for Amazon, or what `AWS_ENDPOINT_URL` says with [`S3Credentials::Ambient`].
    pub endpoint: Option<String>,
    /// Its region. None for `us-east-1`, or what `AWS_REGION` says with [`S3Credentials::Ambient`].
    pub region: Option<String>,
    /// Who asks.
    pub credentials: S3Credentials,
    /// Whether the bucket stands in the path, not before the host. Most servers but Amazon want that. Default true.
    pub path_style: bool,
    /// Whether an endpoint without TLS is accepted: for a server on the same machine or a trusted network. Default false.
    pub allow_http: bool,
    /// Certificates of authorities (PEM) that are trusted beside those of the system.
    pub root_certificates: Option<Vec<u8>>,
    /// How a key is kept from being written twice.
    pub create_only: CreateOnly,
    /// Time for the answer to one request, and for the next piece of a content. A body has a second more for each MiB, the end of an upload
    /// in parts a second for each part. A request that failed is sent again while less than this has passed, so an outage is known after
    /// twice this time at most, and one that is silent or refuses connections after once. Default 3 s: with what comes round it, whoever
    /// uploads or reads is told within five.
    pub request_timeout: Duration,
}

/// Who asks a bucket.
#[derive(Debug, Clone)]
pub enum S3Credentials {
    /// A pair of keys, good for as long as the process runs. Keys for a time come as [`S3Credentials::Ambient`].
    Keys {
        /// Name of the key.
        access_key: String,
        /// The key itself.
        secret_key: SecretString,
    },
    /// What the variables `AWS_…` say, else what the machine or the container was given.
    Ambient,
}

/// How a key is kept from being written twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CreateOnly {
    /// The server refuses to overwrite (`If-None-Match: *`), atomically. Amazon, MinIO, Ceph and R2 do; `claim` finds out.
    #[default]
    Conditional,
    /// The store looks before it writes, for servers without conditional writes, such as Garage. Two writers of one key that meet within
    /// moments would both succeed; keys are random, so only a fault of ours makes two.
    LookFirst,
}

impl S3Options {
    /// A bucket of Amazon, with the credentials of the environment.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: String::new(),
            endpoint: None,
            region: None,
            credentials: S3Credentials::Ambient,
            path_style: true,
            allow_http: false,
            root_certificates: None,
            create_only: CreateOnly::default(),
            request_timeout: REQUEST_TIMEOUT,
        }
    }

    /// The client of the bucket, and one for the requests that the first does not know.
    pub(super) fn connect(&self) -> PortResult<(AmazonS3, HttpClient)> {
        self.check()?;
        let connector = Connector {
            timeout: self.request_timeout,
            create_only: self.create_only == CreateOnly::Conditional,
        };
        // deadlines are kept by the connector: this one of the client would end a download that goes on for longer
        let mut client = ClientOptions::new()
            .with_timeout_disabled()
            .with_connect_timeout(self.request_timeout)
            .with_allow_http(self.allow_http)
            .with_default_content_type("application/octet-stream");
        if let Some(pem) = &self.root_certificates {
            let certificates =
                Certificate::from_pem_bundle(pem).map_err(|error| PortError::broken(PART, error))?;
            client = certificates.into_iter().fold(client, ClientOptions::with_root_certificate);
        }
        let http = connector.connect(&client).map_err(|error| PortError::broken(PART, error))?;
        let mut builder = match &self.credentials {
            S3Credentials::Ambient => AmazonS3Builder::from_env(),
            S3Credentials::Keys { access_key, secret_key } => AmazonS3Builder::new()
                .with_access_key_id(access_key)
                .with_secret_access_key(secret_key.expose_secret()),
        };
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(self.address(endpoint)?);
        }
        let store = builder
            .with_bucket_name(&self.bucket)
            .with_virtual_hosted_style_request(!self.path_style)
            .with_client_options(client)
            .with_http_connector(connector)
            .with_retry(self.retry())
            // many servers do not have the bulk form, and we delete one by one
            .with_disable_bulk_delete(true)
            // a digest of the body in the signature would be taken on the reactor; ours is taken beside it, and TLS guards the way
            .with_unsigned_payload(true)
            .build()
            .map_err(|error| PortError::broken(PART, error))?;
        Ok((store, http))
    }

    fn retry(&self) -> RetryConfig {
        RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(50),
                max_backoff: Duration::from_secs(1),
                base: 2.0,
            },
            max_retries: 3,
            retry_timeout: self.request_timeout,
        }
    }

    fn check(&self) -> PortResult<()> {
        let wrong = |what: String| Err(PortError::broken(PART, what));
        if !is_bucket_name(&self.bucket) {
            return wrong(format!("{:?} is no name of a bucket", self.bucket));
        }
        if !is_prefix(&self.prefix) {
            return wrong(format!("{:?} is no prefix of keys", self.prefix));
        }
        if self.request_timeout.is_zero() {
            return wrong("no time is given for requests".to_owned());
        }
        Ok(())
    }

    /// The endpoint with the bucket before its host, if that is the style; checked either way.
    fn address(&self, endpoint: &str) -> PortResult<String> {
        let wrong = |what: &str| PortError::broken(PART, format!("the S3 endpoint {what}"));
        let mut url = Url::parse(endpoint).map_err(|error| wrong(&format!("is no URL: {error}")))?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            "http" => return Err(wrong("is without TLS, which must be allowed explicitly")),
            _ => return Err(wrong("must begin with https:// (or http://)")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("must not contain credentials"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("must not have a query or a fragment"));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        if !self.path_style {
            if url.domain().is_none() {
                return Err(wrong("is an IP address, so the bucket must stand in the path"));
            }
            url.set_host(Some(&format!("{}.{host}", self.bucket)))
                .map_err(|error| wrong(&format!("cannot have the bucket before it: {error}")))?;
        }
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::Causes;

    fn options(endpoint: &str) -> S3Options {
        S3Options {
            endpoint: Some(endpoint.to_owned()),
            credentials: S3Credentials::Keys { access_key: "key".to_owned(), secret_key: "hunter2".into() },
            ..S3Options::new("bucket")
        }
    }

    #[test]
    fn the_bucket_stands_where_the_style_says() {
        let address = |endpoint: &str, path_style| {
            let options = S3Options { path_style, ..options(endpoint) };
            options.address(endpoint).unwrap()
        };
        assert_eq!(address("https://s3.example.org/", true), "https://s3.example.org");
        assert_eq!(address("https://s3.example.org:9000", false), "https://bucket.s3.example.org:9000");
        assert_eq!(address("https://example.org/s3/", true), "https://example.org/s3");
    }

    #[test]
    fn wrong_options_are_named_without_secrets() {
        for (endpoint, expected) in [
            ("s3.example.org", "is no URL"),
            ("ftp://s3.example.org", "https://"),
            ("http://s3.example.org", "TLS"),
            ("https://u:hunter2@s3.example.org", "credentials"),
            ("https://s3.example.org/?x", "query"),
        ] {
            let error = options(endpoint).connect().map(drop).unwrap_err();
            let text = Causes(&error).to_string();
            assert!(text.contains(expected) && !text.contains("hunter2"), "{text}");
        }
        for options in [
            S3Options { bucket: "No".to_owned(), ..options("https://s3.example.org") },
            S3Options { prefix: "/x".to_owned(), ..options("https://s3.example.org") },
            S3Options { request_timeout: Duration::ZERO, ..options("https://s3.example.org") },
            S3Options { path_style: false, ..options("https://127.0.0.1") },
            S3Options {
                root_certificates: Some(b"-----BEGIN CERTIFICATE-----\nx".to_vec()),
                ..options("https://s3.example.org")
            },
        ] {
            assert!(matches!(options.connect().map(drop), Err(PortError::Broken { .. })), "{options:?}");
        }
        assert!(!format!("{:?}", options("https://s3.example.org")).contains("hunter2"));
    }
}
