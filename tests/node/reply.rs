//! Replies as Bee writes them.

use axum::body::Body;
use axum::http::header::{ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;

pub type Reply = Response<Body>;
/// A reply, or the reply that ends the work early.
pub type Answer = Result<Reply, Refused>;

pub const SWARM_TAG: HeaderName = HeaderName::from_static("swarm-tag");

pub struct Refused(Box<Reply>);

impl From<Reply> for Refused {
    fn from(reply: Reply) -> Self {
        Self(Box::new(reply))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Reply {
        *self.0
    }
}

#[derive(Serialize)]
struct Message<'a> {
    code: u16,
    message: &'a str,
    #[serde(skip_serializing_if = "<[Reason]>::is_empty")]
    reasons: &'a [Reason],
}

/// What is wrong with one parameter.
#[derive(Serialize)]
pub struct Reason {
    pub field: String,
    pub error: String,
}

/// Any value as JSON; Bee ends it with two line breaks.
pub fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    let text = serde_json::to_string(value).unwrap() + "\n\n";
    let mut reply = Response::new(Body::from(text));
    *reply.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    reply.headers_mut().insert(CONTENT_TYPE, json);
    reply
}

pub fn ok(value: &impl Serialize) -> Reply {
    json(StatusCode::OK, value)
}

/// A status with a sentence.
pub fn say(status: StatusCode, message: &str) -> Reply {
    with_reasons(status, message, &[])
}

/// A status with Go's text for it.
pub fn standard(status: StatusCode) -> Reply {
    let text = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        _ => status.canonical_reason().unwrap_or_default(),
    };
    say(status, text)
}

pub fn with_reasons(status: StatusCode, message: &str, reasons: &[Reason]) -> Reply {
    let code = status.as_u16();
    json(
        status,
        &Message {
            code,
            message,
            reasons,
        },
    )
}

pub fn refuse(status: StatusCode, message: &str) -> Refused {
    say(status, message).into()
}

#[derive(Serialize)]
pub struct Reference {
    pub reference: String,
}

/// 201 with the reference of what was stored.
pub fn created(reference: String, tag: Option<u64>) -> Reply {
    let mut reply = json(StatusCode::CREATED, &Reference { reference });
    if let Some(uid) = tag {
        let value = HeaderValue::from(uid);
        reply.headers_mut().insert(SWARM_TAG, value);
    }
    let exposed = HeaderValue::from_static("Swarm-Tag");
    reply
        .headers_mut()
        .insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    reply
}
