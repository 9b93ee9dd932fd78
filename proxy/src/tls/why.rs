//! Why a handshake came to nothing, for people: what rustls says, in words that name the keys to look at.

use std::io;

use rustls::{CertificateError, Error, InvalidMessage, PeerIncompatible};

/// What is wrong, said of who is at the other end.
pub(crate) fn in_words(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
    match cause {
        Some(Error::InvalidCertificate(wrong)) => of_certificate(wrong),
        Some(Error::NoCertificatesPresented) => "it shows no certificate".to_owned(),
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => "it does not speak TLS".to_owned(),
        Some(Error::PeerIncompatible(PeerIncompatible::SupportedVersionsExtensionRequired)) => {
            "it does not speak TLS 1.3".to_owned()
        }
        _ if error.kind() == io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
        // HTTP/2 hands on the text alone.
        _ => match error.to_string().strip_prefix("received fatal alert: ") {
            Some(alert) => format!("it refuses us ({alert})"),
            None => error.to_string(),
        },
    }
}

fn of_certificate(wrong: &CertificateError) -> String {
    match wrong {
        // Ours: a sentence already.
        CertificateError::Other(refusal) => refusal.to_string(),
        CertificateError::UnknownIssuer => {
            "its certificate is signed by none of the `authorities` that are trusted".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("its certificate is not for {}, but for {}", expected.to_str(), presented.join(", "))
        }
        wrong => format!("its certificate is not accepted ({wrong})"),
    }
}
