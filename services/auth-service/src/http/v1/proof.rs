//! That it is the caller who asks for what outlives their session.

use common::Code;
use common::auth::Principal;
use http_kit::{ApiResult, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::AuthService;
use crate::app::Client;
use crate::app::own_account::{self, Proof};
use crate::app::second_factor::SecondFactor;
use crate::http::problem;

/// What a caller brings once more, where an open session alone is not enough.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Proof)]
pub(super) struct ProofBody {
    /// The caller's password.
    #[schema(format = Password)]
    password: String,
    /// The code that the app shows, where the caller's account has a second factor.
    #[serde(default)]
    totp: Option<String>,
    /// One of the recovery codes, in its place.
    #[serde(default)]
    recovery_code: Option<String>,
}

/// Asks for a sign-in and its proof, where it is wanted: what makes somebody an administrator, or takes a second factor away, outlives the session that did
/// it, and whoever has only found an open one, or an API token, would make themselves a lasting way in.
///
/// # Errors
/// `insufficient_scope` for a token; `invalid_request` without a proof; `wrong_password`, `second_factor_required` and so on for one that is none.
pub(super) async fn require(
    service: &AuthService,
    client: &Client,
    caller: &Principal,
    proof: Option<&ProofBody>,
    is_wanted: bool,
) -> ApiResult<()> {
    if !is_wanted {
        return Ok(());
    }
    if caller.session().is_none() {
        return Err(Code::InsufficientScope.into());
    }
    let Some(proof) = proof else {
        let detail = "The caller's password is wanted for this, in the member proof";
        return Err(Problem::new(Code::InvalidRequest).detail(detail).field("/proof", "missing", detail));
    };
    let second_factor =
        SecondFactor { totp: proof.totp.as_deref(), recovery_code: proof.recovery_code.as_deref() };
    let proof = Proof { password: &proof.password, second_factor };
    own_account::prove_wholly(service, client, caller, proof).await.map_err(problem)?;
    Ok(())
}
