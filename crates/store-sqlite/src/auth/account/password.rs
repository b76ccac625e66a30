use common::auth::{CodeKind, PasswordChange, PasswordProof};
use common::{Timestamp, UserId};

use super::{codes, devices, sessions};
use crate::auth::{identities, tokens, users};
use crate::engine::Tx;

/// False, and nothing done, if the proof is none any more.
pub(super) fn change(tx: &Tx<'_>, change: &PasswordChange) -> rusqlite::Result<bool> {
    let PasswordChange { user, proof, password_hash, keep, keep_devices, end_tokens, at } = change;
    let had_password = users::find(tx, *user)?.is_some_and(|user| user.password().is_some());
    let changed = match proof {
        PasswordProof::Hash(before) => tx
            .prepare_cached("UPDATE users SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2")?
            .execute((user.bytes(), before, password_hash))?,
        PasswordProof::Code(hash) => {
            let code = codes::find(tx, hash, CodeKind::Reset, *at)?;
            if code.is_none_or(|code| code.user != Some(*user)) {
                return Ok(false);
            }
            // whoever reads the address's mail is its owner
            set(tx, *user, password_hash, *at)?
        }
    };
    if changed == 0 {
        return Ok(false);
    }
    sessions::revoke_all(tx, *user, *keep, *at)?;
    if *end_tokens {
        tokens::revoke_all(tx, *user, *at)?;
        // whoever knew the password before may have linked some
        if had_password {
            identities::remove_of(tx, *user)?;
        }
    }
    codes::remove_of(tx, *user)?;
    devices::forget(tx, *user, keep_devices, *at)?;
    Ok(true)
}

fn set(tx: &Tx<'_>, user: UserId, hash: &str, at: Timestamp) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "UPDATE users SET password_hash = ?2, verified_at = coalesce(verified_at, ?3) WHERE id = ?1",
    )?
    .execute((user.bytes(), hash, at.millis()))
}
