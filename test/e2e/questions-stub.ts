import { setTimeout as delay } from 'node:timers/promises';
import { hashOf, sha256Hex } from '#shared/determinism/hash.ts';
import { chatServer, promptOf } from '#test/support/chat-server.ts';
import { toolCall } from './research-stub.ts';

/** What is asked of the model of a research-questions job and of the jobs that solve for it. */
export interface QuestionsCall {
  role:
    'extend-hop' | 'validate-question' | 'closed-book' | 'write-rubric' | 'verify-answer' | 'research-step';
  /** All messages' text. */
  prompt: string;
  seed: number;
  /** Hash of the request body. */
  body: string;
  /** Hash of what is asked first: a request that is repeated after a bad reply has the same. */
  subject: string;
}

/** A fault instead of a right answer. */
export type Fault = { status: number } | { text: string } | { slowMs: number };

export interface QuestionsStub {
  url: string;
  requests: QuestionsCall[];
  /** Requests whose answers left the server whole. */
  answered: QuestionsCall[];
  close(): Promise<void>;
}

export interface QuestionsStubOptions {
  /** Called before each answer; may give a fault, by how often this body was asked before. */
  before?(call: QuestionsCall, nth: number): Fault | undefined | Promise<Fault | undefined>;
}

const roleOf = (prompt: string): QuestionsCall['role'] => {
  if (prompt.startsWith('You write research questions')) return 'extend-hop';
  if (prompt.startsWith('You either answer'))
    return /^Answer from memory\./m.test(prompt) ? 'closed-book' : 'validate-question';
  if (prompt.startsWith('You write assignments')) return 'write-rubric';
  if (prompt.startsWith('You check answers')) return 'verify-answer';
  return 'research-step';
};

const field = (prompt: string, name: string): string | undefined =>
  new RegExp(`<${name}-[0-9a-f]{12}>\\n([\\s\\S]*?)\\n</${name}-`).exec(prompt)?.[1];

/**
 * A chat server that plays, by rules that depend on nothing but the request, a fair writer of questions and a solver
 * that is right in about half of its tries.
 */
export async function questionsStub(options: QuestionsStubOptions = {}): Promise<QuestionsStub> {
  const requests: QuestionsCall[] = [];
  const answered: QuestionsCall[] = [];
  const times = new Map<string, number>();
  /** What the writer knows of its questions. */
  const golds = new Map<string, string>();
  const server = await chatServer(async (request, body) => {
    const prompt = promptOf(request);
    const call = {
      role: roleOf(prompt),
      prompt,
      seed: request.seed ?? 0,
      body: sha256Hex(body),
      subject: hashOf(request.messages.slice(0, 2)),
    };
    const nth = times.get(call.body) ?? 0;
    times.set(call.body, nth + 1);
    requests.push(call);
    const fault = await options.before?.(call, nth);
    if (fault && 'slowMs' in fault) await delay(fault.slowMs);
    if (fault && 'status' in fault) return fault;
    const content = fault && 'text' in fault ? fault.text : replyTo(call, golds);
    answered.push(call);
    return content;
  });
  return { ...server, requests, answered };
}

function replyTo({ role, prompt, seed }: QuestionsCall, golds: Map<string, string>): string {
  switch (role) {
    case 'extend-hop': {
      const made = extend(prompt, seed);
      golds.set(made.question, made.answer);
      return JSON.stringify(made);
    }
    case 'validate-question':
      return JSON.stringify({
        reasons: ['It stands on the page.'],
        unique: true,
        derivable: true,
        leaks: [],
      });
    case 'closed-book': {
      // Some answers it knows by heart.
      const question = field(prompt, 'question')!;
      const known = Number.parseInt(hashOf(question).slice(0, 2), 16) < 40;
      return JSON.stringify({ answer: known ? golds.get(question) : 'unknown' });
    }
    case 'write-rubric': {
      const topic = field(prompt, 'topic')!;
      const item = (category: string) => ({
        id: category,
        category,
        statement: `It is sound: ${category}.`,
        weight: 1,
        mustHave: false,
      });
      return JSON.stringify({
        instruction: `Write a report on ${topic} with sources.`,
        rubric: ['factuality', 'compliance', 'writing', 'citations'].map(item),
      });
    }
    case 'verify-answer':
      return JSON.stringify({ reason: 'It says something else.', extracted: 'nothing', correct: false });
    case 'research-step': {
      if (/^This is step 1 of/m.test(prompt)) return toolCall('search_internet', { query: 'rivers' });
      const question = [...golds.keys()].find((known) => prompt.includes(known));
      return `<answer>${seed % 2 === 0 && question ? golds.get(question)! : 'I do not know'}</answer>`;
    }
  }
}

/** A question from a line of the page, or the one so far with its entity described by one. */
function extend(prompt: string, seed: number) {
  const [question, answer, entity] = ['question_so_far', 'its_answer', 'entity_to_hide'].map((name) =>
    field(prompt, name),
  );
  const noun = field(prompt, 'subject_is_a')!;
  const [url, title, page] = ['page_url', 'page_title', 'page'].map((name) => field(prompt, name)!);
  const facts = [...page!.matchAll(/^- (.+?): (.+)$/gm)].map(([quote, key, value]) => ({
    quote,
    key,
    value,
  }));
  const { quote, key, value } =
    question === undefined
      ? facts[seed % facts.length]!
      : (facts.find((fact) => fact.value === entity) ?? facts.find((fact) => !question.includes(fact.key!))!);
  const evidence = { url: url!, quote };
  const relation = key!;
  if (question === undefined) {
    const bridge = { entity: title!, relation, value: value! };
    return { question: `What is the ${relation} of ${title}?`, answer: value!, bridge, evidence };
  }
  const isLink = value === entity;
  const described = isLink
    ? `the ${noun} that is the ${relation} of ${title}`
    : `the ${noun} whose ${relation} is ${value}`;
  const bridge = { entity: isLink ? title! : entity!, relation, value: value! };
  return { question: question.replace(entity!, described), answer: answer!, bridge, evidence };
}
