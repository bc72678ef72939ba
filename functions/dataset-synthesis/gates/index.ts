import type { RejectCode } from '../records.ts';
import type { GateVerdict, RunPairGates } from './contract.ts';
import { findContextFault } from './context.ts';
import { checkForm } from './form.ts';
import { checkGrounding } from './grounding.ts';
import { findLeak } from './leakage.ts';
import { findPii } from './pii.ts';

export { parseDomain, parsePersonas } from './analysis.ts';
export { answerKey, matchAnswer } from './answers.ts';

const rejected = (code: RejectCode, evidence: Record<string, unknown>): GateVerdict => ({
  pass: false,
  code,
  evidence,
});

/**
 * Gates 3 to 7 over one pair: form, grounding, leakage, context, personal data. The first failure decides, so a judge
 * is only paid for pairs that pass them all.
 */
export const runPairGates: RunPairGates = (candidate, document, config) => {
  const question = candidate.question.trim();
  const answer = candidate.answer.trim();
  const flags: string[] = [];

  const form = checkForm({ ...candidate, question, answer }, config.answers.allow);
  if (!form.pass) return rejected(form.code, form.evidence);
  const { answerType, answerKey } = form;
  const aliases = [...new Set(candidate.aliases.map((alias) => alias.trim()))].filter(
    (alias) => alias !== '' && alias !== answer,
  );
  const typed = { ...candidate, question, answer, aliases, answerType };

  const grounding = checkGrounding(typed, document.text);
  if (!grounding.pass) return rejected('GROUND_MISSING', grounding.evidence);

  const { leak, suspect } = findLeak(typed);
  if (leak) return rejected(leak.code, { answer: leak.answer, found: leak.found });
  if (suspect) flags.push('leak-suspect');

  const fault = findContextFault(question);
  if (fault) return rejected(fault.code, { found: fault.found });

  if (config.pii !== 'off') {
    const kinds = [
      ...new Set([question, answer, ...aliases].flatMap((text) => findPii(text).map((hit) => hit.kind))),
    ].sort();
    if (kinds.length > 0 && config.pii === 'reject') return rejected('PII', { kinds });
    flags.push(...kinds.map((kind) => `pii:${kind}`));
  }

  return {
    pass: true,
    candidate: { ...typed, answerKey, ...(grounding.span ? { span: grounding.span } : {}) },
    flags,
  };
};
