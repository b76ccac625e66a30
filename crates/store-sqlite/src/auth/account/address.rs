use common::auth::{Address, AddressChange, ChangeAddressError, CodeKind};
use common::{Timestamp, UserId};

use super::codes;
use crate::engine::{Tx, TxResult};

/// The account whose code it is. Its other codes of this kind go too.
pub(super) fn verify(tx: &Tx<'_>, hash: &[u8; 32], at: Timestamp) -> rusqlite::Result<Option<UserId>> {
    let Some(user) = codes::find(tx, hash, CodeKind::Verify, at)?.and_then(|code| code.user) else {
        return Ok(None);
    };
    tx.prepare_cached("UPDATE users SET verified_at = coalesce(verified_at, ?2) WHERE id = ?1")?
        .execute((user.bytes(), at.millis()))?;
    tx.prepare_cached("DELETE FROM mailed_codes WHERE user = ?1 AND kind = ?2")?
        .execute((user.bytes(), CodeKind::Verify.word()))?;
    Ok(Some(user))
}

pub(super) fn change(tx: &Tx<'_>, change: &AddressChange) -> TxResult<Address, ChangeAddressError> {
    let AddressChange { user, hash, other_hash, at } = change;
    let code = codes::find(tx, hash, CodeKind::Email, *at)?
        .filter(|code| code.user == Some(*user) && code.other_hash == *other_hash);
    let Some(address) = code.and_then(|code| code.address) else {
        return Err(ChangeAddressError::WrongCode.into());
    };
    let key = address.key();
    let taken: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM users WHERE address_key = ?1 AND id <> ?2)")?
        .query_row((key.as_str(), user.bytes()), |row| row.get(0))?;
    if taken {
        return Err(ChangeAddressError::AddressTaken.into());
    }
    let changed = tx
        .prepare_cached("UPDATE users SET address = ?2, address_key = ?3, verified_at = ?4 WHERE id = ?1")?
        .execute((user.bytes(), address.as_str(), key.as_str(), at.millis()))?;
    if changed == 0 {
        return Err(ChangeAddressError::WrongCode.into());
    }
    codes::remove_of(tx, *user)?;
    Ok(address)
}
