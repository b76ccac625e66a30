//! Second factors of callers: set up as an app does, and brought at each sign-in.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::product::{Account, Product, send};

/// Turns two-step sign-in on for an account: its recovery codes. What no answer may hold of it goes to the secrets.
pub(super) async fn enrol(
    product: &Product,
    account: &Account,
    secrets: &mut Vec<String>,
) -> Result<Vec<String>> {
    let path = "/api/v1/users/me/totp";
    let body = json!({"password": account.password});
    let begun = product.post(account, path, &body).await?.expect(200)?.json()?;
    let secret = begun["secret"].as_str().context("the secret of an app")?;
    let bytes = base32(secret)?;
    let (mut code, mut answer) = (String::new(), None);
    // a code is good for half a minute, which may just be over
    for _ in 0..2 {
        #[expect(clippy::disallowed_methods, reason = "an app goes by its own clock")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        code = totp(&bytes, now.as_secs() / 30);
        let confirmed = product.post(account, &format!("{path}/confirm"), &json!({ "code": code })).await?;
        if confirmed.status.as_u16() == 200 {
            answer = Some(confirmed.json()?);
            break;
        }
    }
    let answer = answer.with_context(|| format!("the code {code} is not taken"))?;
    let codes = answer["recoveryCodes"].as_array().context("recovery codes")?;
    let codes: Vec<_> = codes.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    secrets.extend([secret.to_owned(), hex::encode(&bytes), STANDARD_NO_PAD.encode(&bytes)]);
    secrets.extend(codes.iter().cloned());
    Ok(codes)
}

fn base32(text: &str) -> Result<Vec<u8>> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes() {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|one| *one == digit);
        bits = bits << 5 | u32::try_from(value.context("a digit of base 32")?)?;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff)?);
        }
    }
    Ok(bytes)
}

/// What an app shows (RFC 6238).
fn totp(secret: &[u8], step: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let word = tag.as_ref()[at..at + 4].iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

pub(super) async fn login_by(product: &Product, account: &Account, code: &str) -> Result<Value> {
    let body = json!({"email": account.email, "password": account.password, "recoveryCode": code});
    send(product.request(Method::POST, "/api/v1/auth/login").json(&body)).await?.expect(200)?.json()
}

/// Signs an account in once more, by a recovery code where it has a second factor.
pub(super) async fn sign_in(
    product: &Product,
    account: &Account,
    recovery: &mut BTreeMap<String, Vec<String>>,
) -> Result<Account> {
    let Some(codes) = recovery.get_mut(&account.email) else {
        return product.login(&account.email, &account.password).await;
    };
    let login = login_by(product, account, &codes.pop().context("one more recovery code")?).await?;
    let token = login["accessToken"].as_str().context("no accessToken")?.to_owned();
    Ok(Account { token, ..account.clone() })
}
