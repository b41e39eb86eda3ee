//! The streams of the applications: TCP, and TLS of their own on it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, LazyLock};

use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

/// The name in the server's certificate, which the client checks.
pub(super) const NAME: &str = "mysql.example.com";

/// A stream whose sending side can be ended.
pub(super) trait Stream: Read + Write {
    /// Tells the peer that nothing more is sent.
    fn finish(&mut self) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn finish(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Stream for StreamOwned<ClientConnection, TcpStream> {
    fn finish(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        self.flush()?;
        self.sock.shutdown(Shutdown::Write)
    }
}

impl Stream for StreamOwned<ServerConnection, TcpStream> {
    fn finish(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        self.flush()
    }
}

/// The configurations of both ends, with a certificate of their own.
struct Keys {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

static KEYS: LazyLock<Result<Keys, String>> =
    LazyLock::new(|| Keys::create().map_err(|error| error.to_string()));

/// The client's side of a TLS connection.
pub(super) fn client(stream: TcpStream) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
    let connection =
        ClientConnection::new(Arc::clone(&keys()?.client), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

/// The server's side of a TLS connection.
pub(super) fn server(stream: TcpStream) -> io::Result<StreamOwned<ServerConnection, TcpStream>> {
    let connection =
        ServerConnection::new(Arc::clone(&keys()?.server)).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

fn keys() -> io::Result<&'static Keys> {
    KEYS.as_ref()
        .map_err(|error| io::Error::other(error.as_str()))
}

impl Keys {
    fn create() -> Result<Self, Box<dyn std::error::Error>> {
        let pair = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
        let certificate = pair.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(pair.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone())?;
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key.into())?;
        Ok(Self {
            client: Arc::new(client),
            server: Arc::new(server),
        })
    }
}
