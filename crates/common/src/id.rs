//! Identifiers: 24 hexadecimal digits at the edges, 12 bytes inside.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Sha256;

/// A text that is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier")]
pub struct InvalidId;

/// Twelve bytes that are unique without coordination: seconds, a random part, a counter (MongoDB's ObjectId layout).
///
/// Ids made by one process ascend, so "newest first" is "by id, descending".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; 12]);

impl ObjectId {
    /// Number of bytes in an id.
    pub const LEN: usize = 12;

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// The id's bytes, as stores keep it.
    pub const fn bytes(&self) -> &[u8; 12] {
        &self.0
    }

    /// The id of what this text names: the same whoever makes it.
    pub fn named(name: &str) -> Self {
        let mut bytes = [0; Self::LEN];
        bytes.copy_from_slice(&Sha256::of(name.as_bytes()).0[..Self::LEN]);
        Self(bytes)
    }

    /// Reads 24 hexadecimal digits of either case.
    ///
    /// # Errors
    /// [`InvalidId`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let mut bytes = [0; 12];
        if text.len() != 24 {
            return Err(InvalidId);
        }
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidId)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<&[u8]> for ObjectId {
    type Error = InvalidId;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidId> {
        bytes.try_into().map(Self).map_err(|_| InvalidId)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 24];
        hex::encode_to_slice(self.0, &mut text).expect("24 digits hold 12 bytes");
        f.write_str(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::parse(text)
    }
}

impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub ObjectId);

        impl $name {
            /// Reads 24 hexadecimal digits.
            ///
            /// # Errors
            /// [`InvalidId`] for any other text.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                ObjectId::parse(text).map(Self)
            }

            /// The id with these bytes.
            pub const fn from_bytes(bytes: [u8; 12]) -> Self {
                Self(ObjectId::from_bytes(bytes))
            }

            /// The id's bytes, as stores keep it.
            pub const fn bytes(&self) -> &[u8; 12] {
                self.0.bytes()
            }
        }

        impl From<ObjectId> for $name {
            fn from(id: ObjectId) -> Self {
                Self(id)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = InvalidId;

            fn try_from(bytes: &[u8]) -> Result<Self, InvalidId> {
                ObjectId::try_from(bytes).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }
    )*};
}

typed_ids! {
    /// A user account.
    UserId;
    /// A sign-in: what a token or cookie stands for, and what is revoked.
    SessionId;
    /// A public key that verifies tokens, as `kid` in hexadecimal.
    SigningKeyId;
    /// A file or a folder.
    FileId;
    /// One tree of files with its usage and quota.
    SpaceId;
    /// Bytes set aside for an upload under way.
    ReservationId;
    /// A resumable upload.
    UploadId;
    /// A background job.
    JobId;
    /// What makes jobs at times.
    ScheduleId;
    /// People who are given rights together.
    GroupId;
    /// A right to a node that somebody was given.
    ShareId;
    /// A link that opens a node to whoever has its token.
    LinkId;
    /// Something that works on many files and goes on after its request.
    OperationId;
    /// Where a program of a user wants to be told what happens.
    WebhookId;
    /// One message to a webhook.
    DeliveryId;
    /// Something that a user is told.
    NotificationId;
    /// An account's data, put together for its owner.
    ExportId;
    /// An API token; not its secret.
    TokenId;
    /// A line of the audit log.
    AuditId;
    /// An invitation to make an account.
    InvitationId;
    /// Who somebody is to an identity provider.
    IdentityId;
}

/// The random name of a blob: 16 bytes, 32 hexadecimal digits. Never reused, never derived from content or file name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey([u8; 16]);

impl BlobKey {
    /// The key with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The key's bytes, as stores keep it.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads 32 hexadecimal digits.
    ///
    /// # Errors
    /// [`InvalidId`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let mut bytes = [0; 16];
        if text.len() != 32 {
            return Err(InvalidId);
        }
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidId)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<&[u8]> for BlobKey {
    type Error = InvalidId;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidId> {
        bytes.try_into().map(Self).map_err(|_| InvalidId)
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobKey({self})")
    }
}

impl FromStr for BlobKey {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::parse(text)
    }
}

impl Serialize for BlobKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlobKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// Makes identifiers. Handed in, so that tests can foresee them.
pub trait IdGen: Send + Sync {
    /// A new id; ids of one generator ascend.
    fn object_id(&self) -> ObjectId;

    /// A new blob key from a cryptographic random source.
    fn blob_key(&self) -> BlobKey;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_refuse_other_texts() {
        let id = FileId::parse("5f1e8896c7ba06511e683b25").unwrap();
        assert_eq!(id.to_string(), "5f1e8896c7ba06511e683b25");
        assert_eq!(serde_json::from_str::<FileId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        for wrong in [
            "",
            "0",
            "5f1e8896c7ba06511e683b2",
            "5f1e8896c7ba06511e683b2g",
            "5f1e8896c7ba06511e683b255",
            "ünïcödé-ünïcödé-",
        ] {
            assert_eq!(FileId::parse(wrong), Err(InvalidId), "{wrong:?}");
        }
    }

    #[test]
    fn blob_keys_round_trip() {
        let key = BlobKey::from_bytes([7; 16]);
        assert_eq!(BlobKey::parse(&key.to_string()), Ok(key));
        assert_eq!(BlobKey::parse("07"), Err(InvalidId));
    }
}
