//! Who is signed in, and who can be found: everybody whose token says who they are.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use common::auth::{Address, Authenticator, GroupName, People, Person, Presented, Principal, Role};
use common::{GroupId, PortError, PortResult, SessionId, Sha256, UserId};

/// Tokens of this form are good: a user each.
pub(super) const TOKEN: &str = "token-of-";

/// Tokens that tests ended.
pub(crate) type EndedTokens = Arc<Mutex<HashSet<String>>>;

/// Knows everybody whose token says who they are.
pub(super) struct NamedUsers {
    pub(super) ended: EndedTokens,
    /// Nobody can be asked while this is set.
    pub(super) outage: Arc<AtomicBool>,
}

#[async_trait]
impl Authenticator for NamedUsers {
    async fn authenticate(&self, presented: &Presented) -> PortResult<Option<Principal>> {
        if self.outage.load(Ordering::SeqCst) {
            return Err(PortError::unavailable("auth", "cut off by the test"));
        }
        if self.ended.lock().unwrap().contains(&presented.token) {
            return Ok(None);
        }
        Ok(presented
            .token
            .strip_prefix(TOKEN)
            .map(|name| Principal::of_session(user_id(name), SessionId::from_bytes([9; 12]), Role::User)))
    }
}

/// The account behind a name.
pub(crate) fn user_id(name: &str) -> UserId {
    let digest = Sha256::of(name.as_bytes());
    UserId::try_from(&digest.0[..12]).unwrap()
}

/// The people who can be found: each has an address.
pub(crate) const PEOPLE: [&str; 9] =
    ["a", "b", "c", "owner", "viewer", "editor", "manager", "stranger", "disabled"];

/// Somebody's address.
pub(crate) fn address(name: &str) -> String {
    format!("{name}@example.org")
}

/// A group and who is in it.
pub(crate) type SharedGroup = Arc<Mutex<Option<(GroupName, Vec<UserId>)>>>;

/// Knows [`PEOPLE`].
pub(super) struct Directory {
    pub(super) outage: Arc<AtomicBool>,
    /// The one group, and who is in it.
    pub(super) group: SharedGroup,
}

impl Directory {
    fn all(&self) -> PortResult<impl Iterator<Item = Person>> {
        if self.outage.load(Ordering::SeqCst) {
            return Err(PortError::unavailable("auth", "cut off by the test"));
        }
        Ok(PEOPLE.into_iter().map(|name| Person {
            id: user_id(name),
            address: address(name),
            disabled: name == "disabled",
        }))
    }
}

#[async_trait]
impl People for Directory {
    async fn find_people(&self, ids: &[UserId]) -> PortResult<Vec<Person>> {
        Ok(self.all()?.filter(|person| ids.contains(&person.id)).collect())
    }

    async fn find_person(&self, address: &Address) -> PortResult<Option<Person>> {
        let is = |person: &Person| Address::parse(&person.address).unwrap().key() == address.key();
        Ok(self.all()?.find(is))
    }

    async fn find_groups(&self, ids: &[GroupId]) -> PortResult<Vec<GroupName>> {
        let group = self.group.lock().unwrap().clone();
        drop(self.all()?);
        Ok(group.into_iter().map(|(name, _)| name).filter(|name| ids.contains(&name.id)).collect())
    }

    async fn groups_of(&self, user: UserId) -> PortResult<Vec<GroupId>> {
        let group = self.group.lock().unwrap().clone();
        drop(self.all()?);
        Ok(group
            .into_iter()
            .filter(|(_, members)| members.contains(&user))
            .map(|(name, _)| name.id)
            .collect())
    }
}
