//! How often somebody may try.

use std::time::Duration;

use common::auth::RateRule;

/// The rules. What the classic suites need: ten failures and sixty sign-ups a minute pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitRules {
    /// Failed sign-ins of one account from one address.
    pub login_account: RateRule,
    /// The same, once [`LimitRules::login_account_total`] is used up.
    pub login_account_guarded: RateRule,
    /// Failed sign-ins of one account from anywhere.
    pub login_account_total: RateRule,
    /// Failed sign-ins of one account from a device that it was signed in to from before. Nothing else limits these.
    pub login_device: RateRule,
    /// Failed sign-ins from one address, of any account.
    pub login_address: RateRule,
    /// Failed sign-ins from one network of IPv6 (/48), of any account: many a customer has one, and with it 65,536 addresses in the sense of these rules.
    pub login_network: RateRule,
    /// Sign-ups from one address.
    pub sign_up: RateRule,
    /// Wrong set-up codes from one address.
    pub setup: RateRule,
    /// Passwords where one who is signed in has to give it again, for one sign-in, right ones forgotten.
    pub proof: RateRule,
    /// Wrong ones of one account, by whichever sign-in, but from no device that it was signed in to from before.
    pub proof_account: RateRule,
    /// Codes of a second factor for one account, right ones forgotten.
    pub second_factor: RateRule,
    /// The same from a device that the account was signed in to from before.
    pub second_factor_device: RateRule,
    /// The same from all such devices of one account.
    pub second_factor_devices: RateRule,
    /// Recovery codes for one account from one address, right ones forgotten. Nobody guesses one, so those that others try from elsewhere are not counted.
    pub recovery_code: RateRule,
    /// Mails of one kind that were asked for one address; or, where somebody signed in asks, by one account.
    pub mail_account: RateRule,
    /// Mails that were asked for from one address.
    pub mail_address: RateRule,
    /// Wrong codes from one address.
    pub code: RateRule,
    /// Ways back from identity providers to one address, each of which costs requests to them.
    pub provider: RateRule,
    /// People that one account looks up: each look-up tells whether there is somebody with just this address.
    pub people: RateRule,
}

impl Default for LimitRules {
    fn default() -> Self {
        let rule = |name, burst, seconds| RateRule { name, burst, refill: Duration::from_secs(seconds) };
        Self {
            login_account: rule("login_account", 10, 60),
            login_account_guarded: rule("login_account_guarded", 3, 300),
            login_account_total: rule("login_account_total", 50, 60),
            login_device: rule("login_device", 10, 60),
            login_address: rule("login_address", 60, 2),
            login_network: rule("login_network", 300, 1),
            sign_up: rule("sign_up", 60, 1),
            setup: rule("setup", 10, 60),
            proof: rule("proof", 10, 60),
            proof_account: rule("proof_account", 30, 60),
            // who knows the password gets one guess in 10^6/3 a minute: on average one right in four months
            second_factor: rule("second_factor", 5, 60),
            second_factor_device: rule("second_factor_device", 5, 60),
            second_factor_devices: rule("second_factor_devices", 20, 30),
            recovery_code: rule("recovery_code", 10, 60),
            // what is kept from the owner when a stranger uses it up is a sixth mail, with a sixth code
            mail_account: rule("mail_account", 5, 600),
            mail_address: rule("mail_address", 20, 60),
            code: rule("code", 10, 60),
            provider: rule("provider", 30, 2),
            // somebody types on while the page looks up
            people: rule("people", 120, 1),
        }
    }
}
