use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Response};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::store::bee::{Deadlines, NodeAddress, NodeAddressError};
use crate::store::{Outage, StoreError};
use crate::types::limits::{BEE_COMPLAINT_MAX, BEE_IDLE, BEE_IDLE_CONNECTIONS, RETRY_AFTER_MAX};

/// One request. Everything that differs from call to call; what is alike is in [`Http::new`].
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: Vec<&'a str>,
    pub(super) query: Option<(&'a str, &'a str)>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Option<Bytes>,
    pub(super) deadline: Duration,
    /// Longest body of a reply that is a success; of a longer one nothing is believed.
    pub(super) cap: usize,
    /// Whether asking twice does no more than asking once.
    pub(super) repeatable: bool,
}

impl<'a> Ask<'a> {
    /// A question without a body that may be repeated.
    pub(super) fn get(path: &[&'a str], deadline: Duration, cap: usize) -> Self {
        Self {
            method: Method::GET,
            path: path.to_vec(),
            query: None,
            headers: Vec::new(),
            body: None,
            deadline,
            cap,
            repeatable: true,
        }
    }
}

/// What came back, whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) retry_after: Option<Duration>,
}

impl Reply {
    /// The body as the object it should be.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        // The error text would quote the body: a page for people, or worse.
        serde_json::from_slice(&self.body).map_err(|_| garbled("not the JSON that was expected"))
    }
}

/// A truth value as nodes read it.
pub(super) const fn flag(value: bool) -> HeaderValue {
    HeaderValue::from_static(if value { "true" } else { "false" })
}

pub(super) fn garbled(what: &str) -> StoreError {
    StoreError::unavailable(Outage::Garbled(what.to_owned()))
}

/// Requests to one node over kept connections.
#[derive(Debug)]
pub(super) struct Http {
    address: NodeAddress,
    deadlines: Deadlines,
    client: Client,
}

/// Why one attempt gave no reply.
enum Miss {
    /// The connection was there and broke.
    Cut,
    Final(StoreError),
}

impl Http {
    pub(super) fn new(
        address: NodeAddress,
        deadlines: Deadlines,
    ) -> Result<Self, NodeAddressError> {
        let client = Client::builder()
            // Whoever wants a proxy runs the node behind it: an environment variable must not redirect a pod.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(deadlines.connect)
            .pool_idle_timeout(BEE_IDLE)
            .pool_max_idle_per_host(BEE_IDLE_CONNECTIONS)
            .tls_backend_preconfigured(trust(address.is_https())?)
            .build()
            .map_err(|error| NodeAddressError::Client(error.without_url().to_string()))?;
        Ok(Self {
            address,
            deadlines,
            client,
        })
    }

    pub(super) const fn address(&self) -> &NodeAddress {
        &self.address
    }

    pub(super) const fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// Sends and reads, once, or twice when the kept connection turned out to be closed by the other side.
    pub(super) async fn send(&self, ask: Ask<'_>) -> Result<Reply, StoreError> {
        let until = Instant::now() + ask.deadline;
        let attempts = if ask.repeatable { 2 } else { 1 };
        let whole = async {
            for _ in 0..attempts {
                match self.once(&ask).await {
                    Err(Miss::Cut) => {}
                    Err(Miss::Final(error)) => return Err(error),
                    Ok(reply) => return Ok(reply),
                }
            }
            Err(StoreError::unavailable(Outage::Cut))
        };
        tokio::time::timeout_at(until, whole)
            .await
            .unwrap_or_else(|_| Err(StoreError::unavailable(Outage::Late(ask.deadline))))
    }

    async fn once(&self, ask: &Ask<'_>) -> Result<Reply, Miss> {
        let mut url = self.address.at(&ask.path);
        if let Some((key, value)) = ask.query {
            url.query_pairs_mut().append_pair(key, value);
        }
        let mut request = self.client.request(ask.method.clone(), url);
        for (name, value) in &ask.headers {
            request = request.header(name.clone(), value.clone());
        }
        if let Some(body) = &ask.body {
            let octets = HeaderValue::from_static("application/octet-stream");
            request = request.header(CONTENT_TYPE, octets).body(body.clone());
        }
        let response = request.send().await.map_err(|error| self.miss(error))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(seconds);
        let cap = match status {
            200..=299 => ask.cap,
            _ => BEE_COMPLAINT_MAX,
        };
        let body = self.body(response, cap).await?;
        Ok(Reply {
            status,
            body,
            retry_after,
        })
    }

    /// The body; of a longer one than `cap` one byte more, which no reader takes for the whole.
    async fn body(&self, mut response: Response, cap: usize) -> Result<Vec<u8>, Miss> {
        let most = cap.saturating_add(1);
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.miss(error))? {
            let room = most.saturating_sub(body.len());
            body.extend_from_slice(piece.get(..room).unwrap_or(&piece));
            if piece.len() >= room {
                break;
            }
        }
        Ok(body)
    }

    fn miss(&self, error: reqwest::Error) -> Miss {
        let error = error.without_url();
        if error.is_connect() {
            if error.is_timeout() {
                let late = Outage::Late(self.deadlines.connect);
                return Miss::Final(StoreError::unavailable(late));
            }
            let why = Outage::Unreachable(innermost(&error));
            return Miss::Final(StoreError::unavailable(why));
        }
        if error.is_builder() {
            return Miss::Final(garbled("the request could not be made"));
        }
        Miss::Cut
    }
}

/// The text at the bottom of an error: what the system said.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut bottom = error;
    while let Some(source) = bottom.source() {
        bottom = source;
    }
    bottom.to_string()
}

/// `Retry-After` in seconds; as a date it is nobody's who serves Swarm, and says nothing to us.
fn seconds(value: &HeaderValue) -> Option<Duration> {
    let seconds: u64 = value.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// Whom `https` believes: the machine's root certificates. For `http` nobody is needed, nor looked for.
fn trust(https: bool) -> Result<rustls::ClientConfig, NodeAddressError> {
    let mut roots = rustls::RootCertStore::empty();
    if https {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(NodeAddressError::NoTrust);
        }
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| NodeAddressError::Client(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
