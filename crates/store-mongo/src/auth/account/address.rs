use common::auth::{Address, AddressChange, ChangeAddressError, CodeKind};
use common::{PortError, Timestamp, UserId};
use mongodb::ClientSession;
use mongodb::bson::{Document, doc};

use super::codes::{self, CODES, CodeDoc};
use crate::auth::users::{EMAILS, EmailDoc, USERS};
use crate::engine::{Engine, TxResult, is_duplicate};
use crate::value::{ToOid as _, binary};

/// The account whose code it is. Its other codes of this kind go too.
pub(super) async fn verify(
    engine: &Engine,
    session: &mut ClientSession,
    hash: &[u8; 32],
    at: Timestamp,
) -> TxResult<Option<UserId>, PortError> {
    let codes = engine.collection::<CodeDoc>(CODES);
    let found = codes.find_one(codes::live(hash, CodeKind::Verify, at)).session(&mut *session).await?;
    let user = match found {
        Some(found) => found.read()?.user,
        None => None,
    };
    let Some(user) = user else { return Ok(None) };
    let users = engine.collection::<Document>(USERS);
    users
        .update_one(
            doc! { "_id": user.oid(), "verified_at": null },
            doc! { "$set": { "verified_at": at.millis() } },
        )
        .session(&mut *session)
        .await?;
    let used = codes
        .delete_many(doc! { "user": user.oid(), "kind": CodeKind::Verify.word() })
        .session(session)
        .await?;
    Ok((used.deleted_count > 0).then_some(user))
}

pub(super) async fn change(
    engine: &Engine,
    session: &mut ClientSession,
    change: &AddressChange,
) -> TxResult<Address, ChangeAddressError> {
    let AddressChange { user, hash, other_hash, at } = change;
    let user = user.oid();
    let mut live = codes::live(hash, CodeKind::Email, *at);
    live.insert("user", user);
    live.insert("other_hash", other_hash.as_ref().map(|hash| binary(hash)));
    let code = engine.collection::<CodeDoc>(CODES).find_one_and_delete(live).session(&mut *session).await?;
    let address = match code {
        Some(code) => code.read()?.address,
        None => None,
    };
    let users = engine.collection::<Document>(USERS);
    let before = users.find_one(doc! { "_id": user }).session(&mut *session).await?;
    let (Some(address), Some(before)) = (address, before) else {
        return Err(ChangeAddressError::WrongCode.into());
    };
    let old = before.get_str("address").ok().and_then(|address| Address::parse(address).ok());
    let (key, old_key) = (address.key(), old.map(|old| old.key()));
    if old_key.as_ref() != Some(&key) {
        let emails = engine.collection::<EmailDoc>(EMAILS);
        let email = EmailDoc { address: key.as_str().to_owned(), user };
        match emails.insert_one(email).session(&mut *session).await {
            Err(error) if is_duplicate(&error) => return Err(ChangeAddressError::AddressTaken.into()),
            result => result?,
        };
        if let Some(old) = old_key {
            emails.delete_one(doc! { "_id": old.as_str(), "user": user }).session(&mut *session).await?;
        }
    }
    let set = doc! { "address": address.as_str(), "verified_at": at.millis() };
    users.update_one(doc! { "_id": user }, doc! { "$set": set }).session(&mut *session).await?;
    codes::remove_of(engine, session, user).await?;
    Ok(address)
}
