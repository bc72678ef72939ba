import type { FixSyntaxInput, FixSyntaxOutput } from '../roles/fix-syntax.ts';

/** fix-syntax without a model: fences, tabs and indentation, a missing bracket or colon, curly quotes (section 6). */
export function fixSyntax({ code, error, line }: FixSyntaxInput): FixSyntaxOutput {
  const plain = withoutFences(code)
    .replace(/[“”]/g, '"')
    .replace(/[‘’]/g, "'")
    .replaceAll('\t', '    ')
    .replaceAll('\u00a0', ' ');
  // Fences before the code move its lines up.
  const moved =
    plain === code ? 0 : Math.max(0, code.split('\n').findIndex((text) => /^\s*```/.test(text)) + 1);
  const lines = plain.split('\n');
  const at = Math.min(Math.max(0, line - 1 - moved), lines.length - 1);
  if (/expected ':'|invalid syntax/.test(error)) addColons(lines);
  if (/was never closed|unexpected EOF|expected ':'|invalid syntax|'\(' |'\[' |'\{' /.test(error))
    closeBrackets(lines, at);
  if (/unmatched/.test(error)) lines[at] = dropUnmatched(lines[at]!);
  if (/unterminated string/.test(error)) lines[at] = closeString(lines[at]!);
  const text = lines.join('\n');
  return { code: /indent/i.test(error) ? reindent(text) : text };
}

function withoutFences(code: string): string {
  const fenced = /```[ \t]*(?:python|py)?[ \t]*\n([\s\S]*?)(?:\n[ \t]*```|$)/i.exec(code);
  return fenced ? fenced[1]! : code;
}

const BLOCK = /^\s*(?:def|class|if|elif|else|for|while|try|except|finally|with)\b/;

/** A colon at the end of every block's first line that is whole and has none. */
function addColons(lines: string[]): void {
  for (const [n, line] of lines.entries()) {
    const bare = line.replace(/#.*$/, '').trimEnd();
    if (!BLOCK.test(bare) || bare.endsWith(':') || /[,([{\\]$/.test(bare) || depthOf(bare) > 0) continue;
    if (/:\s*\S/.test(bare.replace(/\[[^\]]*\]|\{[^}]*\}|\([^)]*\)/g, ''))) continue;
    lines[n] = `${bare}:`;
  }
}

const OPEN = '([{';
const CLOSE = ')]}';

/** Brackets that a text leaves open, strings passed over. */
function openBrackets(text: string): string[] {
  const open: string[] = [];
  let quote = '';
  for (const [n, character] of [...text].entries()) {
    if (quote) {
      if (character === quote && text[n - 1] !== '\\') quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (character === '#') break;
    else if (OPEN.includes(character)) open.push(character);
    else if (CLOSE.includes(character) && open.at(-1) === OPEN[CLOSE.indexOf(character)]) open.pop();
  }
  return open;
}
const depthOf = (text: string): number => openBrackets(text).length;

const STATEMENT =
  /^\s*(?:return|def|class|if|for|while|try|with|import|from|raise|pass|[A-Za-z_]\w*\s*=[^=])/;

/** Closes, at its own line's end, what the line opens and the next one, a statement of its own, does not continue. */
function closeBrackets(lines: string[], at: number): void {
  for (const [n, line] of lines.entries()) {
    const next = lines.slice(n + 1).find((other) => other.trim() !== '');
    if (n === at || next === undefined || STATEMENT.test(next)) lines[n] = closed(line);
  }
}

function closed(line: string): string {
  const open = openBrackets(line);
  if (open.length === 0) return line;
  const closing = open
    .toReversed()
    .map((character) => CLOSE[OPEN.indexOf(character)])
    .join('');
  const bare = line.trimEnd();
  if (bare.endsWith(':')) return `${bare.slice(0, -1)}${closing}:`;
  return `${bare}${closing}${BLOCK.test(line) ? ':' : ''}`;
}

function dropUnmatched(line: string): string {
  let depth = 0;
  return [...line]
    .filter((character) => {
      if (OPEN.includes(character)) depth++;
      if (!CLOSE.includes(character)) return true;
      if (depth === 0) return false;
      depth--;
      return true;
    })
    .join('');
}

function closeString(line: string): string {
  const quotes = line.match(/["']/g) ?? [];
  const quote = quotes[0] ?? '"';
  return quotes.filter((character) => character === quote).length % 2 === 1
    ? `${line.trimEnd()}${quote}`
    : line;
}

/** Indentation in steps of four, by how the lines stand to each other; a block's first line stands deeper. */
function reindent(code: string): string {
  const levels: number[] = [0];
  let expectDeeper = false;
  return code
    .split('\n')
    .map((line) => {
      if (line.trim() === '') return '';
      const width = line.length - line.trimStart().length;
      if (expectDeeper) levels.push(Math.max(width, levels.at(-1)! + 1));
      else {
        while (levels.length > 1 && width < levels.at(-1)!) levels.pop();
      }
      expectDeeper = /:\s*(?:#.*)?$/.test(line) && BLOCK.test(line);
      return '    '.repeat(levels.length - 1) + line.trim();
    })
    .join('\n');
}
