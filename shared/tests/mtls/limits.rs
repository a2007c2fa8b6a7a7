//! Who takes too long, or sends too much, is cut off at each stage.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use shared::http::limits::ListenerLimits;

use crate::pki::vault;
use crate::stand::{BODY_LIMIT, BODY_TIME, Stand, VAULT_SERIAL};

/// How long after its time a stage may be cut off: actix looks at some of its timers only every 500 ms. Shorter than the
/// times that actix has by default (3 s and 5 s), which would otherwise do for ours.
const GRACE: Duration = Duration::from_secs(2);

fn hasty() -> Stand {
    let limits = ListenerLimits {
        handshake_time: Duration::from_millis(300),
        head_time: Duration::from_millis(300),
        ..ListenerLimits::mutual(1)
    };
    Stand::start_with(&vault(VAULT_SERIAL), &limits)
}

#[test]
fn a_handshake_that_does_not_go_on_is_cut_off() {
    let stand = hasty();
    let begun = Instant::now();
    let mut socket = TcpStream::connect(stand.address).unwrap();
    socket.set_read_timeout(Some(GRACE)).unwrap();
    socket.write_all(&[0x16, 0x03, 0x01]).unwrap();
    assert_eq!(socket.read(&mut [0; 16]).unwrap(), 0);
    assert!(begun.elapsed() < GRACE);
}

#[test]
fn a_request_head_that_trickles_in_is_cut_off() {
    let stand = hasty();
    let begun = Instant::now();
    let mut connection = stand.connect(stand.gateway());
    connection.send("GET /who HTTP/1.1\r\nhost: loc").unwrap();
    assert_eq!(connection.answer().unwrap().0, 408);
    assert!(connection.is_closed());
    assert!(begun.elapsed() < GRACE);
}

#[test]
fn a_body_that_trickles_in_is_cut_off_after_its_whole_time() {
    let stand = Stand::start();
    let mut connection = stand.connect(stand.gateway());
    connection
        .send("POST /body HTTP/1.1\r\nhost: localhost\r\ncontent-length: 500\r\n\r\n")
        .unwrap();
    let begun = Instant::now();
    // Steady bytes: a limit on the pause between two would never strike.
    while begun.elapsed() < BODY_TIME + Duration::from_millis(200) {
        if connection.send("x").is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(connection.answer().unwrap().0, 408);
    assert!(connection.is_closed());
    assert!(begun.elapsed() < BODY_TIME + GRACE);
}

#[test]
fn a_body_may_be_as_large_as_allowed_and_not_larger() {
    let stand = Stand::start();
    let post = |length: usize, body: &str| {
        format!("POST /body HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    let chunked = |body: &str| {
        let head = "POST /body HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunks: String = body
            .as_bytes()
            .chunks(300)
            .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)))
            .collect();
        format!("{head}{chunks}0\r\n\r\n")
    };
    let mut connection = stand.connect(stand.gateway());
    let (full, over) = ("x".repeat(BODY_LIMIT), "x".repeat(BODY_LIMIT + 1));
    for fitting in [post(0, ""), post(BODY_LIMIT, &full), chunked(&full), chunked("")] {
        connection.send(&fitting).unwrap();
        let (status, length) = connection.answer().unwrap();
        assert_eq!((status, length.parse::<usize>().unwrap() % BODY_LIMIT), (200, 0));
    }
    for too_large in [post(BODY_LIMIT + 1, ""), post(usize::MAX, ""), chunked(&over)] {
        let mut connection = stand.connect(stand.gateway());
        connection.send(&too_large).unwrap();
        assert_eq!(connection.answer().unwrap().0, 413);
    }
}

#[test]
fn a_request_head_beyond_what_actix_takes_is_answered_431() {
    let stand = Stand::start();
    let large = format!("x: {}\r\n", "y".repeat(200 << 10));
    let many: String = (0..96).map(|number| format!("x{number}: y\r\n")).collect();
    for headers in [large, many] {
        let mut connection = stand.connect(stand.gateway());
        let _cut_off_while_sending =
            connection.send(&format!("GET /who HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"));
        assert_eq!(connection.answer().unwrap().0, 431);
    }
}
