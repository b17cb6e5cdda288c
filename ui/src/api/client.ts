// Talks to the server that served this page, and to no other.
import type {
  ConversationDetail,
  ConversationPage,
  Field,
  FieldValue,
  FindingPage,
  LogRecord,
  ModelCall,
  ParsedQuery,
  ServerStatus,
  Run,
  Span,
  TracePage,
  TraceSummary,
} from './types';

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly kind: string,
    readonly at: number | null,
    readonly requestId: string | null,
  ) {
    super(message);
  }
}

async function failure(response: Response): Promise<ApiError> {
  let message = `${response.status} ${response.statusText}`.trim();
  let kind = 'internal';
  let at: number | null = null;
  try {
    const { error } = await response.json();
    message = error.message ?? message;
    kind = error.kind ?? kind;
    at = error.at ?? null;
  } catch {
    // Not our error form (a proxy's page, say): the status line is all there is to tell.
  }
  return new ApiError(message, response.status, kind, at, response.headers.get('x-request-id'));
}

async function request(path: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError('The server does not answer', 0, 'unavailable', null, null);
  }
  if (!response.ok) throw await failure(response);
  return response;
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await (await request(path, init)).json()) as T;
}

export function queryString(parameters: Record<string, string | number | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== '') search.set(key, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : '';
}

export interface SearchRequest {
  q?: string;
  from?: string | null;
  to?: string | null;
  limit?: number;
  cursor?: string | null;
}

export const api = {
  status: (signal?: AbortSignal) => json<ServerStatus>('/api/v1/status', { signal }),
  traces: (search: SearchRequest, signal?: AbortSignal) =>
    json<TracePage>(`/api/v1/traces${queryString({ ...search })}`, { signal }),
  trace: (id: string) => json<TraceSummary>(`/api/v1/traces/${id}`),
  run: (id: string) => json<Run>(`/api/v1/traces/${id}/run`),
  conversations: (search: { from: string | null; to: string | null; limit: number }) =>
    json<ConversationPage>(`/api/v1/conversations${queryString(search)}`),
  conversation: (name: string) =>
    json<ConversationDetail>(`/api/v1/conversations/${encodeURIComponent(name)}`),
  calls: (conversation: string, limit: number) =>
    json<{ calls: ModelCall[]; complete: boolean }>(
      `/api/v1/conversations/${encodeURIComponent(conversation)}/calls${queryString({ limit })}`,
    ),
  findings: (search: { kind: string | null; from: string | null; to: string | null; limit: number }) =>
    json<FindingPage>(`/api/v1/findings${queryString(search)}`),
  parse: (q: string, signal?: AbortSignal) =>
    json<ParsedQuery>(`/api/v1/query/parse${queryString({ q })}`, { signal }),
  fields: () => json<{ fields: Field[] }>('/api/v1/fields'),
  values: (key: string, prefix: string, signal?: AbortSignal) =>
    json<{ values: FieldValue[] }>(
      `/api/v1/fields/${encodeURIComponent(key)}/values${queryString({ prefix, limit: 20 })}`,
      { signal },
    ),
  async skeleton(id: string): Promise<ArrayBuffer> {
    // "no-cache" revalidates by ETag: an unchanged trace costs a 304.
    const response = await request(`/api/v1/traces/${id}/skeleton`, { cache: 'no-cache' });
    return response.arrayBuffer();
  },
  span: (trace: string, span: string, signal?: AbortSignal) =>
    json<Span>(`/api/v1/traces/${trace}/spans/${span}`, { signal }),
  async spans(trace: string, spanIds: string[]): Promise<Span[]> {
    const answer = await json<{ spans: Span[] }>(`/api/v1/traces/${trace}/spans:batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ spanIds }),
    });
    return answer.spans;
  },
  bodyUrl: (trace: string, span: string, key: string) =>
    `/api/v1/traces/${trace}/spans/${span}/body/${encodeURIComponent(key)}`,
  async body(trace: string, span: string, key: string, bytes?: number): Promise<string> {
    const headers: HeadersInit = bytes ? { range: `bytes=0-${bytes - 1}` } : {};
    return (await request(api.bodyUrl(trace, span, key), { headers })).text();
  },
  logs: (search: { traceId: string; spanId?: string; limit?: number }) =>
    json<{ logs: LogRecord[]; complete: boolean }>(`/api/v1/logs${queryString(search)}`),
  sample: () => json<{ traceId: string }>('/api/v1/sample', { method: 'POST' }),
  async sendOtlp(signal: 'traces' | 'logs' | 'metrics', body: string): Promise<void> {
    await request(`/v1/${signal}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  },
};
