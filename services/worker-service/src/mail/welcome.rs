use common::auth::Address;

use super::{Cause, Mail};

/// The mail that welcomes a new user. `public_url` is where the product is reached, if that is known.
pub fn welcome(cause: Cause, to: &Address, public_url: Option<&str>) -> Mail {
    let address = to.as_str();
    let mut text = format!("Welcome {address}!\r\n\r\nYour account is ready.\r\n");
    let mut html = format!("<p>Welcome {}!</p>\n<p>Your account is ready.</p>\n", escaped(address));
    if let Some(url) = public_url {
        text.push_str(&format!("Sign in at {url}\r\n"));
        let url = escaped(url);
        html.push_str(&format!("<p><a href=\"{url}\">Sign in</a></p>\n"));
    }
    text.push_str(
        "\r\nIf you did not ask for an account, somebody mistyped an address. You can ignore this mail.\r\n",
    );
    html.push_str(
        "<p>If you did not ask for an account, somebody mistyped an address. You can ignore this mail.</p>\n",
    );
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Welcome</title></head>\n<body>\n{html}</body></html>\n"
    );
    Mail { cause, to: to.clone(), subject: "Welcome to Files Manager".to_owned(), text, html }
}

/// Text as it may stand in HTML, attributes included.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            letter => html.push(letter),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::{JobId, Timestamp};

    #[test]
    fn what_is_foreign_is_escaped() {
        let cause = Cause { job: JobId::from_bytes([1; 12]), at: Timestamp::from_millis(0) };
        let to = Address::parse("\"<script>'&\"@example.org").unwrap();
        let mail = welcome(cause, &to, Some("https://files.example.org/?a=1&b=\"2"));
        assert!(!mail.html.contains("<script>"), "{}", mail.html);
        assert!(mail.html.contains("&quot;&lt;script&gt;&#39;&amp;&quot;@example.org"), "{}", mail.html);
        assert!(mail.html.contains("href=\"https://files.example.org/?a=1&amp;b=&quot;2\""), "{}", mail.html);
        assert!(mail.text.starts_with("Welcome \"<script>'&\"@example.org!"));
    }
}
