//! Requests as Chrome's trace events (JSON object format), which Perfetto and `chrome://tracing` open: a process a pod,
//! a thread a lane of a hop so that stays which overlap do not collide, segments nested in their stay, arrows from
//! attempts to the stays that answer them, and instants for breakers and policies. Times are microseconds since the
//! start of the run. Beginnings and ends are events of their own: a length added to a start need not be the next start
//! in floating point.

use hoplab_sim::lens::{Request, Visit};
use indexmap::{IndexMap, IndexSet};
use serde_json::{Value, json};

use super::text::said;
use crate::owners::{self, OWNERS};

/// The trace of `requests`.
pub fn perfetto(requests: &[Request]) -> String {
    let mut events = Vec::new();
    let lanes = Lanes::of(requests);
    lanes.name(&mut events);
    let visits = requests.iter().flat_map(|request| request.visits.iter().map(move |visit| (request, visit)));
    for (request, visit) in visits.clone() {
        push_visit(request, visit, lanes.place(visit), &mut events);
    }
    for (_, visit) in visits.clone() {
        for attempt in &visit.attempts {
            for (_, answer) in visits.clone().filter(|(_, answer)| answer.parent == Some(attempt.id)) {
                let start = lanes.place(visit).event("s", attempt.start_nanos);
                let end = lanes.place(answer).event("f", answer.start_nanos);
                for mut event in [start, end] {
                    event["id"] = json!(format!("{:016x}", attempt.id));
                    event["name"] = json!("attempt");
                    event["cat"] = json!("attempt");
                    if event["ph"] == "f" {
                        event["bp"] = json!("e");
                    }
                    events.push(event);
                }
            }
        }
    }
    // What changed along several requests is told once.
    let moments = requests.iter().flat_map(|request| &request.moments);
    let moments: IndexSet<_> =
        moments.map(|moment| (lanes.pod(moment.pod()), moment.at_us(), said(moment))).collect();
    for (pid, at_us, said) in moments {
        if let Some(pid) = pid {
            let mut event = Place { pid, tid: 0 }.event("i", at_us * 1_000);
            event["name"] = json!(said);
            event["cat"] = json!("change");
            event["s"] = json!("p");
            events.push(event);
        }
    }
    // In the order of time; at one time in the order of telling, in which ends come before beginnings.
    let at = |event: &Value| event["ts"].as_f64().unwrap_or(-1.0);
    events.sort_by(|left, right| at(left).total_cmp(&at(right)));
    json!({ "displayTimeUnit": "ns", "traceEvents": events }).to_string()
}

fn push_visit(request: &Request, visit: &Visit, place: Place, events: &mut Vec<Value>) {
    let mut begin = place.event("B", visit.start_nanos);
    begin["name"] = json!(visit.hop);
    begin["cat"] = json!("visit");
    begin["args"] = json!({
        "request": request.id,
        "endpoint": request.endpoint,
        "outcome": visit.outcome.text,
        "span": format!("{:016x}", visit.id),
        "parent": visit.parent.map(|parent| format!("{parent:016x}")),
    });
    let mut end = place.event("E", visit.end_nanos);
    end["name"] = json!(visit.hop);
    // Some viewers pair an end by its name and arguments.
    end["args"] = begin["args"].clone();
    events.push(begin);
    let mut from = visit.start_nanos;
    for segment in &visit.segments {
        let start = std::mem::replace(&mut from, segment.end_nanos);
        let attempt = segment.attempt.and_then(|id| visit.attempts.iter().find(|attempt| attempt.id == id));
        let mut begin = place.event("B", start);
        let mut end = place.event("E", segment.end_nanos);
        begin["cat"] = json!("segment");
        let name = match attempt {
            Some(attempt) => {
                begin["args"] = json!({
                    "attempt": format!("{:016x}", attempt.id),
                    "endpoint": attempt.endpoint,
                    "outcome": attempt.outcome.text,
                });
                end["args"] = begin["args"].clone();
                format!("→ {}", attempt.upstream)
            }
            None => OWNERS[owners::index(segment.owner)].label.to_owned(),
        };
        begin["name"] = json!(name);
        end["name"] = json!(name);
        events.extend([begin, end]);
    }
    events.push(end);
}

/// A process and a thread.
#[derive(Debug, Clone, Copy)]
struct Place {
    pid: usize,
    tid: usize,
}

impl Place {
    fn event(self, phase: &str, at_nanos: u64) -> Value {
        json!({ "ph": phase, "pid": self.pid, "tid": self.tid, "ts": at_nanos as f64 / 1e3 })
    }
}

/// Which process and thread each visit is drawn in.
struct Lanes<'a> {
    /// Pods; a process's number is its place and one.
    pods: Vec<&'a str>,
    /// By process and hop, the threads, each with the end of its last visit.
    hops: IndexMap<(usize, &'a str), Vec<(usize, u64)>>,
    /// By the visit's id.
    places: IndexMap<u64, Place>,
}

impl<'a> Lanes<'a> {
    fn of(requests: &'a [Request]) -> Self {
        let mut visits: Vec<&Visit> = requests.iter().flat_map(|request| &request.visits).collect();
        visits.sort_by_key(|visit| visit.start_nanos);
        let mut lanes = Self { pods: Vec::new(), hops: IndexMap::new(), places: IndexMap::new() };
        for visit in visits {
            if !lanes.pods.contains(&&*visit.pod) {
                lanes.pods.push(&visit.pod);
            }
            let pid = lanes.pod(&visit.pod).unwrap_or_default();
            let next = 1 + lanes.hops.values().map(Vec::len).sum::<usize>();
            let threads = lanes.hops.entry((pid, &*visit.hop)).or_default();
            let free = threads.iter_mut().find(|(_, busy_until)| *busy_until < visit.start_nanos);
            let tid = if let Some((tid, busy_until)) = free {
                *busy_until = visit.end_nanos;
                *tid
            } else {
                threads.push((next, visit.end_nanos));
                next
            };
            lanes.places.insert(visit.id, Place { pid, tid });
        }
        lanes
    }

    fn pod(&self, name: &str) -> Option<usize> {
        self.pods.iter().position(|pod| *pod == name).map(|place| place + 1)
    }

    fn place(&self, visit: &Visit) -> Place {
        self.places[&visit.id]
    }

    /// Tells the viewer what processes and threads are called.
    fn name(&self, events: &mut Vec<Value>) {
        let mut push = |kind: &str, pid: usize, tid: usize, name: &str| {
            let args = json!({ "name": name });
            events.push(json!({ "ph": "M", "name": kind, "pid": pid, "tid": tid, "args": args }));
        };
        for (place, pod) in self.pods.iter().enumerate() {
            push("process_name", place + 1, 0, pod);
        }
        for ((pid, hop), threads) in &self.hops {
            for (number, (tid, _)) in threads.iter().enumerate() {
                let name = if number == 0 { (*hop).to_owned() } else { format!("{hop} #{}", number + 1) };
                push("thread_name", *pid, *tid, &name);
            }
        }
    }
}
