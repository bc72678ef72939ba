import { closeAnalyser } from '#functions/tool-library/python/analyser.ts';
import { closeSandboxes } from '#functions/tool-library/sandbox.ts';
import { openPlatform } from '#local/platform.ts';
import { armDeaths, type StatePath } from './tool-library-deaths.ts';
import { KILLED_JOBS } from './tool-library-jobs.ts';

/** A process that starts a job of tool-library or goes on with it, and kills itself in a state of its machine. */
export interface Order {
  dataDir: string;
  job: keyof typeof KILLED_JOBS;
  /** When the state has been entered, or when it is about to be left and what was done in it is not yet recorded. */
  death?: { when: 'entered' | 'left'; state: StatePath };
}
const { dataDir, job, death } = JSON.parse(process.env.ORDER!) as Order;

armDeaths({
  before: ({ left }) => death?.when === 'left' && left.includes(death.state),
  after: ({ entered }) => death?.when === 'entered' && entered.includes(death.state),
  die() {
    process.kill(process.pid, 'SIGKILL');
    throw new Error('Still alive.');
  },
});
const { input, ...rest } = { options: {}, ...KILLED_JOBS[job] };
const platform = await openPlatform({ dataDir });
await platform.run('tool-library', input, { ...rest.options, idempotencyKey: String(input.libraryId) });
await platform.close();
await Promise.all([closeSandboxes(), closeAnalyser()]);
