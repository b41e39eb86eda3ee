//! Bytes, ends and failures between two sockets.

use super::{connect, passthrough, serve, set};
use serde_json::json;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use testbed::apps::{self, App};
use testbed::poll::{self, Look};

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn bytes_pass_both_ways_and_a_half_close_leaves_the_other_half() {
    let app = App::start(apps::echo).unwrap();
    let server = serve(passthrough(app.address())).unwrap();
    let mut client = connect(&server);
    let sent: Vec<u8> = (0..3_000_000_u32)
        .map(|index| (index % 251) as u8)
        .collect();
    let mut writer = client.try_clone().unwrap();
    let payload = sent.clone();
    let writing = thread::spawn(move || {
        writer.write_all(&payload).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    writing.join().unwrap();
    assert!(
        sent == received,
        "{} of {} bytes",
        received.len(),
        sent.len()
    );
}

#[test]
fn a_server_may_speak_first_and_end_first() {
    let app = App::start(apps::greeting(b"hello")).unwrap();
    let server = serve(passthrough(app.address())).unwrap();
    let mut client = connect(&server);
    let mut greeting = [0; 5];
    client.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"hello");
}

#[test]
fn an_upstream_that_refuses_closes_the_client() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let server = serve(passthrough(address)).unwrap();
    let mut client = connect(&server);
    client.set_read_timeout(Some(LIMIT)).unwrap();
    let mut nothing = Vec::new();
    client.read_to_end(&mut nothing).unwrap();
    assert!(nothing.is_empty());
}

#[test]
fn a_reset_client_resets_the_upstream_connection() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = serve(passthrough(upstream.local_addr().unwrap())).unwrap();
    let client = connect(&server);
    let (mut accepted, _) = upstream.accept().unwrap();
    accepted.set_read_timeout(Some(LIMIT)).unwrap();
    accepted.write_all(b"unread").unwrap();
    client.peek(&mut [0]).unwrap();
    // Closing with unread bytes sends RST.
    drop(client);
    let error = accepted.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_slow_reader_holds_up_the_writer() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut bootstrap = passthrough(upstream.local_addr().unwrap());
    let limit = json!(65536);
    set(
        &mut bootstrap,
        "/static_resources/listeners/0/per_connection_buffer_limit_bytes",
        limit,
    );
    let server = serve(bootstrap).unwrap();
    let client = connect(&server);
    let (mut accepted, _) = upstream.accept().unwrap();

    // The client writes as long as anybody takes it; nobody reads.
    let written = Arc::new(AtomicUsize::new(0));
    let total = 256 * 1024 * 1024;
    let writing = thread::spawn({
        let written = written.clone();
        move || write_all(&client, total, &written)
    });
    let mut last = usize::MAX;
    let held_up = poll::until("the writer being held up", LIMIT, || {
        thread::sleep(Duration::from_millis(200));
        let now = written.load(Ordering::SeqCst);
        let still = now == std::mem::replace(&mut last, now) && now > 0;
        Ok(if still {
            Look::Found(now)
        } else {
            Look::NotYet(now.to_string())
        })
    });
    let held_up = held_up.unwrap();
    assert!(held_up < total / 2, "{held_up} bytes were taken");

    // Once somebody reads, everything arrives.
    let mut arrived = 0;
    let mut buffer = vec![0; 1 << 16];
    while arrived < total {
        arrived += accepted.read(&mut buffer).unwrap();
    }
    writing.join().unwrap();
}

fn write_all(mut client: &TcpStream, total: usize, written: &AtomicUsize) {
    let chunk = vec![7; 1 << 16];
    while written.load(Ordering::SeqCst) < total {
        written.fetch_add(client.write(&chunk).unwrap(), Ordering::SeqCst);
    }
}

#[test]
fn a_reset_upstream_resets_the_client() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = serve(passthrough(upstream.local_addr().unwrap())).unwrap();
    let mut client = connect(&server);
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client.write_all(b"unread").unwrap();
    let (accepted, _) = upstream.accept().unwrap();
    accepted.peek(&mut [0]).unwrap();
    drop(accepted);
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}
