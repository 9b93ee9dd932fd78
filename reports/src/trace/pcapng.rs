//! Packets as a pcapng file (draft-ietf-opsawg-pcapng): raw IPv4 with nanoseconds, the pods' names, and the secrets of
//! the TLS sessions in it, so that Wireshark decrypts it without being told. Headers are made here, checksums included;
//! what they say is the simulation's. Each packet is captured where it leaves; one that was lost, or that was sent
//! before, has a comment that says so. Of one that was lost the headers are here alone, as if the capture were too short:
//! what it carried never arrived, and is put together from its repeat.

use std::net::Ipv4Addr;

use hoplab_sim::lens::{Loss, Options, Packet, Seen, Timestamps};

/// Types of blocks.
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const NAMES: u32 = 4;
const PACKET: u32 = 6;
const SECRETS: u32 = 10;

/// Options, and the record of a name.
const COMMENT: u16 = 1;
const INTERFACE_NAME: u16 = 2;
const APPLICATION: u16 = 4;
const TIME_RESOLUTION: u16 = 9;
const NAME_IPV4: u16 = 1;

/// Kinds of TCP's options (RFC 9293, 3.2; RFC 7323; RFC 2018).
const NO_OPERATION: u8 = 1;
const SEGMENT_SIZE_MAX: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const RANGES_PERMITTED: u8 = 4;
const RANGES: u8 = 5;
const TIMESTAMPS: u8 = 8;

/// Packets begin with their IP header.
const LINK_TYPE_RAW: u16 = 101;
/// The secrets are lines of an NSS key log.
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// The capture of what was `seen`.
pub fn pcapng(seen: &Seen) -> Vec<u8> {
    let mut file = Vec::new();
    let mut header = Block::new(SECTION_HEADER);
    header.u32(0x1a2b_3c4d).u16(1).u16(0).u32(u32::MAX).u32(u32::MAX);
    header.option(APPLICATION, concat!("hoplab ", env!("CARGO_PKG_VERSION")).as_bytes()).end_of_options();
    header.finish(&mut file);
    let mut interface = Block::new(INTERFACE);
    interface.u16(LINK_TYPE_RAW).u16(0).u32(0);
    interface.option(INTERFACE_NAME, b"wires").option(TIME_RESOLUTION, &[9]).end_of_options();
    interface.finish(&mut file);
    let mut names = Block::new(NAMES);
    for pod in &seen.pods {
        let name = [&pod.address.octets()[..], pod.name.as_bytes(), &[0]].concat();
        names.option(NAME_IPV4, &name);
    }
    names.end_of_options();
    names.finish(&mut file);
    if !seen.keys.is_empty() {
        let keys = key_log(seen);
        let mut secrets = Block::new(SECRETS);
        secrets.u32(TLS_KEY_LOG).u32(keys.len() as u32).padded(keys.as_bytes());
        secrets.finish(&mut file);
    }
    for packet in &seen.packets {
        let at = seen.epoch.as_nanos() as u64 + packet.at_nanos;
        let bytes = datagram(packet);
        let kept = if packet.loss.is_some() { bytes.len() - packet.payload.len() } else { bytes.len() };
        let mut block = Block::new(PACKET);
        block.u32(0).u32((at >> 32) as u32).u32(at as u32);
        block.u32(kept as u32).u32(bytes.len() as u32).padded(&bytes[..kept]);
        if let Some(comment) = comment(packet) {
            block.option(COMMENT, comment.as_bytes()).end_of_options();
        }
        block.finish(&mut file);
    }
    file
}

/// What no header tells.
fn comment(packet: &Packet) -> Option<&'static str> {
    match (packet.is_repeated, packet.loss) {
        (false, None) => None,
        (false, Some(Loss::OnTheWire)) => Some("lost on the wire"),
        (false, Some(Loss::QueueFull)) => Some("dropped by a full queue"),
        (true, None) => Some("sent again"),
        (true, Some(Loss::OnTheWire)) => Some("sent again, lost on the wire"),
        (true, Some(Loss::QueueFull)) => Some("sent again, dropped by a full queue"),
    }
}

/// The secrets of the TLS sessions in NSS's format, as `SSLKEYLOGFILE` holds them.
pub fn key_log(seen: &Seen) -> String {
    seen.keys.iter().fold(String::new(), |text, line| text + line + "\n")
}

/// A block of the file, little-endian.
struct Block {
    kind: u32,
    body: Vec<u8>,
}

impl Block {
    fn new(kind: u32) -> Self {
        Self { kind, body: Vec::new() }
    }

    fn u16(&mut self, value: u16) -> &mut Self {
        self.body.extend(value.to_le_bytes());
        self
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.body.extend(value.to_le_bytes());
        self
    }

    /// Bytes, filled up to a multiple of four.
    fn padded(&mut self, bytes: &[u8]) -> &mut Self {
        self.body.extend(bytes);
        self.body.resize(self.body.len().next_multiple_of(4), 0);
        self
    }

    fn option(&mut self, code: u16, value: &[u8]) -> &mut Self {
        self.u16(code).u16(value.len() as u16).padded(value)
    }

    fn end_of_options(&mut self) -> &mut Self {
        self.u32(0)
    }

    fn finish(self, file: &mut Vec<u8>) {
        let length = self.body.len() as u32 + 12;
        file.extend(self.kind.to_le_bytes());
        file.extend(length.to_le_bytes());
        file.extend(self.body);
        file.extend(length.to_le_bytes());
    }
}

/// The packet with its IPv4 and TCP headers.
fn datagram(packet: &Packet) -> Vec<u8> {
    let segment = segment(packet);
    let length = (20 + segment.len()) as u16;
    let mut bytes = Vec::with_capacity(usize::from(length));
    // Version and header's length; no identification, not to be fragmented, 64 hops, TCP.
    bytes.extend([0x45, 0]);
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    bytes.extend(packet.source.0.octets());
    bytes.extend(packet.destination.0.octets());
    let sum = checksum(&[&bytes]);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    bytes.extend(segment);
    bytes
}

fn segment(packet: &Packet) -> Vec<u8> {
    let options = options(&packet.options);
    let mut bytes = Vec::with_capacity(20 + options.len() + packet.payload.len());
    bytes.extend(packet.source.1.to_be_bytes());
    bytes.extend(packet.destination.1.to_be_bytes());
    bytes.extend(packet.sequence.to_be_bytes());
    bytes.extend(packet.acknowledgement.to_be_bytes());
    let words = (20 + options.len() as u8) / 4;
    bytes.extend([words << 4, packet.flags]);
    bytes.extend(packet.window.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(options);
    bytes.extend(&packet.payload[..]);
    let sum = checksum(&[&pseudo_header(packet.source.0, packet.destination.0, bytes.len() as u16), &bytes]);
    bytes[16..18].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// The options as Linux lays them out, filled up to multiples of four.
fn options(options: &Options) -> Vec<u8> {
    let mut bytes = Vec::new();
    match options {
        Options::None => {}
        Options::Handshake { segment_size_max, window_scale, timestamps } => {
            bytes.extend([SEGMENT_SIZE_MAX, 4]);
            bytes.extend(segment_size_max.to_be_bytes());
            bytes.extend([RANGES_PERMITTED, 2]);
            put_timestamps(&mut bytes, *timestamps);
            bytes.extend([NO_OPERATION, WINDOW_SCALE, 3, *window_scale]);
        }
        Options::Established { timestamps, ranges } => {
            bytes.extend([NO_OPERATION; 2]);
            put_timestamps(&mut bytes, *timestamps);
            if !ranges.is_empty() {
                bytes.extend([NO_OPERATION, NO_OPERATION, RANGES, (2 + 8 * ranges.len()) as u8]);
            }
            for (start, end) in ranges {
                bytes.extend(start.to_be_bytes());
                bytes.extend(end.to_be_bytes());
            }
        }
    }
    bytes
}

fn put_timestamps(bytes: &mut Vec<u8>, timestamps: Timestamps) {
    bytes.extend([TIMESTAMPS, 10]);
    bytes.extend(timestamps.value.to_be_bytes());
    bytes.extend(timestamps.echo.to_be_bytes());
}

/// What TCP's checksum covers of the IP header (RFC 9293, 3.1).
fn pseudo_header(source: Ipv4Addr, destination: Ipv4Addr, length: u16) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&source.octets());
    bytes[4..8].copy_from_slice(&destination.octets());
    bytes[9] = 6;
    bytes[10..].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// The Internet's checksum (RFC 1071) over `parts`, of which all but the last have even lengths.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let mut sum: u64 =
        words.map(|word| u64::from(word[0]) << 8 | u64::from(word.get(1).copied().unwrap_or(0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_rfc() {
        // The example of RFC 1071, 3, and an IPv4 header whose own checksum makes it zero.
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
        assert_eq!(checksum(&[&[0xff]]), !0xff00);
    }

    /// As many bytes as the world counts for them, each number where Linux has it: aligned to four bytes.
    #[test]
    fn options_are_aligned() {
        let timestamps = Timestamps { value: 0x0102_0304, echo: 0x0506_0708 };
        let none: [u8; 0] = [];
        assert_eq!(options(&Options::None), none);
        let of_syn = Options::Handshake { segment_size_max: 1_460, window_scale: 7, timestamps };
        let expected = [2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7];
        assert_eq!(options(&of_syn), expected);
        let ranges = vec![(0x1000, 0x2000), (0x3000, 0x4000), (0x5000, 0x6000)];
        let established = options(&Options::Established { timestamps, ranges });
        assert_eq!(established[..16], [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 5, 26]);
        assert_eq!(established[16..24], [0, 0, 0x10, 0, 0, 0, 0x20, 0]);
        assert_eq!(established.len(), 40, "as many as a header has room for");
    }
}
