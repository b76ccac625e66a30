//! Whose uploads a request is about.

use actix_web::HttpRequest;
use common::UserId;
use common::files::{Actor, LinkRole, OnConflict};
use http_kit::{ApiResult, Authenticated, client_ip, customer_key};

use super::marked;
use crate::app::access::Target;
use crate::app::sharing::visit::Visit;
use crate::app::watch::Pass;
use crate::http::params;
use crate::state::FileService;

/// Who begins uploads, goes on with them and is told of them.
pub(in crate::http) enum Party {
    /// An account, let in by this.
    Account(UserId, Pass),
    /// Whoever has a link.
    Visitor(Box<Visit>),
}

impl Party {
    /// # Errors
    /// `not_found` to a credential that is good for one folder.
    pub(super) fn account(caller: &Authenticated, request: &HttpRequest) -> ApiResult<Self> {
        let user = params::whole(caller).map_err(|problem| marked(request, problem))?;
        Ok(Self::Account(user, params::pass(request, caller)))
    }

    pub(super) fn actor(&self) -> Actor {
        match self {
            Self::Account(user, _) => Actor::User(*user),
            Self::Visitor(visit) => visit.actor,
        }
    }

    /// Where a visitor is; none of an account.
    pub(super) fn address(&self, request: &HttpRequest, service: &FileService) -> Option<String> {
        match self {
            Self::Account(..) => None,
            Self::Visitor(_) => Some(customer_key(client_ip(request, &service.settings.trusted_proxies))),
        }
    }

    /// What may end while bytes come, besides the right to add to a folder.
    pub(super) fn pass(&self) -> Pass {
        match self {
            Self::Account(_, pass) => pass.clone(),
            Self::Visitor(_) => Pass::Free,
        }
    }

    /// The folder that is named for a file. A visitor's root is what the link leads to.
    ///
    /// # Errors
    /// `parent_not_found` for what is no id.
    pub(super) fn parent(&self, text: Option<&str>) -> ApiResult<Target> {
        match (self, text) {
            (Self::Visitor(visit), None | Some(params::ROOT)) => Ok(Target::Node(visit.link.node)),
            (_, text) => params::parent(text),
        }
    }

    /// What is done about a name that is taken. To whoever only drops that would tell of what is there.
    pub(super) fn on_conflict(&self, wish: Option<OnConflict>) -> Option<OnConflict> {
        if self.sees_files() { wish } else { Some(OnConflict::Rename) }
    }

    /// Whether they may be told which file an upload has become.
    pub(super) fn sees_files(&self) -> bool {
        !matches!(self, Self::Visitor(visit) if visit.link.role == LinkRole::Dropper)
    }
}
