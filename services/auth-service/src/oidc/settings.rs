//! Which identity providers there are.

use std::collections::BTreeMap;

use runtime::settings::Doc;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// `oidc`: providers by the names that stand in their addresses.
pub type OidcSection = BTreeMap<String, ProviderSection>;

/// One provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderSection {
    /// What its button says.
    pub title: Option<String>,
    /// The provider, as its tokens name it.
    pub issuer: String,
    /// Who the product is there.
    pub client_id: String,
    /// What it proves that with; a public client has none.
    pub client_secret: Option<String>,
    /// What is asked for, with spaces between.
    pub scopes: String,
    /// Whether somebody who comes for the first time gets an account.
    pub sign_up: bool,
    /// Whether an address that the provider has verified opens the account that has it.
    pub trust_addresses: bool,
    /// Whether signing out here offers to sign out there.
    pub end_session: bool,
}

impl Default for ProviderSection {
    fn default() -> Self {
        Self {
            title: None,
            issuer: String::new(),
            client_id: String::new(),
            client_secret: None,
            scopes: "openid email".to_owned(),
            sign_up: false,
            trust_addresses: false,
            end_session: true,
        }
    }
}

/// What the keys of a provider mean.
pub const OIDC_DOCS: &[Doc] = &[
    Doc {
        key: "oidc.*.title",
        text: "What the button of an identity provider says; its name unless set. The * is that name, such as COMPANY: letters, digits and _ (in the file also -). Needs public_url.",
    },
    Doc {
        key: "oidc.*.issuer",
        text: "The provider's issuer, such as https://login.example.org; http:// for this machine alone. Its redirect address is <public_url>/api/v1/auth/oidc/<name>/callback.",
    },
    Doc { key: "oidc.*.client_id", text: "Who the product is at the provider." },
    Doc {
        key: "oidc.*.client_secret",
        text: "What the product proves that with; none for a public client, which PKCE protects alone.",
    },
    Doc { key: "oidc.*.scopes", text: "What is asked for, with spaces between; openid email unless set." },
    Doc {
        key: "oidc.*.sign_up",
        text: "Whether somebody who comes from the provider for the first time, with a verified address, gets an account, whatever registration says; false unless set.",
    },
    Doc {
        key: "oidc.*.trust_addresses",
        text: "Whether an address that the provider says is verified opens the account that has it, if that was verified here too; false unless set: people link their accounts themselves.",
    },
    Doc {
        key: "oidc.*.end_session",
        text: "Whether signing out leads on to the provider's own sign-out, where it has one; true unless set.",
    },
];

/// A provider that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSettings {
    pub(crate) name: String,
    pub(crate) title: String,
    /// As written: tokens and the provider's own description must have the same text.
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<String>,
    pub(crate) scopes: String,
    pub(crate) sign_up: bool,
    pub(crate) trust_addresses: bool,
    pub(crate) end_session: bool,
}

/// Longest name of a provider.
const NAME_BYTES: usize = 32;

/// The providers of the settings.
///
/// # Errors
/// A sentence that names the setting.
pub fn providers(section: &OidcSection, public_url: Option<&str>) -> Result<Vec<ProviderSettings>, String> {
    if !section.is_empty() && public_url.is_none() {
        return Err(
            "FM_PUBLIC_URL: identity providers send people back to it, so it has to be set".to_owned()
        );
    }
    section.iter().map(|(name, section)| provider(name, section)).collect()
}

fn provider(name: &str, section: &ProviderSection) -> Result<ProviderSettings, String> {
    let setting = |key: &str, wrong: &str| format!("FM_OIDC__{}__{key}: {wrong}", name.to_uppercase());
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(is_letter) {
        return Err(format!("FM_OIDC: {name:?} is no name; it has up to 32 letters, digits, _ and -"));
    }
    check_issuer(&section.issuer).map_err(|wrong| setting("ISSUER", wrong))?;
    if section.client_id.is_empty() {
        return Err(setting("CLIENT_ID", "it has to be set"));
    }
    if !section.scopes.split_whitespace().any(|scope| scope == "openid") {
        return Err(setting("SCOPES", "one of them is openid"));
    }
    Ok(ProviderSettings {
        name: name.to_owned(),
        title: section.title.clone().unwrap_or_else(|| name.to_owned()),
        issuer: section.issuer.clone(),
        client_id: section.client_id.clone(),
        client_secret: section.client_secret.clone().filter(|secret| !secret.is_empty()),
        scopes: section.scopes.split_whitespace().collect::<Vec<_>>().join(" "),
        sign_up: section.sign_up,
        trust_addresses: section.trust_addresses,
        end_session: section.end_session,
    })
}

fn check_issuer(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "an address such as https://login.example.org")?;
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err("an address without a user, a query or a fragment");
    }
    if !is_safe(&url) {
        return Err("begin with https://; with http:// only for a provider on this machine");
    }
    Ok(())
}

/// Whether nobody on the way can read or change what goes there.
pub(super) fn is_safe(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_here)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(change: impl FnOnce(&mut ProviderSection)) -> OidcSection {
        let mut section = ProviderSection {
            issuer: "https://login.example.org/a".to_owned(),
            client_id: "files".to_owned(),
            ..ProviderSection::default()
        };
        change(&mut section);
        OidcSection::from([("company".to_owned(), section)])
    }

    #[test]
    fn every_key_of_a_provider_is_documented() {
        runtime::settings::check_section::<ProviderSection>("oidc", OIDC_DOCS).unwrap();
    }

    #[test]
    fn a_provider_that_cannot_be_used_is_refused_by_the_name_of_its_setting() {
        let url = Some("https://files.example.org");
        assert_eq!(providers(&OidcSection::new(), None).unwrap(), []);
        let good = providers(&section(|_| {}), url).unwrap();
        assert_eq!((good[0].title.as_str(), good[0].scopes.as_str()), ("company", "openid email"));
        assert!(!good[0].sign_up && !good[0].trust_addresses);
        assert!(providers(&section(|_| {}), None).unwrap_err().starts_with("FM_PUBLIC_URL"));
        let refused = |change: &dyn Fn(&mut ProviderSection)| providers(&section(change), url).unwrap_err();
        for issuer in [
            "",
            "login.example.org",
            "http://login.example.org",
            "http://10.0.0.1",
            "https://a/?b",
            "https://a/#b",
            "https://u@a/",
            "ftp://a",
        ] {
            let error = refused(&|one| one.issuer = issuer.to_owned());
            assert!(error.starts_with("FM_OIDC__COMPANY__ISSUER: "), "{error}");
        }
        for issuer in ["http://localhost:1", "http://127.0.0.1:1/x", "http://[::1]:1"] {
            providers(&section(|one| one.issuer = issuer.to_owned()), url).unwrap();
        }
        assert!(refused(&|one| one.client_id.clear()).starts_with("FM_OIDC__COMPANY__CLIENT_ID"));
        assert!(refused(&|one| one.scopes = "email".to_owned()).starts_with("FM_OIDC__COMPANY__SCOPES"));
        for name in ["", "a/b", "A", "ä", &"a".repeat(33)] {
            let wrong = section(|_| {}).into_values().map(|one| (name.to_owned(), one)).collect();
            assert!(providers(&wrong, url).unwrap_err().starts_with("FM_OIDC: "), "{name}");
        }
    }
}
