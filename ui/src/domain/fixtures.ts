// Builds skeletons for tests, in the server's own byte format.
import { decodeSkeleton, type Skeleton } from './skeleton';

export interface Row {
  parent: number;
  start?: number;
  duration?: number;
  name?: string;
  agent?: string;
  subject?: string;
  kind?: number;
  status?: number;
  flags?: number;
  id?: string;
}

function table() {
  const entries = [''];
  return {
    entries,
    of: (text = '') => (entries.includes(text) ? entries.indexOf(text) : entries.push(text) - 1),
  };
}

export function encodeSkeleton(rows: Row[]): ArrayBuffer {
  const n = rows.length;
  const [names, agents, subjects] = [table(), table(), table()];
  const depth: number[] = [];
  rows.forEach((row, index) => {
    depth[index] = row.parent >= 0 && row.parent < index ? depth[row.parent] + 1 : 0;
  });
  const ids = rows.flatMap((row, index) =>
    row.id ? [Number.parseInt(row.id.slice(0, 8), 16), Number.parseInt(row.id.slice(8), 16)] : [0, index + 1],
  );
  const columns: ArrayBufferView[] = [
    Float64Array.from(rows, (row) => row.start ?? 0),
    Float64Array.from(rows, (row) => row.duration ?? 1),
    Int32Array.from(rows, (row) => row.parent),
    Uint32Array.from(ids),
    Uint32Array.from(rows, (row) => names.of(row.name)),
    new Uint32Array(n),
    Uint32Array.from(rows, (row) => agents.of(row.agent)),
    Uint32Array.from(rows, (row) => subjects.of(row.subject)),
    Uint8Array.from(rows, (row) => row.kind ?? 0),
    Uint8Array.from(rows, (row) => row.status ?? 0),
    Uint16Array.from(rows, (row) => row.flags ?? 0),
    new Uint32Array(n),
    new Float32Array(n).fill(Number.NaN),
    Uint16Array.from(depth),
  ];
  const header = JSON.stringify({
    spans: n,
    traceStart: '1700000000000000001',
    traceId: 'ab'.repeat(16),
    names: names.entries,
    services: ['', 'shop'],
    agents: agents.entries,
    subjects: subjects.entries,
    orphans: 0,
  });
  return assemble(new TextEncoder().encode(header), columns);
}

function assemble(header: Uint8Array, columns: ArrayBufferView[]): ArrayBuffer {
  const padded = (length: number) => Math.ceil(length / 8) * 8;
  const headerLength = padded(header.length);
  const total = columns.reduce((sum, column) => sum + padded(column.byteLength), 16 + headerLength);
  const bytes = new Uint8Array(total);
  bytes.set(new TextEncoder().encode('CLEWSK01'));
  new DataView(bytes.buffer).setUint32(8, headerLength, true);
  bytes.fill(32, 16, 16 + headerLength);
  bytes.set(header, 16);
  let offset = 16 + headerLength;
  for (const column of columns) {
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), offset);
    offset += padded(column.byteLength);
  }
  return bytes.buffer;
}

export function skeletonOf(rows: Row[]): Skeleton {
  return decodeSkeleton(encodeSkeleton(rows));
}
