//! Malformed HTTP/2 answers, drawn at random: each is refused with 502 or broken off, and what is odd but no mistake is
//! passed on whole. The next request of the same client gets its own answer; nothing panics.

mod families;

use std::sync::{Arc, Mutex};

use hoplab_proxy::telemetry::Report;
use http::Method;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::peers::Client;
use crate::cases::{self, Memory};
use crate::frames::{DATA, END_STREAM, HEADERS, Said, Server, frame, headers};
use crate::lab::Lab;
use families::{FAMILIES, Family};

/// What an upstream says to each request until it is told something else.
#[derive(Clone)]
enum Told {
    Good(String),
    Bad(&'static Family, u64),
}

impl Told {
    fn answer(&self, stream: u32) -> Said {
        match self {
            Self::Good(content) => {
                let head = headers(0, stream, &[(":status", "200")]);
                Said::More([head, frame(DATA, END_STREAM, stream, content.as_bytes())].concat())
            }
            Self::Bad(family, seed) => {
                let (bytes, _) = (family.generate)(&mut ChaCha8Rng::seed_from_u64(*seed), stream);
                if family.ends { Said::Last(bytes) } else { Said::More(bytes) }
            }
        }
    }
}

#[tokio::test]
async fn malformed_answers_over_http2_are_never_told_as_whole_and_never_taken_for_another() {
    let lab = Lab::new();
    let told = Arc::new(Mutex::new(Told::Good(String::new())));
    let say = Arc::clone(&told);
    let upstream = Server::start(&lab, &[], move |_, frame| match frame.kind {
        HEADERS => say.lock().unwrap().answer(frame.stream),
        _ => Said::More(Vec::new()),
    })
    .await;
    let text = format!("[upstreams.a]\nendpoints = [\"{}\"]\nprotocol = \"http2\"", upstream.endpoint);
    let gateway = lab.gateway(&text).await;
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut clients = [Client::http1(&gateway), Client::http2(&lab, &gateway).await];
    let mut memory = Memory::default();
    for case in 0..cases::count() {
        memory.note(case);
        let family = &FAMILIES[case % FAMILIES.len()];
        let seed = random.random();
        let (bytes, allowed) = (family.generate)(&mut ChaCha8Rng::seed_from_u64(seed), 1);
        *told.lock().unwrap() = Told::Bad(family, seed);
        let client = &mut clients[case / FAMILIES.len() % 2];
        let seen = client.ask(&lab, &Method::GET, "/bad").await;
        let text = || format!("{} {case}: {:?}\n{seen:?}", family.name, String::from_utf8_lossy(&bytes));
        assert!(allowed.is_kept_by(&seen), "{allowed:?} {}", text());
        assert!(seen.interim.iter().all(|(status, _)| *status != 101), "{}", text());
        let good = format!("good-{case}");
        *told.lock().unwrap() = Told::Good(good.clone());
        let next = client.ask(&lab, &Method::GET, "/good").await;
        assert!(next.is_whole && next.content == good, "{}\n{next:?}", text());
        assert!(!lab.take_reports().iter().any(|report| matches!(report, Report::Panicked)), "{}", text());
        upstream.seen.lock().unwrap().clear();
    }
    memory.check();
}
