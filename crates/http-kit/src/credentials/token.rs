use std::fmt;
use std::time::Duration;

use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::auth::PublicKey;
use common::{SessionId, SigningKeyId, Timestamp, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How far the clocks of services may be apart.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// What a token must say of its maker and its audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPolicy {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who made it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// The account.
    pub sub: UserId,
    /// The sign-in.
    pub sid: SessionId,
    /// What it allows, words with spaces between; empty means all that the account may do.
    #[serde(default)]
    pub scope: String,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
}

/// A text of bytes that is not an Ed25519 private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 private key")]
pub struct InvalidKey;

/// Signs tokens with one Ed25519 key. Its `Debug` shows no secret.
#[derive(Clone)]
pub struct TokenSigner {
    public: PublicKey,
    key: EncodingKey,
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSigner({})", self.public.id)
    }
}

impl TokenSigner {
    /// Makes a new key with this id.
    pub fn generate(id: SigningKeyId) -> Self {
        let pair = Ed25519KeyPair::generate().expect("the system gives random bytes");
        Self::from_pair(id, &pair)
    }

    /// Takes the key back that [`TokenSigner::seed`] gave.
    ///
    /// # Errors
    /// [`InvalidKey`] if it has not 32 bytes.
    pub fn from_seed(id: SigningKeyId, seed: &[u8]) -> Result<Self, InvalidKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| InvalidKey)?;
        Ok(Self::from_pair(id, &pair))
    }

    fn from_pair(id: SigningKeyId, pair: &Ed25519KeyPair) -> Self {
        let ed25519 = pair.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes");
        let der = pair.to_pkcs8v1().expect("a key pair can be written as PKCS #8");
        Self { public: PublicKey { id, ed25519 }, key: EncodingKey::from_ed_der(der.as_ref()) }
    }

    /// The private part, 32 bytes, to be sealed and stored.
    pub fn seed(&self) -> Vec<u8> {
        let pair = Ed25519KeyPair::from_pkcs8(self.key.as_bytes()).expect("the signer holds a good key");
        let seed = pair.seed().and_then(|seed| seed.as_be_bytes()).expect("an Ed25519 key has a seed");
        seed.as_ref().to_vec()
    }

    /// The key that verifies what this one signs.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Makes a token.
    pub fn sign(&self, claims: &Claims) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.public.id.to_string());
        jsonwebtoken::encode(&header, claims, &self.key)
            .expect("the signer holds a good key and claims are JSON")
    }
}

/// The keys as a JSON Web Key Set (RFC 7517, RFC 8037), for `/.well-known/jwks.json`.
pub fn jwks(keys: &[PublicKey]) -> Value {
    let keys: Vec<_> = keys
        .iter()
        .map(|key| {
            json!({
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
                "kid": key.id.to_string(), "x": URL_SAFE_NO_PAD.encode(key.ed25519),
            })
        })
        .collect();
    json!({ "keys": keys })
}

/// What is kept of a token whose signature was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verified {
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) key: SigningKeyId,
    expires: i64,
}

impl Verified {
    pub(super) fn is_current(&self, now: Timestamp) -> bool {
        now.seconds() < self.expires.saturating_add(LEEWAY.as_secs().cast_signed())
    }
}

/// The id of the key that a token claims to be signed with; none if it is no token of ours. Nothing is verified yet.
pub(super) fn claimed_key(token: &str) -> Option<SigningKeyId> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    if header.alg != Algorithm::EdDSA {
        return None;
    }
    SigningKeyId::parse(&header.kid?).ok()
}

/// Checks signature, issuer and audience with a key that is ours and an algorithm that is fixed; the time is for the caller to check.
pub(super) fn verify(
    token: &str,
    id: SigningKeyId,
    key: &DecodingKey,
    policy: &TokenPolicy,
) -> Option<Verified> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[&policy.issuer]);
    validation.set_audience(&[&policy.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // the library reads the system's clock; ours is handed in
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Claims>(token, key, &validation).ok()?.claims;
    Some(Verified { user: claims.sub, session: claims.sid, key: id, expires: claims.exp })
}
