//! What the services share on the side of HTTP: answers, credentials, bodies, ranges and conditions, health, and the server itself.
//!
//! actix-web polls the extractors of a handler together and answers with the first error. So a handler takes the caller
//! ([`auth::Authenticated`]) and the raw `web::Payload`, and reads path, query and body afterwards through [`input`]; otherwise a
//! stranger's malformed body would be 400 instead of 401.
//!
//! All services of the all-in-one share one `App`: register resources with their whole path (`#[get("/api/v1/files/{id}")]`) and
//! never a scope that another service also has, since the first scope that matches answers alone.

pub mod allowance;
pub mod auth;
pub mod basic;
pub mod body;
pub mod cause;
mod client_ip;
pub mod conditions;
pub mod cookie;
pub mod credentials;
pub mod cursor;
pub mod digest_fields;
pub mod disposition;
pub mod event_stream;
pub mod facade;
pub mod health;
pub mod idempotency;
pub mod input;
pub mod openapi;
pub mod presence;
pub mod problem;
pub mod ranges;
pub mod reference;
pub mod request_id;
pub mod seats;
pub mod server;
pub mod service_token;
pub mod ticket;
pub mod trace;

pub use auth::{Authenticated, MaybeAuthenticated, Standing, cookie_session};
pub use body::{BodyError, BodyLimits, BodyStream};
pub use client_ip::{TrustedProxies, client_ip, customer_key, network_key};
pub use common::network::InvalidNetwork;
pub use cookie::CookiePolicy;
pub use facade::Facade;
pub use problem::{ApiResult, ClassicError, ClassicResult, FieldError, Problem};
