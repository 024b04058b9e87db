//! A small HTTP server on this machine that a test answers from: for services that cannot run here, with answers of the
//! form that they document, and for faults that no server makes on demand.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
};
use serde_json::Value;
use tokio::{net::TcpListener, runtime::Runtime};

/// What was asked.
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Says what is answered; may wait for others meanwhile.
pub type Answer = dyn Fn(Asked) -> (u16, Value) + Send + Sync;

/// Serves until the runtime ends; its address.
pub fn serve(runtime: &Runtime, answer: Arc<Answer>) -> SocketAddr {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(handle).with_state(answer);
    runtime.spawn(async move { axum::serve(listener, router).await });
    address
}

async fn handle(
    State(answer): State<Arc<Answer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let asked =
        Asked { method, path: uri.path().to_owned(), query: uri.query().unwrap_or_default().to_owned(), headers, body };
    let (status, value) = tokio::task::block_in_place(|| answer(asked));
    (StatusCode::from_u16(status).unwrap(), value.to_string())
}
