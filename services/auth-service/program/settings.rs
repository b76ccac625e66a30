//! Everything that can be set.

use auth_service::{
    ADMINISTRATION_DOCS, AUTH_DOCS, AccountsSection, AdministrationSection, OIDC_DOCS, OidcSection,
    Registration,
};
use distributed::{Common, with_common_docs};
use runtime::settings::Doc;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    #[serde(flatten)]
    pub(crate) common: Common,
    pub(crate) registration: Registration,
    pub(crate) bcrypt_cost: u32,
    pub(crate) accounts: AccountsSection,
    pub(crate) administration: AdministrationSection,
    pub(crate) oidc: OidcSection,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            common: Common::default(),
            registration: Registration::Auto,
            bcrypt_cost: 12,
            accounts: AccountsSection::default(),
            administration: AdministrationSection::default(),
            oidc: OidcSection::new(),
        }
    }
}

/// What each key means.
pub(crate) fn docs() -> Vec<Doc> {
    with_common_docs(&[AUTH_DOCS, OIDC_DOCS, ADMINISTRATION_DOCS])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use runtime::settings::Sources;

    use super::*;

    #[test]
    fn every_setting_is_documented_and_read_from_the_environment() {
        runtime::settings::check_docs::<Settings>(&docs()).unwrap();
        let environment = [
            ("FM_LISTEN", "0.0.0.0:80"),
            ("FM_BCRYPT_COST", "4"),
            ("FM_REGISTRATION", "open"),
            ("FM_JOBS_URL", "http://jobs:1"),
            ("FM_STOP__DEADLINE", "7s"),
            ("FM_OIDC__COMPANY__ISSUER", "https://id.example.org"),
            ("FM_OIDC__COMPANY__SIGN_UP", "true"),
        ];
        let environment: BTreeMap<_, _> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings: Settings =
            runtime::settings::load(&docs(), &Sources { file: None, environment }).unwrap();
        assert_eq!(settings.common.listen.port(), 80);
        assert_eq!((settings.bcrypt_cost, settings.registration), (4, Registration::Open));
        let company = &settings.oidc["company"];
        assert_eq!((company.issuer.as_str(), company.sign_up), ("https://id.example.org", true));
        assert_eq!(settings.common.jobs_url, "http://jobs:1");
        assert_eq!(settings.common.stop.deadline.duration().as_secs(), 7);
    }
}
