//! The log against torn ends, damage and forgery.

use super::Log;
use super::reader::{HEADER, scan};
use super::record::{Record, Salt};
use crate::tables::TableKey;
use bytes::Bytes;
use model::batch::Encoding;
use model::{Signal, TenantId, Timestamp};
use proptest::prelude::{any, proptest};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const SALT: Salt = Salt(42);

fn record(payload: &[u8]) -> Record {
    Record {
        tenant: TenantId::default(),
        signal: Signal::Logs,
        encoding: Encoding::Json,
        received: Timestamp(7),
        payload: Bytes::copy_from_slice(payload),
    }
}

/// A segment of these records, with where each of them ends.
fn segment(records: &[Record], salt: Salt) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = HEADER.to_vec();
    let mut ends = Vec::new();
    for (sequence, record) in (1..).zip(records) {
        record.write(&mut bytes, sequence, salt).unwrap();
        ends.push(bytes.len());
    }
    (bytes, ends)
}

fn sequences(bytes: &[u8]) -> Vec<u64> {
    scan(&Bytes::copy_from_slice(bytes), SALT).records.into_iter().map(|(sequence, _)| sequence).collect()
}

fn open(directory: &Path) -> (Log, Vec<(u64, Bytes)>) {
    let mut found = Vec::new();
    let (log, _) =
        Log::open(directory, 0, |sequence, record| found.push((sequence, record.payload))).unwrap();
    (log, found)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = directory.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_is_written_is_read() {
    let records = [record(b"one"), record(b""), record(&[0; 100_000])];
    let (bytes, ends) = segment(&records, SALT);
    let found = scan(&bytes.clone().into(), SALT);
    assert_eq!(found.records.into_iter().map(|(_, record)| record).collect::<Vec<_>>(), records);
    assert_eq!((found.damage.len(), found.end), (0, *ends.last().unwrap()));
}

#[test]
fn a_torn_end_costs_the_last_record_wherever_it_tears() {
    let (bytes, ends) = segment(&[record(b"first"), record(b"second"), record(b"third")], SALT);
    for length in ends[1]..bytes.len() {
        let found = scan(&Bytes::copy_from_slice(&bytes[..length]), SALT);
        assert_eq!((found.records.len(), found.damage.len(), found.end), (2, 0, ends[1]), "cut at {length}");
    }
}

#[test]
fn any_flipped_bit_costs_one_record_and_is_named() {
    let (bytes, ends) = segment(&[record(b"first"), record(b"second"), record(b"third")], SALT);
    for at in HEADER.len()..ends[1] {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let found = scan(&damaged.into(), SALT);
            let (left, range) =
                if at < ends[0] { ([2, 3], HEADER.len()..ends[0]) } else { ([1, 3], ends[0]..ends[1]) };
            assert_eq!(found.records.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), left);
            assert_eq!(found.damage, [range], "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_damaged_header_costs_nothing() {
    let (mut bytes, _) = segment(&[record(b"first")], SALT);
    bytes[0] ^= 1;
    let found = scan(&bytes.into(), SALT);
    assert_eq!(found.records.len(), 1);
    assert_eq!((found.damage.len(), found.damage[0].clone()), (1, 0..HEADER.len()));
}

#[test]
fn a_payload_cannot_pass_for_a_record() {
    // What a sender could forge: whole records, but not with the salt of the segment that they end up in.
    let (forged, _) = segment(&[record(b"forged"), record(b"forged")], Salt(0));
    let (bytes, ends) = segment(&[record(&forged)], SALT);
    assert_eq!(sequences(&bytes[..bytes.len() - 1]), [0; 0]);
    let mut damaged = bytes;
    damaged[HEADER.len() + 5] ^= 1;
    assert_eq!(sequences(&damaged), [0; 0]);
    assert_eq!(ends.len(), 1);
}

proptest! {
    #[test]
    fn any_bytes_can_be_scanned(bytes in proptest::collection::vec(any::<u8>(), 0..2000), at in 0usize..500) {
        let (mut whole, _) = segment(&[record(b"first"), record(b"second")], SALT);
        let at = at.min(whole.len());
        whole.splice(at..at, bytes);
        let found = scan(&whole.clone().into(), SALT);
        assert!(found.end <= whole.len());
    }
}

#[test]
fn groups_survive_reopening_and_numbers_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let (log, found) = open(directory.path());
    assert_eq!(found.len(), 0);
    assert_eq!(log.append(&[record(b"a"), record(b"b")]).unwrap(), 1);
    assert_eq!(log.append(&[record(b"c")]).unwrap(), 3);
    drop(log);
    // A crash in the middle of an append.
    let path = files(directory.path()).remove(0);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&whole[..], &whole[8..40]].concat()).unwrap();
    let (log, found) = open(directory.path());
    assert_eq!(found, [(1, "a".into()), (2, "b".into()), (3, "c".into())]);
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    assert_eq!(log.append(&[record(b"d")]).unwrap(), 4);
    drop(log);
    let (log, found) = open(directory.path());
    assert_eq!(found.len(), 4);
    let sizes: u64 = files(directory.path()).iter().map(|path| path.metadata().unwrap().len()).sum();
    assert_eq!(log.bytes(), sizes);
}

#[test]
fn a_segment_goes_when_all_its_tables_are_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = open(directory.path());
    let metrics = Record { signal: Signal::Metrics, ..record(b"m") };
    log.append(&[record(b"l"), metrics]).unwrap();
    let key = |signal| TableKey { tenant: TenantId::default(), signal };
    log.trim(&HashMap::from([(key(Signal::Logs), 9)]));
    assert_eq!(files(directory.path()).len(), 1);
    log.trim(&HashMap::from([(key(Signal::Logs), 9), (key(Signal::Metrics), 2)]));
    assert_eq!((files(directory.path()).len(), log.bytes()), (0, 0));
    assert_eq!(log.append(&[record(b"x")]).unwrap(), 3);
}
