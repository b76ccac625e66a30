//! Who calls.

use std::time::Duration;

use anyhow::{Context as _, Result};
use common::Timestamp;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::Verdict;
use crate::credentials::{TOKENS, token};
use crate::matrix::{About, Role, Who};
use crate::product::{Account, Product, send};
use crate::wait::until;

const SCOPES: [&str; 7] =
    ["files:read", "files:write", "shares", "jobs:read", "jobs:work", "account", "admin"];

/// Somebody who calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// For messages.
    pub(super) name: String,
    pub(super) credential: Option<String>,
    /// Refused with 401 by whatever wants a credential.
    pub(super) is_nobody: bool,
    pub(super) is_admin: bool,
    /// The scopes of a token; none for a sign-in.
    pub(super) scopes: Option<Vec<&'static str>>,
    /// The token is good for the folder that is shared, and for nothing else.
    pub(super) is_limited: bool,
    /// What they are to the things that the calls are about.
    pub(super) role: Option<Role>,
    /// Signs in anew for a call that ends the session.
    pub(super) account: Option<Account>,
}

impl Caller {
    pub(super) fn nobody(name: &str, credential: Option<String>) -> Self {
        let name = name.to_owned();
        let (is_nobody, is_admin, is_limited) = (true, false, false);
        Self { name, credential, is_nobody, is_admin, scopes: None, is_limited, role: None, account: None }
    }

    pub(super) fn signed_in(name: &str, account: &Account, role: Option<Role>) -> Self {
        let (credential, account) = (Some(account.token.clone()), Some(account.clone()));
        Self { is_nobody: false, role, account, ..Self::nobody(name, credential) }
    }

    pub(super) fn may(&self, who: Who) -> bool {
        match (who, &self.scopes) {
            (Who::Open | Who::Anybody | Who::AnyCredential, _) => true,
            (Who::SignedIn, scopes) => scopes.is_none(),
            (Who::AdminWith(_) | Who::Admin, _) if !self.is_admin => false,
            (Who::With(wanted) | Who::AdminWith(wanted), Some(scopes)) => scopes.contains(&wanted),
            (Who::Admin, Some(scopes)) => scopes.contains(&"admin"),
            (Who::With(_) | Who::AdminWith(_) | Who::Admin, None) => true,
        }
    }

    /// Whether the call about this would be done for them, as far as their credential goes.
    pub(super) fn may_do(&self, about: About) -> bool {
        match about {
            About::File(needs) | About::Folder(needs) => self.role >= Some(needs),
            About::Opening(_) => self.role >= Some(Role::Manager),
            // what is not in its folder is not there for it
            About::Own(_) => self.role == Some(Role::Owner) && !self.is_limited,
            About::LockedLink => false,
        }
    }

    /// What they are told about it, if it would not be.
    pub(super) fn told_of(&self, about: About) -> Verdict {
        match about {
            About::File(_) | About::Folder(_) if self.role.is_some() => Verdict::Refused,
            About::File(_) | About::Folder(_) | About::Opening(_) | About::Own(_) => Verdict::LetThrough(404),
            About::LockedLink => Verdict::LetThrough(401),
        }
    }
}

pub(super) fn by(product: &Product, method: Method, path: &str, credential: Option<&str>) -> RequestBuilder {
    let request = product.request(method, path);
    match credential {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

pub(super) async fn callers(
    product: &Product,
    admin: &Account,
    owner: &Account,
    roles: &[(Role, Account)],
    folder: &str,
) -> Result<Vec<Caller>> {
    let other = product.register("other").await?;
    let of_admin = Caller { is_admin: true, ..Caller::signed_in("an administrator", admin, None) };
    let of_owner = Caller::signed_in("the owner", owner, Some(Role::Owner));
    let mut all = vec![
        Caller::nobody("nobody", None),
        Caller::signed_in("another user", &other, None),
        of_admin.clone(),
        of_owner.clone(),
    ];
    for (role, account) in roles {
        all.push(Caller::signed_in(&format!("somebody who is {role:?}"), account, Some(*role)));
    }
    for scope in SCOPES {
        for (account, whose) in [(owner, &of_owner), (admin, &of_admin)] {
            if !whose.is_admin && matches!(scope, "jobs:work" | "admin") {
                continue;
            }
            let (_, text) = token(product, account, &json!({"name": scope, "scopes": [scope]})).await?;
            let name = format!("a token of {} for {scope}", whose.name);
            let (credential, scopes) = (Some(text), Some(vec![scope]));
            all.push(Caller { name, credential, scopes, account: None, ..whose.clone() });
        }
    }
    let of_files = ["files:read", "files:write", "shares"];
    let limited = json!({"name": "limited", "scopes": of_files, "folderId": folder});
    let (_, text) = token(product, owner, &limited).await?;
    let (name, credential) = ("a token of the owner for the shared folder alone".to_owned(), Some(text));
    let scopes = Some(of_files.to_vec());
    all.push(Caller { name, credential, scopes, is_limited: true, account: None, ..of_owner.clone() });
    let left = product.login(&owner.email, &owner.password).await?;
    send(product.as_user(&left, Method::POST, "/api/v1/auth/logout")).await?.expect(204)?;
    all.push(Caller::nobody("a session that was signed out", Some(left.token)));
    let every: Vec<_> = SCOPES.into_iter().filter(|scope| !matches!(*scope, "jobs:work" | "admin")).collect();
    let (revoked_id, revoked) = token(product, owner, &json!({"name": "revoked", "scopes": every})).await?;
    send(product.as_user(owner, Method::DELETE, &format!("{TOKENS}/{revoked_id}"))).await?.expect(204)?;
    all.push(Caller::nobody("a token that was ended", Some(revoked)));
    all.push(Caller::nobody("a token past its time", Some(expired(product, owner, &every).await?)));
    let disabled = product.register("disabled").await?;
    let (_, of_disabled) = token(product, &disabled, &json!({"name": "kept", "scopes": every})).await?;
    let change = product.as_user(admin, Method::PATCH, &format!("/api/v1/admin/users/{}", disabled.id));
    send(change.json(&json!({"disabled": true}))).await?.expect(200)?;
    all.push(Caller::nobody("a disabled account", Some(disabled.token)));
    all.push(Caller::nobody("a token of a disabled account", Some(of_disabled)));
    Ok(all)
}

/// A token whose time is over.
async fn expired(product: &Product, owner: &Account, scopes: &[&str]) -> Result<String> {
    // the server's time, a moment ago
    let body = json!({"name": "for its time", "scopes": scopes, "password": owner.password});
    let made = product.post(owner, TOKENS, &body).await?.expect(201)?.json()?;
    let now = made["createdAt"].as_str().and_then(Timestamp::parse).context("the time")?;
    let body = json!({"name": "short", "scopes": scopes, "expiresAt": now + Duration::from_secs(3)});
    let (_, text) = token(product, owner, &body).await?;
    until("the token ends", || async {
        let answer = send(by(product, Method::GET, "/api/v1/users/me", Some(&text))).await?;
        Ok((answer.status.as_u16() == 401).then_some(()))
    })
    .await?;
    Ok(text)
}
