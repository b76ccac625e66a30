//! Who may make an account where one has to be invited.

use common::PortResult;
use common::auth::Address;

use crate::AuthService;

/// Whether this code invites the owner of this address. No codes are given out yet, so none does.
pub(crate) async fn invites(_: &AuthService, _code: &str, _address: &Address) -> PortResult<bool> {
    Ok(false)
}
