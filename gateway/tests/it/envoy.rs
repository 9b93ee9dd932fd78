//! hoplab's gateway beside a real Envoy: the same requests through both, before upstreams that follow the same script.
//! What is compared is what each decided: how often each endpoint saw a request, and which statuses the clients got.
//! The cases are data, in `retries`, `blame`, `limits` and `ways`; `row` says what a row holds and how to add one. Where no
//! Envoy is found, hoplab is held against the written values alone.
//!
//! Not here: how long pauses are, metrics, and what an answer's head and content look like.

mod blame;
mod drive;
mod limits;
mod peer;
mod retries;
mod row;
mod upstream;
mod ways;

use drive::Side;
use row::Row;

use crate::lab::Lab;
use crate::programs;

#[tokio::test]
async fn both_send_again_in_the_same_cases() {
    compare("retries", &retries::rows()).await;
}

#[tokio::test]
async fn both_blame_the_same_endpoints() {
    compare("blame", &blame::rows()).await;
}

#[tokio::test]
async fn both_refuse_what_is_over_the_same_limits() {
    compare("limits", &limits::rows()).await;
}

#[tokio::test]
async fn both_decide_alike_where_a_key_chooses_envoys_way() {
    compare("ways", &ways::rows()).await;
}

/// Sends what the rows of `table` say through both, one row after the other, and tells of all that is not as written.
async fn compare(table: &str, rows: &[Row]) {
    let lab = Lab::new();
    let hoplab = Side::hoplab(&lab, rows).await;
    let envoy = match peer::program() {
        Some(program) => Some(Side::envoy(&lab, &program, table, rows).await),
        None => None,
    };
    let mut wrong = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let (got, of_envoy) = match &envoy {
            Some(envoy) => {
                let (got, of_envoy) = tokio::join!(hoplab.decide(number, row), envoy.decide(number, row));
                (got, Some(of_envoy))
            }
            None => (hoplab.decide(number, row).await, None),
        };
        wrong.extend(row.want.hoplab().mismatch(&row.label(), "hoplab", &got));
        wrong.extend(of_envoy.and_then(|got| row.want.envoy().mismatch(&row.label(), "Envoy", &got)));
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    if envoy.is_none() {
        programs::say_left_out(&format!("Envoy's side of envoy::{table}"), peer::MISSING);
    }
}
