//! Uploads that come in several goes.

use async_trait::async_trait;

use super::{Actor, NodeError, NodeName, PartialBlob};
use crate::error::PortResult;
use crate::{BlobKey, FileId, LinkId, ReservationId, Sha256, SpaceId, Timestamp, UploadId, UserId};

/// What to do about a name that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// Refuse.
    #[default]
    Fail,
    /// Take the next free name.
    Rename,
    /// Give the file that has it new content.
    Replace,
}

impl OnConflict {
    /// The word that clients and stores use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Rename => "rename",
            Self::Replace => "replace",
        }
    }

    /// What the word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Fail, Self::Rename, Self::Replace].into_iter().find(|policy| policy.word() == word)
    }
}

/// What becomes of the bytes of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadRole {
    /// They are a file.
    Whole,
    /// They are a part of another upload.
    Part,
    /// It has none of its own: its parts, one after another, are a file.
    Final(Vec<UploadId>),
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadState {
    /// Bytes are missing, or the client has not said that they are all there.
    Open,
    /// All bytes are there. A part stays so.
    Complete,
    /// It is this file now.
    Done(FileId),
}

/// Whose an upload is: nobody else goes on with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Uploader {
    /// An account's.
    User(UserId),
    /// Of whoever has this link, and knows the upload's id.
    Link(LinkId),
}

impl Uploader {
    /// Whose the uploads of this actor are; none for an actor that has none.
    pub const fn of(actor: Actor) -> Option<Self> {
        match actor {
            Actor::User(user) => Some(Self::User(user)),
            Actor::Link(access) => Some(Self::Link(access.link)),
            // a credential that is good for one folder uploads in one request
            Actor::UserWithin { .. } | Actor::Anonymous | Actor::Service => None,
        }
    }
}

/// A resumable upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Who answers for it: who uploads, or who made the link that it comes by.
    pub owner: UserId,
    /// The link that it comes by, if it does by one.
    pub link: Option<LinkId>,
    /// The tree that the file will be in.
    pub space: SpaceId,
    /// The folder that it will be in.
    pub parent: FileId,
    /// Its name; a part may have none.
    pub name: Option<NodeName>,
    /// What to do if the name is taken then.
    pub on_conflict: OnConflict,
    /// When the content was last changed where it comes from.
    pub modified_at: Option<Timestamp>,
    /// What the client said of the upload, in its own words, to be told again.
    pub metadata: Option<String>,
    /// What becomes of the bytes.
    pub role: UploadRole,
    /// How many bytes they will be, if that is known.
    pub length: Option<u64>,
    /// The digest that they must have.
    pub digest: Option<Sha256>,
    /// How much is there.
    pub blob: PartialBlob,
    /// The id that the file gets, if it is a new one: fixed, so that a commit that is repeated makes nothing twice.
    pub file: FileId,
    /// How far it is.
    pub state: UploadState,
    /// What is set aside for it.
    pub reservation: Option<ReservationId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// Counts the holders.
    pub generation: u64,
    /// Until when its holder has it for itself; none if nobody has.
    pub lease: Option<Timestamp>,
}

impl Upload {
    /// When an upload expired that was cut off: before all that ever were.
    pub const CUT_OFF: Timestamp = Timestamp::from_millis(0);

    /// How many bytes are there.
    pub fn offset(&self) -> u64 {
        self.blob.size
    }

    /// Whose it is.
    pub fn uploader(&self) -> Uploader {
        self.link.map_or(Uploader::User(self.owner), Uploader::Link)
    }

    /// Whether it was cut off: nobody goes on with it, and it is kept for no longer.
    pub fn is_cut_off(&self) -> bool {
        self.expires_at == Self::CUT_OFF
    }

    /// How many bytes are to be set aside for it while nobody sends to it, under its reservation if it has one. By a link that is what has come, so that
    /// nobody keeps room by a length alone; what is put together has what its parts had.
    pub fn due_bytes(&self) -> u64 {
        match (&self.role, self.link, self.length) {
            (UploadRole::Final(_), _, Some(length)) | (_, None, Some(length)) => length,
            _ => self.offset(),
        }
    }
}

/// Whether an upload was got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// Here it is, with a new generation and the lease.
    Held(Box<Upload>),
    /// Somebody else has it. They will learn that it is wanted when they next save it.
    Busy,
    /// There is no such upload.
    Gone,
}

/// Whether a change by a holder counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It does.
    Kept {
        /// Somebody else wants the upload: leave it soon.
        wanted: bool,
    },
    /// It does not: somebody else holds the upload, or it is gone.
    Lost,
}

/// Rows of resumable uploads. Every change is atomic, and durable when the call returns.
///
/// An upload has one holder at a time: [`UploadStore::take_upload`] begins a generation, and whatever an older one says does not count. The lease is
/// only there so that nobody is thrown out while they work; it does not keep anything right.
#[async_trait]
pub trait UploadStore: Send + Sync {
    /// Keeps a new upload. Its id is fresh.
    async fn insert_upload(&self, upload: &Upload) -> PortResult<()>;

    /// Keeps a new upload, with `bytes` set aside under its reservation until `until`: one commit, so that nothing is set aside for what is no upload. Without
    /// a reservation it is only kept.
    ///
    /// # Errors
    /// As [`super::FileStore::reserve`]; then neither is done.
    async fn insert_upload_with_room(
        &self,
        upload: &Upload,
        bytes: u64,
        until: Timestamp,
    ) -> Result<(), NodeError>;

    /// The upload with this id.
    async fn find_upload(&self, id: UploadId) -> PortResult<Option<Upload>>;

    /// Uploads of somebody that are no files yet, newest first, older than `before`, at most `limit`. What comes by a link is not among those of its maker.
    async fn list_uploads(
        &self,
        of: Uploader,
        before: Option<UploadId>,
        limit: u32,
    ) -> PortResult<Vec<Upload>>;

    /// How many there are in that list.
    async fn count_uploads(&self, of: Uploader) -> PortResult<u64>;

    /// Uploads into a space that are not `owner`'s own and no files yet, newest first, older than `before`, at most `limit`: those of others, and by links,
    /// whoever made these.
    async fn list_uploads_into(
        &self,
        space: SpaceId,
        owner: UserId,
        before: Option<UploadId>,
        limit: u32,
    ) -> PortResult<Vec<Upload>>;

    /// How many there are in that list.
    async fn count_uploads_into(&self, space: SpaceId, owner: UserId) -> PortResult<u64>;

    /// Uploads of everybody that are no files yet, by their ids, after `after`, at most `limit`: for upkeep.
    async fn list_unfinished_uploads(&self, after: Option<UploadId>, limit: u32) -> PortResult<Vec<Upload>>;

    /// Takes an upload if nobody holds it, or if the holder's lease ended before `now`: its generation is counted up and the lease is `until`. Otherwise
    /// notes that it is wanted. Of simultaneous calls one gets it.
    async fn take_upload(&self, id: UploadId, now: Timestamp, until: Timestamp) -> PortResult<Taken>;

    /// Keeps everything that can change of an upload (all but its id, owner, link, space, role, file and times of creation) if its generation is still this one. With
    /// the lease `None` the holder leaves it. Safe to repeat.
    async fn save_upload(&self, upload: &Upload) -> PortResult<Saved>;

    /// Keeps an upload as [`UploadStore::save_upload`] does, and sets `bytes` aside under its reservation until `until`, in place of what that and the
    /// `merged` ones hold: one commit, so that nothing is set aside for a length that is not noted, or for whoever has lost the upload, and nobody else gets
    /// room that is given back to this space. What one of them holds in another space goes back there. Without a reservation the upload is only kept. Safe to
    /// repeat.
    ///
    /// # Errors
    /// As [`super::FileStore::reserve`], if it is more than they held and does not fit; then nothing is done.
    async fn save_upload_with_room(
        &self,
        upload: &Upload,
        merged: &[ReservationId],
        bytes: u64,
        until: Timestamp,
    ) -> Result<Saved, NodeError>;

    /// Keeps an upload as [`UploadStore::save_upload`] does, and removes the parts that it is made of, whoever holds them, with what is set aside for them:
    /// one commit. The parts that were there; their bytes are the caller's to remove, and strays if nobody does. Safe to repeat.
    async fn save_upload_without_parts(&self, upload: &Upload) -> PortResult<(Saved, Vec<Upload>)>;

    /// Cuts off the uploads of somebody that are no files yet: they expire at [`Upload::CUT_OFF`], and nobody holds one any more, so that what their holders
    /// say does not count. How many there were. Safe to repeat; after a failure it may have been done for some.
    async fn cut_off_uploads(&self, of: Uploader) -> PortResult<u64>;

    /// Removes an upload, if its generation is still this one, and gives back what is set aside for it, in one commit; whether it did.
    async fn remove_upload(&self, id: UploadId, generation: u64) -> PortResult<bool>;

    /// Uploads that expired before `now`, at most `limit`, the oldest first.
    async fn list_expired_uploads(&self, now: Timestamp, limit: u32) -> PortResult<Vec<Upload>>;

    /// Which of these keys belong to uploads that are no files yet: their bytes are no strays.
    async fn known_uploads(&self, keys: &[BlobKey]) -> PortResult<Vec<BlobKey>>;

    /// Uploads that wait for this part, at most 100.
    async fn finals_of_part(&self, part: UploadId) -> PortResult<Vec<UploadId>>;
}
