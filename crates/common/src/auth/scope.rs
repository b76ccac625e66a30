//! What a credential is good for.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Role;

/// One kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// List, look at and read files and folders.
    FilesRead,
    /// Make, change, trash and delete them.
    FilesWrite,
    /// Open them to others, and close them again.
    Shares,
    /// Look at jobs.
    JobsRead,
    /// Claim jobs, report on them and end them.
    JobsWork,
    /// Change the account itself: its password, address, second factor, sessions.
    Account,
    /// Administer the installation.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::FilesRead,
        Self::FilesWrite,
        Self::Shares,
        Self::JobsRead,
        Self::JobsWork,
        Self::Account,
        Self::Admin,
    ];

    /// The word in stores, requests and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::FilesRead => "files:read",
            Self::FilesWrite => "files:write",
            Self::Shares => "shares",
            Self::JobsRead => "jobs:read",
            Self::JobsWork => "jobs:work",
            Self::Account => "account",
            Self::Admin => "admin",
        }
    }

    /// Reads [`Scope::word`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }

    /// Concerns files alone: only such scopes go together with a folder.
    pub const fn is_of_files(self) -> bool {
        matches!(self, Self::FilesRead | Self::FilesWrite | Self::Shares)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of scopes. Its text form is their words with spaces between them, as in OAuth.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// No scope.
    pub const NONE: Self = Self(0);

    /// Every scope that an account of this role may use, which is what a session has.
    pub fn of_role(role: Role) -> Self {
        match role {
            // jobs are other people's, whoever works them
            Role::User => Scope::ALL
                .into_iter()
                .filter(|scope| !matches!(scope, Scope::JobsWork | Scope::Admin))
                .collect(),
            Role::Admin => Scope::ALL.into_iter().collect(),
        }
    }

    /// Reads words with spaces between them. None if one is unknown.
    pub fn parse(text: &str) -> Option<Self> {
        text.split_ascii_whitespace().map(Scope::parse).collect()
    }

    /// Holds this scope.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Holds no scope.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What both hold.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What this holds and the other does not.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Its scopes, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{}", scope.word())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("an unknown scope"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_written_and_read() {
        let set: Scopes = [Scope::Admin, Scope::FilesRead].into_iter().collect();
        assert_eq!(set.to_string(), "files:read admin");
        assert_eq!(Scopes::parse("admin  files:read"), Some(set));
        assert_eq!(Scopes::parse("files:read files"), None);
        assert_eq!(Scopes::parse(""), Some(Scopes::NONE));
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.word()), Some(scope));
            assert_eq!(set.contains(scope), matches!(scope, Scope::Admin | Scope::FilesRead));
        }
        assert_eq!(serde_json::from_str::<Scopes>(&serde_json::to_string(&set).unwrap()).unwrap(), set);
    }

    #[test]
    fn only_administrators_may_administer_and_work_jobs() {
        let (user, admin) = (Scopes::of_role(Role::User), Scopes::of_role(Role::Admin));
        assert_eq!(admin.without(user).to_string(), "jobs:work admin");
        assert_eq!(user.and(admin), user);
    }
}
