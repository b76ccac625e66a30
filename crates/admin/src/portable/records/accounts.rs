use common::auth::{
    Account, Address, ApiToken, AuditAction, AuditCredential, AuditEntry, Group, Identity, Invitation, Role,
    Scopes, Totp, User,
};
use common::portable::PortableAccount;
use common::{
    AuditId, FileId, GroupId, IdentityId, InvitationId, SessionId, Sha256, Timestamp, TokenId, UserId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Strange;

fn address(text: &str) -> Result<Address, Strange> {
    Address::parse(text).map_err(|_| "an address that is none")
}

record!(
    /// A second factor.
    TotpRecord {
        #[serde(with = "hex::serde")]
        sealed: Vec<u8>,
        confirmed_at: Option<Timestamp>,
        last_step: u64,
    }
);

record!(
    /// A device that an account was signed in from.
    DeviceRecord {
        hash: Sha256,
        seen_at: Timestamp,
    }
);

record!(
    /// An account.
    AccountRecord {
        id: UserId,
        address: String,
        password_hash: String,
        role: Role,
        disabled: bool,
        bootstrap: bool,
        created_at: Timestamp,
        verified_at: Option<Timestamp>,
        name: Option<String>,
        preferences: Map<String, Value>,
        revision: u64,
        totp: Option<TotpRecord>,
        deletes_at: Option<Timestamp>,
        recovery_codes: Vec<Sha256>,
        devices: Vec<DeviceRecord>,
    }
);

impl AccountRecord {
    pub(in crate::portable) fn of(
        PortableAccount { account, recovery_codes, devices }: PortableAccount,
    ) -> Self {
        let user = account.user;
        Self {
            id: user.id,
            address: user.address.as_str().to_owned(),
            password_hash: user.password_hash,
            role: user.role,
            disabled: account.blocked,
            bootstrap: user.bootstrap,
            created_at: user.created_at,
            verified_at: account.verified_at,
            name: account.name,
            preferences: account.preferences,
            revision: account.revision,
            totp: account.totp.map(|totp| TotpRecord {
                sealed: totp.sealed,
                confirmed_at: totp.confirmed_at,
                last_step: totp.last_step,
            }),
            deletes_at: account.deletes_at,
            recovery_codes: recovery_codes.into_iter().map(Sha256).collect(),
            devices: devices
                .into_iter()
                .map(|(hash, seen_at)| DeviceRecord { hash: Sha256(hash), seen_at })
                .collect(),
        }
    }

    pub(in crate::portable) fn read(self) -> Result<PortableAccount, Strange> {
        let user = User {
            id: self.id,
            address: address(&self.address)?,
            password_hash: self.password_hash,
            role: self.role,
            disabled: self.disabled || self.deletes_at.is_some(),
            bootstrap: self.bootstrap,
            created_at: self.created_at,
        };
        let account = Account {
            user,
            blocked: self.disabled,
            verified_at: self.verified_at,
            name: self.name,
            preferences: self.preferences,
            revision: self.revision,
            totp: self.totp.map(|totp| Totp {
                sealed: totp.sealed,
                confirmed_at: totp.confirmed_at,
                last_step: totp.last_step,
            }),
            deletes_at: self.deletes_at,
        };
        Ok(PortableAccount {
            account,
            recovery_codes: self.recovery_codes.into_iter().map(|hash| hash.0).collect(),
            devices: self.devices.into_iter().map(|device| (device.hash.0, device.seen_at)).collect(),
        })
    }
}

record!(
    /// An API token.
    TokenRecord {
        id: TokenId,
        user: UserId,
        name: String,
        hash: Sha256,
        scopes: Scopes,
        folder: Option<FileId>,
        created_at: Timestamp,
        expires_at: Option<Timestamp>,
        revoked_at: Option<Timestamp>,
        last_used_at: Option<Timestamp>,
    }
);

impl TokenRecord {
    pub(in crate::portable) fn of(token: ApiToken) -> Self {
        Self {
            id: token.id,
            user: token.user,
            name: token.name,
            hash: Sha256(token.hash),
            scopes: token.scopes,
            folder: token.folder,
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
            last_used_at: token.last_used_at,
        }
    }

    pub(in crate::portable) fn read(self) -> Result<ApiToken, Strange> {
        Ok(ApiToken {
            id: self.id,
            user: self.user,
            name: self.name,
            hash: self.hash.0,
            scopes: self.scopes,
            folder: self.folder,
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            last_used_at: self.last_used_at,
        })
    }
}

record!(
    /// A line of the audit log.
    AuditRecord {
        id: AuditId,
        at: Timestamp,
        actor: Option<UserId>,
        session: Option<SessionId>,
        token: Option<TokenId>,
        action: String,
        target: Option<String>,
        address: Option<String>,
        details: Map<String, Value>,
    }
);

impl AuditRecord {
    pub(in crate::portable) fn of(entry: AuditEntry) -> Self {
        let (session, token) = match entry.credential {
            Some(AuditCredential::Session(session)) => (Some(session), None),
            Some(AuditCredential::Token(token)) => (None, Some(token)),
            None => (None, None),
        };
        Self {
            id: entry.id,
            at: entry.at,
            actor: entry.actor,
            session,
            token,
            action: entry.action.word().to_owned(),
            target: entry.target,
            address: entry.address,
            details: entry.details,
        }
    }

    pub(in crate::portable) fn read(self) -> Result<AuditEntry, Strange> {
        let session = self.session.map(AuditCredential::Session);
        Ok(AuditEntry {
            id: self.id,
            at: self.at,
            actor: self.actor,
            credential: session.or(self.token.map(AuditCredential::Token)),
            action: AuditAction::parse(&self.action).ok_or("an unknown action")?,
            target: self.target,
            address: self.address,
            details: self.details,
        })
    }
}

record!(
    /// An invitation.
    InvitationRecord {
        id: InvitationId,
        hash: Sha256,
        address: Option<String>,
        role: Role,
        made_by: UserId,
        created_at: Timestamp,
        expires_at: Timestamp,
    }
);

impl InvitationRecord {
    pub(in crate::portable) fn of(invitation: Invitation) -> Self {
        Self {
            id: invitation.id,
            hash: Sha256(invitation.hash),
            address: invitation.address.map(|address| address.as_str().to_owned()),
            role: invitation.role,
            made_by: invitation.made_by,
            created_at: invitation.created_at,
            expires_at: invitation.expires_at,
        }
    }

    pub(in crate::portable) fn read(self) -> Result<Invitation, Strange> {
        Ok(Invitation {
            id: self.id,
            hash: self.hash.0,
            address: self.address.as_deref().map(address).transpose()?,
            role: self.role,
            made_by: self.made_by,
            created_at: self.created_at,
            expires_at: self.expires_at,
        })
    }
}

record!(
    /// A group with its members.
    GroupRecord {
        id: GroupId,
        name: String,
        members: Vec<UserId>,
        created_at: Timestamp,
    }
);

impl GroupRecord {
    pub(in crate::portable) fn of(group: Group) -> Self {
        Self { id: group.id, name: group.name, members: group.members, created_at: group.created_at }
    }

    pub(in crate::portable) fn read(self) -> Result<Group, Strange> {
        Ok(Group { id: self.id, name: self.name, members: self.members, created_at: self.created_at })
    }
}

record!(
    /// Who an account's owner is to an identity provider.
    IdentityRecord {
        id: IdentityId,
        user: UserId,
        issuer: String,
        subject: String,
        address: Option<String>,
        created_at: Timestamp,
        last_used_at: Option<Timestamp>,
    }
);

impl IdentityRecord {
    pub(in crate::portable) fn of(identity: Identity) -> Self {
        Self {
            id: identity.id,
            user: identity.user,
            issuer: identity.issuer,
            subject: identity.subject,
            address: identity.address,
            created_at: identity.created_at,
            last_used_at: identity.last_used_at,
        }
    }

    pub(in crate::portable) fn read(self) -> Result<Identity, Strange> {
        Ok(Identity {
            id: self.id,
            user: self.user,
            issuer: self.issuer,
            subject: self.subject,
            address: self.address,
            created_at: self.created_at,
            last_used_at: self.last_used_at,
        })
    }
}
