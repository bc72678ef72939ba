import type { Json } from '#shared/storage/ports.ts';
import { conflict } from '#shared/task/errors.ts';
import { compile, type Machine, type ValidationResult } from '../language/index.ts';
import { machineArn } from './arns.ts';
import type { Store } from './store.ts';

const NAME = /^[A-Za-z0-9_-]{1,80}$/;

/** Versions of machines: executions go on with the one they started with. */
export class Machines {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #compiled = new Map<string, Machine>();

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** Validates a definition and makes it the machine's current version; a refused one changes nothing. */
  create(name: string, definition: unknown): ValidationResult & { arn?: string } {
    if (!NAME.test(name)) {
      const message = `The machine's name ${JSON.stringify(name)} must have 1 to 80 letters, digits, '-' or '_'.`;
      return {
        result: 'FAIL',
        diagnostics: [{ severity: 'ERROR', code: 'SCHEMA_VALIDATION_FAILED', message, location: '' }],
      };
    }
    const { result, diagnostics, machine } = compile(definition);
    if (!machine) return { result, diagnostics };
    const arn = machineArn(name);
    this.#store.transaction(() => {
      this.#store.run('UPDATE machines SET current = 0 WHERE arn = ?', arn);
      this.#store.run(
        `INSERT INTO machines (arn, sha256, name, definition, current, created) VALUES (?, ?, ?, ?, 1, ?)
          ON CONFLICT (arn, sha256) DO UPDATE SET current = 1`,
        arn,
        machine.sha256,
        name,
        JSON.stringify(machine.definition),
        this.#now(),
      );
    });
    this.#compiled.set(`${name}:${machine.sha256}`, machine);
    return { result, diagnostics, arn };
  }

  current(name: string): { sha256: string; machine: Machine } | undefined {
    const row = this.#store.get<{ sha256: string }>(
      'SELECT sha256 FROM machines WHERE arn = ? AND current = 1',
      machineArn(name),
    );
    return row && { sha256: row.sha256, machine: this.version(name, row.sha256) };
  }

  /** @throws Conflict when the stored version is gone or this release refuses it */
  version(name: string, sha256: string): Machine {
    const key = `${name}:${sha256}`;
    const known = this.#compiled.get(key);
    if (known) return known;
    const row = this.#store.get<{ definition: string }>(
      'SELECT definition FROM machines WHERE arn = ? AND sha256 = ?',
      machineArn(name),
      sha256,
    );
    const machine = row && compile(JSON.parse(row.definition) as Json).machine;
    if (!machine) throw conflict(`The version ${sha256} of the machine '${name}' cannot be run any more.`);
    this.#compiled.set(key, machine);
    return machine;
  }

  list(): { name: string; arn: string; definition: Json }[] {
    return this.#store
      .all<{ name: string; arn: string; definition: string }>(
        'SELECT name, arn, definition FROM machines WHERE current = 1 ORDER BY name',
      )
      .map((row) => ({ name: row.name, arn: row.arn, definition: JSON.parse(row.definition) as Json }));
  }
}
