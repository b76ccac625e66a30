//! What bodies say of jobs in the same way.

use std::fmt;

use common::jobs::{InvalidJob, Priority};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How urgent a job is: a number, lower is sooner, or one of Kue's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PriorityBody(pub(super) Priority);

/// How urgent a job is: a number, lower is sooner, or a name.
#[derive(ToSchema, Serialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents `PriorityBody`")]
pub(super) enum JobPriority {
    /// Any integer.
    Number(i32),
    /// `low` 10, `normal` 0, `medium` -5, `high` -10, `critical` -15
    Name(PriorityName),
}

/// A priority by name.
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "lowercase")]
#[schema(as = JobPriorityName)]
#[expect(dead_code, reason = "documents `PriorityBody`")]
pub(super) enum PriorityName {
    Low,
    Normal,
    Medium,
    High,
    Critical,
}

impl<'de> Deserialize<'de> for PriorityBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;

        impl Visitor<'_> for Numbers {
            type Value = PriorityBody;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer, or one of low, normal, medium, high, critical")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                let number = i32::try_from(number)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))?;
                Ok(PriorityBody(Priority(number)))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                let number = i32::try_from(number)
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))?;
                Ok(PriorityBody(Priority(number)))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(PriorityBody(match name {
                    "low" => Priority::LOW,
                    "normal" => Priority::NORMAL,
                    "medium" => Priority::MEDIUM,
                    "high" => Priority::HIGH,
                    "critical" => Priority::CRITICAL,
                    _ => return Err(E::invalid_value(de::Unexpected::Str(name), &self)),
                }))
            }
        }

        deserializer.deserialize_any(Numbers)
    }
}

/// The member that is at fault.
pub(super) const fn member_of(error: InvalidJob) -> &'static str {
    match error {
        InvalidJob::Type => "type",
        InvalidJob::Data => "data",
        InvalidJob::Key => "uniqueKey",
        InvalidJob::Attempts => "attempts",
        InvalidJob::Time => "ttlMs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_numbers_or_names() {
        for (text, number) in [("7", 7), ("-20", -20), ("\"high\"", -10), ("\"low\"", 10)] {
            assert_eq!(serde_json::from_str::<PriorityBody>(text).unwrap().0, Priority(number), "{text}");
        }
        for text in ["\"urgent\"", "1.5", "3000000000", "null", "\"7\""] {
            assert!(serde_json::from_str::<PriorityBody>(text).is_err(), "{text}");
        }
    }
}
