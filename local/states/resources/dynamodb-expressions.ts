import type { Condition, Json, RecordChange } from '#shared/storage/ports.ts';
import { invalidInput } from '#shared/task/errors.ts';
import { fromAttributeValue } from './dynamodb-values.ts';

/** The part of DynamoDB's expressions that the embedded table has: top-level attributes, comparisons joined by AND. */

export interface Substitutions {
  names: { [placeholder: string]: Json };
  values: { [placeholder: string]: Json };
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

function attribute(text: string, { names }: Substitutions): string {
  if (text.startsWith('#')) {
    const name = names[text];
    if (typeof name === 'string') return name;
    throw invalidInput(`ExpressionAttributeNames has no ${text}.`);
  }
  if (NAME.test(text)) return text;
  throw invalidInput(`'${text}' is not a top-level attribute: nested paths are not supported here.`);
}

function operand(text: string, { values }: Substitutions): Json {
  if (!text.startsWith(':') || values[text] === undefined) {
    throw invalidInput(`'${text}' must be a placeholder of ExpressionAttributeValues.`);
  }
  return fromAttributeValue(values[text], text);
}

const EXISTS = /^attribute_(not_)?exists\s*\(\s*([^()\s]+)\s*\)$/i;
const COMPARISON = /^(\S+?)\s*(=|<>|<=|>=|<|>)\s*(\S+)$/;

/**
 * A ConditionExpression: `attribute_exists`, `attribute_not_exists` and comparisons joined by AND.
 * @throws InvalidInput naming the part that is something else
 */
export function parseCondition(text: string, substitutions: Substitutions): Condition {
  const parts = text.split(/\s+AND\s+/i).map((part): Condition => {
    const term = part.trim();
    const exists = EXISTS.exec(term);
    if (exists) return { attribute: attribute(exists[2]!, substitutions), exists: exists[1] === undefined };
    const comparison = COMPARISON.exec(term);
    if (!comparison) {
      throw invalidInput(
        `The condition '${term}' is not supported: use attribute_exists, attribute_not_exists or a comparison, joined by AND.`,
      );
    }
    const value = operand(comparison[3]!, substitutions);
    if (typeof value === 'object')
      throw invalidInput(`The condition '${term}' must compare with a string, number or boolean.`);
    const op = comparison[2] as '=' | '<>' | '<' | '<=' | '>' | '>=';
    return { attribute: attribute(comparison[1]!, substitutions), op, value };
  });
  return parts.length === 1 ? parts[0]! : { all: parts };
}

const CLAUSE = /\b(SET|ADD|REMOVE|DELETE)\b/gi;

/**
 * An UpdateExpression of SET, ADD and REMOVE clauses on top-level attributes.
 * @throws InvalidInput naming the part that is something else
 */
export function parseUpdate(text: string, substitutions: Substitutions): RecordChange {
  const change: Required<Pick<RecordChange, 'set' | 'remove' | 'add'>> = { set: {}, remove: [], add: {} };
  const marks = [...text.matchAll(CLAUSE)];
  if (marks.length === 0 || text.slice(0, marks[0]!.index).trim() !== '') {
    throw invalidInput(`The UpdateExpression '${text}' must begin with SET, ADD or REMOVE.`);
  }
  marks.forEach((mark, index) => {
    const body = text.slice(mark.index + mark[0].length, marks[index + 1]?.index);
    for (const part of body.split(',')) clause(mark[0].toUpperCase(), part.trim(), change, substitutions);
  });
  return change;
}

function clause(
  kind: string,
  text: string,
  change: Required<Pick<RecordChange, 'set' | 'remove' | 'add'>>,
  substitutions: Substitutions,
): void {
  if (kind === 'REMOVE') {
    change.remove.push(attribute(text, substitutions));
    return;
  }
  const [, name, value] = (kind === 'SET' ? /^(\S+)\s*=\s*(\S+)$/ : /^(\S+)\s+(\S+)$/).exec(text) ?? [];
  if (kind === 'DELETE' || name === undefined || value === undefined) {
    throw invalidInput(
      `The update '${kind} ${text}' is not supported: use SET a = :v, ADD a :n or REMOVE a.`,
    );
  }
  const given = operand(value, substitutions);
  if (kind === 'SET') change.set[attribute(name, substitutions)] = given;
  else if (typeof given === 'number') change.add[attribute(name, substitutions)] = given;
  else throw invalidInput(`The update 'ADD ${text}' must add a number.`);
}
