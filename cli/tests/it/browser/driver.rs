//! A headless Chromium, driven through chromedriver by the `WebDriver` protocol: JSON over HTTP on a loopback port. Owns
//! the processes and what is said to them; knows nothing of hoplab's pages.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::Folder;

/// A browser with one window; ends with its handle.
pub(super) struct Browser {
    driver: Child,
    port: u16,
    /// The path of all that is asked of the window.
    session: String,
    _profile: Folder,
}

/// What a window looks like to a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) width: u32,
    pub(super) height: u32,
    /// `light` or `dark`.
    pub(super) theme: &'static str,
}

/// Keys by their names in `WebDriver`.
pub(super) mod key {
    pub(crate) const TAB: &str = "\u{e004}";
    pub(crate) const ENTER: &str = "\u{e007}";
    pub(crate) const ESCAPE: &str = "\u{e00c}";
    pub(crate) const SPACE: &str = " ";
    pub(crate) const RIGHT: &str = "\u{e014}";
    pub(crate) const DOWN: &str = "\u{e015}";
}

/// A step of a pointer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pointer {
    /// To a place in the window.
    To(f64, f64),
    Down,
    Up,
}

impl Browser {
    /// Starts one whose profile is a fresh folder called by `name`.
    pub(super) fn start(name: &str) -> Self {
        let profile = Folder::new(&format!("{name}-profile"));
        let own_profile = format!("--user-data-dir={}", profile.0.display());
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(driver.stdout.take().unwrap());
        let port = port(&mut said);
        // Kept open: who writes to a closed pipe is killed.
        driver.stdout = Some(said.into_inner());
        let mut browser = Self { driver, port, session: String::new(), _profile: profile };
        let arguments = FLAGS.iter().copied().chain([own_profile.as_str()]).collect::<Vec<_>>();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "timeouts": { "script": 120_000 },
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": arguments },
        } } });
        let session = browser.post("/session", &wanted)["sessionId"].as_str().unwrap().to_owned();
        browser.session = format!("/session/{session}");
        browser
    }

    /// Opens a file with a look.
    pub(super) fn open(&self, page: &Path, look: Look) {
        let Look { width, height, theme } = look;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        self.devtools("Emulation.setEmulatedMedia", &features);
        self.post("/url", &json!({ "url": format!("file://{}", page.display()) }));
    }

    /// What a script, the body of a function, returns in the page.
    pub(super) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What a script hands to the function that is its last argument.
    pub(super) fn run_until_done(&self, script: &str) -> Value {
        self.post("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Presses keys, one after the other.
    pub(super) fn press<'a>(&self, keys: impl IntoIterator<Item = &'a str>) {
        let presses = keys.into_iter().flat_map(|key| {
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        });
        let presses: Vec<Value> = presses.collect();
        let keys = json!({ "actions": [{ "type": "key", "id": "keys", "actions": presses }] });
        self.post("/actions", &keys);
    }

    /// Moves the mouse.
    pub(super) fn point(&self, steps: &[Pointer]) {
        self.act("mouse", steps);
    }

    /// Touches the screen with a finger, for a moment.
    pub(super) fn tap(&self, x: f64, y: f64) {
        self.act("touch", &[Pointer::To(x, y), Pointer::Down, Pointer::Up]);
    }

    fn act(&self, kind: &str, steps: &[Pointer]) {
        let steps: Vec<Value> = (steps.iter())
            .map(|step| match step {
                Pointer::To(x, y) => {
                    json!({ "type": "pointerMove", "duration": 0, "origin": "viewport", "x": x.round(), "y": y.round() })
                }
                Pointer::Down => json!({ "type": "pointerDown", "button": 0 }),
                Pointer::Up => json!({ "type": "pointerUp", "button": 0 }),
            })
            .collect();
        let acts = json!({ "actions": [
            { "type": "pointer", "id": kind, "parameters": { "pointerType": kind }, "actions": steps },
        ] });
        self.post("/actions", &acts);
    }

    /// What the page wrote to the console, or the browser about the page, since this was last asked.
    pub(super) fn console(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let said = |entry: &Value| format!("{}: {}", entry["level"], entry["message"]);
        log.as_array().unwrap().iter().map(said).collect()
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let path = if self.session.is_empty() { path.to_owned() } else { self.session.clone() + path };
        answer(self.port, "POST", &path, &body.to_string())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver's end does not end the browser; a test that fails is not to fail once more over it.
        if !self.session.is_empty() {
            let _ = asked(self.port, "DELETE", &self.session, "");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Without these it asks hosts of its own makers for this and that.
const FLAGS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// The port that chromedriver chose and names in a line.
fn port(said: &mut impl BufRead) -> u16 {
    let mut lines = said.lines().map(Result::unwrap);
    let port = lines.find_map(|line| {
        line.split_once("successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok()
    });
    port.expect("chromedriver did not say its port")
}

/// The value that a request is answered with; one that fails fails the test.
fn answer(port: u16, method: &str, path: &str, body: &str) -> Value {
    let mut answer = asked(port, method, path, body).unwrap();
    let value = answer["value"].take();
    assert!(value["error"].is_null(), "{method} {path}: {}: {}", value["error"], value["message"]);
    value
}

fn asked(port: u16, method: &str, path: &str, body: &str) -> io::Result<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        let field = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        length = field.map_or(length, |(_, value)| value.trim().parse().unwrap());
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}
