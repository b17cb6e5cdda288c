// The kinds of span, in the numbering of the skeleton.

export interface Kind {
  name: string;
  label: string;
  /** The colour token; kinds that are alike share one and differ by glyph. */
  token: string;
}

export const KINDS: Kind[] = [
  { name: 'other', label: 'Other', token: 'internal' },
  { name: 'agent', label: 'Agent', token: 'agent' },
  { name: 'llm', label: 'Model call', token: 'llm' },
  { name: 'tool', label: 'Tool', token: 'tool' },
  { name: 'retrieval', label: 'Retrieval', token: 'retrieval' },
  { name: 'policy', label: 'Policy', token: 'policy' },
  { name: 'message', label: 'Message', token: 'message' },
  { name: 'db', label: 'Database', token: 'db' },
  { name: 'http', label: 'HTTP', token: 'http' },
  { name: 'rpc', label: 'RPC', token: 'http' },
  { name: 'workflow', label: 'Workflow', token: 'agent' },
  { name: 'memory', label: 'Memory', token: 'retrieval' },
  { name: 'evaluator', label: 'Evaluation', token: 'internal' },
  { name: 'embedding', label: 'Embedding', token: 'retrieval' },
  { name: 'reranker', label: 'Reranker', token: 'retrieval' },
  { name: 'guardrail', label: 'Guardrail', token: 'policy' },
  { name: 'approval', label: 'Approval', token: 'policy' },
  { name: 'step', label: 'Step', token: 'internal' },
  { name: 'plan', label: 'Plan', token: 'agent' },
  { name: 'mcp', label: 'MCP', token: 'tool' },
];

export const KIND = Object.fromEntries(KINDS.map((kind, index) => [kind.name, index])) as Record<
  string,
  number
>;

export function kindAt(index: number): Kind {
  return KINDS[index] ?? KINDS[0];
}

export function kindNamed(name: string): Kind {
  return KINDS[KIND[name] ?? 0];
}
