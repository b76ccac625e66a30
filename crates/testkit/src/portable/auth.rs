use common::auth::{
    Account, Address, ApiToken, AuditAction, AuditCredential, AuditEntry, AuthStore, Group, Identity,
    Invitation, Role, Scope, Totp, User,
};
use common::portable::{PortableAccount, PortableAuth};
use serde_json::json;

use super::{at, id};

fn account(number: u8) -> PortableAccount {
    let is_rich = number.is_multiple_of(2);
    PortableAccount {
        account: Account {
            user: User {
                id: id(number),
                address: Address::parse(&format!("Ada{number}@example.org")).unwrap(),
                password_hash: format!("hash {number}"),
                role: if number == 4 { Role::Admin } else { Role::User },
                disabled: is_rich,
                bootstrap: number == 4,
                created_at: at(1),
            },
            blocked: number == 2,
            verified_at: is_rich.then_some(at(2)),
            name: is_rich.then(|| "Ada".to_owned()),
            preferences: if is_rich {
                json!({"theme": "dark"}).as_object().cloned().unwrap()
            } else {
                Default::default()
            },
            revision: number.into(),
            totp: is_rich.then(|| Totp {
                sealed: vec![number; 70],
                confirmed_at: (number == 2).then_some(at(3)),
                last_step: 7,
            }),
            deletes_at: (number == 4).then_some(at(4)),
        },
        recovery_codes: if is_rich { vec![[1; 32], [2; 32]] } else { Vec::new() },
        devices: if is_rich { vec![([3; 32], at(5)), ([4; 32], at(4))] } else { Vec::new() },
    }
}

/// The contract of [`PortableAuth`], over an empty store.
pub async fn auth(store: &(impl PortableAuth + AuthStore)) {
    there_and_back!(
        store,
        (1..=5).map(account).collect::<Vec<_>>(),
        keep_accounts,
        |after| store.page_accounts(after, 2),
        |kept| kept.account.user.id
    );
    assert_eq!(store.count_users().await.unwrap(), 4, "the one of the set-up is left out");
    assert!(store.has_admin().await.unwrap());
    let found = store.find_user_by_address(&Address::parse("ADA1@example.org").unwrap().key()).await.unwrap();
    assert_eq!(found.map(|user| user.id), Some(id(1)));
    let mut taken = account(7);
    taken.account.user.address = Address::parse("ada1@EXAMPLE.org").unwrap();
    store.keep_accounts(&[taken]).await.unwrap_err();

    let token = |number: u8| ApiToken {
        id: id(number),
        user: id(1),
        name: "script".to_owned(),
        hash: [number; 32],
        scopes: [Scope::FilesRead, Scope::Shares].into_iter().collect(),
        folder: (number == 2).then(|| id(9)),
        created_at: at(1),
        expires_at: (number == 2).then_some(at(9)),
        revoked_at: (number == 3).then_some(at(8)),
        last_used_at: (number == 1).then_some(at(2)),
    };
    there_and_back!(
        store,
        (1..=3).map(token).collect::<Vec<_>>(),
        keep_tokens,
        |after| store.page_tokens(after, 2),
        |kept| kept.id
    );
    let entry = |number: u8| AuditEntry {
        id: id(number),
        at: at(number.into()),
        actor: (number == 1).then(|| id(1)),
        credential: [None, Some(AuditCredential::Session(id(5))), Some(AuditCredential::Token(id(6)))]
            [usize::from(number) - 1],
        action: AuditAction::ALL[usize::from(number)],
        target: (number == 2).then(|| "them".to_owned()),
        address: (number == 2).then(|| "10.0.0.1".to_owned()),
        details: json!({"number": number}).as_object().cloned().unwrap(),
    };
    there_and_back!(
        store,
        (1..=3).map(entry).collect::<Vec<_>>(),
        keep_audit,
        |after| store.page_audit(after, 2),
        |kept| kept.id
    );
    let invitation = |number: u8| Invitation {
        id: id(number),
        hash: [number; 32],
        address: (number == 1).then(|| Address::parse("bob@example.org").unwrap()),
        role: Role::User,
        made_by: id(4),
        created_at: at(1),
        expires_at: at(2),
    };
    there_and_back!(
        store,
        (1..=3).map(invitation).collect::<Vec<_>>(),
        keep_invitations,
        |after| store.page_invitations(after, 2),
        |kept| kept.id
    );
    let group = |number: u8| Group {
        id: id(number),
        name: format!("Group {number}"),
        members: if number == 1 { Vec::new() } else { vec![id(1), id(9)] },
        created_at: at(1),
    };
    there_and_back!(
        store,
        (1..=3).map(group).collect::<Vec<_>>(),
        keep_groups,
        |after| store.page_groups(after, 2),
        |kept| kept.id
    );
    let identity = |number: u8| Identity {
        id: id(number),
        user: id(1 + number % 2),
        issuer: "https://id.example.org".to_owned(),
        subject: number.to_string(),
        address: (number == 1).then(|| "a@b".to_owned()),
        created_at: at(1),
        last_used_at: (number == 2).then_some(at(3)),
    };
    there_and_back!(
        store,
        (1..=5).map(identity).collect::<Vec<_>>(),
        keep_identities,
        |after| store.page_identities(after, 2),
        |kept| (kept.user, kept.id)
    );
    assert!(store.page_outbox(None, 2).await.unwrap().is_empty());
}
