//! A mesh without the filter passes every byte on, with every kind of connection between its
//! sidecars.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;

use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::labels::Reporter;
use mesh::{Filter, Hop, Mesh, Service};
use mesh::{Scratch, Workload};

#[test]
fn a_mesh_without_the_filter_passes_every_byte_over_every_hop() {
    let scratch = Scratch::new("mesh").unwrap();
    let app = App::start(apps::echo).unwrap();
    let binary = EnvoyBinary::find(None).unwrap();
    let hops = [
        ("mesh", Hop::Mesh),
        ("no-alpn", Hop::MeshWithoutAlpn),
        ("plaintext", Hop::Plaintext),
        ("foreign", Hop::Foreign),
    ];
    let mut builder = Mesh::builder(&binary, Path::new("unused")).client_filter(Filter::Absent);
    for (index, (name, hop)) in (0..).zip(hops) {
        let workload = Workload::bookinfo(name, "v1");
        let service = Service::new(workload, 7000 + index, app.address());
        builder = builder.service(service.hop(hop).filter(Filter::Absent));
    }
    let mesh = builder.start(&scratch).unwrap();

    for (name, _hop) in hops {
        let mut client = TcpStream::connect(mesh.address(name).unwrap()).unwrap();
        client.write_all(name.as_bytes()).unwrap();
        // Envoy's TLS inspector resets a plaintext connection that the client half-closes right
        // behind its first bytes.
        let mut answer = vec![0; name.len()];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(answer, name.as_bytes());
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        let [near, far] = Reporter::BOTH.map(|reporter| mesh.tap(reporter, name).unwrap().tally());
        assert!(near.same_bytes(&far), "{name}: {near:?} {far:?}");
        assert_eq!(near.received(), name.len() as u64);
    }
}
