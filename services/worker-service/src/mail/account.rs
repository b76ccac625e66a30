//! What mails about accounts say.

use common::Timestamp;
use common::auth::Address;
use common::auth::mail::{AccountEvent, MailContent};

use super::welcome::escaped;
use super::{Cause, Mail};

/// Somebody who did not ask for a mail is told that nothing has happened.
const NOT_YOU: &str =
    "If you did not ask for this, you can ignore this mail: without the code nothing happens.";
const ONE_HOUR: &str = "It works once, and for less than an hour.";

/// The mail with this content. `public_url` is where the product is reached, if that is known.
pub(crate) fn account_mail(
    cause: Cause,
    to: &Address,
    content: &MailContent,
    public_url: Option<&str>,
) -> Mail {
    let Text { subject, paragraphs } = text(content, public_url);
    let plain: String = paragraphs.iter().map(|paragraph| format!("{}\r\n\r\n", paragraph.plain())).collect();
    let html: String = paragraphs.iter().map(|paragraph| format!("<p>{}</p>\n", paragraph.html())).collect();
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{subject}</title></head>\n<body>\n{html}</body></html>\n"
    );
    Mail { cause, to: to.clone(), subject: subject.to_owned(), text: plain, html }
}

struct Text {
    subject: &'static str,
    paragraphs: Vec<Paragraph>,
}

enum Paragraph {
    Sentence(String),
    Code(String),
    Link(String),
}

impl Paragraph {
    fn plain(&self) -> String {
        match self {
            Self::Sentence(text) | Self::Link(text) => text.clone(),
            Self::Code(code) => format!("    {code}"),
        }
    }

    fn html(&self) -> String {
        match self {
            Self::Sentence(text) => escaped(text),
            Self::Code(code) => format!("<code>{}</code>", escaped(code)),
            Self::Link(url) => format!("<a href=\"{0}\">{0}</a>", escaped(url)),
        }
    }
}

fn text(content: &MailContent, public_url: Option<&str>) -> Text {
    let sentence = |text: &str| Paragraph::Sentence(text.to_owned());
    let with_code = |subject, what: &str, code: &str, place: &str| {
        let mut paragraphs = vec![sentence(what), Paragraph::Code(code.to_owned()), sentence(ONE_HOUR)];
        paragraphs.extend(public_url.map(|url| Paragraph::Link(link(url, place, code))));
        paragraphs.push(sentence(NOT_YOU));
        Text { subject, paragraphs }
    };
    match content {
        MailContent::ResetPassword { code } => with_code(
            "A new password for Files Manager",
            "Someone asked for a new password for the account with this address. This code sets one:",
            code,
            "reset#code",
        ),
        MailContent::VerifyAddress { code } => with_code(
            "Verify your address for Files Manager",
            "An account with this address was made. This code verifies that the address is yours:",
            code,
            "verify#code",
        ),
        MailContent::ConfirmNewAddress { code } => with_code(
            "Your new address for Files Manager",
            "Someone wants to use this address for their account. This is the code for the new address:",
            code,
            "account#newCode",
        ),
        MailContent::ConfirmOldAddress { code, new } => with_code(
            "Your account gets another address",
            &format!(
                "Someone who knows your password wants to change the address of your account to {new}. \
                 This is the code for the old address:"
            ),
            code,
            "account#oldCode",
        ),
        MailContent::Invitation { code, expires_at } => {
            let mut paragraphs = vec![
                sentence("You are invited to make an account. This is the code of your invitation:"),
                Paragraph::Code(code.clone()),
                Paragraph::Sentence(format!("It works once, until {expires_at}.")),
            ];
            paragraphs.extend(public_url.map(|url| Paragraph::Link(link(url, "register#invitation", code))));
            Text { subject: "You are invited to Files Manager", paragraphs }
        }
        MailContent::AddressInUse => Text {
            subject: "Your address for Files Manager",
            paragraphs: vec![
                sentence("Someone wanted to use this address for another account."),
                sentence("It stays with your account, and nothing has changed."),
            ],
        },
        MailContent::Notice { event, at, device, address } => {
            let (subject, what, advice) = event_text(event);
            let from = origin(*at, device.as_deref(), address.as_deref());
            let mut paragraphs = vec![Paragraph::Sentence(what), Paragraph::Sentence(from), sentence(advice)];
            paragraphs.extend(public_url.map(|url| Paragraph::Link(url.to_owned())));
            Text { subject, paragraphs }
        }
    }
}

/// Where a code is taken: a screen of the page, and the name of the code. It stands behind `#`, so that no server's log gets it.
fn link(public_url: &str, place: &str, code: &str) -> String {
    format!("{}/app/{place}={code}", public_url.trim_end_matches('/'))
}

fn event_text(event: &AccountEvent) -> (&'static str, String, &'static str) {
    const RESET: &str = "If that was not you, set a new password now: \"Forgot your password?\" on the sign-in page sends a code to this address.";
    match event {
        AccountEvent::PasswordChanged { tokens_ended, identities_ended } => (
            "Your password was changed",
            format!(
                "The password of your account was changed. All other sign-ins have ended.{}{}",
                if *tokens_ended { " So have all API tokens." } else { "" },
                unlinked(*identities_ended)
            ),
            RESET,
        ),
        AccountEvent::PasswordSet { identities_ended } => (
            "Your password was set",
            format!(
                "Whoever runs this installation has set another password for your account. All sign-ins and API tokens have ended.{}",
                unlinked(*identities_ended)
            ),
            "If you did not ask for that, ask them.",
        ),
        AccountEvent::TokenMade { name } => (
            "An API token was made",
            format!("An API token was made for your account, called \"{name}\". Programs that have it get in without your password."),
            "If that was not you, sign in, end it under Account, API tokens, and set a new password.",
        ),
        AccountEvent::PasswordReset { identities_ended } => (
            "Your password was reset",
            format!(
                "The password of your account was set anew with a code from a mail. All sign-ins and API tokens have ended. Programs that used a \
                 token need a new one.{}",
                unlinked(*identities_ended)
            ),
            RESET,
        ),
        AccountEvent::ExportReady { expires_at } => (
            "Your export is ready",
            format!(
                "All that is in your account was put together, as it was asked for. It can be fetched until {expires_at}, by nobody but you, where you asked for it."
            ),
            RESET,
        ),
        AccountEvent::AddressChanged => (
            "The address of your account was changed",
            "Your account has another address now. Sign in with the new one.".to_owned(),
            "If that was not you, ask whoever runs this installation for help now.",
        ),
        AccountEvent::SecondFactorOn => (
            "Two-step sign-in is on",
            "A code of your authenticator app is asked for at each sign-in from now on. All other sign-ins have ended.".to_owned(),
            RESET,
        ),
        AccountEvent::SecondFactorOff => {
            ("Two-step sign-in is off", "Your password alone signs in from now on.".to_owned(), RESET)
        }
        AccountEvent::RecoveryCodeUsed => (
            "A recovery code was used",
            "A recovery code stood in for your authenticator app. It does not work again.".to_owned(),
            RESET,
        ),
        AccountEvent::IdentityLinked => (
            "A way to sign in was added",
            "A sign-in by an identity provider opens your account from now on.".to_owned(),
            "If that was not you, sign in, remove it under Account, and set a new password.",
        ),
        AccountEvent::IdentityRemoved => (
            "A way to sign in was removed",
            "A sign-in by an identity provider does not open your account any more.".to_owned(),
            RESET,
        ),
        AccountEvent::AdministratorMade { account } => (
            "There is another administrator",
            format!("The account {account} administers this installation from now on."),
            "If none of you did that, disable that account now, look into the audit log whose sign-in it was done by, and set a new password there.",
        ),
        AccountEvent::NewDevice => (
            "New sign-in to your account",
            "Someone signed in to your account from a device that was not seen before.".to_owned(),
            RESET,
        ),
        AccountEvent::DeletionAsked { deletes_at } => (
            "Your account will be deleted",
            format!(
                "Someone who knows your password asked that your account be deleted. It is closed now, and will be deleted with all its \
                 files on {deletes_at}."
            ),
            "To keep it, sign in before that. If it was not you who asked, set a new password first: \"Forgot your password?\" on the sign-in page sends a \
             code to this address.",
        ),
        AccountEvent::DeletionCancelled => (
            "Your account will not be deleted",
            "Someone signed in to your account to keep it. It is open again, as it was.".to_owned(),
            RESET,
        ),
    }
}

/// What is said where identities went with the password.
fn unlinked(identities_ended: bool) -> &'static str {
    if identities_ended {
        " Identity providers do not open your account any more: link yours again under Account."
    } else {
        ""
    }
}

/// When and whence, as far as that is known.
fn origin(at: Timestamp, device: Option<&str>, address: Option<&str>) -> String {
    let mut text = format!("Time: {at}");
    if let Some(address) = address {
        text.push_str(&format!(". Network address: {address}"));
    }
    if let Some(device) = device {
        text.push_str(&format!(". Device: {device}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::JobId;

    fn mail(content: &MailContent) -> Mail {
        let cause = Cause { job: JobId::from_bytes([1; 12]), at: Timestamp::from_millis(0) };
        let to = Address::parse("bob@example.org").unwrap();
        account_mail(cause, &to, content, Some("https://files.example.org/a&b/"))
    }

    #[test]
    fn a_code_stands_on_a_line_of_its_own() {
        let mail = mail(&MailContent::ResetPassword { code: "ABCDE-12345".to_owned() });
        assert!(mail.text.contains("\r\n    ABCDE-12345\r\n"), "{}", mail.text);
        assert!(mail.html.contains("<code>ABCDE-12345</code>"), "{}", mail.html);
    }

    #[test]
    fn a_code_has_a_link_to_the_screen_that_takes_it() {
        let code = "ABCDE-12345".to_owned();
        let new = "new@example.org".to_owned();
        for (content, place) in [
            (MailContent::ResetPassword { code: code.clone() }, "reset#code"),
            (MailContent::VerifyAddress { code: code.clone() }, "verify#code"),
            (MailContent::ConfirmNewAddress { code: code.clone() }, "account#newCode"),
            (MailContent::ConfirmOldAddress { code, new }, "account#oldCode"),
        ] {
            let mail = mail(&content);
            let plain = format!("\r\nhttps://files.example.org/a&b/app/{place}=ABCDE-12345\r\n");
            let html = format!("href=\"https://files.example.org/a&amp;b/app/{place}=ABCDE-12345\"");
            assert!(mail.text.contains(&plain) && mail.html.contains(&html), "{}\n{}", mail.text, mail.html);
        }
    }

    #[test]
    fn who_is_told_of_a_new_password_is_told_of_identities_that_went_with_it() {
        for identities_ended in [false, true] {
            for event in [
                AccountEvent::PasswordChanged { tokens_ended: true, identities_ended },
                AccountEvent::PasswordReset { identities_ended },
                AccountEvent::PasswordSet { identities_ended },
            ] {
                let at = Timestamp::from_millis(0);
                let mail = mail(&MailContent::Notice { event, at, device: None, address: None });
                assert_eq!(mail.text.contains("link yours again"), identities_ended, "{}", mail.text);
            }
        }
        // as a version before wrote it
        let old = serde_json::from_str::<AccountEvent>(r#"{"what":"passwordReset"}"#).unwrap();
        assert_eq!(old, AccountEvent::PasswordReset { identities_ended: false });
    }

    #[test]
    fn an_account_that_will_be_deleted_is_told_when_and_how_it_can_be_kept() {
        let deletes_at = Timestamp::from_millis(0);
        let mail = mail(&MailContent::Notice {
            event: AccountEvent::DeletionAsked { deletes_at },
            at: Timestamp::from_millis(0),
            device: None,
            address: None,
        });
        assert!(mail.text.contains("1970-01-01T00:00:00.000Z"), "{}", mail.text);
        assert!(mail.text.contains("sign in before that"), "{}", mail.text);
    }

    #[test]
    fn an_invitation_tells_where_and_how() {
        let content =
            MailContent::Invitation { code: "fmi_00".to_owned(), expires_at: Timestamp::from_millis(0) };
        let cause = Cause { job: JobId::from_bytes([1; 12]), at: Timestamp::from_millis(0) };
        let to = Address::parse("bob@example.org").unwrap();
        let with = account_mail(cause, &to, &content, Some("https://files.example.org/"));
        let link = "https://files.example.org/app/register#invitation=fmi_00";
        assert!(with.text.contains(link) && with.html.contains(link), "{}", with.text);
        let without = account_mail(cause, &to, &content, None);
        assert!(without.text.contains("fmi_00") && without.html.contains("<code>fmi_00</code>"));
    }

    #[test]
    fn what_is_foreign_is_escaped() {
        let mail = mail(&MailContent::Notice {
            event: AccountEvent::PasswordChanged { tokens_ended: false, identities_ended: false },
            at: Timestamp::from_millis(0),
            device: Some("<script>alert(1)</script>".to_owned()),
            address: Some("192.0.2.7".to_owned()),
        });
        assert!(!mail.html.contains("<script>"), "{}", mail.html);
        assert!(
            mail.text.contains("1970-01-01T00:00:00.000Z. Network address: 192.0.2.7. Device: <script>"),
            "{}",
            mail.text
        );
    }
}
