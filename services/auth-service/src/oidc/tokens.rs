//! What a provider says of somebody: the exchange of a code (RFC 6749, 4.1.3; RFC 7636), the ID token (OpenID Connect Core 1.0, 3.1.3.7), and what it
//! tells besides (5.3).

use common::Timestamp;
use common::auth::MAX_SUBJECT_BYTES;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::metadata::Metadata;
use super::{OidcError, Provider, call};

/// How far a provider's clock may be from ours, in seconds.
const LEEWAY: f64 = 60.0;

/// What an ID token may be signed with. Nothing symmetric: a client secret is known to whoever configures it.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Somebody whom a provider knows, as its answer says, which was checked.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Person {
    /// Who it is there.
    pub(crate) subject: String,
    /// The address, if it says one.
    pub(crate) address: Option<String>,
    /// It says that this person can be reached there.
    pub(crate) verified: bool,
    /// What it can be reminded of this sign-in with.
    pub(crate) id_token: String,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: Option<String>,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nonce: Option<String>,
    #[serde(flatten)]
    contact: Contact,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
struct Contact {
    email: Option<String>,
    /// A boolean; some providers write it as a text.
    email_verified: Option<Value>,
}

impl Contact {
    fn is_verified(&self) -> bool {
        match &self.email_verified {
            Some(Value::Bool(verified)) => *verified,
            Some(Value::String(word)) => word == "true",
            _ => false,
        }
    }
}

#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    #[serde(flatten)]
    contact: Contact,
}

impl Provider {
    /// Exchanges a code for what the provider says of whoever brought it.
    ///
    /// # Errors
    /// `Unavailable`; `State` where the code is none (any more); `Answer`.
    pub(crate) async fn redeem(&self, code: &str, verifier: &str, nonce: &str) -> Result<Person, OidcError> {
        let metadata = self.source.metadata().await?;
        let tokens = self.exchange(&metadata, code, verifier).await?;
        let id_token = tokens.id_token.ok_or(OidcError::Answer("there is no ID token in it"))?;
        let header =
            jsonwebtoken::decode_header(&id_token).map_err(|_| OidcError::Answer("the ID token is none"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(OidcError::Answer("the ID token is signed in a way that does not count"));
        }
        let key = self.source.key(header.kid.as_deref(), header.alg).await?;
        let claims = verified(&id_token, header.alg, &key)?;
        check(&claims, &self.settings.issuer, &self.settings.client_id, nonce, self.clock.now())?;
        let mut contact = claims.contact;
        if contact.email.is_none()
            && let (Some(_), Some(access)) = (&metadata.userinfo_endpoint, &tokens.access_token)
        {
            contact = self.ask_contact(&metadata, access, &claims.sub).await?;
        }
        Ok(Person { subject: claims.sub, verified: contact.is_verified(), address: contact.email, id_token })
    }

    async fn exchange(&self, metadata: &Metadata, code: &str, verifier: &str) -> Result<Tokens, OidcError> {
        let id = self.settings.client_id.as_str();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("code_verifier", verifier),
        ];
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let basic = match &self.settings.client_secret {
            Some(secret) if !metadata.takes_secret_in_body_only() => Some((encode(id), encode(secret))),
            secret => {
                form.push(("client_id", id));
                form.extend(secret.as_deref().map(|secret| ("client_secret", secret)));
                None
            }
        };
        let basic = basic.as_ref().map(|(id, secret)| (id.as_str(), secret.as_str()));
        let reply = call(self.http.post_form(&metadata.token_endpoint.0, &form, basic)).await?;
        match reply.status {
            200 => serde_json::from_slice(&reply.body)
                .map_err(|_| OidcError::Answer("the answer to the code cannot be read")),
            400..500 => {
                let refusal: Option<Refusal> = serde_json::from_slice(&reply.body).ok();
                match refusal.as_ref().map(|refusal| refusal.error.as_str()) {
                    Some("invalid_grant") => Err(OidcError::State),
                    _ => Err(OidcError::Answer(
                        "it refused the product itself: look at client_id and client_secret",
                    )),
                }
            }
            status => Err(OidcError::Unavailable(format!("its token endpoint answered {status}"))),
        }
    }

    async fn ask_contact(
        &self,
        metadata: &Metadata,
        access: &str,
        subject: &str,
    ) -> Result<Contact, OidcError> {
        let Some(place) = &metadata.userinfo_endpoint else {
            return Err(OidcError::unusable("it has no userinfo endpoint"));
        };
        let reply = call(self.http.get(&place.0, Some(access))).await?;
        if reply.status != 200 {
            return Err(OidcError::Unavailable(format!("its userinfo endpoint answered {}", reply.status)));
        }
        let told: UserInfo = serde_json::from_slice(&reply.body)
            .map_err(|_| OidcError::Answer("what it says of the person cannot be read"))?;
        // OpenID Connect Core 1.0, 5.3.4
        if told.sub != subject {
            return Err(OidcError::Answer("it speaks of somebody else"));
        }
        Ok(told.contact)
    }
}

/// The claims of a token whose signature is good. Nothing else is looked at yet.
fn verified(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Result<Claims, OidcError> {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    // the library reads the system's clock; ours is handed in
    validation.validate_exp = false;
    validation.validate_aud = false;
    let decoded = jsonwebtoken::decode::<Claims>(token, key, &validation);
    decoded.map(|decoded| decoded.claims).map_err(|error| {
        tracing::debug!(%error, "ID token not taken");
        OidcError::Answer("the ID token's signature or form is wrong")
    })
}

fn check(claims: &Claims, issuer: &str, client: &str, nonce: &str, now: Timestamp) -> Result<(), OidcError> {
    let wrong = |what| Err(OidcError::Answer(what));
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
    let now = now.seconds() as f64;
    if claims.iss != issuer {
        return wrong("the ID token is of another issuer");
    }
    let (is_ours, is_alone) = match &claims.aud {
        Audience::One(one) => (one == client, true),
        Audience::Many(many) => (many.iter().any(|one| one == client), many.len() == 1),
    };
    if !is_ours {
        return wrong("the ID token is for another audience");
    }
    match &claims.azp {
        Some(party) if party != client => return wrong("the ID token was made for another party"),
        None if !is_alone => return wrong("the ID token does not say whom of several it was made for"),
        _ => {}
    }
    if claims.exp + LEEWAY <= now {
        return wrong("the ID token has expired");
    }
    if claims.iat - LEEWAY > now {
        return wrong("the ID token is of a time to come");
    }
    let same = claims.nonce.as_ref().is_some_and(|said| bool::from(said.as_bytes().ct_eq(nonce.as_bytes())));
    if !same {
        return wrong("the ID token belongs to another sign-in (nonce)");
    }
    if claims.sub.is_empty() || claims.sub.len() > MAX_SUBJECT_BYTES {
        return wrong("the ID token names nobody");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_800_000_000;

    fn outcome(change: impl FnOnce(&mut Value)) -> Result<(), OidcError> {
        let mut claims = json!({
            "iss": "https://id.example.org", "sub": "bob", "aud": "files", "exp": NOW + 300, "iat": NOW, "nonce": "n",
            "email": "bob@example.org", "email_verified": true,
        });
        change(&mut claims);
        let claims: Claims = serde_json::from_value(claims).unwrap();
        check(&claims, "https://id.example.org", "files", "n", Timestamp::from_millis(NOW * 1000))
    }

    #[test]
    fn a_token_is_for_us_now_and_for_this_sign_in() {
        outcome(|_| {}).unwrap();
        outcome(|claims| claims["aud"] = json!(["files"])).unwrap();
        outcome(|claims| {
            claims["aud"] = json!(["other", "files"]);
            claims["azp"] = json!("files");
        })
        .unwrap();
        outcome(|claims| claims["exp"] = json!(NOW - 59)).unwrap();
        outcome(|claims| claims["iat"] = json!(NOW + 60)).unwrap();
        outcome(|claims| claims["iat"] = json!(1_799_999_999.5)).unwrap();
        for (key, value) in [
            ("iss", json!("https://id.example.org/")),
            ("aud", json!("other")),
            ("aud", json!([])),
            ("aud", json!(["other", "files"])),
            ("azp", json!("other")),
            ("exp", json!(NOW - 60)),
            ("iat", json!(NOW + 61)),
            ("nonce", json!("m")),
            ("nonce", json!(null)),
            ("sub", json!("")),
            ("sub", json!("x".repeat(256))),
        ] {
            assert!(outcome(|claims| claims[key] = value.clone()).is_err(), "{key} {value}");
        }
    }

    #[test]
    fn an_address_is_verified_when_the_provider_says_so_and_not_otherwise() {
        let verified = |said: Value| {
            let contact: Contact =
                serde_json::from_value(json!({"email": "a@b", "email_verified": said})).unwrap();
            contact.is_verified()
        };
        assert!(verified(json!(true)) && verified(json!("true")));
        for said in [json!(false), json!("false"), json!(null), json!(1), json!("True"), json!([true])] {
            assert!(!verified(said.clone()), "{said}");
        }
    }
}
