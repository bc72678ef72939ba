import { Store, type Changes } from '#local/states/engine/store.ts';

/**
 * Deaths at chosen moments of the states engine: its one transaction a turn is the only thing that a restart goes by,
 * so a process that dies around a transaction has died in the states that the transaction tells of.
 */

/** A state, after the Map it is in: `Ingest`, `CreateTools/Gate`. */
export type StatePath = string;

export interface Turn {
  /** States that are entered with this turn, and those that are left. */
  entered: StatePath[];
  left: StatePath[];
}

export interface Deaths {
  /** Asked before a turn is written: whether to die instead, so that what was done in the states it leaves is lost. */
  before(turn: Turn): boolean;
  /** Asked once a turn is written: whether to die before anything is done in the states it enters. */
  after(turn: Turn): boolean;
  /** Dies; in a process that lives on, by throwing, which ends the engine. */
  die(): never;
}

const commit = Store.prototype.commit;

/** Puts deaths around every turn of every engine of this process. Returns what takes them away again. */
export function armDeaths(deaths: Deaths): () => void {
  Store.prototype.commit = function (changes) {
    const turn = turnOf(changes);
    if (deaths.before(turn)) deaths.die();
    commit.call(this, changes);
    if (deaths.after(turn)) deaths.die();
  };
  return () => {
    Store.prototype.commit = commit;
  };
}

function turnOf({ events, executions }: Changes): Turn {
  const mapOf = new Map([...executions].map(({ id, parent }) => [id, parent?.run.frame.state]));
  const turn: Turn = { entered: [], left: [] };
  for (const { execution, type, details } of events) {
    const list = type.endsWith('StateEntered')
      ? turn.entered
      : type.endsWith('StateExited')
        ? turn.left
        : undefined;
    if (list === undefined) continue;
    const { name } = Object.values(JSON.parse(details!) as Record<string, { name: string }>)[0]!;
    const map = mapOf.get(execution);
    list.push(map === undefined ? name : `${map}/${name}`);
  }
  return turn;
}

interface States {
  [name: string]: { Type: string; ItemProcessor?: { States: States } };
}

/** Every state of a definition. */
export function statesOf(definition: { States: unknown }): { path: StatePath; type: string }[] {
  const walk = (states: States, map: string): { path: StatePath; type: string }[] =>
    Object.entries(states).flatMap(([name, { Type, ItemProcessor }]) => [
      { path: `${map}${name}`, type: Type },
      ...(ItemProcessor ? walk(ItemProcessor.States, `${name}/`) : []),
    ]);
  return walk(definition.States as States, '');
}
