//! Two real Envoys with the configurations of sidecars, and an application behind them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use manifests::WorkloadPatch;
use manifests::pair::Pair;
use manifests::pilot::Sidecar;
use mesh::apps::App;
use mesh::{Scratch, wasm};
use serde_json::{Value, json};

/// The listener of the server's sidecar.
const INBOUND: &str = "virtualInbound";

/// The two Envoys and the application.
pub(super) struct Running {
    pub(super) pair: Pair,
    _app: App,
    _scratch: Scratch,
}

impl Running {
    pub(super) fn start(app: App, [mut client, mut server]: [Sidecar; 2]) -> Self {
        let scratch = Scratch::new("manifests-traffic").unwrap();
        for sidecar in [&mut client, &mut server] {
            sidecar.wasm_filters(&mut |_, filter| report_often(filter));
        }
        // The tags of every workload's patch are the same.
        let tags = WorkloadPatch::read("exchange").unwrap().tags();
        let wasm = wasm::build().unwrap();
        let sidecars = (&client, &server);
        let pair = Pair::start(&scratch, sidecars, &tags, &wasm, app.address()).unwrap();
        Self {
            pair,
            _app: app,
            _scratch: scratch,
        }
    }

    /// A connection of the client application, through both sidecars.
    pub(super) fn connect(&self) -> TcpStream {
        self.pair.connect().unwrap()
    }

    /// A connection of a client without a sidecar.
    pub(super) fn connect_directly(&self) -> TcpStream {
        TcpStream::connect(self.pair.server().listener(INBOUND).unwrap()).unwrap()
    }
}

/// Shortens the reporting interval, which is 15 s in the manifests, and changes nothing else.
fn report_often(filter: &mut Value) {
    let configuration = filter
        .pointer_mut("/typed_config/config/configuration/value")
        .unwrap();
    let mut value: Value = serde_json::from_str(configuration.as_str().unwrap()).unwrap();
    value["tcp_reporting_duration"] = json!("200ms");
    *configuration = json!(value.to_string());
}

/// Sends bytes to an application that answers with `expected` bytes, then closes the connection in
/// order. Returns all bytes of the answer.
///
/// The close comes after the answer: Envoy resets a plaintext connection that is half-closed while
/// a listener filter inspects its first bytes.
pub(super) fn converse(mut stream: TcpStream, bytes: &[u8], expected: usize) -> Vec<u8> {
    stream.write_all(bytes).unwrap();
    let mut answer = vec![0; expected];
    stream.read_exact(&mut answer).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    stream.read_to_end(&mut answer).unwrap();
    answer
}
