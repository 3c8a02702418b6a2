//! Frames of HTTP/2 that nobody means.

use std::time::Duration;

use partie_mesh::Limits;

use crate::http2::{END, GET, GOAWAY, HEADERS, PING, RST_STREAM, Raw, SETTINGS, literal};
use crate::support::{Server, echo};

const SHORT: Duration = Duration::from_millis(60);
const DATA: u8 = 0;
const PRIORITY: u8 = 2;
const PUSH: u8 = 5;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

#[tokio::test]
async fn a_head_without_end_is_given_up() {
    let server = Server::start(Limits::default(), echo());
    // Each frame is small, and none says that it was the last one.
    let mut raw = Raw::open(&server).await;
    raw.send(HEADERS, 1, 1, GET).await;
    let field = literal("x-filler", &"x".repeat(100));
    let mut sent = 0;
    while sent < 32 << 20 && raw.is_open().await {
        for _ in 0..64 {
            raw.send(CONTINUATION, 0, 1, &field).await;
            sent += field.len();
        }
    }
    assert!(sent < 8 << 20, "{sent} bytes of one head were taken");
    // Empty ones count too.
    let mut raw = Raw::open(&server).await;
    raw.send(HEADERS, 1, 1, GET).await;
    let mut frames = 0;
    while frames < 1 << 20 && raw.is_open().await {
        for _ in 0..64 {
            raw.send(CONTINUATION, 0, 1, &[]).await;
        }
        frames += 64;
    }
    assert!(frames < 1 << 20, "{frames} empty pieces of one head were taken");
    server.stopped().await;
}

#[tokio::test]
async fn half_a_head_is_not_waited_for() {
    let server = Server::start(Limits { ping: SHORT, ..Limits::default() }, echo());
    let mut raw = Raw::open(&server).await;
    raw.send(HEADERS, 1, 1, GET).await;
    // Nothing may come between the pieces of a head, an answer to a ping neither.
    raw.frames(false).await;
    server.stopped().await;
}

#[tokio::test]
async fn who_asks_for_answers_without_reading_them_is_disconnected() {
    let server = Server::start(Limits { write_stall: SHORT, ..Limits::default() }, echo());
    for (kind, payload) in [(PING, vec![0; 8]), (SETTINGS, vec![0, 3, 0, 0, 0, 1])] {
        let mut raw = Raw::open(&server).await;
        let mut sent = 0;
        // More than the buffers of both sides hold.
        while sent < 64 << 20 && raw.send_whole(kind, 0, 0, &payload.repeat(1), 4096).await {
            sent += 4096 * (9 + payload.len());
        }
        assert!(sent < 64 << 20, "frames of kind {kind} are taken without end");
    }
    server.stopped().await;
}

#[tokio::test]
async fn frames_that_make_no_sense_end_their_connection_or_their_stream() {
    let server = Server::start(Limits::default(), echo());
    for (what, kind, flags, stream, payload) in [
        ("data of no stream", DATA, 0, 0, vec![1]),
        ("data of a stream nobody began", DATA, 0, 5, vec![1]),
        ("a head of an even stream", HEADERS, END, 2, GET.to_vec()),
        ("a promise of a client", PUSH, 4, 1, vec![0, 0, 0, 2]),
        ("more room than there can be", WINDOW_UPDATE, 0, 0, 0x7FFF_FFFF_u32.to_be_bytes().to_vec()),
        ("no more room", WINDOW_UPDATE, 0, 0, vec![0; 4]),
        ("settings of odd length", SETTINGS, 0, 0, vec![0; 5]),
        ("a frame beyond the agreed size", DATA, 0, 1, vec![0; 17 << 10]),
        ("a piece of no head", CONTINUATION, 4, 1, GET.to_vec()),
        ("an index of no table", HEADERS, END, 1, vec![0xFF, 0xFF, 0xFF, 0xFF, 0x0F]),
    ] {
        let mut raw = Raw::open(&server).await;
        raw.send(kind, flags, stream, &payload).await;
        let frames = raw.frames(true).await;
        let away = frames.iter().find(|frame| frame.kind == GOAWAY);
        let reason = away.map(|frame| frame.payload[4..8].to_vec());
        assert!(reason.as_ref().is_some_and(|reason| *reason != [0; 4]), "{what}: {frames:?}");
    }
    // What has no meaning any more is skipped, however much of it there is.
    let mut raw = Raw::open(&server).await;
    for _ in 0..10_000 {
        raw.send(PRIORITY, 0, 1, &[0, 0, 0, 3, 1]).await;
        raw.send(0xEE, 0, 0, b"unknown").await;
    }
    raw.get(5).await;
    assert_eq!(raw.until(HEADERS).await.stream, 5);
    drop(raw);
    server.stopped().await;
}

#[tokio::test]
async fn a_websocket_over_http2_is_not_offered_and_refused() {
    let server = Server::start(Limits::default(), echo());
    let mut raw = Raw::open(&server).await;
    let settings = raw.until(SETTINGS).await.payload;
    let enabled = settings.chunks(6).any(|setting| setting[..2] == [0, 8]);
    assert!(!enabled, "SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441 section 3)");
    let method = b"\x02\x07CONNECT";
    let block = [&method[..], &literal(":protocol", "websocket"), b"\x86\x84\x01\x01a"].concat();
    raw.send(HEADERS, 4, 1, &block).await;
    let reset = raw.until(RST_STREAM).await;
    assert_eq!((reset.stream, &reset.payload[..]), (1, &1_u32.to_be_bytes()[..]), "PROTOCOL_ERROR");
    // A plain tunnel is no better.
    raw.send(HEADERS, 4, 3, &[&method[..], b"\x01\x01a"].concat()).await;
    let answer = raw.until_either(HEADERS, RST_STREAM).await.unwrap();
    assert!(answer.kind == RST_STREAM || answer.payload.contains(&0x8C), "400 is index 12: {answer:?}");
    drop(raw);
    server.stopped().await;
}

#[tokio::test]
async fn heads_that_unpack_to_much_more_are_bounded() {
    let server = Server::start(Limits::default(), echo());
    let mut raw = Raw::open(&server).await;
    // A field of 3,000 bytes goes into the table once, and is then named by one byte each.
    let value = "x".repeat(3_000);
    let length = [0x7F, (3_000 - 127) as u8 & 0x7F | 0x80, ((3_000 - 127) >> 7) as u8];
    let block = [GET, &b"\x40\x01b"[..], &length, value.as_bytes(), &[0xBE; 8_000]].concat();
    raw.send(HEADERS, END, 1, &block).await;
    let frames = raw.until_either(HEADERS, GOAWAY).await.unwrap();
    // 431 is no entry of the static table, so it comes as a literal; a reset or the end are as good.
    assert!(
        frames.kind == GOAWAY
            || frames.payload.windows(3).any(|part| part == b"431")
            || frames.payload.len() > 1
    );
    let mut other = Raw::open(&server).await;
    other.get(1).await;
    assert_eq!(other.until(HEADERS).await.stream, 1);
    drop((raw, other));
    server.stopped().await;
}
