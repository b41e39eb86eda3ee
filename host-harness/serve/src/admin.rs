//! The admin address: what Envoy answers to `/ready`, `/listeners`, `/stats` and `/stats/prometheus`.

use crate::accept;
use crate::plugins::Plugins;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::TcpListener;
use tokio::task::spawn_local;

const TEXT: &str = "text/plain; charset=UTF-8";
const JSON: &str = "application/json";
const COMMANDS: &str = "\
invalid path. admin commands are:
  /listeners: print listener info (format=json)
  /ready: print server state
  /stats: print the filters' metrics
  /stats/prometheus: print the filters' metrics in prometheus format
";

/// What the admin address tells.
pub(crate) struct Admin {
    pub(crate) listeners: BTreeMap<String, SocketAddr>,
    pub(crate) plugins: Rc<Plugins>,
}

/// Answers requests for ever.
pub(crate) async fn serve(admin: Rc<Admin>, socket: TcpListener) {
    loop {
        let (stream, _) = accept::next(&socket).await;
        let admin = admin.clone();
        spawn_local(async move {
            let service = service_fn(async |request| admin.answer(&request));
            // A client that goes away in the middle is its own affair.
            let _gone = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

impl Admin {
    fn answer(&self, request: &Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        self.plugins.catch_up();
        let json = request.uri().query() == Some("format=json");
        let (status, kind, body) = match request.uri().path() {
            "/ready" => (StatusCode::OK, TEXT, "LIVE\n".to_owned()),
            "/listeners" if json => (StatusCode::OK, JSON, self.listeners_json()),
            "/listeners" => (StatusCode::OK, TEXT, self.listeners_text()),
            "/stats" => (StatusCode::OK, TEXT, self.plugins.stats_text()),
            "/stats/prometheus" => (StatusCode::OK, TEXT, self.plugins.prometheus_text()),
            _ => (StatusCode::NOT_FOUND, TEXT, COMMANDS.to_owned()),
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        let kind = hyper::header::HeaderValue::from_static(kind);
        response.headers_mut().insert(CONTENT_TYPE, kind);
        Ok(response)
    }

    fn listeners_text(&self) -> String {
        let listeners = self.listeners.iter();
        listeners
            .map(|(name, address)| format!("{name}::{address}\n"))
            .collect()
    }

    fn listeners_json(&self) -> String {
        let statuses = self.listeners.iter().map(|(name, address)| {
            let socket = json!({ "address": address.ip(), "port_value": address.port() });
            json!({ "name": name, "local_address": { "socket_address": socket } })
        });
        json!({ "listener_statuses": statuses.collect::<Vec<_>>() }).to_string()
    }
}
