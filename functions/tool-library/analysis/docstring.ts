import { isNode, type AstNode } from '../python/ast.ts';

/** What a docstring says of a function and its parameters. */
export interface Docstring {
  /** First paragraph, on one line. */
  summary: string;
  parameters: ReadonlyMap<string, string>;
}

const SECTION =
  /^(args|arguments|parameters|params|returns?|raises|yields|examples?|notes?|warns|see also|attributes|other parameters|references)\s*:?\s*$/i;
const PARAMETERS = /^(args|arguments|parameters|params|other parameters)\s*:?\s*$/i;

/** The docstring of a function, class or module node; undefined where it has none. */
export function docstringOf(node: AstNode): string | undefined {
  const first = Array.isArray(node.body) ? node.body[0] : undefined;
  if (!isNode(first) || first._ !== 'Expr' || !isNode(first.value) || first.value._ !== 'Constant')
    return undefined;
  return typeof first.value.value === 'string' ? first.value.value : undefined;
}

/** Reads a docstring in Google, NumPy or reST style; a mixture is read as what each line is. */
export function readDocstring(text: string | undefined): Docstring {
  const parameters = new Map<string, string>();
  if (text === undefined) return { summary: '', parameters };
  const lines = text.replaceAll('\t', '    ').split('\n');
  const summary: string[] = [];
  let inSummary = true;
  for (let n = 0; n < lines.length; n++) {
    const line = lines[n]!.trim();
    const rest = /^:(?:param|parameter|arg|argument)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)$/.exec(line);
    if (rest) {
      inSummary = false;
      parameters.set(rest[1]!, [rest[2]!, ...continuation(lines, n, 0)].join(' ').trim());
    } else if (PARAMETERS.test(line)) {
      inSummary = false;
      n = readSection(lines, n + 1, parameters);
    } else if (line === '' || SECTION.test(line) || /^[:@]\w/.test(line)) {
      if (line !== '' || summary.length > 0) inSummary = false;
    } else if (inSummary) {
      summary.push(line);
    }
  }
  return { summary: summary.join(' '), parameters };
}

const indentOf = (line: string): number => line.length - line.trimStart().length;

/** The lines below `n` that are indented deeper than it and than `least`, as text. */
function continuation(lines: string[], n: number, least: number): string[] {
  const out: string[] = [];
  const indent = Math.max(least, indentOf(lines[n]!));
  for (let next = n + 1; next < lines.length; next++) {
    const line = lines[next]!;
    if (line.trim() === '' || indentOf(line) <= indent || /^\s*[:@]\w/.test(line)) break;
    out.push(line.trim());
  }
  return out;
}

/** Reads the entries of a parameter section; gives the last line that belongs to it. */
function readSection(lines: string[], from: number, parameters: Map<string, string>): number {
  let n = from;
  const numpy = /^-{3,}$/.test(lines[n]?.trim() ?? '');
  if (numpy) n++;
  let indent: number | undefined;
  for (; n < lines.length; n++) {
    const line = lines[n]!;
    if (line.trim() === '') {
      if (numpy || indent === undefined) continue;
      const next = lines[n + 1];
      if (next === undefined || indentOf(next) < indent) return n;
      continue;
    }
    if (SECTION.test(line.trim())) return n - 1;
    indent ??= indentOf(line);
    if (indentOf(line) < indent) return n - 1;
    if (indentOf(line) > indent) continue;
    const below = continuation(lines, n, indent);
    if (numpy) {
      const entry = /^\*{0,2}(\w+(?:\s*,\s*\w+)*)\s*(?::.*)?$/.exec(line.trim());
      for (const name of entry?.[1]!.split(/\s*,\s*/) ?? []) parameters.set(name, below.join(' '));
    } else {
      const entry = /^[-*]?\s*\*{0,2}`?(\w+)`?\s*(?:\([^)]*\))?\s*:\s*(.*)$/.exec(line.trim());
      if (entry) parameters.set(entry[1]!, [entry[2]!, ...below].join(' ').trim());
    }
  }
  return n;
}
