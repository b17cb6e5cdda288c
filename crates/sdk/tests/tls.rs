//! Connections with TLS: whom they trust, who they show, and what is told when one of the two will not have the other.

use crate::receiver::{Got, Receiver};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::PathBuf;
use std::sync::Arc;
use tonic::transport::server::ServerTlsConfig;
use tonic::transport::{Certificate as GrpcCertificate, Identity};

/// What requests are opened with; no line may ever show it.
const KEY: &str = "K-not-to-be-told";

/// Certificates of one test: an authority's, and those of a receiver and a client that it vouches for.
struct Certificates {
    folder: PathBuf,
    authority: Certificate,
    receiver: (Certificate, KeyPair),
}

impl Certificates {
    fn new(test: &str) -> Self {
        let folder =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut about = CertificateParams::new([]).unwrap();
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = about.self_signed(&key).unwrap();
        let issuer = Issuer::new(about.clone(), key);
        let receiver = signed(&issuer, &["127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth);
        // The client is vouched for by another that the authority vouches for: it has to show both.
        let key = KeyPair::generate().unwrap();
        about.distinguished_name.push(rcgen::DnType::CommonName, "between");
        let between = about.signed_by(&key, &issuer).unwrap();
        let client = signed(&Issuer::new(about, key), &["client"], ExtendedKeyUsagePurpose::ClientAuth);
        let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
        write("authority.pem", authority.pem());
        write("client.pem", client.0.pem() + &between.pem());
        write("client.key", client.1.serialize_pem());
        Self { folder, authority, receiver }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// A receiver over HTTP or gRPC, that may want to know who sends.
    fn receiver(&self, protocol: &str, mutual: bool) -> Receiver {
        let (certificate, key) = &self.receiver;
        if protocol == "grpc" {
            let mut tls =
                ServerTlsConfig::new().identity(Identity::from_pem(certificate.pem(), key.serialize_pem()));
            if mutual {
                tls = tls.client_ca_root(GrpcCertificate::from_pem(self.authority.pem()));
            }
            return Receiver::grpc(Some(tls));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = if mutual {
            let mut roots = RootCertStore::empty();
            roots.add(self.authority.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            config.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            config.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Receiver::secure(Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap()))
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        // What is left behind is in the build's own folder, and small.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn signed(
    issuer: &Issuer<'_, KeyPair>,
    names: &[&str],
    purpose: ExtendedKeyUsagePurpose,
) -> (Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut about = CertificateParams::new(names).unwrap();
    about.extended_key_usages = vec![purpose];
    (about.signed_by(&key, issuer).unwrap(), key)
}

/// What arrived of a program that sends with these settings, and what it told.
fn sent(receiver: &Receiver, protocol: &str, settings: &[(&str, String)]) -> (Vec<Got>, String) {
    let mut program = crate::example("model_calls");
    program
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
    program.env("OTEL_EXPORTER_OTLP_HEADERS", format!("api-key={KEY}"));
    for (name, value) in settings {
        program.env(format!("OTEL_EXPORTER_OTLP_{name}"), value);
    }
    let output = program.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!told.contains(KEY), "{told}");
    (receiver.got(), told)
}

/// All signals came, each opened with the key.
fn arrived(got: &[Got]) -> bool {
    let keys = got.iter().all(|got| got.headers.contains(&("api-key".to_owned(), KEY.to_owned())));
    keys && ["/v1/traces", "/v1/metrics", "/v1/logs"]
        .iter()
        .all(|path| got.iter().any(|got| got.path == *path))
}

/// Nothing came, and for each signal one line tells these words.
fn refused((got, told): &(Vec<Got>, String), words: &[&str]) {
    assert!(got.is_empty(), "{got:?}");
    for signal in ["traces", "metrics", "logs"] {
        let lines: Vec<_> =
            told.lines().filter(|line| line.contains(&format!("signal=\"{signal}\""))).collect();
        let [line] = lines[..] else { panic!("{signal}: {told}") };
        for word in words {
            assert!(line.contains(word), "{word}: {line}");
        }
    }
}

#[test]
fn a_receiver_is_trusted_by_its_certificate_only() {
    for protocol in ["http/protobuf", "http/json", "grpc"] {
        let certificates = Certificates::new("trust");
        let receiver = certificates.receiver(protocol, false);
        let stranger = sent(&receiver, protocol, &[]);
        refused(&stranger, &["UnknownIssuer", "OTEL_EXPORTER_OTLP_CERTIFICATE"]);
        let authority = ("CERTIFICATE", certificates.path("authority.pem"));
        let (got, told) = sent(&receiver, protocol, &[authority]);
        assert!(arrived(&got), "{protocol}: {told}");
        assert!(!told.contains("cannot be sent"), "{protocol}: {told}");
    }
}

#[test]
fn a_receiver_may_want_to_know_who_sends() {
    for protocol in ["http/protobuf", "grpc"] {
        let certificates = Certificates::new("mutual");
        let receiver = certificates.receiver(protocol, true);
        let authority = ("CERTIFICATE", certificates.path("authority.pem"));
        let unknown = sent(&receiver, protocol, std::slice::from_ref(&authority));
        refused(&unknown, &["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_KEY"]);
        let shown = [
            authority,
            ("CLIENT_CERTIFICATE", certificates.path("client.pem")),
            ("CLIENT_KEY", certificates.path("client.key")),
        ];
        let (got, told) = sent(&receiver, protocol, &shown);
        assert!(arrived(&got), "{protocol}: {told}");
    }
}
