//! Malformed HTTP/2 requests, drawn at random, at a gateway whose upstream speaks HTTP/1.1 and at one whose upstream
//! speaks HTTP/2: none reaches the backend whole, nothing panics, and a good request behind each gets its own answer,
//! over the same connection unless that has come to its end. What is odd but no mistake is answered.

mod client;
mod messages;
mod requests;
mod streams;

use hoplab_proxy::telemetry::Report;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::cases::{self, Memory};
use crate::lab::Lab;
use client::{Client, Request};
use requests::{CONTENT, FAMILIES, Family, Fate, Way};

#[tokio::test]
async fn malformed_requests_over_http2_are_refused_and_never_passed_on() {
    let lab = Lab::new();
    let mut clients = [
        Client::start(&lab, "protocol = \"http1\"").await,
        Client::start(&lab, "protocol = \"http2\"").await,
        // What is changed at random may ask for anything, whenever it arrives.
        Client::start(&lab, "").await,
    ];
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut memory = Memory::default();
    for case in 0..cases::count() {
        memory.note(case);
        let family = &FAMILIES[case % FAMILIES.len()];
        let client = &mut clients[if family.fate == Fate::Any { 2 } else { case / FAMILIES.len() % 2 }];
        let path = format!("{}-{case}", family.fate.path());
        let bytes = (family.generate)(&mut random, client.next_stream(), &path);
        let wrong = try_out(&lab, client, family, &path, &bytes, &format!("/good-{case}")).await;
        let text = || format!("{} {case}: {:?}", family.name, String::from_utf8_lossy(&bytes));
        assert!(wrong.is_ok(), "{wrong:?}: {}", text());
        assert!(!lab.take_reports().iter().any(|report| matches!(report, Report::Panicked)), "{}", text());
    }
    memory.check();
}

/// Says `bytes`, and asks for `good`; what is wrong with what comes of it.
async fn try_out(
    lab: &Lab,
    client: &mut Client,
    family: &Family,
    path: &str,
    bytes: &[u8],
    good: &str,
) -> Result<(), String> {
    let mut request = Request { path: good, is_marked: family.name == "compression state" };
    let seen = match family.way {
        Way::Within => client.ask(lab, bytes, request, family.fate == Fate::Whole).await,
        Way::Ending => client.say(lab, bytes, true).await,
        Way::Alone => client.say(lab, bytes, false).await,
    };
    let seen = seen.ok_or("neither answered nor closed")?;
    let whole = format!("{path}||{CONTENT}");
    let is_right = match family.fate {
        Fate::Refused => !seen.answers.values().any(|answer| answer.is_ok),
        Fate::Whole => seen.answers.values().any(|answer| answer.is_whole(&whole)),
        Fate::Either | Fate::Any => true,
    };
    if !is_right {
        return Err(format!("{seen:?}"));
    }
    let answer = if let Some(answer) = seen.good {
        answer
    } else {
        request.is_marked = false;
        let seen = client.ask(lab, &[], request, false).await.and_then(|seen| seen.good);
        seen.ok_or("nothing is answered any more")?
    };
    let mark = if request.is_marked { path } else { "" };
    if !answer.is_whole(&format!("{good}|{mark}|")) {
        return Err(format!("{answer:?} to the next request"));
    }
    let whole = client.wrongly_whole(family.fate == Fate::Any);
    if whole.is_empty() { Ok(()) } else { Err(format!("{whole:?} came whole")) }
}
