import { isInherited } from '../own-members.ts';
import { MAX_NAME_CHARACTERS } from '../limits.ts';
import type { Diagnostics } from './diagnostics.ts';

/** Where one name is assigned: the place, and whether it is a catcher of the named state. */
interface Assignment {
  pointer: string;
  state: string;
  catcher: boolean;
}

interface Reference {
  name: string;
  pointer: string;
}

/**
 * The variables of one `States` object. Branches and inline iterations read the scopes around them and assign only
 * their own; a distributed child sees none of them.
 */
export class VariableScope {
  readonly parent?: VariableScope;
  /** The state of the parent scope that this scope belongs to. */
  readonly owner?: string;
  /** False where the parent's variables are out of reach: in a Distributed Map's children. */
  readonly seesParent: boolean;
  private readonly assignments = new Map<string, Assignment[]>();
  private readonly references: Reference[] = [];

  constructor(parent?: { scope: VariableScope; owner: string; seesParent: boolean }) {
    if (parent) {
      this.parent = parent.scope;
      this.owner = parent.owner;
    }
    this.seesParent = parent?.seesParent ?? false;
  }

  assign(name: string, assignment: Assignment): void {
    this.assignments.set(name, [...(this.assignments.get(name) ?? []), assignment]);
  }

  reference(name: string, pointer: string): void {
    this.references.push({ name, pointer });
  }

  /**
   * Reports names that an enclosing scope assigns too, and references a distributed child cannot resolve. Call it
   * once the whole definition is read. A catcher of the very state that owns the scope runs only after the scope has
   * ended, and the service accepts equal names there (recorded behaviour).
   */
  check(diagnostics: Diagnostics): void {
    for (const [name, places] of this.assignments) {
      if (!this.clashes(name)) continue;
      for (const place of places) {
        const message = `The variable '${name}' is already assigned in an enclosing scope`;
        diagnostics.add('VARIABLE_CONFLICT', place.pointer, message);
      }
    }
    for (const { name, pointer } of this.references) {
      if (!this.outOfReach(name)) continue;
      const message = `The variable '$${name}' of an outer scope cannot be read in a Distributed Map: pass it through ItemSelector or BatchInput`;
      diagnostics.add('VARIABLE_CONFLICT', pointer, message);
    }
  }

  private clashes(name: string): boolean {
    if (!this.seesParent || !this.parent) return false;
    const places = this.parent.assignments.get(name) ?? [];
    const before = places.some((place) => !(place.catcher && place.state === this.owner));
    return before || this.parent.clashes(name);
  }

  /** Whether the nearest scope that assigns a name is one a distributed child cannot see. */
  private outOfReach(name: string, reachable = true): boolean {
    if (this.assignments.has(name)) return !reachable;
    return this.parent?.outOfReach(name, reachable && this.seesParent) ?? false;
  }
}

const IDENTIFIER = /^[\p{ID_Start}_][\p{ID_Continue}]*$/u;

/** What is wrong with a variable's name, or undefined. */
export function variableNameProblem(name: string): string | undefined {
  if (name === 'states') return "The variable name 'states' is reserved";
  // JSONata keeps variables in plain objects.
  if (isInherited(name)) return `The variable name '${name}' is not supported`;
  if (!IDENTIFIER.test(name)) return `The variable name '${name}' is not a valid identifier`;
  if ([...name].length > MAX_NAME_CHARACTERS) {
    return `The variable name is longer than ${MAX_NAME_CHARACTERS} characters`;
  }
  return undefined;
}
