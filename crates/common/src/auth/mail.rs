//! Mails about accounts, as auth-service orders them and worker-service sends them.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The label under which an [`AccountMail`] is sealed in the data of its job. A job can be looked at; a code must not be.
pub const ACCOUNT_MAIL_LABEL: &str = "account-mail";

/// A mail about an account: JSON, sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountMail {
    /// To whom, as typed.
    pub to: String,
    /// There is no such account: nothing is sent. It only makes this as much work as if there were one.
    #[serde(default)]
    pub decoy: bool,
    /// What it says.
    pub content: MailContent,
}

/// What a mail about an account says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum MailContent {
    /// The code for a new password.
    ResetPassword {
        /// The code.
        code: String,
    },
    /// The code that verifies the account's address.
    VerifyAddress {
        /// The code.
        code: String,
    },
    /// To a new address: the code that makes it the account's.
    ConfirmNewAddress {
        /// The code.
        code: String,
    },
    /// To the old address: the code that lets it go.
    ConfirmOldAddress {
        /// The code.
        code: String,
        /// The new one, as typed.
        new: String,
    },
    /// The code of an invitation to make an account.
    Invitation {
        /// The code.
        code: String,
        /// Until when it is good.
        expires_at: Timestamp,
    },
    /// To a new address that another account has.
    AddressInUse,
    /// Something has happened to the account.
    Notice {
        /// What.
        event: AccountEvent,
        /// When.
        at: Timestamp,
        /// The `User-Agent` that it came from.
        #[serde(default)]
        device: Option<String>,
        /// The network address that it came from.
        #[serde(default)]
        address: Option<String>,
    },
}

/// What can happen to an account that its owner should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum AccountEvent {
    /// It has another password, by someone who knew the old one.
    PasswordChanged {
        /// Its API tokens have ended with it.
        #[serde(default)]
        tokens_ended: bool,
        /// Identities of providers that opened it do no more.
        #[serde(default)]
        identities_ended: bool,
    },
    /// It has another password, by a code that went by mail. Its API tokens have ended.
    PasswordReset {
        /// Identities of providers that opened it do no more.
        #[serde(default)]
        identities_ended: bool,
    },
    /// It has another password, by whoever runs the installation. Its API tokens have ended.
    PasswordSet {
        /// Identities of providers that opened it do no more.
        #[serde(default)]
        identities_ended: bool,
    },
    /// An API token was made.
    TokenMade {
        /// What it is called.
        name: String,
    },
    /// It has another address.
    AddressChanged,
    /// A second factor is asked for from now on.
    SecondFactorOn,
    /// None is any more.
    SecondFactorOff,
    /// A recovery code stood in for the second factor.
    RecoveryCodeUsed,
    /// A sign-in by an identity provider opens it from now on.
    IdentityLinked,
    /// One does no more.
    IdentityRemoved,
    /// Another account administers the installation from now on. Goes to those that do.
    AdministratorMade {
        /// Its address, as typed.
        account: String,
    },
    /// Somebody signed in from where nobody did before.
    NewDevice,
    /// Its owner asked that it be deleted.
    DeletionAsked {
        /// When it will be.
        deletes_at: Timestamp,
    },
    /// It is not deleted after all.
    DeletionCancelled,
    /// The export that its owner asked for can be had.
    ExportReady {
        /// Until when.
        expires_at: Timestamp,
    },
}
