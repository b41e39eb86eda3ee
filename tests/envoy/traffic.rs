//! Kinds of traffic: every byte arrives and is counted.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;

use mesh::Counts;
use mesh::apps::{self, App, noise};

use crate::fixture::{Fixture, SERVICE, expect, round_trip};
use mesh::labels::Reporter;
use mesh::testing::Result;

const MIB: usize = 1 << 20;

#[test]
fn a_client_that_speaks_first() -> Result {
    let fixture = Fixture::start("client-first", App::start(apps::hello)?)?;
    for _ in 0..10 {
        let mut stream = fixture.connect()?;
        stream.write_all(b"world\n")?;
        expect(&mut stream, b"hello world\n")?;
    }
    // The figures of Istio's own end-to-end test.
    fixture.check_both(Counts {
        opened: 10,
        closed: 10,
        received: 60,
        sent: 120,
    })
}

// Shows: filter/docs/unknown-labels.md, "filter answers on the same connection: all labels are known"
#[test]
fn a_server_that_speaks_first() -> Result {
    let fixture = Fixture::start(
        "server-first",
        App::start(apps::greeting(b"220 ready\r\n"))?,
    )?;
    for _ in 0..5 {
        let mut stream = fixture.connect()?;
        expect(&mut stream, b"220 ready\r\n")?;
        stream.write_all(b"EHLO\r\n")?;
        expect(&mut stream, b"EHLO\r\n")?;
        stream.shutdown(Shutdown::Write)?;
        assert_eq!(stream.read(&mut [0; 1])?, 0);
    }
    fixture.check_both(Counts {
        opened: 5,
        closed: 5,
        received: 30,
        sent: 85,
    })
}

#[test]
fn sixty_four_mebibytes_each_way() -> Result {
    let fixture = Fixture::start("large", App::start(apps::echo)?)?;
    let request = noise(7, 64 * MIB);
    let answer = round_trip(fixture.connect()?, &request)?;
    assert!(answer == request, "the echo differs");
    let bytes = request.len() as u64;
    fixture.check_both(Counts {
        opened: 1,
        closed: 1,
        received: bytes,
        sent: bytes,
    })
}

#[test]
fn three_hundred_connections_on_two_workers() -> Result {
    const THREADS: u64 = 10;
    const EACH: u64 = 30;
    let fixture = Fixture::with("many", App::start(apps::echo)?, |mesh, service| {
        mesh.concurrency(2).service(service)
    })?;
    let sent = thread::scope(|scope| {
        let clients: Vec<_> = (0..THREADS)
            .map(|client| {
                let fixture = &fixture;
                scope.spawn(move || -> Result<u64, String> {
                    let mut bytes = 0;
                    for number in 0..EACH {
                        let seed = client * EACH + number;
                        let request = noise(seed, (seed as usize * 97) % 20_000);
                        let stream = fixture.connect().map_err(|error| error.to_string())?;
                        let answer =
                            round_trip(stream, &request).map_err(|error| error.to_string())?;
                        assert!(answer == request, "connection {seed}: the echo differs");
                        bytes += request.len() as u64;
                    }
                    Ok(bytes)
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().expect("a client panicked"))
            .sum::<Result<u64, _>>()
    })?;
    let connections = THREADS * EACH;
    fixture.check_both(Counts {
        opened: connections,
        closed: connections,
        received: sent,
        sent,
    })
}

#[test]
fn a_client_that_half_closes_still_gets_its_answer() -> Result {
    let fixture = Fixture::start("half-close", App::start(apps::length)?)?;
    let answer = round_trip(fixture.connect()?, &noise(3, 100_000))?;
    assert_eq!(answer, b"100000 bytes\n");
    fixture.check_both(Counts {
        opened: 1,
        closed: 1,
        received: 100_000,
        sent: 13,
    })
}

#[test]
fn a_client_that_says_nothing() -> Result {
    let fixture = Fixture::start("silent", App::start(apps::length)?)?;
    assert_eq!(round_trip(fixture.connect()?, b"")?, b"0 bytes\n");
    fixture.check_both(Counts {
        opened: 1,
        closed: 1,
        received: 0,
        sent: 8,
    })
}

#[test]
fn single_bytes() -> Result {
    let fixture = Fixture::start("single-bytes", App::start(apps::echo)?)?;
    let mut stream = fixture.connect()?;
    stream.set_nodelay(true)?;
    for byte in noise(5, 200) {
        stream.write_all(&[byte])?;
        expect(&mut stream, &[byte])?;
    }
    drop(stream);
    fixture.check_both(Counts {
        opened: 1,
        closed: 1,
        received: 200,
        sent: 200,
    })
}

#[test]
fn a_server_that_resets() -> Result {
    let fixture = Fixture::start("reset", App::start(apps::reset)?)?;
    let mut stream = fixture.connect()?;
    stream.write_all(b"x")?;
    let _ = stream.read(&mut [0; 16]);
    drop(stream);
    for reporter in Reporter::BOTH {
        let metrics = fixture.mesh.all_closed(reporter, SERVICE)?;
        let selector = [("reporter", reporter.as_str())];
        assert_eq!(metrics.one(mesh::labels::OPENED, &selector)?.value, 1.0);
        assert_eq!(metrics.one(mesh::labels::CLOSED, &selector)?.value, 1.0);
    }
    Ok(())
}
