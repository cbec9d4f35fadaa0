//! Connections: how they are accepted, what happens around each request, and how they end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::Router;
use axum::http::header::ALLOW;
use axum::http::{HeaderValue, Request, StatusCode};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

use crate::node::inner::Inner;
use crate::node::misdeeds::{Hangup, after, before};
use crate::node::reply::{Reply, say};
use crate::node::route::Route;

/// What is known of a connection.
struct Connection {
    begun: Instant,
    /// Milliseconds after `begun` when the last request ended; never while one is answered.
    idle_since: AtomicU64,
}

const BUSY: u64 = u64::MAX;

/// Accepts connections until the runtime ends.
pub async fn serve(listener: TcpListener, inner: Arc<Inner>, router: Router) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        inner.counts.lock().connections += 1;
        let (inner, router) = (Arc::clone(&inner), router.clone());
        tokio::spawn(connection(stream, inner, router));
    }
}

async fn connection(stream: TcpStream, inner: Arc<Inner>, router: Router) {
    let state = Arc::new(Connection {
        begun: Instant::now(),
        idle_since: AtomicU64::new(0),
    });
    let requests = TowerToHyperService::new(router);
    let service = service_fn(|request: Request<Incoming>| {
        let (inner, state, requests) = (Arc::clone(&inner), Arc::clone(&state), requests.clone());
        async move {
            state.idle_since.store(BUSY, Ordering::SeqCst);
            let reply = exchange(&inner, requests, request).await;
            let now = u64::try_from(state.begun.elapsed().as_millis()).unwrap();
            state.idle_since.store(now, Ordering::SeqCst);
            reply
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // Errors here are what faults and clients do; the client sees its side of them.
        _ = served => {}
        () = unused(&inner, &state) => {}
    }
}

/// Ends when the connection has not been used for too long.
async fn unused(inner: &Inner, state: &Connection) {
    loop {
        let idle = inner.faults.switches().idle;
        let since = state.idle_since.load(Ordering::SeqCst);
        let now = u64::try_from(state.begun.elapsed().as_millis()).unwrap();
        let limit = u64::try_from(idle.as_millis()).unwrap();
        if since != BUSY && now.saturating_sub(since) >= limit {
            return;
        }
        tokio::time::sleep((idle / 8).max(std::time::Duration::from_millis(1))).await;
    }
}

/// One request with the faults that befall it; an error closes the connection.
async fn exchange(
    inner: &Inner,
    requests: TowerToHyperService<Router>,
    request: Request<Incoming>,
) -> Result<Reply, io::Error> {
    let (route, address) = Route::of(request.method(), request.uri().path());
    inner.counts.lock().asked(route);
    let _leaves = Leaves(inner);
    if let (Route::GetChunk, Some(address)) = (route, address) {
        inner.counts.lock().got(address);
    }
    let mut reply = if !inner.synced() && needs_sync(route, request.uri().path()) {
        let text = "Node is syncing. This endpoint is unavailable. Try again later.";
        say(StatusCode::SERVICE_UNAVAILABLE, text)
    } else if route == Route::PostChunk {
        // Its faults may name a chunk, which only its body tells.
        answer(requests, request).await
    } else {
        let faults = inner.faults.of(route, address);
        match before(&faults).await {
            Some(reply) => reply,
            None => after(&faults, &inner.faults, answer(requests, request).await).await,
        }
    };
    if reply.extensions().get::<Hangup>().is_some() {
        return Err(io::Error::other("the connection ends here"));
    }
    listed_as_in_go(&mut reply, route);
    let status = reply.status().as_u16();
    inner.counts.lock().answered(route, status);
    Ok(reply)
}

/// Methods that are allowed, in order, and `HEAD` only where it is a route of its own.
fn listed_as_in_go(reply: &mut Reply, route: Route) {
    let Some(allowed) = reply.headers().get(ALLOW) else {
        return;
    };
    let heads = matches!(route, Route::GetChunk | Route::GetBytes | Route::Other);
    let allowed = allowed.to_str().unwrap_or_default().split(',');
    let mut allowed: Vec<_> = allowed.map(str::trim).collect();
    allowed.retain(|method| heads || *method != "HEAD");
    allowed.sort_unstable();
    let allowed = HeaderValue::from_str(&allowed.join(", ")).unwrap();
    reply.headers_mut().insert(ALLOW, allowed);
}

/// Counts a request as done, however it ends.
struct Leaves<'a>(&'a Inner);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.counts.lock().left();
    }
}

/// What answers before a node has synced.
fn needs_sync(route: Route, path: &str) -> bool {
    let early = [
        "/health",
        "/readiness",
        "/node",
        "/addresses",
        "/chainstate",
    ];
    route != Route::Information || !early.contains(&path)
}

async fn answer(requests: TowerToHyperService<Router>, request: Request<Incoming>) -> Reply {
    match requests.call(request).await {
        Ok(reply) => reply,
        Err(never) => never.into_response(),
    }
}
