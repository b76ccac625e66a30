use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Address;
use crate::UserId;
use crate::error::PortResult;

/// An account as others see it. Its `Debug` shows no address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Its id.
    pub id: UserId,
    /// Its address, as typed. Never logged.
    pub address: String,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Person({})", self.id)
    }
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
}
