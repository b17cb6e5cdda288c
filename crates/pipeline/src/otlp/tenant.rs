//! Whose telemetry a request is.

use crate::intake::{Reason, Refusal};
use ::http::HeaderMap;
use model::TenantId;

/// The tenant that `X-Scope-OrgID` names, or the default one.
pub fn of(headers: &HeaderMap) -> Result<TenantId, Refusal> {
    let Some(name) = headers.get("x-scope-orgid") else { return Ok(TenantId::default()) };
    name.to_str().ok().and_then(TenantId::new).ok_or_else(|| {
        Refusal::new(Reason::Invalid, "X-Scope-OrgID must be 1 to 64 of the letters A-Z a-z, digits, _ and -")
    })
}
