import pc from 'picocolors';

/** Where a command writes: results to stdout, everything else to stderr (infra-api-cli section 10). */
export interface Output {
  /** One machine-readable document instead of text. */
  readonly json: boolean;
  readonly quiet: boolean;
  /** Whether stderr is a terminal that may be redrawn. */
  readonly live: boolean;
  readonly color: ReturnType<typeof pc.createColors>;
  /** The result, as text. Not used with `--json`. */
  print(text: string): void;
  /** The result as one JSON document; a line when `json`. */
  result(value: unknown): void;
  /** Progress and notes for people. */
  note(text: string): void;
  /** Redraws the status lines (only when `live`). */
  status(lines: string[]): void;
  clearStatus(): void;
}

export function makeOutput(options: { json: boolean; quiet: boolean; color: boolean }): Output {
  const live = Boolean(process.stderr.isTTY) && !options.json && !options.quiet;
  let drawn = 0;
  const clear = (): void => {
    if (drawn > 0) process.stderr.write(`\x1b[${drawn}A\x1b[0J`);
    drawn = 0;
  };
  return {
    json: options.json,
    quiet: options.quiet,
    live,
    color: pc.createColors(options.color && Boolean(process.stdout.isTTY) && Boolean(process.stderr.isTTY)),
    print(text) {
      if (!options.json) process.stdout.write(`${text}\n`);
    },
    result(value) {
      process.stdout.write(`${JSON.stringify(value)}\n`);
    },
    note(text) {
      if (options.quiet) return;
      clear();
      process.stderr.write(`${text}\n`);
    },
    status(lines) {
      if (!live) return;
      clear();
      // Terminals that do not say how wide they are report 0.
      const width = process.stderr.columns || 80;
      process.stderr.write(lines.map((line) => `${[...line].slice(0, width).join('')}\n`).join(''));
      drawn = lines.length;
    },
    clearStatus: clear,
  };
}

// Job names, questions and error texts come from documents and models: control codes in them must not reach a terminal.
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Text made safe to show: control and direction codes are replaced, line ends and tabs stay. */
export const safeText = (text: string): string => text.replace(CONTROL, '\ufffd');

/** Left-aligned columns; the last is not padded. */
export function table(rows: string[][]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows
    .map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!))).join('  '))
    .join('\n');
}

/** Micro-dollars as dollars: `$0.0012`, `$12.34`. */
export function dollars(micros: number): string {
  const value = micros / 1e6;
  return `$${value === 0 || Math.abs(value) >= 1 ? value.toFixed(2) : value.toFixed(4)}`;
}

export const count = (value: number): string => value.toLocaleString('en-US');

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${Math.round(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
