//! An origin that answers `GET /N` with N bytes: a blocking thread a connection, so that it costs its
//! callers nothing and itself little.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

/// Starts an origin, which ends with this process.
pub fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            // How a connection ends is the caller's affair.
            std::thread::spawn(move || answer(stream));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    let mut bytes = 0;
    let mut prepared = Vec::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if let Some(target) = line.strip_prefix("GET /") {
            let wanted = target.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
            if wanted != bytes || prepared.is_empty() {
                bytes = wanted;
                prepared = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n").into_bytes();
                prepared.resize(prepared.len() + bytes, b'x');
            }
        } else if line == "\r\n" {
            stream.write_all(&prepared)?;
        }
    }
}
