//! The receiver over gRPC.

use super::{Got, Receiver, Shared};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use std::sync::Arc;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::KeyAndValueRef;
use tonic::transport::Server;
use tonic::transport::server::{ServerTlsConfig, TcpIncoming};
use tonic::{Request, Response, Status};

/// Keeps requests as if they had come over HTTP.
#[derive(Debug, Clone)]
struct Keeper(Shared);

impl Keeper {
    fn keep<T: Message>(&self, path: &str, request: &Request<T>) {
        let headers = request.metadata().iter().filter_map(|header| match header {
            KeyAndValueRef::Ascii(name, value) => Some((name.to_string(), value.to_str().ok()?.to_owned())),
            KeyAndValueRef::Binary(..) => None,
        });
        let (path, headers) = (path.to_owned(), headers.collect());
        let got = Got { path, headers, body: request.get_ref().encode_to_vec() };
        self.0.0.lock().unwrap().got.push(got);
        self.0.1.notify_all();
    }
}

#[tonic::async_trait]
impl TraceService for Keeper {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.keep("/v1/traces", &request);
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Keeper {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.keep("/v1/metrics", &request);
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Keeper {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.keep("/v1/logs", &request);
        Ok(Response::new(Default::default()))
    }
}

impl Receiver {
    /// Over gRPC, with TLS if it is told how.
    pub fn grpc(tls: Option<ServerTlsConfig>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let entered = runtime.enter();
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let state = Shared::default();
        let keeper = Arc::new(Keeper(Shared::clone(&state)));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let mut server = Server::builder();
        if let Some(tls) = tls {
            server = server.tls_config(tls).unwrap();
        }
        let server = server
            .add_service(TraceServiceServer::from_arc(Arc::clone(&keeper)).accept_compressed(Gzip))
            .add_service(MetricsServiceServer::from_arc(Arc::clone(&keeper)).accept_compressed(Gzip))
            .add_service(LogsServiceServer::from_arc(keeper).accept_compressed(Gzip));
        runtime.spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
        drop(entered);
        Self { address, scheme, state, thread: None, _runtime: Some(runtime) }
    }
}
