//! Answers that the proxy gives itself: one table from reasons to HTTP.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::relay::{Body, full};

/// Why a request is not passed on, or has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The `Host` is none of ours: a rebound DNS name, or a missing configuration.
    Host,
    /// It comes from a web page.
    Origin,
    /// The token is missing or wrong.
    Token,
    /// The token is good, but not for this.
    Right,
    /// Whether the token is good cannot be found out now.
    Unchecked,
    /// The body is longer than allowed, as sent or as decoded.
    TooLarge,
    /// The body stopped coming.
    BodyTimeout,
    /// The body could not be read.
    BadBody,
    /// The request line cannot be turned into an upstream address.
    BadTarget,
    /// It wants to turn its connection into a WebSocket, and there is none at the provider.
    WebSocket,
    /// The provider cannot be reached.
    Unreachable,
    /// The provider did not answer in time.
    UpstreamTimeout,
    /// Nothing of ours is at this path.
    NotFound,
    /// The question to an endpoint of ours was not understood.
    BadQuestion,
}

impl Refusal {
    /// Status, error type (as providers name theirs) and what to do.
    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Host => (
                StatusCode::FORBIDDEN,
                "permission_error",
                "headroom: this host name is not allowed; use localhost or 127.0.0.1, or add the name to the allowed hosts",
            ),
            Self::Origin => {
                (StatusCode::FORBIDDEN, "permission_error", "headroom: requests from web pages are not served")
            }
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "authentication_error",
                "headroom: the x-headroom-token header is missing or wrong",
            ),
            Self::Right => (
                StatusCode::FORBIDDEN,
                "permission_error",
                "headroom: this token lacks the right that this takes; `headroom token list` shows which it has",
            ),
            Self::Unchecked => (
                StatusCode::SERVICE_UNAVAILABLE,
                "api_error",
                "headroom: the token cannot be checked while the store is away; try again",
            ),
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", "headroom: the request body is too large")
            }
            Self::BodyTimeout => {
                (StatusCode::REQUEST_TIMEOUT, "invalid_request_error", "headroom: the request body stopped coming")
            }
            Self::BadBody => {
                (StatusCode::BAD_REQUEST, "invalid_request_error", "headroom: the request body could not be read")
            }
            Self::BadTarget => {
                (StatusCode::BAD_REQUEST, "invalid_request_error", "headroom: the request target is not valid")
            }
            // Codex takes this status, and no other, as word to go on with plain requests at once.
            Self::WebSocket => (
                StatusCode::UPGRADE_REQUIRED,
                "invalid_request_error",
                "headroom: the provider serves no WebSocket here; send the request with POST",
            ),
            Self::Unreachable => {
                (StatusCode::BAD_GATEWAY, "api_error", "headroom: the provider cannot be reached; see the proxy's log")
            }
            Self::UpstreamTimeout => {
                (StatusCode::GATEWAY_TIMEOUT, "timeout_error", "headroom: the provider did not answer in time")
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found_error", "headroom: not found"),
            Self::BadQuestion => {
                (StatusCode::BAD_REQUEST, "invalid_request_error", "headroom: the question was not understood")
            }
        }
    }

    /// The answer. Its shape is one that clients of every dialect read an error from.
    pub(crate) fn response(self) -> Response<Body> {
        self.explained("")
    }

    /// The answer with more said.
    pub(crate) fn explained(self, more: &str) -> Response<Body> {
        let (status, kind, message) = self.parts();
        let message = if more.is_empty() { message.to_owned() } else { format!("{message}: {more}") };
        let body = serde_json::json!({"type": "error", "error": {"type": kind, "message": message}});
        let mut response = Response::new(full(Bytes::from(body.to_string())));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().insert("x-headroom-error", HeaderValue::from_static(kind));
        response
    }
}
