//! What a request asks for, as tests name it in faults and counts.

use axum::http::Method;
use podfs::types::Address;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    PostChunk,
    GetChunk,
    HeadChunk,
    PostBytes,
    GetBytes,
    PostSoc,
    GetSoc,
    GetStewardship,
    PutStewardship,
    Tags,
    Pins,
    /// Everything about stamps and batches.
    Stamps,
    Feeds,
    /// Health, readiness, node, addresses, status, wallet, chain state.
    Information,
    /// What no node knows or this one does not do.
    Other,
}

impl Route {
    /// The route of a request, and the address it names.
    pub fn of(method: &Method, path: &str) -> (Self, Option<Address>) {
        let path = path.strip_prefix("/v1").unwrap_or(path);
        let mut words = path.trim_start_matches('/').split('/');
        let first = words.next().unwrap_or_default();
        let address = words.next().and_then(|word| word.parse().ok());
        let route = match (first, method.as_str()) {
            ("chunks", "POST") => Self::PostChunk,
            ("chunks", "GET") => Self::GetChunk,
            ("chunks", "HEAD") => Self::HeadChunk,
            ("bytes", "POST") => Self::PostBytes,
            ("bytes", _) => Self::GetBytes,
            ("soc", "POST") => Self::PostSoc,
            ("soc", _) => Self::GetSoc,
            ("stewardship", "PUT") => Self::PutStewardship,
            ("stewardship", _) => Self::GetStewardship,
            ("tags", _) => Self::Tags,
            ("pins", _) => Self::Pins,
            ("stamps" | "batches" | "envelope", _) => Self::Stamps,
            ("feeds", _) => Self::Feeds,
            (
                "health" | "readiness" | "node" | "addresses" | "status" | "wallet" | "chainstate"
                | "gateway" | "chequebook" | "topology" | "peers" | "reservestate",
                _,
            ) => Self::Information,
            _ => Self::Other,
        };
        (route, address)
    }
}
