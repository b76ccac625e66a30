//! Messages of worker-service's internal API, and of auth-service's that concern jobs.

use serde::{Deserialize, Serialize};

use crate::auth::Role;
use crate::{JobId, UserId};

/// `POST /internal/jobs/known`: which of these does the job store have? Answer: [`KnownJobs`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownJobs {
    /// The ids asked for, or those that are known.
    pub ids: Vec<JobId>,
}

/// `POST /internal/users/find`: whom is a mail for? Answer: [`FoundUser`] or null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindUser {
    /// The account.
    pub id: UserId,
}

/// An account as mails and webhooks need it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundUser {
    /// The account.
    pub id: UserId,
    /// Its address, as typed. Never logged.
    pub address: String,
    /// What it may do; none if an auth-service of the version before answers.
    #[serde(default)]
    pub role: Option<Role>,
    /// It cannot sign in.
    #[serde(default)]
    pub disabled: bool,
}

/// `GET /internal/stats`: the account's part of the classic `/stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserStats {
    /// How many accounts there are, bootstrap administrators left out.
    pub users: u64,
}
