//! The collections of requests with a key of their own, one for each owner of data.

use common::idempotency::{KEPT, KeyId, KeyState, KnownKey, LEASE, Released, Reserved, Run};
use common::{PortResult, Timestamp, UserId};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Document, doc};
use mongodb::options::ReturnDocument;
use mongodb::{ClientSession, Collection};
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Fault, Index, Step, is_duplicate};
use crate::value::{ToOid as _, binary};

/// The collection of one owner.
pub(crate) const AUTH: &str = "auth_keyed_requests";
/// The collection of one owner.
pub(crate) const FILES: &str = "files_keyed_requests";
/// The collection of one owner.
pub(crate) const JOBS: &str = "jobs_keyed_requests";

/// What the collection of an owner needs.
pub(crate) const fn steps(collection: &'static str) -> [Step; 3] {
    [
        Step::Collection(collection),
        Step::Index(Index::new(collection, "user_1", &[("user", 1), ("reserved_at", 1)])),
        Step::Index(Index::new(collection, "age_1", &[("reserved_at", 1)])),
    ]
}

#[derive(Serialize, Deserialize)]
struct KeyDoc {
    /// A hash.
    #[serde(rename = "_id")]
    key: Binary,
    user: ObjectId,
    reserved_at: i64,
    run: i64,
    /// End of the lease.
    until: i64,
    /// Sealed.
    fingerprint: Binary,
    /// Set in the commit of the first change, or before it.
    marked: bool,
    /// Sealed.
    answer: Option<Binary>,
}

impl KeyDoc {
    /// Whether the key was freed: then nothing is known of its request.
    fn is_free(&self) -> bool {
        self.fingerprint.bytes.is_empty()
    }

    fn read(self) -> Result<KnownKey, Fault> {
        let until = Timestamp::from_millis(self.until);
        let state = match (self.answer, self.marked) {
            (Some(answer), _) => KeyState::Answered(answer.bytes),
            (None, true) => KeyState::Marked { until },
            (None, false) => KeyState::Open { until },
        };
        Ok(KnownKey { number: number(self.run)?, fingerprint: self.fingerprint.bytes, state })
    }
}

fn number(run: i64) -> Result<u32, Fault> {
    u32::try_from(run).map_err(|_| Fault::Damaged("a run without a number"))
}

fn requests(engine: &Engine) -> Collection<KeyDoc> {
    engine.collection(match engine.name() {
        "auth" => AUTH,
        "files" => FILES,
        _ => JOBS,
    })
}

fn of_run(run: &Run) -> Document {
    doc! { "_id": binary(&run.key().0), "run": i64::from(run.number()) }
}

/// Marks the reservation of a run: in this transaction, or else at once.
///
/// # Errors
/// As the database; [`Fault::Overtaken`] if another run has the key.
pub(crate) async fn mark(
    engine: &Engine,
    session: Option<&mut ClientSession>,
    run: &Run,
) -> Result<(), Fault> {
    let requests = requests(engine);
    let marking = requests.update_one(of_run(run), doc! { "$set": { "marked": true } });
    let marked = match session {
        Some(session) => marking.session(session).await?,
        None => marking.await?,
    };
    if marked.matched_count == 1 { Ok(()) } else { Err(Fault::Overtaken) }
}

pub(crate) async fn reserve(
    engine: &Engine,
    key: KeyId,
    user: UserId,
    fingerprint: &[u8],
    most: u32,
    now: Timestamp,
) -> PortResult<Reserved> {
    engine.run(reserve_key(engine, key, user, fingerprint, most, now)).await
}

async fn reserve_key(
    engine: &Engine,
    key: KeyId,
    user: UserId,
    fingerprint: &[u8],
    most: u32,
    now: Timestamp,
) -> Result<Reserved, Fault> {
    let (requests, kept_since) = (requests(engine), (now - KEPT).millis());
    loop {
        let found = requests.find_one(doc! { "_id": binary(&key.0) }).await?;
        let before = match found {
            Some(found) if found.reserved_at > kept_since && !found.is_free() => {
                return Ok(Reserved::Known(found.read()?));
            }
            before => before,
        };
        let in_use = doc! {
            "user": user.oid(), "reserved_at": { "$gt": kept_since }, "fingerprint": { "$ne": binary(&[]) },
        };
        let in_use =
            requests.count_documents(in_use).limit(u64::from(most)).max_time(engine.deadline()).await?;
        if in_use >= u64::from(most) {
            return Ok(Reserved::TooMany);
        }
        let new = KeyDoc {
            key: binary(&key.0),
            user: user.oid(),
            reserved_at: now.millis(),
            // a run of that time must not be taken for this one
            run: before.as_ref().map_or(1, |before| before.run + 1),
            until: (now + LEASE).millis(),
            fingerprint: binary(fingerprint),
            marked: false,
            answer: None,
        };
        let is_ours = match before {
            None => match requests.insert_one(&new).await {
                Err(error) if is_duplicate(&error) => false,
                inserted => inserted.map(|_| true)?,
            },
            Some(before) => {
                let same =
                    doc! { "_id": binary(&key.0), "reserved_at": before.reserved_at, "run": before.run };
                requests.replace_one(same, &new).await?.matched_count == 1
            }
        };
        if is_ours {
            return Ok(Reserved::Run(Run::new(engine.name(), key, number(new.run)?)));
        }
    }
}

pub(crate) async fn take_over(
    engine: &Engine,
    key: KeyId,
    run: u32,
    now: Timestamp,
) -> PortResult<Option<Run>> {
    engine
        .run(async {
            let open = doc! {
                "_id": binary(&key.0), "run": i64::from(run), "until": { "$lte": now.millis() },
                "marked": false, "answer": null,
            };
            let next = doc! { "$inc": { "run": 1_i64 }, "$set": { "until": (now + LEASE).millis() } };
            let taken = requests(engine)
                .find_one_and_update(open, next)
                .return_document(ReturnDocument::After)
                .await?;
            let Some(taken) = taken else { return Ok(None) };
            Ok(Some(Run::new(engine.name(), key, number(taken.run)?)))
        })
        .await
}

pub(crate) async fn keep_answer(engine: &Engine, run: &Run, answer: &[u8]) -> PortResult<bool> {
    engine
        .run(async {
            let kept = doc! { "$set": { "answer": binary(answer) } };
            Ok(requests(engine).update_one(of_run(run), kept).await?.matched_count == 1)
        })
        .await
}

pub(crate) async fn release(engine: &Engine, run: &Run) -> PortResult<Released> {
    engine
        .run(async {
            let requests = requests(engine);
            let mut open = of_run(run);
            open.extend(doc! { "marked": false, "answer": null });
            // the number stays: a run that still goes on must not be taken for the next one
            let freed =
                doc! { "$inc": { "run": 1_i64 }, "$set": { "until": 0_i64, "fingerprint": binary(&[]) } };
            if requests.update_one(open, freed).await?.matched_count == 1 {
                return Ok(Released::Free);
            }
            // nobody is at it any more
            let ended = doc! { "$set": { "until": 0_i64 } };
            if requests.update_one(of_run(run), ended).await?.matched_count == 1 {
                return Ok(Released::Marked);
            }
            let there = requests.find_one(doc! { "_id": binary(&run.key().0) }).await?;
            let is_held = there.is_some_and(|there| !there.is_free());
            Ok(if is_held { Released::Overtaken } else { Released::Free })
        })
        .await
}

pub(crate) async fn forget(engine: &Engine, before: Timestamp, limit: u32) -> PortResult<u32> {
    engine
        .run(async {
            let requests = requests(engine).clone_with_type::<Document>();
            let old: Vec<Document> = requests
                .find(doc! { "reserved_at": { "$lte": before.millis() } })
                .projection(doc! { "_id": 1 })
                .sort(doc! { "reserved_at": 1 })
                .limit(i64::from(limit.max(1)))
                .max_time(engine.deadline())
                .await?
                .try_collect()
                .await?;
            let ids: Vec<_> = old.into_iter().filter_map(|mut old| old.remove("_id")).collect();
            if ids.is_empty() {
                return Ok(0);
            }
            // one of them may have been reserved anew
            let still = doc! { "_id": { "$in": ids }, "reserved_at": { "$lte": before.millis() } };
            let forgotten = requests.delete_many(still).await?.deleted_count;
            Ok(u32::try_from(forgotten).unwrap_or(u32::MAX))
        })
        .await
}

/// Makes a database an [`common::idempotency::IdempotencyStore`].
macro_rules! impl_keyed {
    ($db:ty) => {
        #[async_trait::async_trait]
        impl common::idempotency::IdempotencyStore for $db {
            async fn reserve(
                &self,
                key: common::idempotency::KeyId,
                user: common::UserId,
                fingerprint: &[u8],
                most: u32,
                now: common::Timestamp,
            ) -> common::PortResult<common::idempotency::Reserved> {
                $crate::keyed::reserve(&self.engine, key, user, fingerprint, most, now).await
            }

            async fn take_over(
                &self,
                key: common::idempotency::KeyId,
                number: u32,
                now: common::Timestamp,
            ) -> common::PortResult<Option<common::idempotency::Run>> {
                $crate::keyed::take_over(&self.engine, key, number, now).await
            }

            async fn keep_answer(
                &self,
                run: &common::idempotency::Run,
                answer: &[u8],
            ) -> common::PortResult<bool> {
                $crate::keyed::keep_answer(&self.engine, run, answer).await
            }

            async fn release(
                &self,
                run: &common::idempotency::Run,
            ) -> common::PortResult<common::idempotency::Released> {
                $crate::keyed::release(&self.engine, run).await
            }

            async fn forget_keys(&self, before: common::Timestamp, limit: u32) -> common::PortResult<u32> {
                $crate::keyed::forget(&self.engine, before, limit).await
            }
        }
    };
}

pub(crate) use impl_keyed;
