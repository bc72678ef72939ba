import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Json } from '#shared/storage/ports.ts';
import {
  compile,
  compileState,
  evaluate,
  EvaluationFailure,
  refuseTestState,
  type Template,
} from '#local/states/language/index.ts';
import { checkResult, resultTypes } from '#local/states/language/results.ts';
import { scope } from './definitions.ts';

/** Recorded behaviour of the real service, read in place; absent outside the workshop that recorded it. */
const CASES = '../shared/conformance/states/cases.json';

interface Case {
  id: string;
  kind: 'execution' | 'test_state' | 'refused';
  definition: { [key: string]: Json };
  input: Json;
  params?: { mock?: { result?: string } };
  expected: {
    error?: string | { message: string };
    cause?: string;
    history?: {
      type: string;
      evaluationFailedEventDetails?: { cause: string; location: string; state: string };
    }[];
  };
}

const present = existsSync(CASES);
const cases = present ? (JSON.parse(readFileSync(CASES, 'utf8')) as { cases: Case[] }).cases : [];
const of = (kind: Case['kind']): Case[] => cases.filter((one) => one.kind === kind);

describe.skipIf(!present)(
  `recorded behaviour (${present ? CASES : `skipped: ${CASES} is not there`})`,
  () => {
    it('accepts all 34 recorded executions', () => {
      const refused = of('execution').filter(({ definition }) => compile(definition).result === 'FAIL');
      expect(refused.map(({ id }) => id)).toEqual([]);
      expect(of('execution')).toHaveLength(34);
    });

    it('accepts the single states of all recorded TestState calls but one', () => {
      const refused = of('test_state').filter(({ definition }) => {
        const compiled = 'States' in definition ? compile(definition) : compileState(definition);
        return compiled.result === 'FAIL';
      });
      // The engine implements no API Gateway integration and says so.
      expect(refused.map(({ id }) => id)).toEqual([
        'test_state/test_test_state_scenarios.py::TestStateCaseScenarios::test_localstack_blogpost_scenario#large_purchase_ask_for_approval_response',
      ]);
    });

    it('refuses the 3 recorded refusals in the same words', () => {
      const words = of('refused').map(
        ({ definition, params }) => refuseTestState(definition, params?.mock)?.message,
      );
      expect(words).toEqual(
        of('refused').map(({ expected }) => (expected.error as { message: string }).message),
      );
      expect(words).toHaveLength(3);
      for (const { definition } of of('refused')) expect(compile(definition).result).toBe('FAIL');
    });

    it('words every recorded evaluation failure alike', async () => {
      let compared = 0;
      for (const one of of('execution')) {
        const event = one.expected.history?.find(({ type }) => type === 'EvaluationFailed');
        const details = event?.evaluationFailedEventDetails;
        if (!details) continue;
        const entered = Number(/entered at the event id #(\d+)/.exec(details.cause)?.[1]);
        const template = templateOf(one, details.state, details.location.split('/')[0]!);
        const vars = await assignedBefore(one.definition);
        const visit = scope(one.input, { stateName: details.state, enteredEventId: entered, vars });
        const failing = async () => {
          const value = await evaluate(template, visit);
          if (details.location === 'Items') checkResult(resultTypes.items, value, template, visit);
        };
        await expect(failing(), one.id).rejects.toMatchObject({
          error: 'States.QueryEvaluationError',
          cause_: details.cause,
          location: details.location,
        });
        compared++;
      }
      expect(compared).toBeGreaterThanOrEqual(10);
    });
  },
);

/** The compiled field of a state, wherever the state is nested. */
function templateOf({ definition }: Case, state: string, field: string): Template {
  const find = (states: { states: ReadonlyMap<string, unknown> }): unknown => {
    for (const [name, one] of states.states) {
      if (name === state) return one;
      const nested = (one as { processor?: { states: ReadonlyMap<string, unknown> } }).processor;
      const found = nested && find(nested);
      if (found) return found;
    }
    return undefined;
  };
  const found = find(compile(definition).machine!) as Record<string, Template>;
  return found[field.toLowerCase()]!;
}

/** What the first state assigns, where that state is not the one that fails. */
async function assignedBefore(definition: Case['definition']): Promise<Record<string, Json>> {
  const machine = compile(definition).machine!;
  const first = machine.states.get(machine.startAt);
  if (!first?.assign || first.type !== 'Pass') return {};
  try {
    return (await evaluate(first.assign, scope())) as Record<string, Json>;
  } catch (error) {
    if (error instanceof EvaluationFailure) return {};
    throw error;
  }
}
