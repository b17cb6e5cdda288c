//! Whose telemetry is asked for.

use crate::error::ApiError;
use axum::extract::FromRequestParts;
use http::request::Parts;
use model::TenantId;

/// The tenant that `X-Scope-OrgID` names, or the default one.
pub struct Tenant(pub TenantId);

impl<S: Sync> FromRequestParts<S> for Tenant {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(name) = parts.headers.get("x-scope-orgid") else { return Ok(Self(TenantId::default())) };
        let tenant = name.to_str().ok().and_then(TenantId::new);
        tenant.map(Self).ok_or_else(|| ApiError::invalid("X-Scope-OrgID must be 1 to 64 of A-Z a-z 0-9 _ -"))
    }
}
