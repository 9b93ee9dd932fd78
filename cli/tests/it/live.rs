//! The gateway's binary on real sockets: curl in front, an origin behind, and SIGTERM.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc;

use crate::{Folder, code, hoplab, stderr};

/// A running gateway or sidecar; killed with its handle.
pub(crate) struct Running {
    process: Child,
    said: BufReader<ChildStderr>,
    config: PathBuf,
    /// Where it listens; a sidecar's inbound side first.
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Running {
    /// The product that is called so, which has the file `text`.
    pub(crate) fn start(folder: &Folder, product: &str, text: &str) -> Self {
        Self::start_with(folder, product, text, &[])
    }

    /// The same, with other arguments, too.
    pub(crate) fn start_with(folder: &Folder, product: &str, text: &str, arguments: &[&str]) -> Self {
        let config = folder.write(&format!("{product}-{}.toml", text.len()), text);
        let mut process = Command::new(env!("CARGO_BIN_EXE_hoplab"))
            .args([product, "--config"])
            .arg(&config)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        // `gateway listens on A`, `sidecar of order listens on A (inbound) and B (outbound)`.
        let addresses: Vec<SocketAddr> =
            line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert!(line.starts_with(product) && line.contains(" listens on "), "{text}\n{line}");
        assert!(!addresses.is_empty(), "{text}\n{line}");
        Self { process, said, config, addresses }
    }

    /// A gateway in front of `origin`.
    fn before(folder: &Folder, origin: SocketAddr) -> Self {
        let config = format!(
            "listen = \"127.0.0.1:0\"\n\n[upstreams.origin]\nendpoints = [\"{origin}\"]\n\n[[routes]]\npath = \"/\"\nupstream = \"origin\"\n"
        );
        Self::start(folder, "gateway", &config)
    }

    /// Starts a curl for `path`.
    fn curl(&self, path: &str) -> Child {
        Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--max-time", "60"])
            .arg(format!("http://{}{path}", self.addresses[0]))
            .stdout(Stdio::piped())
            .spawn()
            .expect("curl is installed: apt-get install curl")
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Replaces its file by one with this `text`, as a whole.
    pub(crate) fn rewrite(&self, text: &str) {
        let new = self.config.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &self.config).unwrap();
    }

    /// The next line that it says.
    pub(crate) fn says(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Waits until it says a line that `is` so; that line, and those before it.
    pub(crate) fn says_until(&mut self, is: impl Fn(&str) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.says();
            lines.push(line.clone());
            assert!(!line.is_empty() || lines.len() < 100, "{lines:?}");
            if is(&line) {
                return lines;
            }
        }
    }

    /// Waits for its end: its exit code, and what it still had to say.
    pub(crate) fn ends(&mut self) -> (Option<i32>, String) {
        let code = self.process.wait().unwrap().code();
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        (code, said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads the head of a request; its request line.
fn request(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    String::from_utf8(head).unwrap().lines().next().unwrap().to_owned()
}

fn answer(stream: &mut TcpStream) {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").unwrap();
}

#[test]
fn a_gateway_that_is_told_to_stop_finishes_what_is_in_flight() {
    if !crate::programs::are_there(
        "live::a_gateway_that_is_told_to_stop_finishes_what_is_in_flight",
        &["curl"],
    ) {
        return;
    }
    let folder = Folder::new("drain");
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut gateway = Running::before(&folder, origin.local_addr().unwrap());
    let (arrived, arrives) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = origin.accept().unwrap();
        arrived.send(request(&mut stream)).unwrap();
        released.recv().unwrap();
        answer(&mut stream);
    });
    let client = gateway.curl("/slow");
    assert_eq!(arrives.recv().unwrap(), "GET /slow HTTP/1.1");
    gateway.signal("TERM");
    // It has stopped listening once a new connection is refused; the request is still in flight.
    while TcpStream::connect(gateway.addresses[0]).is_ok() {
        std::thread::yield_now();
    }
    release.send(()).unwrap();
    let output = client.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "hello");
    serving.join().unwrap();
    assert_eq!(gateway.ends(), (Some(0), "served 1 requests, 0 of them failed\n".to_owned()));
}

#[test]
fn a_configuration_that_cannot_be_is_located() {
    let folder = Folder::new("gateway-config");
    folder.write("gateway.toml", "[upstreams.a]\nendpoints = [\"localhost\"]\n");
    let end = hoplab(&folder, &["gateway", "--config", "gateway.toml"]);
    assert_eq!(code(&end), 2);
    assert!(stderr(&end).starts_with("gateway.toml:2:"), "{}", stderr(&end));
    let end = hoplab(&folder, &["sidecar", "--config", "missing.toml"]);
    assert_eq!(code(&end), 2);
    assert!(stderr(&end).contains("missing.toml"), "{}", stderr(&end));
}
