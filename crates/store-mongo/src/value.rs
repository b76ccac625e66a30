//! How domain values are kept in documents: ids as ObjectIds, keys and hashes as binaries, times as milliseconds, counts as 64-bit integers.

use common::{
    AuditId, BlobKey, DeliveryId, ExportId, FileId, GroupId, IdentityId, InvitationId, JobId, LinkId,
    NotificationId, OperationId, ReservationId, ScheduleId, SessionId, ShareId, SigningKeyId, SpaceId,
    Timestamp, TokenId, UploadId, UserId, WebhookId,
};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Document, doc};

use crate::engine::Fault;

/// Ids as documents have them.
pub(crate) trait ToOid: Copy {
    /// The same bytes.
    fn oid(self) -> ObjectId;
}

macro_rules! to_oid {
    ($($id:ty),*) => {$(
        impl ToOid for $id {
            fn oid(self) -> ObjectId {
                ObjectId::from_bytes(*self.bytes())
            }
        }
    )*};
}

to_oid!(
    UserId,
    SessionId,
    SigningKeyId,
    FileId,
    SpaceId,
    ReservationId,
    UploadId,
    JobId,
    ScheduleId,
    GroupId,
    ShareId,
    LinkId,
    OperationId,
    WebhookId,
    DeliveryId,
    NotificationId,
    common::ObjectId
);
to_oid!(TokenId, AuditId, InvitationId, IdentityId, ExportId);

/// The id with these bytes.
pub(crate) fn id<T: From<common::ObjectId>>(oid: ObjectId) -> T {
    common::ObjectId::from_bytes(oid.bytes()).into()
}

/// Ids for `$in`.
pub(crate) fn oids<T: ToOid>(ids: &[T]) -> Vec<ObjectId> {
    ids.iter().map(|id| id.oid()).collect()
}

/// Bytes as documents have them.
pub(crate) fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

/// A key as documents have it.
pub(crate) fn key(key: BlobKey) -> Binary {
    binary(key.bytes())
}

/// Reads [`key`].
pub(crate) fn read_key(binary: &Binary) -> Result<BlobKey, Fault> {
    fixed(binary).map(BlobKey::from_bytes)
}

/// Reads bytes of a known number.
pub(crate) fn fixed<const N: usize>(binary: &Binary) -> Result<[u8; N], Fault> {
    binary.bytes.as_slice().try_into().map_err(|_| Fault::Damaged("bytes of another length"))
}

/// A count. Nothing that is counted comes near 2^63; a limit beyond it is as good as the greatest.
pub(crate) fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Reads [`int`].
pub(crate) fn count(value: i64) -> Result<u64, Fault> {
    u64::try_from(value).map_err(|_| Fault::Damaged("a negative count"))
}

/// What stands behind a place in a list that has the newest first, those of one time by their ids.
pub(crate) fn behind(at: Timestamp, id: impl ToOid) -> Vec<Document> {
    vec![
        doc! { "created_at": { "$lt": at.millis() } },
        doc! { "created_at": at.millis(), "_id": { "$lt": id.oid() } },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_went() {
        let file = FileId::from_bytes([7; 12]);
        assert_eq!(id::<FileId>(file.oid()), file);
        let blob = BlobKey::from_bytes([9; 16]);
        assert_eq!(read_key(&key(blob)).unwrap(), blob);
        assert!(fixed::<3>(&binary(&[1, 2])).is_err());
        assert_eq!(count(int(u64::MAX)).unwrap(), i64::MAX as u64);
        assert!(count(-1).is_err());
    }
}
