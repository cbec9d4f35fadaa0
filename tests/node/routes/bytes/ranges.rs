//! Ranges, as Go's file server serves them.

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use futures_util::stream;
use podfs::types::Address;

use crate::node::clock::http_date;
use crate::node::disk::Held;
use crate::node::misdeeds::broken;
use crate::node::params::header;
use crate::node::reply::Reply;
use crate::node::routes::tree::Joiner;

/// Between the parts of a reply with several ranges.
const BOUNDARY: &str = "6f1d0c1e4a8b49d7b1f2c6a95d3e8470a1b2c3d4e5f60718293a4b5c6d7e";

/// A range: where it begins, and how long it is.
type Span = (u64, u64);

/// Why no range is served.
enum Unserved {
    /// The header is not understood.
    Malformed,
    /// No range lies in the file.
    Outside,
}

pub fn serve<F>(joiner: Joiner<F>, asked: &HeaderMap, root: &Address, modified: u64) -> Reply
where
    F: FnMut(&Address) -> Option<Held> + Send + 'static,
{
    let tag = format!("\"{root}\"");
    let len = joiner.len();
    if header(asked, IF_NONE_MATCH.as_str())
        .is_some_and(|known| known == "*" || known.contains(&tag))
    {
        let mut reply = common(Body::empty(), StatusCode::NOT_MODIFIED, &tag, modified);
        reply.headers_mut().remove(CONTENT_TYPE);
        return reply;
    }
    let stale = header(asked, IF_RANGE.as_str()).is_some_and(|known| known != tag);
    let range = header(asked, RANGE.as_str()).filter(|_| !stale);
    let spans = match range.map_or(Ok(Vec::new()), |text| parse(text, len)) {
        Ok(spans) => spans,
        Err(Unserved::Outside) if len == 0 => Vec::new(),
        Err(unserved) => return refused(&unserved, len),
    };
    // Who asks for more than there is gets all of it, once.
    let sum: u64 = spans.iter().map(|(_, length)| length).sum();
    if sum > len || spans.is_empty() {
        return whole(joiner, (0, len), StatusCode::OK, &tag, modified);
    }
    if let [span] = spans[..] {
        let mut reply = whole(joiner, span, StatusCode::PARTIAL_CONTENT, &tag, modified);
        let range = HeaderValue::from_str(&content_range(span, len)).unwrap();
        reply.headers_mut().insert(CONTENT_RANGE, range);
        return reply;
    }
    several(joiner, &spans, &tag, modified)
}

fn common(body: Body, status: StatusCode, tag: &str, modified: u64) -> Reply {
    let mut reply = Reply::new(body);
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(ETAG, HeaderValue::from_str(tag).unwrap());
    headers.insert(
        LAST_MODIFIED,
        HeaderValue::from_str(&http_date(modified)).unwrap(),
    );
    let exposed = HeaderValue::from_static("Content-Disposition");
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    reply
}

/// One range of the file, leaf by leaf as the client takes it.
fn whole<F>(joiner: Joiner<F>, span: Span, status: StatusCode, tag: &str, modified: u64) -> Reply
where
    F: FnMut(&Address) -> Option<Held> + Send + 'static,
{
    let (start, length) = span;
    let leaves = stream::unfold((joiner, start, length), async |(mut joiner, at, left)| {
        if left == 0 {
            return None;
        }
        let Ok(mut bytes) = joiner.leaf(at) else {
            let error = broken("a chunk of this file is missing").await;
            return Some((Err(error), (joiner, at, 0)));
        };
        bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let read = bytes.len() as u64;
        Some((Ok(Bytes::from(bytes)), (joiner, at + read, left - read)))
    });
    let mut reply = common(Body::from_stream(leaves), status, tag, modified);
    let headers = reply.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    reply
}

fn several<F>(mut joiner: Joiner<F>, spans: &[Span], tag: &str, modified: u64) -> Reply
where
    F: FnMut(&Address) -> Option<Held> + Send + 'static,
{
    let len = joiner.len();
    let mut body = Vec::new();
    for (number, (start, length)) in spans.iter().enumerate() {
        let line = if number == 0 { "" } else { "\r\n" };
        let range = content_range((*start, *length), len);
        let head = format!(
            "{line}--{BOUNDARY}\r\nContent-Range: {range}\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        body.extend(head.as_bytes());
        let (mut at, mut left) = (*start, *length);
        while left > 0 {
            let Ok(mut bytes) = joiner.leaf(at) else {
                return crate::node::reply::standard(StatusCode::INTERNAL_SERVER_ERROR);
            };
            bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            at += bytes.len() as u64;
            left -= bytes.len() as u64;
            body.extend(bytes);
        }
    }
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let mut reply = common(Body::from(body), StatusCode::PARTIAL_CONTENT, tag, modified);
    let kind = format!("multipart/byteranges; boundary={BOUNDARY}");
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(&kind).unwrap());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    reply
}

fn content_range((start, length): Span, len: u64) -> String {
    // The last bytes of nothing are 0 to −1, says Go.
    let last = i128::from(start + length) - 1;
    format!("bytes {start}-{last}/{len}")
}

fn refused(unserved: &Unserved, len: u64) -> Reply {
    let text = match unserved {
        Unserved::Malformed => "invalid range\n",
        Unserved::Outside => "invalid range: failed to overlap\n",
    };
    let mut reply = Reply::new(Body::from(text));
    *reply.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
    let headers = reply.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let exposed = HeaderValue::from_static("Content-Disposition");
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    if matches!(unserved, Unserved::Outside) {
        let range = HeaderValue::from_str(&format!("bytes */{len}")).unwrap();
        headers.insert(CONTENT_RANGE, range);
    }
    reply
}

/// The ranges of a header that lie in a file of `len` bytes.
fn parse(text: &str, len: u64) -> Result<Vec<Span>, Unserved> {
    let ranges = text.strip_prefix("bytes=").ok_or(Unserved::Malformed)?;
    let mut spans = Vec::new();
    let mut outside = false;
    let number = |text: &str| text.parse::<u64>().map_err(|_| Unserved::Malformed);
    for one in ranges
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty())
    {
        let (first, last) = one.split_once('-').ok_or(Unserved::Malformed)?;
        let (first, last) = (first.trim(), last.trim());
        if first.is_empty() {
            let length = number(last)?.min(len);
            spans.push((len - length, length));
            continue;
        }
        let start = number(first)?;
        if start >= len {
            outside = true;
            continue;
        }
        let end = if last.is_empty() {
            len - 1
        } else {
            number(last)?
        };
        if start > end {
            return Err(Unserved::Malformed);
        }
        spans.push((start, end.min(len - 1) + 1 - start));
    }
    if spans.is_empty() && outside {
        return Err(Unserved::Outside);
    }
    Ok(spans)
}
