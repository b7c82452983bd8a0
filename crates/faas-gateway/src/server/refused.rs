//! A request that never reaches a route, because its head is refused below HTTP.
//!
//! The connection's IO leaves the refusal in its [`Activity`](super::activity::Activity); the request that
//! hyper sees instead carries it past routing to the checks, which answer with it: so it has an id, a log
//! line and a place in the metrics like every other.

use super::framing::HeadFault;
use crate::limits::HttpLimits;
use crate::problem::ApiError;
use faas_types::ErrorCode;

/// Why the request it travels with is refused, whatever else is said there.
#[derive(Debug, Clone)]
pub(crate) struct Refused(pub(crate) ApiError);

/// What is answered for a head that does not pass.
pub(super) fn refusal(fault: HeadFault, limits: &HttpLimits) -> ApiError {
    let (code, limit, detail) = match fault {
        HeadFault::Malformed(what) => {
            return ApiError::new(ErrorCode::InvalidField, format!("the request's head {what}")).field("head");
        }
        HeadFault::TargetTooLong => {
            let limit = limits.path_bytes.as_bytes();
            (ErrorCode::UriTooLong, limit, format!("the path with its query is longer than {limit} bytes"))
        }
        HeadFault::TooLong => {
            let limit = limits.header_bytes.as_bytes();
            (
                ErrorCode::HeadersTooLarge,
                limit,
                format!("the request line and the headers are longer than {limit} bytes"),
            )
        }
        HeadFault::TooManyFields => {
            let limit = u64::from(limits.headers);
            (ErrorCode::HeadersTooLarge, limit, format!("there are more than {limit} headers"))
        }
    };
    ApiError::new(code, detail).limit(limit)
}
