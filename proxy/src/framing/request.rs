//! What is particular to requests: empty lines may stand before them (RFC 9112, 2.2), any line may start them (hyper
//! reads it), and without length or chunks they have no content.

use super::line::{Line, Malformed};
use super::watch::{Framing, Place, Side, Watch};

/// Follows requests.
pub(crate) type Requests = Watch<Asking>;

/// The side that asks.
#[derive(Debug, Default)]
pub(crate) struct Asking;

impl Side for Asking {
    fn begin(&mut self) -> Result<(), Malformed> {
        Ok(())
    }

    fn start(&mut self, line: Line<'_>) -> Result<Place, Malformed> {
        Ok(if line.is_empty() { Place::Start } else { Place::Field })
    }

    fn fields(&mut self, _: &[u8]) -> Result<(), Malformed> {
        Ok(())
    }

    fn content(&mut self, framing: &Framing) -> Result<Place, Malformed> {
        Ok(framing.place(Place::Start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// How much of `stream` is clear when it arrives in pieces of `piece` bytes.
    fn clear(stream: &str, piece: usize) -> usize {
        let mut watch = Requests::default();
        let mut clear = 0;
        for piece in stream.as_bytes().chunks(piece) {
            let passed = watch.pass(piece);
            clear += passed;
            if passed < piece.len() {
                break;
            }
        }
        clear
    }

    const GOOD: [&str; 7] = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab\ncdGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\na\nb\nc\r\nA\r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding:Chunked \r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length-Hint: 5\r\nContent-Type: x\r\nTransfer: y\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    ];

    const BAD: [&str; 17] = [
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length : 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\nabcde\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdeXX\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\na: b\n\r\n",
    ];

    proptest! {
        #[test]
        fn clear_requests_pass(which in 0..GOOD.len(), piece in 1_usize..40) {
            prop_assert_eq!(clear(GOOD[which], piece), GOOD[which].len());
        }

        #[test]
        fn ambiguous_requests_do_not_pass_whole(which in 0..BAD.len(), piece in 1_usize..40) {
            prop_assert!(clear(BAD[which], piece) < BAD[which].len(), "{:?}", BAD[which]);
            prop_assert_eq!(clear(BAD[which], piece), clear(BAD[which], 1));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), piece in 1_usize..40) {
            let mut watch = Requests::default();
            bytes.chunks(piece).for_each(|piece| { watch.pass(piece); });
        }
    }
}
