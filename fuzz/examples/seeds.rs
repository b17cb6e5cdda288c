//! Makes `seeds/` of what real libraries sent (`e2e/corpus/payloads`): each signal in both encodings, and compressed.
//! Only what is short, since short inputs fuzz faster: `cargo run --example seeds`.

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use model::{Signal, otlp};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Longer payloads are left out.
const LONGEST: usize = 12 << 10;
/// Seeds of one target.
const MOST: usize = 24;

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut kept = [0; 3];
    let mut payloads: Vec<_> =
        fs::read_dir(root.join("../e2e/corpus/payloads"))?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    payloads.sort();
    for path in payloads.iter().filter(|path| path.extension().is_some_and(|end| end == "jsonl")) {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let signal = match name.rsplit('.').next() {
            Some("logs") => Signal::Logs,
            Some("metrics") => Signal::Metrics,
            _ => Signal::Traces,
        };
        let text = fs::read_to_string(path)?;
        let Some(line) = text.lines().filter(|line| line.len() <= LONGEST).max_by_key(|line| line.len()) else { continue };
        let Ok(protobuf) = otlp::from_json(signal, line.as_bytes()) else { continue };
        if protobuf.is_empty() || kept[signal as usize] == MOST {
            continue;
        }
        kept[signal as usize] += 1;
        write(root, &format!("otlp_json_{signal}"), &name, line.as_bytes())?;
        write(root, &format!("otlp_protobuf_{signal}"), &name, &protobuf)?;
        if kept[signal as usize] == 1 {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
            gzip.write_all(&protobuf)?;
            write(root, "decompress_gzip", &name, &gzip.finish()?)?;
            let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
            deflate.write_all(&protobuf)?;
            write(root, "decompress_deflate", &name, &deflate.finish()?)?;
            write(root, "decompress_zstd", &name, &zstd::encode_all(&protobuf[..], 3)?)?;
            write(root, "otlp_cells", &name, &protobuf)?;
        }
    }
    Ok(())
}

fn write(root: &Path, target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = root.join("seeds").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}
