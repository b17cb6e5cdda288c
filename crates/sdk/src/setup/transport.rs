//! The HTTP client of the exporters: blocking, with TLS, on the threads that send.

use super::SetupError;
use super::destination::Destination;
use prost::bytes::Bytes;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use ureq::AsSendBody;
use ureq::http::{HeaderName, HeaderValue, Request, Response};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig};

/// Answers of receivers are small; what is longer is not read.
const ANSWER: u64 = 4 * 1024 * 1024;

/// Sends requests with the headers that code and environment say.
#[derive(Debug)]
pub(super) struct Client {
    agent: ureq::Agent,
    headers: Vec<(HeaderName, HeaderValue)>,
    trouble: Trouble,
}

/// What went wrong last: what exporters say of it is that something did.
pub(super) type Trouble = Arc<Mutex<Option<String>>>;

impl Client {
    pub(super) fn new(destination: &Destination, trouble: Trouble) -> Result<Self, SetupError> {
        let tls = TlsConfig::builder()
            .root_certs(roots(destination)?)
            .client_cert(identity(destination)?)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        // Each step has the time for all. A limit of the whole would look names up in a thread of its own, each time.
        let within = Some(destination.timeout);
        let config = ureq::Agent::config_builder()
            .timeout_connect(within)
            .timeout_send_request(within)
            .timeout_send_body(within)
            .timeout_recv_response(within)
            .timeout_recv_body(within)
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("clew-sdk/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build())
            .build();
        let headers = destination.headers.iter().map(|(name, value)| header(name, value));
        Ok(Self { agent: config.into(), headers: headers.collect::<Result<_, _>>()?, trouble })
    }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), SetupError> {
    let wrong = || SetupError::Header(name.to_owned());
    let parsed = HeaderName::try_from(name).map_err(|_| wrong())?;
    let mut value = HeaderValue::try_from(value).map_err(|_| wrong())?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, SetupError> {
    std::fs::read(path).map_err(|source| SetupError::Certificate { path: path.to_owned(), source })
}

fn roots(destination: &Destination) -> Result<RootCerts, SetupError> {
    let Some(path) = &destination.certificate else { return Ok(systems_roots(destination)) };
    Ok(RootCerts::Specific(Arc::new(certificates(path)?)))
}

/// All certificates of a file, in its order.
fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, SetupError> {
    let bytes = read(path)?;
    let items = ureq::tls::parse_pem(&bytes).filter_map(Result::ok);
    let certificates: Vec<_> = items
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() { Err(nothing_in(path)) } else { Ok(certificates) }
}

/// The certificates that the system trusts; plain HTTP needs none, and to read them takes a while.
fn systems_roots(destination: &Destination) -> RootCerts {
    let mut certificates = Vec::new();
    if destination.endpoint.starts_with("https://") {
        let found = rustls_native_certs::load_native_certs().certs;
        certificates.extend(found.iter().map(|found| Certificate::from_der(found).to_owned()));
    }
    RootCerts::Specific(Arc::new(certificates))
}

fn identity(destination: &Destination) -> Result<Option<ClientCert>, SetupError> {
    let Some((certificate, key)) = &destination.identity else { return Ok(None) };
    let shown = certificates(certificate)?;
    let secret = PrivateKey::from_pem(&read(key)?).map_err(|_| nothing_in(key))?;
    Ok(Some(ClientCert::new_with_certs(&shown, secret)))
}

fn nothing_in(path: &Path) -> SetupError {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, "nothing of use in PEM is in it");
    SetupError::Certificate { path: path.to_owned(), source }
}

impl Client {
    /// Sends a request, and reads the whole answer.
    pub(super) fn run(&self, mut request: Request<impl AsSendBody>) -> Result<Response<Bytes>, ureq::Error> {
        for (name, value) in &self.headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        let answer = self.agent.run(request);
        let trouble = match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("the receiver answered {}", answer.status())),
            Err(error) => Some(error.to_string()),
        };
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        let (parts, mut body) = answer?.into_parts();
        let bytes = body.with_config().limit(ANSWER).read_to_vec()?;
        Ok(Response::from_parts(parts, bytes.into()))
    }
}
