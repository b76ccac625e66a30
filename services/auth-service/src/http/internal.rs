//! `/internal`: what the other services ask. On the internal listener, with a service token.

use actix_web::{HttpRequest, HttpResponse, web};
use common::auth::internal::{
    CredentialEnded, CredentialsOf, EndCredential, FindPeople, FoundPeople, MAX_PEOPLE, OwnedCredentials,
    PublicKeys, ResolveQuestion, ResolvedCredential, ResolvedToken,
};
use common::auth::{Address, CredentialEnd, OwnCredentialKind, Person, User};
use common::jobs::internal::{FindUser, FoundUser, UserStats};
use common::{Code, GroupId, PortResult, UserId};
use http_kit::service_token::ServiceCaller;
use http_kit::{ApiResult, Problem, input};

use super::BODY_BYTES;
use crate::AuthService;
use crate::app::own_credentials;

/// Groups of an account that are read at a time.
const GROUPS_AT_ONCE: u32 = 200;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/internal/keys", web::get().to(keys))
        .route("/internal/credentials/resolve", web::post().to(resolve))
        .route("/internal/credentials/list", web::post().to(list_credentials))
        .route("/internal/credentials/end", web::post().to(end_credential))
        .route("/internal/stats", web::get().to(stats))
        .route("/internal/users/find", web::post().to(find_user))
        .route("/internal/people/find", web::post().to(find_people));
}

async fn keys(_: ServiceCaller, service: web::Data<AuthService>) -> ApiResult<HttpResponse> {
    let keys = service.source.public_keys().await?;
    Ok(HttpResponse::Ok().json(PublicKeys { keys }))
}

async fn resolve(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    match input::json(&request, payload, BODY_BYTES).await? {
        ResolveQuestion::Session(asked) => {
            let states = service.source.resolve(asked.session, asked.user).await?;
            let answer = states.map(|(session, user)| ResolvedCredential { session, user });
            Ok(HttpResponse::Ok().json(answer))
        }
        ResolveQuestion::Token(asked) => {
            let states = service.source.resolve_token(&asked.token.0).await?;
            let answer = states.map(|(token, user)| ResolvedToken { token, user });
            Ok(HttpResponse::Ok().json(answer))
        }
    }
}

async fn list_credentials(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let CredentialsOf { user, identities } = input::json(&request, payload, BODY_BYTES).await?;
    let mut items = own_credentials::list(&service, user).await?;
    if !identities {
        items.retain(|one| one.kind != OwnCredentialKind::Identity);
    }
    Ok(HttpResponse::Ok().json(OwnedCredentials { items }))
}

async fn end_credential(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let asked: EndCredential = input::json(&request, payload, BODY_BYTES).await?;
    let end = own_credentials::end(&service, asked.user, asked.kind, asked.id, asked.by()).await?;
    let (ended, last_way_in) = (end == CredentialEnd::Ended, end == CredentialEnd::LastWayIn);
    Ok(HttpResponse::Ok().json(CredentialEnded { ended, last_way_in }))
}

async fn stats(_: ServiceCaller, service: web::Data<AuthService>) -> ApiResult<HttpResponse> {
    let users = service.accounts.store.count_users().await?;
    Ok(HttpResponse::Ok().json(UserStats { users }))
}

async fn find_user(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let asked: FindUser = input::json(&request, payload, BODY_BYTES).await?;
    let user = service.accounts.store.find_user(asked.id).await?;
    let answer = user.map(|user| FoundUser {
        id: user.id,
        address: user.address.as_str().to_owned(),
        role: Some(user.role),
        disabled: user.disabled,
    });
    Ok(HttpResponse::Ok().json(answer))
}

/// Most bytes of that question: [`MAX_PEOPLE`] ids of 27 bytes each.
const PEOPLE_BYTES: usize = 64 * 1024;

async fn find_people(
    _: ServiceCaller,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<AuthService>,
) -> ApiResult<HttpResponse> {
    let asked: FindPeople = input::json(&request, payload, PEOPLE_BYTES).await?;
    for (pointer, many) in [("/ids", asked.ids.len()), ("/groups", asked.groups.len())] {
        if many > MAX_PEOPLE {
            return Err(Problem::new(Code::InvalidRequest).field(pointer, "too_many", "too many at once"));
        }
    }
    let store = &service.accounts.store;
    let people = if asked.ids.is_empty() { Vec::new() } else { store.find_users(&asked.ids).await? };
    let people = people.into_iter().map(person).collect();
    // what cannot be an address is nobody's
    let person = match asked.address.as_deref().map(Address::parse) {
        Some(Ok(address)) => {
            store.find_user_by_address(&address.key()).await?.filter(|user| !user.disabled).map(person)
        }
        Some(Err(_)) | None => None,
    };
    let groups = match asked.groups.as_slice() {
        [] => Vec::new(),
        ids => service.admin.groups.find_group_names(ids).await?,
    };
    let memberships = match asked.groups_of {
        Some(user) => groups_of(&service, user).await?,
        None => Vec::new(),
    };
    Ok(HttpResponse::Ok().json(FoundPeople { people, person, groups, memberships }))
}

async fn groups_of(service: &AuthService, user: UserId) -> PortResult<Vec<GroupId>> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let page = service.admin.groups.list_groups(Some(user), before, GROUPS_AT_ONCE).await?;
        all.extend(page.items.iter().map(|group| group.id));
        before = all.last().copied();
        if !page.more {
            return Ok(all);
        }
    }
}

fn person(user: User) -> Person {
    Person { id: user.id, address: user.address.as_str().to_owned(), disabled: user.disabled }
}
