use common::PortError;
use common::auth::{CodeKind, PasswordChange, PasswordProof};
use mongodb::ClientSession;
use mongodb::bson::{Document, doc};

use super::codes::{self, CODES};
use super::{devices, sessions};
use crate::auth::identities;
use crate::auth::sessions::SESSIONS;
use crate::auth::tokens::{self, TOKENS};
use crate::auth::users::USERS;
use crate::engine::{Engine, TxResult};
use crate::value::ToOid as _;

/// False, and nothing done, if the proof is none any more.
pub(super) async fn change(
    engine: &Engine,
    session: &mut ClientSession,
    change: &PasswordChange,
) -> TxResult<bool, PortError> {
    let PasswordChange { user, proof, password_hash, keep, keep_devices, end_tokens, at } = change;
    let user = user.oid();
    let mut filter = doc! { "_id": user };
    match proof {
        PasswordProof::Hash(before) => {
            filter.insert("password_hash", before);
        }
        PasswordProof::Code(hash) => {
            let mut code = codes::live(hash, CodeKind::Reset, *at);
            code.insert("user", user);
            let used = engine.collection::<Document>(CODES).delete_one(code).session(&mut *session).await?;
            if used.deleted_count == 0 {
                return Ok(false);
            }
        }
    }
    if matches!(proof, PasswordProof::Code(_)) {
        // whoever reads the address's mail is its owner
        let verified = doc! { "$set": { "verified_at": at.millis() } };
        let unverified = doc! { "_id": user, "verified_at": null };
        let users = engine.collection::<Document>(USERS);
        users.update_one(unverified, verified).session(&mut *session).await?;
    }
    // the count has whoever links an identity at the same time come before this or after it
    let set = doc! { "$set": { "password_hash": password_hash }, "$inc": { "identity_changes": 1_i64 } };
    let users = engine.collection::<Document>(USERS);
    let Some(before) = users.find_one_and_update(filter, set).session(&mut *session).await? else {
        return Ok(false);
    };
    let (live, end) = sessions::revocation(user, *keep, *at);
    engine.collection::<Document>(SESSIONS).update_many(live, end).session(&mut *session).await?;
    if *end_tokens {
        let (live, end) = tokens::revocation(user, *at);
        engine.collection::<Document>(TOKENS).update_many(live, end).session(&mut *session).await?;
        // whoever knew the password before may have linked some
        if before.get_str("password_hash").is_ok_and(|hash| !hash.is_empty()) {
            identities::remove_of(engine, session, user).await?;
        }
    }
    codes::remove_of(engine, session, user).await?;
    devices::forget(engine, session, user, keep_devices, *at).await?;
    Ok(true)
}
