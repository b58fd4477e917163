//! Certificates for tests.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

/// Somebody who issues certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Certificate {
    pub chain: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for `name`, with `change` applied.
    pub fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certificate { chain: certificate.pem(), key: key.serialize_pem() }
    }

    /// A certificate of a server at `localhost`.
    pub fn server(&self) -> Certificate {
        self.issue("server", |params| {
            params.subject_alt_names = vec![SanType::DnsName("localhost".try_into().unwrap())]
        })
    }

    /// The list of revoked certificates, valid until a year begins.
    #[allow(dead_code, reason = "for tests/server; tests/system shares this file")]
    pub fn revoke(&self, serial_numbers: &[u64], until: i32) -> String {
        let revoked = |number: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*number),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serial_numbers.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    /// A certificate with a SPIFFE id.
    #[allow(dead_code, reason = "for tests/server; tests/system shares this file")]
    pub fn spiffe(&self, id: &str) -> Certificate {
        self.issue("somebody", |params| params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())])
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
