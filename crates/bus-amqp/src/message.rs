//! What travels: JSON, with a version in a header.

use common::jobs::NewJob;
use common::trace::TRACEPARENT;
use common::{PortError, PortResult};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::PART;

/// Header with the version of the body.
const VERSION_HEADER: &str = "fm-version";
/// The version that is sent. A reader knows it and the one before, once there is one.
const VERSION: i32 = 1;
const JSON: &str = "application/json";
/// AMQP's names for what becomes of a message when the broker restarts.
const TRANSIENT: u8 = 1;
const PERSISTENT: u8 = 2;

/// A message on its way out.
pub(crate) struct Message {
    pub(crate) body: Vec<u8>,
    pub(crate) properties: BasicProperties,
}

/// Why a message cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("the version is not known")]
    Version,
    // without what serde says: it may quote the body
    #[error("the body is not the JSON that it should be (line {line}, column {column})")]
    Body { line: usize, column: usize },
}

impl Message {
    /// `job.submit`: persistent, its id the job's.
    pub(crate) fn submission(job: &NewJob) -> PortResult<Self> {
        let mut properties = properties("job.submit", PERSISTENT).with_message_id(job.id.to_string().into());
        // a broker's tools show it, so that a request can be followed through
        if let Some(request) = job.request_id.as_deref().and_then(short) {
            properties = properties.with_correlation_id(request);
        }
        if let Some(trace) = &job.trace {
            let mut headers = properties.headers().clone().unwrap_or_default();
            headers.insert(TRACEPARENT.into(), AMQPValue::LongString(trace.to_string().into()));
            properties = properties.with_headers(headers);
        }
        Ok(Self { body: encode(job)?, properties })
    }

    /// `job.ready`: nobody misses it when the broker restarts.
    pub(crate) fn ring(types: &[String]) -> PortResult<Self> {
        Ok(Self { body: encode(types)?, properties: properties("job.ready", TRANSIENT) })
    }
}

fn encode<T: serde::Serialize + ?Sized>(body: &T) -> PortResult<Vec<u8>> {
    serde_json::to_vec(body).map_err(|error| PortError::broken(PART, error))
}

/// Reads the body of a message.
pub(crate) fn decode<T: serde::de::DeserializeOwned>(
    body: &[u8],
    properties: &BasicProperties,
) -> Result<T, Unreadable> {
    let version = properties.headers().as_ref().and_then(|headers| headers.inner().get(VERSION_HEADER));
    if version != Some(&AMQPValue::LongInt(VERSION)) {
        return Err(Unreadable::Version);
    }
    serde_json::from_slice(body)
        .map_err(|error| Unreadable::Body { line: error.line(), column: error.column() })
}

fn properties(kind: &str, delivery_mode: u8) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert(VERSION_HEADER.into(), AMQPValue::LongInt(VERSION));
    BasicProperties::default()
        .with_content_type(JSON.into())
        .with_type(kind.into())
        .with_delivery_mode(delivery_mode)
        .with_headers(headers)
}

/// As AMQP's short text, if it has at most 255 bytes.
fn short(text: &str) -> Option<ShortString> {
    ShortString::try_new(text.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::jobs::types;
    use testkit::{TestClock, TestIds};

    fn job() -> NewJob {
        let ids = TestIds::new();
        types::welcome_mail(ids.next(), ids.next(), common::Clock::now(&TestClock::default()))
    }

    #[test]
    fn a_job_survives_with_its_properties() {
        let job = NewJob { request_id: Some("request".to_owned()), ..job() };
        let message = Message::submission(&job).unwrap();
        assert_eq!(decode::<NewJob>(&message.body, &message.properties).unwrap(), job);
        let properties = message.properties;
        assert_eq!(properties.message_id().as_ref().unwrap().as_str(), job.id.to_string());
        assert_eq!(properties.correlation_id().as_ref().unwrap().as_str(), "request");
        assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/json");
        assert_eq!(*properties.delivery_mode(), Some(2));
    }

    #[test]
    fn a_request_id_of_any_length_travels() {
        let job = NewJob { request_id: Some("x".repeat(1000)), ..job() };
        let message = Message::submission(&job).unwrap();
        assert_eq!(decode::<NewJob>(&message.body, &message.properties).unwrap(), job);
    }

    #[test]
    fn what_cannot_be_read_is_told_without_its_text() {
        let good = Message::submission(&job()).unwrap();
        let bad = decode::<NewJob>(br#"{"id": "secret"}"#, &good.properties).unwrap_err();
        assert!(!bad.to_string().contains("secret"), "{bad}");
        let unversioned = decode::<NewJob>(&good.body, &BasicProperties::default());
        assert!(matches!(unversioned, Err(Unreadable::Version)));
    }
}
