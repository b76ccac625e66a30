//! Sign-ins by identity providers, and the identities that open an account.

use common::auth::mail::AccountEvent;
use common::auth::{
    Account, AddIdentityError, Address, AuditAction, CreateIdentifiedError, Identity, Principal,
    RemoveIdentityError, Role, User,
};
use common::jobs::types::welcome_mail;
use common::{IdentityId, JobId, PortError, PortResult, UserId};
use serde_json::json;

use super::audit::Author;
use super::limits::{Limited, Refused};
use super::own_account::{self, AccountError};
use super::second_factor::SecondFactor;
use super::sign_in::{self, SignInError};
use super::{Client, mails};
use crate::AuthService;
use crate::oidc::flow::{Flow, Pending};
use crate::oidc::{OidcError, Person, Provider, Returned};

/// Why nobody came in by a provider.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    #[error(transparent)]
    Oidc(#[from] OidcError),
    /// No account has the identity, and the provider does not vouch for the address. Whether an account has that is not looked up.
    #[error("the address is not verified")]
    Unverified,
    /// An account has the address, and its owner has not linked this identity.
    #[error("an account has the address")]
    LinkRequired,
    /// Whoever comes first gets no account.
    #[error("nobody gets an account by this provider")]
    NoSignUp,
    /// An administrator disabled the account.
    #[error("the account is disabled")]
    Closed,
    /// The identity shall open an account whose owner is not signed in here (any more).
    #[error("nobody is signed in, or somebody else")]
    NotSignedIn,
    /// The identity opens another account.
    #[error("the identity is linked already")]
    Taken,
    #[error("an account has as many identities as it may have")]
    TooMany,
    #[error("nothing else opens the account")]
    LastWayIn,
    #[error("there is no such identity")]
    NotFound,
    /// The account wants more of whoever came.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    #[error(transparent)]
    Limited(#[from] Limited),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<Refused> for ProviderError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Limited(limited) => Self::Limited(limited),
            Refused::Port(error) => Self::Port(error),
        }
    }
}

impl From<AccountError> for ProviderError {
    fn from(error: AccountError) -> Self {
        Self::SignIn(error.into())
    }
}

impl From<AddIdentityError> for ProviderError {
    fn from(error: AddIdentityError) -> Self {
        match error {
            AddIdentityError::Taken => Self::Taken,
            AddIdentityError::TooMany => Self::TooMany,
            AddIdentityError::NoUser => Self::NotSignedIn,
            AddIdentityError::Port(error) => Self::Port(error),
        }
    }
}

/// Who came back from a provider. Each call costs requests to it, so there is a limit to them.
pub(crate) async fn who(
    service: &AuthService,
    client: &Client,
    provider: &Provider,
    flow: &Flow,
    returned: &Returned,
) -> Result<Person, ProviderError> {
    service.limits.count_provider(client.ip).await?;
    let outcome = provider.who(flow, returned).await;
    let word = match &outcome {
        Ok(_) => "good",
        Err(OidcError::Unavailable(_)) => "unavailable",
        Err(OidcError::State) => "state",
        Err(OidcError::Refused(_)) => "refused",
        Err(OidcError::Answer(_)) => "answer",
    };
    metrics::counter!("fm_auth_provider_answers_total", "outcome" => word).increment(1);
    Ok(outcome?)
}

/// The account of somebody who came from a provider: the one that the identity opens, else one that has their address, if the settings trust the provider
/// that far, else a new one, if the settings let them have it.
pub(crate) async fn account_of(
    service: &AuthService,
    client: &Client,
    provider: &Provider,
    person: &Person,
) -> Result<Account, ProviderError> {
    if let Some(identity) = find(service, provider, &person.subject).await? {
        let at = service.accounts.clock.now();
        let address = person.address.as_deref();
        service.admin.identities.note_identity_use(&identity, at, address).await?;
        return opened_by(service, &identity).await?.ok_or(ProviderError::NotFound);
    }
    // an address that nobody vouches for may be a stranger's, and what is answered would tell whoever wrote it down whether that one has an account
    let address = person.address.as_deref().filter(|_| person.verified);
    let address = address.and_then(|text| Address::parse(text).ok());
    let address = address.filter(Address::is_mailbox).ok_or(ProviderError::Unverified)?;
    match service.account_store.find_account_by_address(&address.key()).await? {
        Some(account) => {
            // an address that nobody proved here may have been taken by a stranger who waits for its owner
            if !provider.settings.trust_addresses || account.verified_at.is_none() {
                return Err(ProviderError::LinkRequired);
            }
            let by = Author { user: Some(account.user.id), ..Author::unknown(client) };
            link(service, client, provider, &account.user, person, &by).await?;
            Ok(account)
        }
        None => sign_up(service, client, provider, person, address).await,
    }
}

/// Makes the account of somebody whose address the provider vouches for.
async fn sign_up(
    service: &AuthService,
    client: &Client,
    provider: &Provider,
    person: &Person,
    address: Address,
) -> Result<Account, ProviderError> {
    if !provider.settings.sign_up {
        return Err(ProviderError::NoSignUp);
    }
    service.limits.count_sign_up(client.ip).await?;
    let accounts = &service.accounts;
    let user = User {
        id: UserId(accounts.ids.object_id()),
        address,
        password_hash: String::new(),
        role: Role::User,
        disabled: false,
        bootstrap: false,
        created_at: accounts.clock.now(),
    };
    let identity = identity(service, provider, user.id, person);
    let welcome = welcome_mail(JobId(accounts.ids.object_id()), user.id, user.created_at);
    let by = Author { user: Some(user.id), ..Author::unknown(client) };
    let details = json!({ "provider": provider.settings.name });
    let line = service.audit_entry(&by, AuditAction::UserMade, Some(user.id.to_string()), details);
    let jobs = [welcome.caused_by(&client.cause)];
    match service.admin.identities.create_identified_user(&user, &identity, &jobs, &line).await {
        Ok(()) => {}
        // another browser of the same person was quicker, and so would this one be the next time
        Err(CreateIdentifiedError::AddressTaken) => return Err(ProviderError::LinkRequired),
        Err(CreateIdentifiedError::IdentityTaken) => return Err(ProviderError::Taken),
        Err(CreateIdentifiedError::Port(error)) => return Err(error.into()),
    }
    metrics::counter!("fm_auth_sign_ups_total", "outcome" => "created").increment(1);
    tracing::info!(user = %user.id, provider = provider.settings.name, "account made by an identity provider");
    account(service, user.id).await?.ok_or(ProviderError::NotFound)
}

/// Lets somebody in who came from a provider, once they have brought whatever else their account wants: a provider stands in for the password, and for nothing
/// more.
pub(crate) async fn enter(
    service: &AuthService,
    client: &Client,
    account: Account,
    factor: SecondFactor<'_>,
    cancel_deletion: bool,
) -> Result<User, ProviderError> {
    if account.blocked {
        return Err(ProviderError::Closed);
    }
    let outcome = sign_in::admit(service, client, account, factor, cancel_deletion).await;
    sign_in::count(&outcome);
    Ok(outcome?)
}

/// The account that a sign-in waits for, if the identity still opens it.
pub(crate) async fn pending_account(
    service: &AuthService,
    pending: &Pending,
) -> Result<Account, ProviderError> {
    let identity = service.admin.identities.find_identity(&pending.issuer, &pending.subject).await?;
    let identity = identity.ok_or(OidcError::State)?;
    Ok(opened_by(service, &identity).await?.ok_or(OidcError::State)?)
}

/// Links the identity of somebody who came back from a provider to the account that they went there for, which they must be signed in to.
pub(crate) async fn link_to_caller(
    service: &AuthService,
    client: &Client,
    provider: &Provider,
    person: &Person,
    wanted: UserId,
    caller: Option<&Principal>,
) -> Result<(), ProviderError> {
    let caller = caller.filter(|caller| caller.user == wanted && caller.session().is_some());
    let caller = caller.ok_or(ProviderError::NotSignedIn)?;
    if let Some(found) = find(service, provider, &person.subject).await? {
        // come back twice, as by the browser's own button
        return if found.user == wanted { Ok(()) } else { Err(ProviderError::Taken) };
    }
    let user = own_account::find(service, wanted).await?;
    let by = Author::of(caller, client);
    let linked = link(service, client, provider, &user, person, &by).await?;
    // the way there took a while: who set the password anew meanwhile ended the session and all identities but this one, which came too late for that
    let session = match caller.session() {
        Some(session) => service.accounts.store.find_session(session).await?,
        None => None,
    };
    if !session.is_some_and(|session| session.is_live(service.accounts.clock.now())) {
        remove(service, client, wanted, &by, linked).await?;
        return Err(ProviderError::NotSignedIn);
    }
    Ok(())
}

async fn link(
    service: &AuthService,
    client: &Client,
    provider: &Provider,
    user: &User,
    person: &Person,
    by: &Author,
) -> Result<IdentityId, ProviderError> {
    let identity = identity(service, provider, user.id, person);
    let details = json!({ "provider": provider.settings.name });
    let line = service.audit_entry(by, AuditAction::IdentityLinked, Some(user.id.to_string()), details);
    let notice = mails::notice(service, client, user, AccountEvent::IdentityLinked);
    service.admin.identities.add_identity(&identity, &notice, &line).await?;
    tracing::info!(user = %user.id, provider = provider.settings.name, "identity linked");
    Ok(identity.id)
}

/// How many identities end with another password, if those that others may have linked are to end: none of an account that had no password.
pub(crate) async fn end_with_password(service: &AuthService, user: &User) -> PortResult<u64> {
    match user.password() {
        Some(_) => Ok(service.admin.identities.list_identities(user.id).await?.len() as u64),
        None => Ok(0),
    }
}

/// Removes an identity of an account. Sessions that it opened go on: they are in its owner's list.
pub(crate) async fn remove(
    service: &AuthService,
    client: &Client,
    owner: UserId,
    by: &Author,
    id: IdentityId,
) -> Result<(), ProviderError> {
    let user = own_account::find(service, owner).await?;
    let details = json!({ "identity": id.to_string() });
    let line = service.audit_entry(by, AuditAction::IdentityRemoved, Some(user.id.to_string()), details);
    let notice = mails::notice(service, client, &user, AccountEvent::IdentityRemoved);
    match service.admin.identities.remove_identity(user.id, id, &notice, &line).await {
        Ok(()) => {
            tracing::info!(user = %user.id, identity = %id, "identity removed");
            Ok(())
        }
        Err(RemoveIdentityError::NotFound) => Err(ProviderError::NotFound),
        Err(RemoveIdentityError::LastWayIn) => Err(ProviderError::LastWayIn),
        Err(RemoveIdentityError::Port(error)) => Err(error.into()),
    }
}

async fn find(service: &AuthService, provider: &Provider, subject: &str) -> PortResult<Option<Identity>> {
    service.admin.identities.find_identity(&provider.settings.issuer, subject).await
}

/// The account that an identity opens. The identity is looked at once more after the account: one that went with the password before must not bring the
/// account with the one that took its place.
async fn opened_by(service: &AuthService, identity: &Identity) -> PortResult<Option<Account>> {
    let account = account(service, identity.user).await?;
    let now = service.admin.identities.find_identity(&identity.issuer, &identity.subject).await?;
    Ok(account.filter(|_| now.is_some_and(|now| now.id == identity.id)))
}

async fn account(service: &AuthService, user: UserId) -> PortResult<Option<Account>> {
    service.account_store.find_account(user).await
}

fn identity(service: &AuthService, provider: &Provider, user: UserId, person: &Person) -> Identity {
    Identity {
        id: IdentityId(service.accounts.ids.object_id()),
        user,
        issuer: provider.settings.issuer.clone(),
        subject: person.subject.clone(),
        address: person.address.clone(),
        created_at: service.accounts.clock.now(),
        last_used_at: None,
    }
}
