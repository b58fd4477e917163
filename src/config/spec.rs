//! The sections and keys of the file.

use std::collections::BTreeMap;

use crate::policy::PatternText;
use crate::yaml::spec;

spec! {
    /// The configuration. All sections may be left out.
    pub(super) struct ConfigSpec {
        /// Where questions are taken.
        listen: Option<ListenSpec>,
        /// Metrics and health.
        http: Option<HttpSpec>,
        /// Where policies come from.
        policies: Option<PoliciesSpec>,
        /// What is kept on disk.
        state: Option<StateSpec>,
        /// The record of decisions.
        events: Option<EventsSpec>,
        /// Approvals, and what is to be told of them.
        store: Option<StoreSpec>,
        /// Signed answers to plans.
        receipts: Option<ReceiptsSpec>,
        /// Who is who, and what they may assert and administer.
        identity: Option<IdentitySpec>,
        /// Limits on questions and connections.
        limits: Option<LimitsSpec>,
        /// What the program says of itself.
        logs: Option<LogsSpec>,
        /// Threads, and the end.
        server: Option<ServerSpec>,
    }
}

spec! {
    /// Where questions are taken.
    pub(super) struct ListenSpec {
        /// Address of the TCP listener, or `off`; 127.0.0.1:50151 if not given.
        tcp: Option<String>,
        /// Path of the Unix socket, relative to the state directory, or `off`; `lictor.sock` if not given.
        socket: Option<String>,
        /// Permissions of the socket, in octal digits; "0600" if not given.
        #[schemars(regex(pattern = "^0?[0-7]{3}$"))]
        socketMode: Option<String>,
        /// Whether the server answers `grpc.reflection`; `true` if not given.
        reflection: Option<bool>,
        /// TLS on the TCP listener; plain TCP, and only on a loopback address, if not given.
        tls: Option<TlsSpec>,
    }
}

spec! {
    /// TLS. The files are read again when their content changes; paths are relative to the file that says so.
    pub(super) struct TlsSpec {
        /// The server's certificate and those that lead to its root, in PEM.
        certificate: String,
        /// The key of the certificate, in PEM.
        key: String,
        /// Roots of clients' certificates, in PEM. Clients must show a certificate then, unless tokens are accepted too.
        clientCa: Option<String>,
        /// Lists of revoked certificates of clients, in PEM, one of each authority that leads to a client's certificate.
        clientCrl: Option<String>,
    }
}

spec! {
    /// Metrics and health.
    pub(super) struct HttpSpec {
        /// Address of the HTTP listener, or `off`; 127.0.0.1:9151 if not given.
        address: Option<String>,
    }
}

spec! {
    /// Where policies come from.
    pub(super) struct PoliciesSpec {
        /// Directories and files of documents; `policies/default` if not given.
        sources: Option<Vec<SourceSpec>>,
        /// Whether the file system is asked to tell of changes; `true` if not given.
        watch: Option<bool>,
        /// How often the files are compared besides; 30 if not given.
        #[schemars(range(min = 1, max = 86_400))]
        pollSeconds: Option<u32>,
        /// Whether a reload from some policies to none is let through; `false` if not given.
        allowEmpty: Option<bool>,
    }
}

spec! {
    /// A directory or file of documents.
    pub(super) struct SourceSpec {
        /// Where it is, relative to the file that says so.
        path: String,
        /// The layer of all documents in it; `organisation` if not given.
        #[schemars(extend("enum" = ["system", "organisation", "tenant"]))]
        layer: Option<String>,
    }
}

spec! {
    /// What is kept on disk.
    pub(super) struct StateSpec {
        /// The state directory, relative to the file that says so; `lictor-data` if not given.
        directory: Option<String>,
    }
}

spec! {
    /// The record of decisions.
    pub(super) struct EventsSpec {
        /// What happens where the record cannot keep up: `best_effort` drops it and names the gap; with `guaranteed` each
        /// answer waits until its record is durable, and is a denial where that fails. With `off` no decision is
        /// recorded.
        #[schemars(extend("enum" = ["best_effort", "guaranteed", "off"]))]
        mode: Option<String>,
        /// With `guaranteed`, how long an answer waits for its record; 2000 if not given.
        #[schemars(range(min = 10, max = 60_000))]
        answerWaitMillis: Option<u32>,
        /// The journal.
        journal: Option<JournalSpec>,
        /// The queue before the journal.
        ring: Option<RingSpec>,
        /// Where events go besides the journal.
        exporters: Option<Vec<ExporterSpec>>,
        /// Attributes whose values are replaced by a keyed hash, for example `context.params.card_number`.
        mask: Option<Vec<String>>,
        /// Key of the journal's chain.
        key: Option<SecretSpec>,
        /// Key of the masks; one in the state directory if not given.
        maskKey: Option<SecretSpec>,
    }
}

spec! {
    /// The journal.
    pub(super) struct JournalSpec {
        /// Most bytes of all segments together; 256MiB if not given.
        maxBytes: Option<BytesField>,
        /// Most bytes of one segment; 16MiB if not given.
        segmentBytes: Option<BytesField>,
        /// Longest time between a write and the fsync that covers it; 1000 if not given.
        #[schemars(range(min = 1, max = 60_000))]
        fsyncMillis: Option<u32>,
    }
}

spec! {
    /// The queue before the journal.
    pub(super) struct RingSpec {
        /// Most records that wait; 65536 if not given.
        #[schemars(range(min = 64, max = 8_388_607))]
        records: Option<u32>,
        /// Most bytes that they own; 32MiB if not given.
        bytes: Option<BytesField>,
    }
}

spec! {
    /// Where events go besides the journal.
    pub(super) struct ExporterSpec {
        /// What it is.
        #[schemars(extend("enum" = ["stdout"]))]
        r#type: String,
        /// Its name in metrics; the type if not given. Unique.
        name: Option<String>,
    }
}

spec! {
    /// Where a secret is found: in a file, or in an environment variable.
    pub(super) struct SecretSpec {
        /// Path of the file, relative to the file that says so.
        file: Option<String>,
        /// Name of the environment variable.
        env: Option<String>,
    }
}

spec! {
    /// Approvals, and what is to be told of them.
    pub(super) struct StoreSpec {
        /// `sqlite:PATH`, relative to the state directory, or `postgres://USER@HOST/DATABASE`; `sqlite:lictor.db` if not
        /// given.
        url: Option<String>,
        /// Password of the PostgreSQL user.
        password: Option<SecretSpec>,
        /// Most connections to PostgreSQL; 16 if not given.
        #[schemars(range(min = 1, max = 1_000))]
        connections: Option<u32>,
        /// Longest time that a call waits for its turn, and again for its answer; 5000 if not given.
        #[schemars(range(min = 100, max = 60_000))]
        timeoutMillis: Option<u32>,
        /// Most bytes of the embedded database; as many as the disk has if not given.
        maxBytes: Option<BytesField>,
    }
}

spec! {
    /// Signed answers to plans.
    pub(super) struct ReceiptsSpec {
        /// Who issues them; `lictor:` and the id of the state directory if not given.
        #[schemars(length(min = 1, max = 256))]
        issuer: Option<String>,
        /// Who they are for where a plan does not say; `executor` if not given.
        #[schemars(length(min = 1, max = 256))]
        audience: Option<String>,
        /// How long they are valid; 300 if not given.
        #[schemars(range(min = 10, max = 86_400))]
        ttlSeconds: Option<u32>,
        /// How long a key verifies after another has succeeded it; 604800 (a week) if not given.
        #[schemars(range(min = 60, max = 31_536_000))]
        graceSeconds: Option<u32>,
        /// The Ed25519 key that signs, as PKCS#8 in PEM or JWK; one in the state directory if not given.
        key: Option<SecretSpec>,
        /// Keys that still verify, beside `key`: private or public.
        previousKeys: Option<Vec<SecretSpec>>,
    }
}

spec! {
    /// Who is who, and what they may assert and administer.
    pub(super) struct IdentitySpec {
        /// Who is who. The first entry that matches counts.
        principals: Option<Vec<PrincipalSpec>>,
        /// Tokens that callers may show.
        jwt: Option<JwtSpec>,
        /// Directory or file of the policies that decide over administration, in place of those that come with Lictor.
        systemPolicies: Option<String>,
    }
}

spec! {
    /// Whom a channel shows.
    pub(super) struct PrincipalSpec {
        /// Whom the entry is about, as a pattern over `uid:…`, `spiffe://…`, `cn:…`, `jwt:<issuer>#<subject>` and
        /// `anonymous`.
        r#match: PatternText,
        /// The one name of this person or service; what the channel shows if not given.
        #[schemars(length(min = 1, max = 256))]
        name: Option<String>,
        /// Roles for administration.
        roles: Option<Vec<String>>,
        /// Level of approver, 1 to 5 or by name. Not for Unix peers and `anonymous`.
        level: Option<LevelField>,
        /// Tenants that it may act in, as patterns; `default` if not given.
        #[schemars(length(min = 1))]
        tenants: Option<Vec<PatternText>>,
        /// Whom and what it may speak of in questions.
        mayAssert: Option<MayAssertSpec>,
    }
}

spec! {
    /// Whom and what a caller may speak of in questions, as patterns. What is not given is the caller itself; for the
    /// server's own user and `anonymous` it is anything in their tenants.
    pub(super) struct MayAssertSpec {
        /// Ids of subjects.
        #[schemars(length(min = 1))]
        subjects: Option<Vec<PatternText>>,
        /// Roles of subjects; the caller's own if not given.
        #[schemars(length(min = 1))]
        roles: Option<Vec<PatternText>>,
        /// Tenants; the caller's own if not given.
        #[schemars(length(min = 1))]
        tenants: Option<Vec<PatternText>>,
        /// Whom subjects may act for.
        #[schemars(length(min = 1))]
        onBehalfOf: Option<Vec<PatternText>>,
    }
}

spec! {
    /// Tokens that callers may show, in the metadata `authorization: Bearer …`.
    pub(super) struct JwtSpec {
        /// What `iss` must be.
        #[schemars(length(min = 1, max = 256))]
        issuer: String,
        /// What `aud` must be or hold.
        #[schemars(length(min = 1, max = 256))]
        audience: String,
        /// File with the issuer's public keys, a JSON Web Key Set; relative to the file that says so. Read again when its
        /// content changes.
        jwks: String,
        /// Algorithms that are accepted.
        #[schemars(length(min = 1))]
        algorithms: Vec<AlgorithmName>,
        /// How far clocks may differ; 30 if not given.
        #[schemars(range(min = 0, max = 300))]
        leewaySeconds: Option<u32>,
        /// Claims that say more than who it is.
        claims: Option<ClaimsSpec>,
        /// What names in the claim of roles stand for. A name that is not among them is a role of that name.
        groups: Option<BTreeMap<String, GroupSpec>>,
    }
}

spec! {
    /// What a name in the claim of roles stands for.
    pub(super) struct GroupSpec {
        /// Roles for administration; none if not given.
        roles: Option<Vec<String>>,
        /// Level of approver, 1 to 5 or by name, where the token does not say another. The greatest of a caller's groups counts.
        level: Option<LevelField>,
    }
}

spec! {
    /// Claims by name, or by JSON Pointer: `/realm_access/roles`.
    pub(super) struct ClaimsSpec {
        /// Roles: a list of texts, or texts separated by blanks.
        roles: Option<String>,
        /// Tenants that the caller may act in, the same way.
        tenants: Option<String>,
        /// Level of approver: a number from 1 to 5, or a name.
        level: Option<String>,
    }
}

/// An algorithm of signatures.
#[derive(schemars::JsonSchema)]
#[allow(
    dead_code,
    clippy::upper_case_acronyms,
    reason = "read by the schema generator only; names are those of the file"
)]
pub(super) enum AlgorithmName {
    /// RSA with SHA-256.
    RS256,
    /// ECDSA over P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
}

/// A level of approver: 1 to 5, or a name.
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "read by the schema generator only")]
pub(super) enum LevelField {
    /// As a number.
    Number(#[schemars(range(min = 1, max = 5))] u8),
    /// By name, for example `manager`.
    Name(String),
}

spec! {
    /// Limits. Those on questions can only be lowered.
    pub(super) struct LimitsSpec {
        /// Largest request message.
        messageBytes: Option<BytesField>,
        /// Largest message that holds a plan.
        planBytes: Option<BytesField>,
        /// Most steps of a plan.
        planSteps: Option<u32>,
        /// Deepest nesting of attributes.
        attributeDepth: Option<u32>,
        /// Most questions in a batch.
        batchItems: Option<u32>,
        /// Most bytes in a tenant, role, type and the like.
        idBytes: Option<u32>,
        /// Most bytes in a subject id or action name.
        nameBytes: Option<u32>,
        /// Most bytes in a resource id.
        resourceIdBytes: Option<u32>,
        /// Most roles of a subject.
        roles: Option<u32>,
        /// What evaluating all conditions of one request may cost.
        evaluationCost: Option<u64>,
        /// Most rules in an explanation.
        explainedRules: Option<u32>,
        /// Most connections.
        connections: Option<u32>,
        /// Most calls in flight.
        inFlight: Option<u32>,
        /// Most calls in flight on one connection.
        streamsPerConnection: Option<u32>,
    }
}

spec! {
    /// What the program says of itself.
    pub(super) struct LogsSpec {
        /// How lines are written; `text` if not given.
        #[schemars(extend("enum" = ["text", "json"]))]
        format: Option<String>,
        /// The least important lines that are written; `info` if not given.
        #[schemars(extend("enum" = ["error", "warn", "info", "debug", "trace"]))]
        level: Option<String>,
    }
}

spec! {
    /// Threads, and the end.
    pub(super) struct ServerSpec {
        /// Threads that decide; 1 if not given.
        #[schemars(range(min = 1, max = 64))]
        workers: Option<u32>,
        /// How long calls in flight may take to finish when the server ends; 20 if not given.
        #[schemars(range(min = 0, max = 3_600))]
        drainSeconds: Option<u32>,
    }
}

/// A number of bytes: a whole number, or one with a unit, for example `16MiB`.
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "read by the schema generator only")]
pub(super) enum BytesField {
    /// Bytes.
    Number(u64),
    /// With a unit: `KiB`, `MiB` or `GiB`.
    WithUnit(String),
}

/// The keys of the section at `path`; `None` where there is no such section.
pub(super) fn keys_of(path: &[&str]) -> Option<&'static [&'static str]> {
    Some(match path {
        [] => ConfigSpec::FIELDS,
        ["listen"] => ListenSpec::FIELDS,
        ["listen", "tls"] => TlsSpec::FIELDS,
        ["http"] => HttpSpec::FIELDS,
        ["policies"] => PoliciesSpec::FIELDS,
        ["state"] => StateSpec::FIELDS,
        ["events"] => EventsSpec::FIELDS,
        ["events", "journal"] => JournalSpec::FIELDS,
        ["events", "ring"] => RingSpec::FIELDS,
        ["events", "key" | "maskKey"] => SecretSpec::FIELDS,
        ["store"] => StoreSpec::FIELDS,
        ["store", "password"] => SecretSpec::FIELDS,
        ["receipts"] => ReceiptsSpec::FIELDS,
        ["receipts", "key"] => SecretSpec::FIELDS,
        ["identity"] => IdentitySpec::FIELDS,
        ["identity", "jwt"] => JwtSpec::FIELDS,
        ["identity", "jwt", "claims"] => ClaimsSpec::FIELDS,
        ["limits"] => LimitsSpec::FIELDS,
        ["logs"] => LogsSpec::FIELDS,
        ["server"] => ServerSpec::FIELDS,
        _ => return None,
    })
}
