//! A client that keeps one request under way on each of its connections. One thread, blocking: it
//! reads the connections in turn, and a connection's next request follows its answer at once.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

/// Keep-alive connections to one port.
pub struct Client {
    connections: Vec<Connection>,
}

struct Connection {
    stream: BufReader<TcpStream>,
    line: String,
    content: Vec<u8>,
}

impl Client {
    /// Opens `connections` to `port`.
    pub fn connect(port: u16, connections: usize) -> io::Result<Self> {
        let connections = (0..connections).map(|_| Connection::open(port)).collect::<io::Result<_>>()?;
        Ok(Self { connections })
    }

    /// Gets `bytes` of content, `requests` times in all; how long that took.
    pub fn get(&mut self, bytes: usize, requests: usize) -> io::Result<Duration> {
        let begun = Instant::now();
        let count = self.connections.len();
        for connection in self.connections.iter_mut().take(requests) {
            connection.ask(bytes)?;
        }
        for number in 0..requests {
            let connection = &mut self.connections[number % count];
            connection.read(bytes)?;
            if number + count < requests {
                connection.ask(bytes)?;
            }
        }
        Ok(begun.elapsed())
    }

    /// Gets `bytes` of content, `requests` times one after the other over the first connection; how long
    /// each took.
    pub fn time(&mut self, bytes: usize, requests: usize) -> io::Result<Vec<Duration>> {
        let connection = &mut self.connections[0];
        let one = |_| {
            let asked = Instant::now();
            connection.ask(bytes)?;
            connection.read(bytes)?;
            Ok(asked.elapsed())
        };
        (0..requests).map(one).collect()
    }
}

impl Connection {
    fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), line: String::new(), content: Vec::new() })
    }

    fn ask(&mut self, bytes: usize) -> io::Result<()> {
        let request = format!("GET /{bytes} HTTP/1.1\r\nhost: payment\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes())
    }

    /// Reads an answer, which must be a good one with as many bytes.
    fn read(&mut self, bytes: usize) -> io::Result<()> {
        let mut length = None;
        for number in 0.. {
            self.line.clear();
            self.stream.read_line(&mut self.line)?;
            if number == 0 && !self.line.starts_with("HTTP/1.1 200 ") {
                return Err(io::Error::other(format!("instead of 200: {:?}", self.line)));
            }
            if self.line == "\r\n" {
                break;
            }
            if let Some((name, value)) = self.line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok();
            }
        }
        if length != Some(bytes) {
            return Err(io::Error::other(format!("instead of {bytes} bytes: {length:?}")));
        }
        self.content.resize(bytes, 0);
        self.stream.read_exact(&mut self.content)
    }
}
