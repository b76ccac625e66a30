use common::files::{Grantee, Link, LinkRole, LinkToken, Share, ShareRole};
use common::portable::{PortableLink, PortableNotice};
use common::{FileId, GroupId, LinkId, ShareId, SpaceId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::Strange;

record!(
    /// A share; with an account or with a group.
    ShareRecord {
        id: ShareId,
        node: FileId,
        space: SpaceId,
        user: Option<UserId>,
        group: Option<GroupId>,
        role: ShareRole,
        by: UserId,
        at: Timestamp,
    }
);

impl ShareRecord {
    pub(in crate::portable) fn of(share: Share) -> Self {
        let (user, group) = match share.grantee {
            Grantee::User(user) => (Some(user), None),
            Grantee::Group(group) => (None, Some(group)),
        };
        Self {
            id: share.id,
            node: share.node,
            space: share.space,
            user,
            group,
            role: share.role,
            by: share.by,
            at: share.at,
        }
    }

    pub(in crate::portable) fn read(self) -> Result<Share, Strange> {
        let grantee = match (self.user, self.group) {
            (Some(user), None) => Grantee::User(user),
            (None, Some(group)) => Grantee::Group(group),
            _ => return Err("a share with nobody, or with several"),
        };
        Ok(Share {
            id: self.id,
            node: self.node,
            space: self.space,
            grantee,
            role: self.role,
            by: self.by,
            at: self.at,
        })
    }
}

record!(
    /// A link.
    LinkRecord {
        id: LinkId,
        token: String,
        node: FileId,
        space: SpaceId,
        owner: UserId,
        role: LinkRole,
        label: String,
        password_hash: Option<String>,
        expires_at: Option<Timestamp>,
        max_downloads: Option<u64>,
        notify: bool,
        downloads: u64,
        opens: u64,
        last_used_at: Option<Timestamp>,
        by: UserId,
        at: Timestamp,
        notice: PortableNotice,
    }
);

impl LinkRecord {
    pub(in crate::portable) fn of(PortableLink { link, notice }: PortableLink) -> Self {
        Self {
            id: link.id,
            token: link.token.reveal(),
            node: link.node,
            space: link.space,
            owner: link.owner,
            role: link.role,
            label: link.label,
            password_hash: link.password_hash,
            expires_at: link.expires_at,
            max_downloads: link.max_downloads,
            notify: link.notify,
            downloads: link.downloads,
            opens: link.opens,
            last_used_at: link.last_used_at,
            by: link.by,
            at: link.at,
            notice,
        }
    }

    pub(in crate::portable) fn read(self) -> Result<PortableLink, Strange> {
        let link = Link {
            id: self.id,
            token: LinkToken::parse(&self.token).map_err(|_| "a token that is none")?,
            node: self.node,
            space: self.space,
            owner: self.owner,
            role: self.role,
            label: self.label,
            password_hash: self.password_hash,
            expires_at: self.expires_at,
            max_downloads: self.max_downloads,
            notify: self.notify,
            downloads: self.downloads,
            opens: self.opens,
            last_used_at: self.last_used_at,
            by: self.by,
            at: self.at,
        };
        Ok(PortableLink { link, notice: self.notice })
    }
}
