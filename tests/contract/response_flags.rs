//! Connections that fail: reported like any other, opened and closed once, with the flags that
//! Envoy itself gives them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::bootstrap::{Bootstrap, Hop, Upstream};
use mesh::envoy::Envoy;
use mesh::labels::{CLOSED, METRICS, OPENED};
use mesh::mesh_ca::MeshCa;
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::{Scratch, Workload, wasm};
use serde_json::{Value, json};
use socket2::{Domain, SockRef, Socket, Type};

use crate::pair::at;

const TCP_PROXY: &str = "/filter_chains/0/filters/1/typed_config";

/// The flags that the filter knows, in the order of their bits.
const FLAGS: &str = "LH UH UT LR UR UF UC UO NR DI FI RL UAEX RLSE DC URX SI IH DPE UMSDR RFCF NFCF DT UPE NC OM DF DO DR UDO";

/// One way to end without a byte.
struct Ending {
    /// The service, its listener and its cluster.
    service: &'static str,
    /// The server in the place of the server's sidecar.
    upstream: SocketAddr,
    /// Changes the listener and the cluster.
    edit: fn(&mut Value, &mut Value),
    /// `destination_service_name` and `response_flags`.
    labels: [&'static str; 2],
}

/// The label is the flag in the access log of tcp_proxy.
#[test]
fn failed_connections_carry_envoys_own_flags() -> Result {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let without_tls = App::start(apps::greeting(b"no TLS here"))?;
    let echo = App::start(apps::echo)?;
    let leaves = App::start(|_: &TcpStream| Ok(()))?;
    let endings = [
        Ending {
            service: "no-host",
            upstream: nobody,
            edit: |_, cluster| cluster["load_assignment"]["endpoints"] = json!([]),
            labels: ["no-host", "UH"],
        },
        Ending {
            service: "nobody-listens",
            upstream: nobody,
            edit: |_, cluster| plaintext(cluster),
            labels: ["nobody-listens", "UF,URX"],
        },
        Ending {
            service: "no-tls",
            upstream: without_tls.address(),
            edit: |_, _| {},
            labels: ["no-tls", "UF,URX"],
        },
        Ending {
            service: "connect-timeout",
            upstream: silent.local_addr()?,
            edit: |_, cluster| cluster["connect_timeout"] = json!("0.3s"),
            labels: ["connect-timeout", "UF,URX"],
        },
        Ending {
            service: "too-many",
            upstream: echo.address(),
            edit: |_, cluster| {
                let limit = json!({ "thresholds": [{ "max_connections": 0 }] });
                cluster["circuit_breakers"] = limit;
            },
            labels: ["too-many", "UO"],
        },
        // Without a cluster there is no service.
        Ending {
            service: "no-cluster",
            upstream: nobody,
            edit: |listener, _| at(listener, TCP_PROXY)["cluster"] = json!("nowhere"),
            labels: ["unknown", "NC"],
        },
        Ending {
            service: "too-long",
            upstream: echo.address(),
            edit: |listener, cluster| {
                plaintext(cluster);
                lasts_no_longer(listener);
            },
            labels: ["too-long", "DT"],
        },
        // Envoy sets no flag for these.
        Ending {
            service: "idle",
            upstream: echo.address(),
            edit: |listener, cluster| {
                plaintext(cluster);
                at(listener, TCP_PROXY)["idle_timeout"] = json!("0.3s");
            },
            labels: ["idle", "-"],
        },
        Ending {
            service: "server-leaves",
            upstream: leaves.address(),
            edit: |_, cluster| plaintext(cluster),
            labels: ["server-leaves", "-"],
        },
    ];
    let scratch = Scratch::new("response-flags")?;
    let envoy = start(&endings, &scratch)?;
    for ending in &endings {
        await_end(&TcpStream::connect(envoy.listener(ending.service)?)?)?;
    }
    for ending in &endings {
        let [service, flags] = ending.labels;
        assert_eq!(logged(&envoy, ending.service)?, flags, "{}", ending.service);
        let metrics = envoy.metrics()?;
        for metric in METRICS {
            let series = metrics.one(metric, &[("destination_service_name", service)])?;
            let expected = if [OPENED, CLOSED].contains(&metric) {
                1.0
            } else {
                0.0
            };
            assert_eq!(series.labels["response_flags"], flags, "{series}");
            assert_eq!(series.value, expected, "{series}");
        }
    }
    Ok(())
}

/// A connection that is opened under `-` is closed under `-`: a flag that is set after the labels
/// are frozen is in no series of these metrics. `terminated` has it.
#[test]
fn a_late_flag_does_not_separate_opened_and_closed() -> Result {
    let echo = App::start(apps::echo)?;
    let resets = App::start(apps::reset)?;
    let ending = |service, upstream, edit| Ending {
        service,
        upstream,
        edit,
        labels: [service, "-"],
    };
    let endings = [
        ending("too-long", echo.address(), |listener, cluster| {
            plaintext(cluster);
            lasts_no_longer(listener);
        }),
        ending("client-resets", echo.address(), |_, cluster| {
            plaintext(cluster)
        }),
        ending("server-resets", resets.address(), |_, cluster| {
            plaintext(cluster)
        }),
    ];
    let scratch = Scratch::new("late-flag")?;
    let envoy = start(&endings, &scratch)?;
    let say = |service| -> Result<TcpStream> {
        let mut stream = TcpStream::connect(envoy.listener(service)?)?;
        stream.write_all(b"hello")?;
        Ok(stream)
    };
    let mut too_long = say("too-long")?;
    too_long.read_exact(&mut [0; 5])?;
    await_end(&too_long)?;
    let mut reset = say("client-resets")?;
    reset.read_exact(&mut [0; 5])?;
    SockRef::from(&reset).set_linger(Some(Duration::ZERO))?;
    drop(reset);
    await_end(&say("server-resets")?)?;

    assert_eq!(logged(&envoy, "too-long")?, "DT");
    for service in ["too-long", "client-resets", "server-resets"] {
        // Not every Envoy flags a reset.
        let flags = logged(&envoy, service)?;
        let metrics = envoy.metrics()?;
        for metric in [OPENED, CLOSED] {
            let series = metrics.one(metric, &[("destination_service_name", service)])?;
            // A server that resets without an answer: the labels are those at the close.
            let expected = match service {
                "server-resets" => flags.as_str(),
                _ => "-",
            };
            assert_eq!(series.labels["response_flags"], expected, "{series}");
            assert_eq!(series.value, 1.0, "{series}");
        }
        let labels = [
            ("destination_service_name", service),
            ("response_flags", &flags),
        ];
        let terminated = metrics.one("istio_tcp_connections_terminated_total", &labels)?;
        assert_eq!(terminated.value, 1.0, "{terminated}");
    }
    Ok(())
}

// Shows: filter/docs/performance.md, "an established connection has flags"
/// The flag of an attempt stays when the next one reaches a server: an established connection has
/// flags too, and its labels need them. After a time limit, Envoy gives no `transport_failure_reason`
/// that would say so.
#[test]
fn a_flag_of_a_failed_attempt_stays_on_the_connection() -> Result {
    let full = FullQueue::new()?;
    let nobody: SocketAddr = (Ipv4Addr::LOCALHOST, 1).into();
    for dead in [nobody, full.address] {
        let echo = App::start(apps::echo)?;
        let twice = Ending {
            service: "second-attempt",
            upstream: echo.address(),
            edit: |listener, cluster| {
                plaintext(cluster);
                cluster["connect_timeout"] = json!("0.3s");
                at(listener, TCP_PROXY)["max_connect_attempts"] = json!(2);
            },
            labels: ["second-attempt", "UF"],
        };
        let scratch = Scratch::new("second-attempt")?;
        let mut bootstrap = bootstrap(&[twice], &scratch)?;
        let hosts = "/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints";
        let hosts = at(bootstrap.document_mut(), hosts);
        let mut host = hosts[0].clone();
        at(&mut host, "/endpoint/address/socket_address")["port_value"] = json!(dead.port());
        hosts.as_array_mut().unwrap().push(host);
        let envoy = run(&bootstrap, &scratch)?;
        // The hosts take turns, the first one is random: the second connection comes to the dead one
        // first, and perhaps the first one does too.
        for _ in 0..2 {
            let mut stream = TcpStream::connect(envoy.listener("second-attempt")?)?;
            stream.write_all(b"hello")?;
            stream.read_exact(&mut [0; 5])?;
        }
        let labels = [("response_flags", "UF")];
        let closed = poll::until("both closes", LIMIT, || {
            let metrics = envoy.metrics()?;
            Ok(match metrics.sum(CLOSED, &[]) as u64 {
                2 => Look::Found(metrics.one(CLOSED, &labels)?.value),
                closed => Look::NotYet(closed.to_string()),
            })
        })?;
        assert!([1.0, 2.0].contains(&closed), "{dead}: {closed}");
    }
    Ok(())
}

/// A listening socket that has all connections it takes: Linux drops the SYN of another one.
struct FullQueue {
    address: SocketAddr,
    _socket: Socket,
    _connections: Vec<TcpStream>,
}

impl FullQueue {
    fn new() -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.listen(0)?;
        let address = socket.local_addr()?.as_socket().unwrap();
        let limit = Duration::from_millis(200);
        let connect = || TcpStream::connect_timeout(&address, limit).ok();
        Ok(Self {
            address,
            _connections: std::iter::from_fn(connect).collect(),
            _socket: socket,
        })
    }
}

/// Envoy's error for an unknown flag in an access log filter lists all flags in the order of their
/// bits.
#[test]
fn the_names_and_their_order_are_envoys() -> Result {
    let scratch = Scratch::new("flag-names")?;
    let mut bootstrap = bootstrap(&[], &scratch)?;
    let mut log = access_log("any");
    log[0]["filter"] = json!({ "response_flag_filter": { "flags": ["none such"] } });
    at(bootstrap.document_mut(), "/admin")["access_log"] = log;
    let binary = EnvoyBinary::find(None)?;
    let error =
        Envoy::start(&binary, "flags", bootstrap.document(), 1, scratch.path()).unwrap_err();
    let list = format!("value must be in list [{FLAGS}]");
    assert!(error.to_string().contains(&list), "{error}");
    Ok(())
}

fn plaintext(cluster: &mut Value) {
    cluster.as_object_mut().unwrap().remove("transport_socket");
}

fn lasts_no_longer(listener: &mut Value) {
    at(listener, TCP_PROXY)["max_downstream_connection_duration"] = json!("0.3s");
}

/// A client's sidecar with a listener and a cluster per ending, which reports only at the end of
/// connections.
fn start(endings: &[Ending], scratch: &Scratch) -> Result<Envoy> {
    run(&bootstrap(endings, scratch)?, scratch)
}

fn run(bootstrap: &Bootstrap, scratch: &Scratch) -> Result<Envoy> {
    let binary = EnvoyBinary::find(None)?;
    Ok(Envoy::start(
        &binary,
        "client",
        bootstrap.document(),
        1,
        scratch.path(),
    )?)
}

fn bootstrap(endings: &[Ending], scratch: &Scratch) -> Result<Bootstrap> {
    let ca = MeshCa::create(&scratch.path().join("ca"))?;
    let client = Workload::ratings_v2();
    let mut bootstrap = Bootstrap::client_sidecar()?;
    bootstrap.run_as(&client, &client.certificate(&ca)?)?;
    let upstreams = endings.iter().map(|ending| Upstream {
        workload: Workload::bookinfo(ending.service, "v1"),
        port: 7000,
        address: ending.upstream,
        hop: Hop::Mesh,
    });
    bootstrap.upstreams(&upstreams.collect::<Vec<_>>(), &ca.root())?;
    let at_close = json!({ "tcp_reporting_duration": "0", "extended_metrics": true });
    bootstrap.filter(&wasm::build()?, Some(&at_close));
    let resources = at(bootstrap.document_mut(), "/static_resources");
    for (index, ending) in endings.iter().enumerate() {
        let mut listener = resources["listeners"][index].take();
        let mut cluster = resources["clusters"][index].take();
        (ending.edit)(&mut listener, &mut cluster);
        at(&mut listener, TCP_PROXY)["access_log"] = access_log(ending.service);
        resources["listeners"][index] = listener;
        resources["clusters"][index] = cluster;
    }
    Ok(bootstrap)
}

fn access_log(name: &str) -> Value {
    let line = format!("{name} ended with %RESPONSE_FLAGS%\n");
    json!([{
        "name": "stdout",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": { "text_format_source": { "inline_string": line } },
        },
    }])
}

/// The flags in the access log of a service's one connection.
fn logged(envoy: &Envoy, service: &str) -> Result<String> {
    let line = format!("{service} ended with ");
    let flags = poll::until(&format!("{line}…"), LIMIT, || {
        let text = envoy.log_text()?;
        let flags = text.lines().find_map(|logged| logged.strip_prefix(&line));
        Ok(match flags {
            Some(flags) => Look::Found(flags.to_owned()),
            None => Look::NotYet(text),
        })
    })?;
    Ok(flags)
}

/// Waits for the end or a reset.
fn await_end(mut stream: &TcpStream) -> Result {
    stream.set_read_timeout(Some(LIMIT))?;
    match stream.read(&mut [0; 1]) {
        Ok(0) => Ok(()),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
        other => panic!("neither an end nor a reset: {other:?}"),
    }
}
