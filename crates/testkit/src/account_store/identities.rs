use std::time::Duration;

use common::auth::{
    AddIdentityError, CreateIdentifiedError, Identity, MAX_IDENTITIES, RemoveIdentityError, User,
};
use futures_util::future::join_all;

use super::AccountSubject;
use crate::auth_store::user;
use crate::outbox::job;

impl AccountSubject {
    /// An identity of a provider that is kept nowhere yet.
    pub(super) fn identity(&self, user: &User, subject: &str) -> Identity {
        Identity {
            id: self.ids.next(),
            user: user.id,
            issuer: "https://id.example.org".to_owned(),
            subject: subject.to_owned(),
            address: Some("bob@example.org".to_owned()),
            created_at: self.now(),
            last_used_at: None,
        }
    }

    pub(super) async fn link(&self, identity: &Identity) -> Result<(), AddIdentityError> {
        let jobs = [job(&self.ids, "account-mail", self.now())];
        self.identities.add_identity(identity, &jobs, &self.line()).await
    }

    async fn unlink(&self, identity: &Identity) -> Result<(), RemoveIdentityError> {
        let jobs = [job(&self.ids, "account-mail", self.now())];
        self.identities.remove_identity(identity.user, identity.id, &jobs, &self.line()).await
    }

    /// An account without a password, and its identity.
    pub(super) async fn identified(&self, address: &str, subject: &str) -> (User, Identity) {
        let user = User { password_hash: String::new(), ..user(self.ids.next(), address, self.now()) };
        let identity = self.identity(&user, subject);
        let made = self.identities.create_identified_user(&user, &identity, &[], &self.line()).await;
        made.expect("address and identity are free");
        (user, identity)
    }
}

pub async fn an_identity_is_found_by_issuer_and_subject(subject: &AccountSubject) {
    let bob = subject.registered("bob@example.org").await;
    let identities = &subject.identities;
    let first = subject.identity(&bob, "Bob");
    subject.link(&first).await.unwrap();
    let other = Identity { issuer: "https://other.example.org".to_owned(), ..subject.identity(&bob, "Bob") };
    subject.link(&other).await.unwrap();
    assert_eq!(subject.outbox.depth().await.unwrap(), 2);
    let find = async |issuer: &str, name: &str| identities.find_identity(issuer, name).await.unwrap();
    assert_eq!(find(&first.issuer, "Bob").await, Some(first.clone()));
    assert_eq!(find(&other.issuer, "Bob").await, Some(other.clone()));
    // neither case nor the place of the border between the two is passed over
    for (issuer, name) in [
        ("https://id.example.org", "bob"),
        ("https://ID.example.org", "Bob"),
        ("https://id.example.org ", "Bob"),
        ("https://id.example.org/", "Bob"),
        ("https://id.example.org", "Bob "),
        ("", ""),
    ] {
        assert_eq!(find(issuer, name).await, None, "{issuer} {name}");
    }
    assert_eq!(identities.list_identities(bob.id).await.unwrap(), [first.clone(), other.clone()]);
    let at = subject.now() + Duration::from_secs(5);
    identities.note_identity_use(&first, at, Some("new@example.org")).await.unwrap();
    let used =
        Identity { last_used_at: Some(at), address: Some("new@example.org".to_owned()), ..first.clone() };
    // another one of the same subject is passed over
    identities
        .note_identity_use(&Identity { id: subject.ids.next(), ..first.clone() }, at, None)
        .await
        .unwrap();
    assert_eq!(find(&first.issuer, "Bob").await, Some(used));
    assert_eq!(identities.list_identities(subject.ids.next()).await.unwrap(), []);
}

pub async fn an_identity_opens_one_account(subject: &AccountSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let tries: Vec<_> = [&bob, &eve, &bob, &eve].map(|user| subject.identity(user, "one")).into();
    let linked = join_all(tries.iter().map(|identity| subject.link(identity))).await;
    assert_eq!(linked.iter().filter(|linked| linked.is_ok()).count(), 1, "{linked:?}");
    assert!(
        linked.iter().all(|linked| matches!(linked, Ok(()) | Err(AddIdentityError::Taken))),
        "{linked:?}"
    );
    assert_eq!(subject.outbox.depth().await.unwrap(), 1, "the jobs of the others never were");

    let nobody = user(subject.ids.next(), "nobody@example.org", subject.now());
    let lost = subject.link(&subject.identity(&nobody, "two")).await;
    assert!(matches!(lost, Err(AddIdentityError::NoUser)), "{lost:?}");
    for n in subject.identities.list_identities(eve.id).await.unwrap().len() as u64..MAX_IDENTITIES {
        subject.link(&subject.identity(&eve, &format!("eve{n}"))).await.unwrap();
    }
    let more = subject.link(&subject.identity(&eve, "more")).await;
    assert!(matches!(more, Err(AddIdentityError::TooMany)), "{more:?}");
}

pub async fn an_account_comes_with_its_identity(subject: &AccountSubject) {
    let (bob, identity) = subject.identified("bob@example.org", "one").await;
    let (accounts, now) = (&subject.accounts, subject.now());
    let account = accounts.find_account(bob.id).await.unwrap().unwrap();
    assert_eq!((account.verified_at, account.user.password()), (Some(now), None));
    assert_eq!(subject.store.count_users().await.unwrap(), 1);
    let make = async |address: &str, name: &str| {
        let user = user(subject.ids.next(), address, now);
        let identity = subject.identity(&user, name);
        let jobs = [job(&subject.ids, "welcome-mail", now)];
        subject.identities.create_identified_user(&user, &identity, &jobs, &subject.line()).await
    };
    let taken = make("eve@example.org", "one").await;
    assert!(matches!(taken, Err(CreateIdentifiedError::IdentityTaken)), "{taken:?}");
    let taken = make("BOB@example.org", "two").await;
    assert!(matches!(taken, Err(CreateIdentifiedError::AddressTaken)), "{taken:?}");
    assert_eq!(subject.identities.find_identity(&identity.issuer, "two").await.unwrap(), None);
    assert_eq!(subject.store.count_users().await.unwrap(), 1);
    assert_eq!(subject.outbox.depth().await.unwrap(), 0);
    make("eve@example.org", "two").await.unwrap();
    assert_eq!(subject.outbox.depth().await.unwrap(), 1);
}

pub async fn the_last_way_into_an_account_stays(subject: &AccountSubject) {
    let (bob, first) = subject.identified("bob@example.org", "one").await;
    let last = subject.unlink(&first).await;
    assert!(matches!(last, Err(RemoveIdentityError::LastWayIn)), "{last:?}");
    let eve = subject.registered("eve@example.org").await;
    let foreign = subject.unlink(&Identity { user: eve.id, ..first.clone() }).await;
    assert!(matches!(foreign, Err(RemoveIdentityError::NotFound)), "{foreign:?}");
    assert_eq!(subject.identities.list_identities(bob.id).await.unwrap(), std::slice::from_ref(&first));

    let second = subject.identity(&bob, "two");
    subject.link(&second).await.unwrap();
    let removed = join_all([&first, &second].map(|identity| subject.unlink(identity))).await;
    assert_eq!(removed.iter().filter(|removed| removed.is_ok()).count(), 1, "{removed:?}");
    assert!(
        removed.iter().any(|removed| matches!(removed, Err(RemoveIdentityError::LastWayIn))),
        "{removed:?}"
    );
    let left = subject.identities.list_identities(bob.id).await.unwrap();
    assert_eq!(left.len(), 1);

    // with a password it is not the last one
    subject.users.reset_password(bob.id, "hash", subject.now(), &[], &subject.line()).await.unwrap();
    subject.unlink(&left[0]).await.unwrap();
    assert_eq!(subject.identities.list_identities(bob.id).await.unwrap(), []);
    let again = subject.unlink(&left[0]).await;
    assert!(matches!(again, Err(RemoveIdentityError::NotFound)), "{again:?}");
    subject.link(&Identity { user: eve.id, ..left[0].clone() }).await.unwrap();
}
