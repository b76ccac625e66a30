//! What gives back by itself what an upload has taken, also when its future is dropped.

use std::sync::Arc;

use crate::background::Background;
use crate::state::FileService;
use common::files::{BlobStore, FileStore};
use common::{BlobKey, Causes, ReservationId};

/// Bytes set aside in a space; given back when dropped, unless a commit settled them.
pub(in crate::app) struct Reservation {
    id: ReservationId,
    store: Arc<dyn FileStore>,
    background: Background,
    settled: bool,
    /// Somebody else gives it back.
    lasting: bool,
}

impl Reservation {
    /// For a reservation that is about to be made: one that never was is given back without effect.
    pub(super) fn new(service: &FileService) -> Self {
        Self {
            id: ReservationId(service.ids.object_id()),
            store: Arc::clone(&service.store),
            background: service.background.clone(),
            settled: false,
            lasting: false,
        }
    }

    /// One that outlasts a commit that does not come about.
    pub(in crate::app) fn lasting(service: &FileService, id: ReservationId) -> Self {
        let mut reservation = Self::new(service);
        reservation.id = id;
        reservation.lasting = true;
        reservation
    }

    pub(super) fn id(&self) -> ReservationId {
        self.id
    }

    /// Whether a commit took it, or may have.
    pub(super) fn set_settled(&mut self, settled: bool) {
        self.settled = settled;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.settled || self.lasting {
            return;
        }
        let (store, id) = (Arc::clone(&self.store), self.id);
        self.background.spawn(async move {
            if let Err(error) = store.release(id).await {
                tracing::warn!(reservation = %id, cause = %Causes(&error), "a reservation is left to the sweep");
            }
        });
    }
}

/// A blob that no commit has taken yet; deleted when dropped, unless one did or may have.
pub(in crate::app) struct Stray {
    key: BlobKey,
    blobs: Arc<dyn BlobStore>,
    background: Background,
    kept: bool,
}

impl Stray {
    pub(super) fn new(service: &FileService, key: BlobKey) -> Self {
        Self { key, blobs: Arc::clone(&service.blobs), background: service.background.clone(), kept: false }
    }

    /// Whether a commit took it, or may have: then only the sweep, which knows the rows, may delete it.
    pub(super) fn set_kept(&mut self, kept: bool) {
        self.kept = kept;
    }
}

impl Drop for Stray {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let (blobs, key) = (Arc::clone(&self.blobs), self.key);
        self.background.spawn(async move {
            if let Err(error) = blobs.delete(key).await {
                tracing::warn!(blob = %key, cause = %Causes(&error), "a stray blob is left to the sweep");
            }
        });
    }
}
