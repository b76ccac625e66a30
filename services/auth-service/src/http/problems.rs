//! Failures of use cases as answers.

use actix_web::http::header::{HeaderName, HeaderValue};
use common::Code;
use common::auth::{CreateTokenError, GroupError, InvalidAddress, InvalidPassword};
use http_kit::{ClassicError, Problem};

use crate::app::admin::AdminError;
use crate::app::identities::ProviderError;
use crate::app::keys::KeysError;
use crate::app::limits::Limited;
use crate::app::own_account::AccountError;
use crate::app::sessions::RefreshError;
use crate::app::setup::{AddressFault, InvalidNewCredentials, SetupError};
use crate::app::sign_in::SignInError;
use crate::app::sign_up::SignUpError;
use crate::app::tokens::NewTokenError;
use crate::oidc::OidcError;
use runtime::passwords::HashError;

/// A failure of a use case in the form of the v1 API.
pub(crate) fn problem(error: impl Into<Failure>) -> Problem {
    error.into().0
}

/// A failure of a use case in the form of the classic API.
pub(crate) fn classic_error(error: impl Into<Failure>) -> ClassicError {
    error.into().0.into()
}

/// What every error of a use case becomes.
pub(crate) struct Failure(Problem);

impl From<SignInError> for Failure {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Invalid => Self(Code::InvalidCredentials.into()),
            SignInError::NotVerified => Self(Code::NotVerified.into()),
            SignInError::Waits(deletes_at) => Self(
                Problem::new(Code::DeletionScheduled)
                    .detail("The account waits to be deleted. Sign in with cancelDeletion to keep it.")
                    .member("deletesAt", deletes_at.to_string()),
            ),
            SignInError::Account(error) => error.into(),
            SignInError::Limited(limited) => limited.into(),
            SignInError::Hash(error) => error.into(),
            SignInError::Port(error) => Self(error.into()),
        }
    }
}

impl From<SignUpError> for Failure {
    fn from(error: SignUpError) -> Self {
        match error {
            SignUpError::Closed => Self(Code::RegistrationClosed.into()),
            SignUpError::InvitationRequired => Self(Code::InvitationRequired.into()),
            SignUpError::InvalidInvitation => Self(Code::InvalidInvitation.into()),
            SignUpError::AddressTaken => Self(address_taken()),
            SignUpError::Limited(limited) => limited.into(),
            SignUpError::Hash(error) => error.into(),
            SignUpError::Port(error) => Self(error.into()),
        }
    }
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::AlreadySetUp => Self(Code::AlreadySetUp.into()),
            SetupError::WrongCode => Self(Code::InvalidSetupCode.into()),
            SetupError::AddressTaken => Self(address_taken()),
            SetupError::Invalid(error) => error.into(),
            SetupError::Limited(limited) => limited.into(),
            SetupError::Hash(error) => error.into(),
            SetupError::Port(error) => Self(error.into()),
        }
    }
}

impl From<NewTokenError> for Failure {
    fn from(error: NewTokenError) -> Self {
        let detail = capitalised(&error.to_string());
        let invalid = |pointer, code| {
            Self(Problem::new(Code::InvalidRequest).detail(detail.clone()).field(
                pointer,
                code,
                detail.clone(),
            ))
        };
        match error {
            NewTokenError::Name => invalid("/name", "invalid"),
            NewTokenError::NoScope => invalid("/scopes", "missing"),
            NewTokenError::FolderScope => invalid("/scopes", "not_for_folder"),
            NewTokenError::Expired => invalid("/expiresAt", "in_the_past"),
            NewTokenError::Account(error) => error.into(),
            NewTokenError::BeyondRole(_) => Self(Problem::new(Code::Forbidden).detail(detail)),
            NewTokenError::Store(CreateTokenError::TooMany) => {
                Self(Problem::new(Code::TooMany).detail(detail))
            }
            NewTokenError::Store(CreateTokenError::Conflict) => AccountError::Conflict.into(),
            NewTokenError::Store(CreateTokenError::Port(error)) => Self(error.into()),
        }
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::NotFound => Self(Code::NotFound.into()),
            AdminError::LastAdministrator => Self(Code::LastAdministrator.into()),
            AdminError::AddressTaken => Self(address_taken()),
            AdminError::Hash(error) => error.into(),
            AdminError::Port(error) => Self(error.into()),
        }
    }
}

impl From<GroupError> for Failure {
    fn from(error: GroupError) -> Self {
        let detail = capitalised(&error.to_string());
        match error {
            GroupError::NotFound => Self(Code::NotFound.into()),
            GroupError::NameTaken => {
                Self(Problem::new(Code::NameTaken).field("/name", "taken", Code::NameTaken.title()))
            }
            GroupError::NoSuchUser(_) => Self(
                Problem::new(Code::InvalidRequest)
                    .detail(detail.clone())
                    .field("/members", "unknown", detail),
            ),
            GroupError::Port(error) => Self(error.into()),
        }
    }
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::WrongMasterKey(_) => {
                tracing::error!(%error, "signing key not opened");
                Self(Code::Internal.into())
            }
            KeysError::Port(error) => Self(error.into()),
        }
    }
}

impl From<RefreshError> for Failure {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Invalid => Self(Code::InvalidCredentials.into()),
            RefreshError::Port(error) => Self(error.into()),
        }
    }
}

impl From<InvalidNewCredentials> for Failure {
    fn from(error: InvalidNewCredentials) -> Self {
        let mut problem = Problem::new(Code::InvalidRequest).detail(capitalised(&error.to_string()));
        if let Some(fault) = &error.address {
            problem = problem.field("/email", address_code(fault), capitalised(&fault.to_string()));
        }
        if let Some(fault) = &error.password {
            problem = problem.field("/password", password_code(*fault), capitalised(&fault.to_string()));
        }
        Self(problem)
    }
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Gone => Self(Code::Unauthorized.into()),
            AccountError::WrongPassword => Self(Code::WrongPassword.into()),
            AccountError::WrongCode => Self(Code::InvalidCode.into()),
            AccountError::Conflict => Self(Code::Conflict.into()),
            AccountError::BadPassword(pointer, fault) => {
                Self(bad_field(pointer, password_code(fault), &fault.to_string()))
            }
            AccountError::BadProfile(pointer, text) => Self(bad_field(pointer, "invalid", text)),
            AccountError::AddressTaken => Self(address_taken()),
            AccountError::SecondFactorRequired => Self(Code::SecondFactorRequired.into()),
            AccountError::WrongSecondFactor => Self(Code::InvalidSecondFactor.into()),
            AccountError::HasSecondFactor => Self(Code::HasSecondFactor.into()),
            AccountError::NoSecondFactor => Self(Code::NoSecondFactor.into()),
            AccountError::LastAdministrator => Self(Code::LastAdministrator.into()),
            AccountError::BadAddress(fault) => {
                Self(bad_field("/email", address_code(&fault), &fault.to_string()))
            }
            AccountError::Limited(limited) => limited.into(),
            AccountError::Hash(error) => error.into(),
            AccountError::Port(error) => Self(error.into()),
        }
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        let code = match error {
            ProviderError::Oidc(error) => return error.into(),
            ProviderError::SignIn(error) => return error.into(),
            ProviderError::Limited(limited) => return limited.into(),
            ProviderError::Port(error) => return Self(error.into()),
            ProviderError::NoSignUp => {
                let detail = "Nobody gets an account by signing in there for the first time";
                return Self(Problem::new(Code::RegistrationClosed).detail(detail));
            }
            ProviderError::Unverified => Code::AddressUnverified,
            ProviderError::LinkRequired => Code::LinkRequired,
            ProviderError::Closed => Code::AccountClosed,
            ProviderError::NotSignedIn => Code::Unauthorized,
            ProviderError::Taken => Code::IdentityTaken,
            ProviderError::TooMany => Code::TooMany,
            ProviderError::LastWayIn => Code::LastWayIn,
            ProviderError::NotFound => Code::NotFound,
        };
        Self(code.into())
    }
}

impl From<OidcError> for Failure {
    /// What a provider said goes to the log: whoever runs the installation can do something about it, the person in front of the page cannot.
    fn from(error: OidcError) -> Self {
        match error {
            OidcError::State => Self(Code::ProviderState.into()),
            OidcError::Refused(_) => Self(Code::ProviderRefused.into()),
            OidcError::Answer(_) => {
                tracing::warn!(%error, "identity provider not trusted");
                Self(Code::ProviderAnswer.into())
            }
            OidcError::Unavailable(_) => {
                tracing::warn!(%error, "identity provider not reached");
                Self(Problem::new(Code::ProviderUnavailable).retry_after(common::PortError::RETRY_AFTER))
            }
        }
    }
}

fn bad_field(pointer: &'static str, code: &'static str, text: &str) -> Problem {
    let text = capitalised(text);
    Problem::new(Code::InvalidRequest).detail(text.clone()).field(pointer, code, text)
}

fn address_code(fault: &AddressFault) -> &'static str {
    match fault {
        AddressFault::Invalid(InvalidAddress::Empty) => "missing",
        AddressFault::Invalid(InvalidAddress::TooLong) => "too_long",
        AddressFault::Invalid(InvalidAddress::Control) | AddressFault::NoMailbox => "invalid",
    }
}

fn password_code(fault: InvalidPassword) -> &'static str {
    match fault {
        InvalidPassword::Empty => "missing",
        InvalidPassword::TooShort { .. } => "too_short",
        InvalidPassword::TooLong => "too_long",
        InvalidPassword::Nul => "invalid",
        InvalidPassword::Common => "common",
        InvalidPassword::IsAddress => "is_address",
    }
}

impl From<HashError> for Failure {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self(Problem::new(Code::Unavailable).retry_after(HashError::RETRY_AFTER)),
            HashError::Port(error) => Self(error.into()),
        }
    }
}

impl From<Limited> for Failure {
    /// With the fields of draft-ietf-httpapi-ratelimit-headers-10.
    fn from(limited: Limited) -> Self {
        let Limited { rule, retry_after } = limited;
        let seconds = |wait: std::time::Duration| wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let window = seconds(rule.refill * rule.burst);
        let policy = format!("\"{}\";q={};w={window}", rule.name, rule.burst);
        let state = format!("\"{}\";r=0;t={}", rule.name, seconds(retry_after));
        let value = |text: String| HeaderValue::from_str(&text).expect("names of rules are plain words");
        Self(
            Problem::new(Code::RateLimited)
                .retry_after(retry_after)
                .header(HeaderName::from_static("ratelimit-policy"), value(policy))
                .header(HeaderName::from_static("ratelimit"), value(state)),
        )
    }
}

fn address_taken() -> Problem {
    Problem::new(Code::AddressTaken).field("/email", "taken", Code::AddressTaken.title())
}

/// A sentence of an error.
pub(crate) fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::ResponseError as _;
    use common::auth::RateRule;
    use std::time::Duration;

    #[test]
    fn a_refused_attempt_says_when_to_come_back() {
        let rule = RateRule { name: "login_account", burst: 10, refill: Duration::from_secs(60) };
        let limited = Limited { rule, retry_after: Duration::from_millis(1500) };
        let answer = problem(limited).error_response();
        let field = |name: &str| answer.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(answer.status().as_u16(), 429);
        assert_eq!(field("retry-after"), "2");
        assert_eq!(field("ratelimit-policy"), "\"login_account\";q=10;w=600");
        assert_eq!(field("ratelimit"), "\"login_account\";r=0;t=2");
    }
}
