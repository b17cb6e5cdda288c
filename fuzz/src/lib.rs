//! What several fuzz targets do with their bytes.

use bytes::Bytes;
use model::batch::{Batch, Encoding};
use model::{Signal, TenantId, otlp};
use pipeline::intake::room::pool;
use pipeline::intake::{Compression, Room};

/// The most that compressed bytes may become.
const LIMIT: usize = 4 << 20;

/// Decodes and, when that works, reads and encodes: rows are as told, and nothing is lost on a second round.
pub fn decode(signal: Signal, encoding: Encoding, bytes: &[u8]) {
    let Ok(batch) = read(signal, encoding, Bytes::copy_from_slice(bytes)) else { return };
    let encoded = match signal {
        Signal::Traces => otlp::encode_spans(&rows(&batch, otlp::spans)),
        Signal::Logs => otlp::encode_log_records(&rows(&batch, otlp::log_records)),
        Signal::Metrics => otlp::encode_metric_points(&rows(&batch, otlp::metric_points)),
    };
    let json = otlp::to_json(signal, &encoded);
    for (encoding, bytes) in [(Encoding::Protobuf, encoded.into()), (Encoding::Json, json.into())] {
        let again = read(signal, encoding, bytes).expect("what we encode decodes");
        assert_eq!(again.accepted, batch.accepted, "{encoding:?}");
        assert_eq!(again.rejected.reasons, Vec::<String>::new(), "{encoding:?}");
    }
}

fn read(signal: Signal, encoding: Encoding, bytes: Bytes) -> Result<Batch, otlp::DecodeError> {
    otlp::decode(TenantId::default(), signal, encoding, bytes)
}

fn rows<T>(batch: &Batch, of: impl Fn(&arrow::record_batch::RecordBatch) -> Vec<T>) -> Vec<T> {
    let rows: Vec<T> = batch.columns.iter().flat_map(of).collect();
    assert_eq!(rows.len() as u64, batch.accepted);
    rows
}

/// Decompresses within a limit.
pub fn decompress(compression: Compression, bytes: &[u8]) {
    let mut room = Room::of(&pool(2 * LIMIT));
    if let Ok(plain) = compression.decompress(Bytes::copy_from_slice(bytes), LIMIT, &mut room) {
        assert!(plain.len() <= LIMIT);
    }
}
