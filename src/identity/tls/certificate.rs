//! Whom a client's certificate shows.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::model::{Text, has_forbidden_character};

/// Longest name, in bytes.
const MAX_NAME: usize = 256;

/// Why a certificate that leads to a known root shows nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificate {
    /// It cannot be read.
    #[error("it cannot be read")]
    Malformed,
    /// Neither a SPIFFE id nor a common name.
    #[error("it has neither a SPIFFE id (a URI `spiffe://…` among its alternative names) nor a common name")]
    Nameless,
    /// Several SPIFFE ids or common names.
    #[error("it has several SPIFFE ids, or several common names")]
    Ambiguous,
    /// The name cannot be used.
    #[error("its name is empty, longer than 256 bytes, or not printable")]
    BadName,
}

/// Whom `der` shows (`spiffe://…`, else `cn:…`), and until when. Whether it can be trusted was checked before.
pub(in crate::identity) fn shown_by(der: &[u8]) -> Result<(Text, SystemTime), BadCertificate> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| BadCertificate::Malformed)?;
    let until = end_of(&certificate).ok_or(BadCertificate::Malformed)?;
    let names = certificate.subject_alternative_name().map_err(|_| BadCertificate::Malformed)?;
    let mut ids = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::URI(uri) if uri.starts_with("spiffe://") => Some(*uri),
        _ => None,
    });
    let name = match (ids.next(), ids.next()) {
        (Some(_), Some(_)) => return Err(BadCertificate::Ambiguous),
        (Some(id), None) => Text::from(usable(id)?),
        (None, _) => {
            let mut names = certificate.subject().iter_common_name();
            let Some(name) = names.next() else { return Err(BadCertificate::Nameless) };
            if names.next().is_some() {
                return Err(BadCertificate::Ambiguous);
            }
            compact_str::format_compact!("cn:{}", usable(name.as_str().map_err(|_| BadCertificate::BadName)?)?)
        }
    };
    Ok((name, until))
}

/// When the certificate `der` expires; `None` where it cannot be read.
pub(in crate::identity) fn expires(der: &[u8]) -> Option<SystemTime> {
    X509Certificate::from_der(der).ok().and_then(|(_, certificate)| end_of(&certificate))
}

fn end_of(certificate: &X509Certificate<'_>) -> Option<SystemTime> {
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

fn usable(name: &str) -> Result<&str, BadCertificate> {
    let usable = !name.is_empty() && name.len() <= MAX_NAME && !has_forbidden_character(name);
    if usable { Ok(name) } else { Err(BadCertificate::BadName) }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn shown(common_names: &[&str], uris: &[&str]) -> Result<Text, BadCertificate> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in common_names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let (name, until) = shown_by(certificate.der())?;
        assert_eq!(until, UNIX_EPOCH + Duration::from_secs(1_893_456_000));
        Ok(name)
    }

    #[test]
    fn a_certificate_shows_its_spiffe_id_else_its_common_name() {
        let long = "x".repeat(257);
        type Case<'a> = (&'a [&'a str], &'a [&'a str], Result<&'a str, BadCertificate>);
        let cases: [Case<'_>; 8] = [
            (&["alice"], &[], Ok("cn:alice")),
            (&["alice"], &["spiffe://example.org/agent"], Ok("spiffe://example.org/agent")),
            (&[], &["https://example.org", "spiffe://example.org/a"], Ok("spiffe://example.org/a")),
            (&["alice"], &["https://example.org"], Ok("cn:alice")),
            (&[], &["spiffe://a/x", "spiffe://b/y"], Err(BadCertificate::Ambiguous)),
            (&[], &[], Err(BadCertificate::Nameless)),
            (&["a\u{202e}b"], &[], Err(BadCertificate::BadName)),
            (&[&long], &[], Err(BadCertificate::BadName)),
        ];
        for (common_names, uris, expected) in cases {
            assert_eq!(shown(common_names, uris), expected.map(Text::from), "{common_names:?} {uris:?}");
        }
        assert_eq!(shown_by(b"not a certificate"), Err(BadCertificate::Malformed));
    }
}
