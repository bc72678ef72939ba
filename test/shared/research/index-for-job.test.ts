import { afterEach, beforeEach, expect, it } from 'vitest';
import { indexForJob } from '#shared/research/corpus/index-for-job.ts';
import { wholeRef } from '#shared/research/corpus/input.ts';
import { newJob } from '#shared/task/job-control.ts';
import { jobStore } from '#shared/task/job-store.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

const JOB = 'deep-research.aaaaaaaaaaaaaaaaaaaaaaaaaa';
let world: TestRuntime;
beforeEach(async () => {
  world = await embeddedRuntime();
});
afterEach(() => world.close());

async function eventsOf(lines: string): Promise<string[]> {
  const { runtime } = world;
  await runtime.artifacts.put('in/docs.jsonl', lines);
  const jobs = jobStore(runtime);
  await jobs.create(newJob(runtime, { jobId: JOB, workflow: 'deep-research', owner: 'local', input: {} }));
  const step = await indexForJob(
    {
      runtime,
      jobs,
      deadline: runtime.clock.now() + 600_000,
      signal: new AbortController().signal,
      log: { warn: () => undefined },
    },
    JOB,
    { documents: await wholeRef(runtime.artifacts, { key: 'in/docs.jsonl' }), index: 'lexical' },
  );
  expect(step.done).toBe(true);
  return (await jobs.events(JOB)).items.map(({ level, message }) => `${level}: ${message}`);
}

it('says of a corpus what it has', async () => {
  expect(await eventsOf('{"title":"A","text":"Length: 3 km"}\n')).toEqual([
    'info: The corpus has 1 document in 1 passage.',
  ]);
});

it('warns of lines that are no documents, and says where the reasons are', async () => {
  const [event, ...others] = await eventsOf('{"title":"A","text":"Length: 3 km"}\n{"bro\n{"title":"B"}\n');
  expect(others).toEqual([]);
  expect(event).toMatch(
    /^warn: The corpus has 1 document in 1 passage\. 2 lines were no documents: corpora\/c-\w+\/rejects\.jsonl says why\.$/,
  );
});
