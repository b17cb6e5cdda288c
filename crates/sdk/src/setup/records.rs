//! The exporter of log records. It tells how many attributes a record lost, for which OpenTelemetry's records have no place.

use super::delivery::Delivery;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter};

/// The attribute by which a record brings the count here; it is not sent.
pub(crate) const DROPPED: &str = "clew.dropped_attributes_count";

/// Sends log records.
#[derive(Debug)]
pub(super) struct Records {
    delivery: Delivery,
    resource: ResourceAttributesWithSchema,
}

impl Records {
    pub(super) fn new(delivery: Delivery) -> Self {
        Self { delivery, resource: ResourceAttributesWithSchema::default() }
    }
}

impl LogExporter for Records {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let mut resource_logs = group_logs_by_resource_and_scope(&batch, &self.resource);
        let scopes = resource_logs.iter_mut().flat_map(|resource| &mut resource.scope_logs);
        for record in scopes.flat_map(|scope| &mut scope.log_records) {
            count_dropped(record);
        }
        self.delivery.export(&ExportLogsServiceRequest { resource_logs })
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

/// Moves the count from the attributes to its own place.
fn count_dropped(record: &mut LogRecord) {
    let count = record.attributes.pop_if(|last| last.key == DROPPED).and_then(|count| count.value?.value);
    if let Some(Value::IntValue(count)) = count {
        record.dropped_attributes_count = u32::try_from(count).unwrap_or(u32::MAX);
    }
}
