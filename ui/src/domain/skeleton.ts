// A whole trace as columns: decoded in place, never as an object per span.

const MAGIC = 'CLEWSK01';

export const FLAG = {
  events: 1,
  orphan: 2,
  links: 4,
  exception: 8,
  running: 16,
  content: 32,
  logs: 64,
} as const;
export const STATUS_OK = 1;
export const STATUS_ERROR = 2;

export interface Skeleton {
  count: number;
  traceId: string;
  traceStart: string;
  orphans: number;
  /** Why spans may be missing; null when none are. */
  incomplete: string | null;
  names: string[];
  services: string[];
  agents: string[];
  subjects: string[];
  /** Microseconds after `traceStart`. */
  start: Float64Array;
  duration: Float64Array;
  parent: Int32Array;
  id: Uint32Array;
  name: Uint32Array;
  service: Uint32Array;
  agent: Uint32Array;
  subject: Uint32Array;
  kind: Uint8Array;
  status: Uint8Array;
  flags: Uint16Array;
  tokens: Uint32Array;
  cost: Float32Array;
  depth: Uint16Array;
}

interface Header {
  spans: number;
  traceStart: string;
  traceId: string;
  names: string[];
  services: string[];
  agents: string[];
  subjects: string[];
  orphans: number;
  complete?: boolean;
  incompleteReason?: string | null;
}

export class SkeletonError extends Error {}

export function decodeSkeleton(buffer: ArrayBuffer): Skeleton {
  if (buffer.byteLength < 16) throw new SkeletonError('The trace came back cut short');
  const magic = new TextDecoder().decode(new Uint8Array(buffer, 0, 8));
  if (magic !== MAGIC) throw new SkeletonError('This server speaks another version; reload the page');
  const length = new DataView(buffer).getUint32(8, true);
  if (16 + length > buffer.byteLength) throw new SkeletonError('The trace came back cut short');
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 16, length))) as Header;
  return readColumns(buffer, 16 + length, header);
}

function readColumns(buffer: ArrayBuffer, from: number, header: Header): Skeleton {
  const n = header.spans;
  let offset = align(from);
  const column = <T>(
    type: { new (buffer: ArrayBuffer, offset: number, length: number): T; BYTES_PER_ELEMENT: number },
    length = n,
  ): T => {
    const at = offset;
    offset = align(at + length * type.BYTES_PER_ELEMENT);
    if (at + length * type.BYTES_PER_ELEMENT > buffer.byteLength) {
      throw new SkeletonError('The trace came back cut short');
    }
    return new type(buffer, at, length);
  };
  return {
    count: n,
    traceId: header.traceId,
    traceStart: header.traceStart,
    orphans: header.orphans,
    incomplete: header.complete === false ? (header.incompleteReason ?? 'a limit was reached') : null,
    names: header.names,
    services: header.services,
    agents: header.agents,
    subjects: header.subjects,
    start: column(Float64Array),
    duration: column(Float64Array),
    parent: column(Int32Array),
    id: column(Uint32Array, 2 * n),
    name: column(Uint32Array),
    service: column(Uint32Array),
    agent: column(Uint32Array),
    subject: column(Uint32Array),
    kind: column(Uint8Array),
    status: column(Uint8Array),
    flags: column(Uint16Array),
    tokens: column(Uint32Array),
    cost: column(Float32Array),
    depth: column(Uint16Array),
  };
}

function align(offset: number): number {
  return Math.ceil(offset / 8) * 8;
}

export function spanId(skeleton: Skeleton, row: number): string {
  const hex = (half: number) => half.toString(16).padStart(8, '0');
  return hex(skeleton.id[2 * row]) + hex(skeleton.id[2 * row + 1]);
}

export function rowOf(skeleton: Skeleton, id: string): number {
  if (!/^[0-9a-f]{16}$/.test(id)) return -1;
  const high = Number.parseInt(id.slice(0, 8), 16);
  const low = Number.parseInt(id.slice(8), 16);
  for (let row = 0; row < skeleton.count; row += 1) {
    if (skeleton.id[2 * row + 1] === low && skeleton.id[2 * row] === high) return row;
  }
  return -1;
}

/** The first start and the last end, microseconds after the trace's start; never an empty stretch. */
export function extent(skeleton: Skeleton): { from: number; to: number } {
  let from = Infinity;
  let to = -Infinity;
  for (let row = 0; row < skeleton.count; row += 1) {
    const start = skeleton.start[row];
    const end = start + skeleton.duration[row];
    from = Math.min(from, start, end);
    to = Math.max(to, start, end);
  }
  if (!(from < to))
    return { from: Number.isFinite(from) ? from : 0, to: (Number.isFinite(from) ? from : 0) + 1 };
  return { from, to };
}
