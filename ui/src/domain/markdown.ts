// The little of Markdown that makes model text readable, as data: there is no way from here to HTML.

export interface Block {
  kind: 'paragraph' | 'heading' | 'item' | 'code';
  text: string;
}

export function blocks(text: string): Block[] {
  const found: Block[] = [];
  let paragraph: string[] = [];
  let code: string[] | null = null;
  const flush = () => {
    if (paragraph.length > 0) found.push({ kind: 'paragraph', text: paragraph.join('\n') });
    paragraph = [];
  };
  for (const line of text.split('\n')) {
    if (/^\s*```/.test(line)) {
      flush();
      if (code) found.push({ kind: 'code', text: code.join('\n') });
      code = code ? null : [];
    } else if (code) {
      code.push(line);
    } else {
      takeLine(line, found, paragraph, flush);
    }
  }
  flush();
  if (code) found.push({ kind: 'code', text: code.join('\n') });
  return found;
}

function takeLine(line: string, found: Block[], paragraph: string[], flush: () => void): void {
  const heading = /^#{1,6} +(.*)$/.exec(line);
  const item = /^\s*[-*•] +(.*)$/.exec(line);
  if (heading || item || !line.trim()) {
    flush();
    if (heading) found.push({ kind: 'heading', text: heading[1] });
    if (item) found.push({ kind: 'item', text: item[1] });
    // `flush` starts a new paragraph; the caller's list is the old one only until then.
    return;
  }
  paragraph.push(line);
}

export interface Inline {
  kind: 'text' | 'bold' | 'code';
  text: string;
}

export function inline(text: string): Inline[] {
  const found: Inline[] = [];
  let at = 0;
  for (const match of text.matchAll(/`([^`\n]+)`|\*\*([^*\n]+)\*\*/g)) {
    if (match.index > at) found.push({ kind: 'text', text: text.slice(at, match.index) });
    found.push(match[1] === undefined ? { kind: 'bold', text: match[2] } : { kind: 'code', text: match[1] });
    at = match.index + match[0].length;
  }
  if (at < text.length) found.push({ kind: 'text', text: text.slice(at) });
  return found;
}
