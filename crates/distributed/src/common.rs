//! What every service can be told.

use std::net::SocketAddr;

use clients::InternalClient;
use common::allowance;
use program::{LOG_DOCS, Log, STOP_DOCS, Stop};
use runtime::settings::{Doc, Span};
use serde::{Deserialize, Serialize};

/// How long the store may take by default: less than the service that asks waits for this one, and than a request may wait in all.
const MONGODB_DEADLINE: Span = Span::from_millis(3_500);
const _: () = assert!(MONGODB_DEADLINE.duration().as_millis() < allowance::WAITS.as_millis());
const _: () = assert!(MONGODB_DEADLINE.duration().as_millis() < InternalClient::CALL_DEADLINE.as_millis());

/// Settings of every service, to be flattened into its own. A deployment tells all services the same, but for the two listeners.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Common {
    /// The public listener, for the gateway.
    pub listen: SocketAddr,
    /// The listener for other services and for monitoring.
    pub internal_listen: SocketAddr,
    /// How people reach the product.
    pub public_url: Option<String>,
    /// Gateways whose word on a client's address counts.
    pub trusted_proxies: String,
    /// The store.
    pub mongodb_uri: Option<String>,
    /// The database in it.
    pub mongodb_database: String,
    /// Longest time for one call of the store.
    pub mongodb_deadline: Span,
    /// The cache.
    pub redis_url: Option<String>,
    /// The broker.
    pub amqp_url: Option<String>,
    /// Stands before the names of queues and keys.
    pub namespace: String,
    /// What services know one another by.
    pub internal_secret: Option<String>,
    /// The one before.
    pub internal_secret_previous: Option<String>,
    /// Seals secrets.
    pub master_key: Option<String>,
    /// The one before.
    pub master_key_previous: Option<String>,
    /// Internal addresses of auth-service.
    pub auth_url: String,
    /// Internal addresses of file-service.
    pub files_url: String,
    /// Internal addresses of worker-service.
    pub jobs_url: String,
    /// What is logged, and how.
    pub log: Log,
    /// How it stops.
    pub stop: Stop,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            internal_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            public_url: None,
            trusted_proxies: String::new(),
            mongodb_uri: None,
            mongodb_database: "files_manager".to_owned(),
            mongodb_deadline: MONGODB_DEADLINE,
            redis_url: None,
            amqp_url: None,
            namespace: "fm".to_owned(),
            internal_secret: None,
            internal_secret_previous: None,
            master_key: None,
            master_key_previous: None,
            auth_url: "http://auth-service:8081".to_owned(),
            files_url: "http://file-service:8081".to_owned(),
            jobs_url: "http://worker-service:8081".to_owned(),
            log: Log::default(),
            stop: Stop::default(),
        }
    }
}

/// What the keys of [`Common`] mean, but for its sections.
const DOCS: &[Doc] = &[
    Doc { key: "listen", text: "Address and port of the public API, for the gateway." },
    Doc {
        key: "internal_listen",
        text: "Address and port for the other services, /health and /metrics. Never for people.",
    },
    Doc {
        key: "public_url",
        text: "How people reach the product, such as https://files.example.org; with a path where a proxy in front of the gateway takes that off (GATEWAY_PATH).",
    },
    Doc {
        key: "trusted_proxies",
        text: "Addresses or networks of the gateways, whose X-Forwarded-For counts, with commas between. Attempts at passwords, of accounts and of links, are limited by it, and sessions are shown with it: without it all people have one address.",
    },
    Doc { key: "mongodb_uri", text: "The store; a replica set, since changes are transactions." },
    Doc { key: "mongodb_database", text: "The database in it." },
    Doc {
        key: "mongodb_deadline",
        text: "Longest time for one change or question, with its wait for changes of the same user's files before it; then 503. At least 1s. All questions of a request together have 4s, or this if it is longer.",
    },
    Doc { key: "redis_url", text: "The cache of credentials and the counters of attempts." },
    Doc { key: "amqp_url", text: "The broker, with its virtual host." },
    Doc {
        key: "namespace",
        text: "Stands before the names of queues and keys, where several installations share a broker or a Redis.",
    },
    Doc {
        key: "internal_secret",
        text: "What services know one another by, at least 32 bytes; the same for all.",
    },
    Doc { key: "internal_secret_previous", text: "The one before, while it is being replaced." },
    Doc {
        key: "master_key",
        text: "64 hexadecimal digits under which secrets are sealed; the same for all.",
    },
    Doc { key: "master_key_previous", text: "The one before, while it is being replaced." },
    Doc {
        key: "auth_url",
        text: "Internal address of auth-service; of each replica, with commas between, unless one name stands for all.",
    },
    Doc {
        key: "files_url",
        text: "Internal address of file-service; of each replica, with commas between, unless one name stands for all.",
    },
    Doc {
        key: "jobs_url",
        text: "Internal address of worker-service; of each replica, with commas between, unless one name stands for all.",
    },
];

/// What the keys of [`Common`] mean.
pub(crate) fn docs() -> Vec<Doc> {
    [DOCS, LOG_DOCS, STOP_DOCS].concat()
}

/// What all keys of a service mean: these, and its own.
pub fn with_common_docs(own: &[&[Doc]]) -> Vec<Doc> {
    docs().into_iter().chain(own.concat()).collect()
}
