//! The page's journeys: each test file of `web/tests` in a real browser, on an all-in-one of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::ffi::OsStr;

use support::Installation;
use testkit::servers::{IdentityProvider, free_port};

/// What some files want their installation to be like.
fn installation(file: &str) -> Installation {
    let fresh = Installation::fresh();
    if file == "below-a-path" {
        // the journey is the proxy there: it listens at this port, and knows nothing outside of the path
        let port = testkit::servers::free_port().unwrap();
        let reached = format!("http://127.0.0.1:{port}/my/files");
        return fresh.with("FM_PUBLIC_URL", &reached).with("FM_REGISTRATION", "open");
    }
    if file == "sign-in" {
        return fresh.with("FM_REGISTRATION", "closed").with("FM_ACCOUNTS__VERIFY", "required");
    }
    if file == "provider" {
        // both know one another's address before either is there
        let (own, provider) = (free_port().unwrap(), free_port().unwrap());
        let issuer = format!("http://127.0.0.1:{provider}");
        return fresh
            .with("FM_LISTEN", &format!("127.0.0.1:{own}"))
            .with("FM_PUBLIC_URL", &format!("http://127.0.0.1:{own}"))
            .with("FM_REGISTRATION", "open")
            .with("FM_OIDC__COMPANY__TITLE", "The company")
            .with("FM_OIDC__COMPANY__ISSUER", &issuer)
            .with("FM_OIDC__COMPANY__CLIENT_ID", "files")
            .with("FM_OIDC__COMPANY__CLIENT_SECRET", &IdentityProvider::secret("files"))
            .with("FM_OIDC__COMPANY__SIGN_UP", "true");
    }
    fresh
}

/// Where a journey that has an identity provider starts it.
fn provider_port(installation: &Installation) -> String {
    let issuer = installation.setting("FM_OIDC__COMPANY__ISSUER").unwrap_or_default();
    issuer.rsplit(':').next().unwrap_or_default().to_owned()
}

/// Runs the journeys of one file, and shows what they said if one fails.
fn journey(file: &str) {
    let installation = installation(file);
    let running = installation.start();
    let product = running.product();
    // without a mail server each mail is a file there
    let mail = installation.data().join("mail");
    let (provider, public) = (provider_port(&installation), installation.setting("FM_PUBLIC_URL"));
    let environment = [
        ("FM_E2E_PROVIDER_PORT", OsStr::new(&provider)),
        ("FM_E2E_MAIL", mail.as_os_str()),
        ("FM_E2E_PUBLIC_URL", OsStr::new(public.unwrap_or_default())),
    ];
    if let Err(error) = e2e::journeys::run(&product, &[file], &[], 1, &environment) {
        panic!("{error:#}");
    }
}

macro_rules! journeys {
    ($($name:ident $file:literal)*) => {
        $(
            #[test]
            fn $name() {
                journey($file);
            }
        )*

        #[test]
        fn no_journey_is_left_out() {
            for name in e2e::journeys::all().unwrap() {
                assert!([$($file),*].contains(&name.as_str()), "{name} is in no test");
            }
        }
    };
}

journeys! {
    set_up "00-set-up"
    account "account"
    account_accessible "account-accessible"
    account_page "account-page"
    accessible "accessible"
    admin "admin"
    archives "archives"
    arrange "arrange"
    below_a_path "below-a-path"
    browse "browse"
    export "export"
    jobs "jobs"
    language "language"
    large "large"
    many "many"
    organise "organise"
    phone "phone"
    provider "provider"
    public_link "public-link"
    queue "queue"
    queue_accessible "queue-accessible"
    resume "resume"
    search "search"
    select "select"
    sharing "sharing"
    sharing_accessible "sharing-accessible"
    sign_in "sign-in"
    upload "upload"
    view "view"
    viewers "viewers"
}
