use common::auth::Address;
use common::jobs::types::InvitationMail;

use super::welcome::escaped;
use super::{Cause, Mail};

/// The mail that brings an invitation. `public_url` is where the product is reached, if that is known.
pub fn invitation(cause: Cause, to: &Address, mail: &InvitationMail, public_url: Option<&str>) -> Mail {
    let InvitationMail { code, expires_at, .. } = mail;
    let place = public_url.map(|url| format!("{}/register?invitation={code}", url.trim_end_matches('/')));
    let mut text = "You are invited to make an account.\r\n\r\n".to_owned();
    let mut html = "<p>You are invited to make an account.</p>\n".to_owned();
    if let Some(url) = place {
        text.push_str(&format!("Make it at {url}\r\n\r\n"));
        html.push_str(&format!("<p><a href=\"{}\">Make the account</a></p>\n", escaped(&url)));
    }
    text.push_str(&format!("Your invitation code is {code}\r\nIt works once, until {expires_at}.\r\n"));
    html.push_str(&format!(
        "<p>Your invitation code is <code>{}</code>. It works once, until {expires_at}.</p>\n",
        escaped(code)
    ));
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Invitation</title></head>\n<body>\n{html}</body></html>\n"
    );
    Mail { cause, to: to.clone(), subject: "You are invited to Files Manager".to_owned(), text, html }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::{JobId, Timestamp};

    #[test]
    fn an_invitation_tells_where_and_how() {
        let cause = Cause { job: JobId::from_bytes([1; 12]), at: Timestamp::from_millis(0) };
        let to = Address::parse("bob@example.org").unwrap();
        let mail = InvitationMail {
            address: "bob@example.org".to_owned(),
            code: "fmi_00".to_owned(),
            expires_at: Timestamp::from_millis(0),
        };
        let with = invitation(cause, &to, &mail, Some("https://files.example.org/a/"));
        assert!(
            with.text.contains("https://files.example.org/a/register?invitation=fmi_00"),
            "{}",
            with.text
        );
        let without = invitation(cause, &to, &mail, None);
        assert!(without.text.contains("fmi_00") && without.html.contains("<code>fmi_00</code>"));
    }
}
