//! How long a server asks one to wait.

use std::time::{Duration, SystemTime};

/// What `Retry-After` says: seconds, or a date that is that far away; nothing of what is past.
pub(crate) fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}
