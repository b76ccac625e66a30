//! Which routes the public and the internal listener have.

use std::sync::Arc;

use actix_web::web;
use common::auth::Authenticator;
use common::routes::Service;
use http_kit::CookiePolicy;
use http_kit::health::{self, Health};
use http_kit::idempotency::Idempotency;
use http_kit::reference::Reference;
use http_kit::service_token::ServiceGate;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::page;
use crate::parts::Parts;

/// What every worker thread's app is made from.
#[derive(Clone)]
pub(crate) struct Routes {
    parts: Arc<Parts>,
    authenticator: web::Data<dyn Authenticator>,
    cookies: web::Data<CookiePolicy>,
    keys: web::Data<Idempotency>,
    gate: web::Data<ServiceGate>,
    health: web::Data<Health>,
    files: web::Data<file_service::FileService>,
    worker: web::Data<worker_service::WorkerService>,
    reference: Reference,
    document: &'static page::File,
}

impl Routes {
    /// `document` is the page's, for the path at which people reach it.
    pub(crate) fn new(
        parts: Arc<Parts>,
        cookies: CookiePolicy,
        health: Health,
        reference: Reference,
        document: &'static page::File,
    ) -> Self {
        let authenticator: Arc<dyn Authenticator> = parts.authenticator.clone();
        Self {
            authenticator: web::Data::from(authenticator),
            cookies: web::Data::new(cookies),
            keys: web::Data::from(parts.keys.clone()),
            gate: web::Data::new(ServiceGate::new(parts.tokens.clone(), Service::ALL, crate::parts::clock())),
            health: web::Data::new(health),
            files: web::Data::from(parts.files.clone()),
            worker: web::Data::from(parts.worker.clone()),
            reference,
            document,
            parts,
        }
    }

    /// The page, the API, the classic API and `/health`.
    pub(crate) fn public(&self, config: &mut web::ServiceConfig) {
        config
            .app_data(self.authenticator.clone())
            .app_data(self.cookies.clone())
            .app_data(self.keys.clone())
            .app_data(self.files.clone())
            .app_data(self.worker.clone());
        // jobs of one's own lie below what else is one's own
        worker_service::public_routes(&mut ServiceConfig::new(config));
        self.parts.auth.public_routes(config);
        file_service::public_routes(&mut ServiceConfig::new(config));
        health::configure(config, self.health.clone());
        self.reference.configure(config);
        page::routes(config, self.document);
    }

    /// What the services ask one another.
    pub(crate) fn internal(&self, config: &mut web::ServiceConfig) {
        config.app_data(self.gate.clone()).app_data(self.files.clone()).app_data(self.worker.clone());
        self.parts.auth.internal_routes(config);
        file_service::internal_routes(config);
        worker_service::internal_routes(config);
        health::configure(config, self.health.clone());
    }

    /// For monitoring: health, and nothing that the services ask one another.
    pub(crate) fn monitoring(&self, config: &mut web::ServiceConfig) {
        health::configure(config, self.health.clone());
    }
}
