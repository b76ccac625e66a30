//! Accounts and what is theirs, as a whole.

use async_trait::async_trait;
use common::auth::{Account, ApiToken, AuditEntry, Group, Identity, Invitation};
use common::jobs::NewJob;
use common::portable::{PortableAccount, PortableAuth};
use common::{
    AuditId, GroupId, IdentityId, InvitationId, JobId, PortError, PortResult, Timestamp, TokenId, UserId,
};
use rusqlite::{Connection, params};

use super::account::profile;
use super::{AuthDb, audit, groups, identities, invitations, tokens, users};
use crate::engine::{Abort, Durability, Tx, damaged};
use crate::outbox;
use crate::row::{RowExt as _, int, is_there};

/// Below every id.
const START: [u8; 12] = [0; 12];

impl AuthDb {
    async fn page<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> PortResult<T> {
        self.engine.read(|connection| Ok(work(connection)?)).await
    }

    async fn keep<T: Clone + Send + Sync + 'static>(
        &self,
        items: &[T],
        work: impl Fn(&Tx<'_>, &T) -> rusqlite::Result<()> + Send + 'static,
    ) -> PortResult<()> {
        let items = items.to_vec();
        self.engine
            .write(Durability::Durable, move |tx| {
                items.iter().try_for_each(|item| work(tx, item))?;
                Ok::<_, Abort<PortError>>(())
            })
            .await
    }
}

fn with_factors(connection: &Connection, account: Account) -> rusqlite::Result<PortableAccount> {
    let user = account.user.id;
    let recovery_codes = connection
        .prepare_cached("SELECT hash FROM recovery_codes WHERE user = ?1 ORDER BY hash")?
        .query_map([user.bytes()], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let devices = connection
        .prepare_cached("SELECT hash, seen_at FROM devices WHERE user = ?1 ORDER BY hash")?
        .query_map([user.bytes()], |row| Ok((row.get(0)?, row.time(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(PortableAccount { account, recovery_codes, devices })
}

fn keep_account(tx: &Tx<'_>, kept: &PortableAccount) -> rusqlite::Result<()> {
    let PortableAccount { account, recovery_codes, devices } = kept;
    let (user, totp) = (&account.user, account.totp.as_ref());
    let preferences =
        serde_json::to_string(&account.preferences).map_err(|_| damaged("preferences that are no JSON"))?;
    tx.prepare_cached(
        "INSERT INTO users (id, address, address_key, password_hash, role, disabled, bootstrap, created_at, verified_at,
                            name, preferences, revision, totp, totp_confirmed_at, totp_step, deletes_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) ON CONFLICT (id) DO NOTHING",
    )?
    .execute(params![
        user.id.bytes(),
        user.address.as_str(),
        user.address.key().as_str(),
        user.password_hash,
        user.role.word(),
        account.blocked,
        user.bootstrap,
        user.created_at.millis(),
        account.verified_at.map(Timestamp::millis),
        account.name,
        preferences,
        int(account.revision),
        totp.map(|totp| &totp.sealed),
        totp.and_then(|totp| totp.confirmed_at).map(Timestamp::millis),
        totp.map_or(0, |totp| int(totp.last_step)),
        account.deletes_at.map(Timestamp::millis),
    ])?;
    let mut code =
        tx.prepare_cached("INSERT INTO recovery_codes (user, hash) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    for hash in recovery_codes {
        code.execute((user.id.bytes(), hash))?;
    }
    let mut device = tx.prepare_cached(
        "INSERT INTO devices (user, hash, seen_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?;
    for (hash, seen_at) in devices {
        device.execute((user.id.bytes(), hash, seen_at.millis()))?;
    }
    Ok(())
}

fn keep_group(tx: &Tx<'_>, group: &Group) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO groups (id, name, name_key, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO NOTHING",
    )?
    .execute((group.id.bytes(), &group.name, Group::name_key(&group.name), group.created_at.millis()))?;
    let mut member = tx.prepare_cached(
        "INSERT INTO group_members (\"group\", user) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    )?;
    for user in &group.members {
        member.execute((group.id.bytes(), user.bytes()))?;
    }
    Ok(())
}

#[async_trait]
impl PortableAuth for AuthDb {
    async fn page_accounts(&self, after: Option<UserId>, limit: u32) -> PortResult<Vec<PortableAccount>> {
        let after = after.map_or(START, |id| *id.bytes());
        self.page(move |connection| {
            let accounts: Vec<Account> = connection
                .prepare_cached(&format!(
                    "SELECT {}, {} FROM users WHERE id > ?1 ORDER BY id LIMIT ?2",
                    users::COLUMNS,
                    profile::MORE
                ))?
                .query_map((after, limit), profile::account)?
                .collect::<Result<_, _>>()?;
            accounts.into_iter().map(|account| with_factors(connection, account)).collect()
        })
        .await
    }

    async fn keep_accounts(&self, accounts: &[PortableAccount]) -> PortResult<()> {
        let accounts = accounts.to_vec();
        self.engine
            .write(Durability::Durable, move |tx| {
                accounts.iter().try_for_each(|account| keep_account(tx, account))?;
                tx.prepare_cached(
                    "UPDATE counters SET value = (SELECT count(*) FROM users WHERE bootstrap = 0) WHERE name = 'users'",
                )?
                .execute([])?;
                Ok::<_, Abort<PortError>>(())
            })
            .await
    }

    async fn page_tokens(&self, after: Option<TokenId>, limit: u32) -> PortResult<Vec<ApiToken>> {
        let after = after.map_or(START, |id| *id.bytes());
        self.page(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {} FROM api_tokens WHERE id > ?1 ORDER BY id LIMIT ?2",
                    tokens::COLUMNS
                ))?
                .query_map((after, limit), tokens::token)?
                .collect()
        })
        .await
    }

    async fn keep_tokens(&self, tokens: &[ApiToken]) -> PortResult<()> {
        self.keep(tokens, |tx, token| match is_there(tx, "api_tokens", token.id.bytes())? {
            true => Ok(()),
            false => tokens::insert(tx, token),
        })
        .await
    }

    async fn page_audit(&self, after: Option<AuditId>, limit: u32) -> PortResult<Vec<AuditEntry>> {
        let after = after.map_or(START, |id| *id.bytes());
        self.page(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {} FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2",
                    audit::COLUMNS
                ))?
                .query_map((after, limit), audit::entry)?
                .collect()
        })
        .await
    }

    async fn keep_audit(&self, entries: &[AuditEntry]) -> PortResult<()> {
        self.keep(entries, |tx, entry| match is_there(tx, "audit", entry.id.bytes())? {
            true => Ok(()),
            false => audit::insert(tx, entry),
        })
        .await
    }

    async fn page_invitations(&self, after: Option<InvitationId>, limit: u32) -> PortResult<Vec<Invitation>> {
        let after = after.map_or(START, |id| *id.bytes());
        self.page(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {} FROM invitations WHERE id > ?1 ORDER BY id LIMIT ?2",
                    invitations::COLUMNS
                ))?
                .query_map((after, limit), invitations::invitation)?
                .collect()
        })
        .await
    }

    async fn keep_invitations(&self, invitations: &[Invitation]) -> PortResult<()> {
        self.keep(invitations, |tx, invitation| match is_there(tx, "invitations", invitation.id.bytes())? {
            true => Ok(()),
            false => invitations::insert(tx, invitation),
        })
        .await
    }

    async fn page_groups(&self, after: Option<GroupId>, limit: u32) -> PortResult<Vec<Group>> {
        let after = after.map_or(START, |id| *id.bytes());
        self.page(move |connection| {
            let ids: Vec<GroupId> = connection
                .prepare_cached("SELECT id FROM groups WHERE id > ?1 ORDER BY id LIMIT ?2")?
                .query_map((after, limit), |row| row.id(0))?
                .collect::<Result<_, _>>()?;
            ids.into_iter().filter_map(|id| groups::find(connection, id).transpose()).collect()
        })
        .await
    }

    async fn keep_groups(&self, groups: &[Group]) -> PortResult<()> {
        self.keep(groups, keep_group).await
    }

    async fn page_identities(
        &self,
        after: Option<(UserId, IdentityId)>,
        limit: u32,
    ) -> PortResult<Vec<Identity>> {
        let (user, id) = after.map_or((START, START), |(user, id)| (*user.bytes(), *id.bytes()));
        self.page(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {} FROM identities WHERE (user, id) > (?1, ?2) ORDER BY user, id LIMIT ?3",
                    identities::COLUMNS
                ))?
                .query_map((user, id, limit), identities::identity)?
                .collect()
        })
        .await
    }

    async fn keep_identities(&self, identities: &[Identity]) -> PortResult<()> {
        self.keep(identities, |tx, identity| identities::insert(tx, identity).map(drop)).await
    }

    async fn page_outbox(&self, after: Option<JobId>, limit: u32) -> PortResult<Vec<NewJob>> {
        self.page(move |connection| outbox::page(connection, after, limit)).await
    }
}
