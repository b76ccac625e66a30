use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Address;
use crate::error::PortResult;
use crate::{GroupId, UserId};

/// An account as others see it. Its `Debug` shows no address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Its id.
    pub id: UserId,
    /// Its address, as typed. Never logged.
    pub address: String,
    /// It is closed: it may be named where it was spoken of before, but is nobody to be found.
    #[serde(default)]
    pub disabled: bool,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Person({})", self.id)
    }
}

/// A group as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupName {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: String,
}

/// Who there is: auth-service, in process or over its internal API.
#[async_trait]
pub trait People: Send + Sync {
    /// Those of these accounts that there are, disabled ones too, in any order. At most [`crate::auth::internal::MAX_PEOPLE`] are asked for.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`].
    async fn find_people(&self, ids: &[UserId]) -> PortResult<Vec<Person>>;

    /// The account with this address, unless it is disabled.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`].
    async fn find_person(&self, address: &Address) -> PortResult<Option<Person>>;

    /// Those of these groups that there are, in any order. At most [`crate::auth::internal::MAX_PEOPLE`] are asked for.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`].
    async fn find_groups(&self, ids: &[GroupId]) -> PortResult<Vec<GroupName>>;

    /// The groups that this account is in now.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`].
    async fn groups_of(&self, user: UserId) -> PortResult<Vec<GroupId>>;
}
