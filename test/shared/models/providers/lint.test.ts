import { ESLint } from 'eslint';
import { beforeAll, describe, expect, it } from 'vitest';

let eslint: ESLint;
beforeAll(() => {
  // Types are not needed for imports, and files that exist only here have none.
  eslint = new ESLint({
    overrideConfig: {
      languageOptions: { parserOptions: { projectService: false, project: false } },
      rules: {
        '@typescript-eslint/no-floating-promises': 'off',
        '@typescript-eslint/no-misused-promises': 'off',
        '@typescript-eslint/await-thenable': 'off',
      },
    },
  });
});

async function complaints(filePath: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath });
  expect(result!.messages.filter(({ fatal }) => fatal)).toEqual([]);
  return result!.messages
    .filter(({ ruleId }) => ruleId?.endsWith('no-restricted-imports'))
    .map(({ message }) => message);
}

const IMPORTS = {
  'the SageMaker client': `import { SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime';\nexport const c = SageMakerRuntimeClient;\n`,
  'node-llama-cpp': `import { getLlama } from 'node-llama-cpp';\nexport const c = getLlama;\n`,
  'a provider': `import { openaiProvider } from '#shared/models/providers/openai.ts';\nexport const c = openaiProvider;\n`,
  'a re-export of a provider': `export { openaiProvider } from '#shared/models/providers/openai.ts';\n`,
};
const ELSEWHERE = [
  'functions/dataset-synthesis/example.ts',
  'functions/inference/example.ts',
  'functions/api/example.ts',
  'functions/example.ts',
  'shared/text/example.ts',
  'local/platform/example.ts',
  'cli/commands/example.ts',
  'infra/example.ts',
];

describe('the lint rule of the one door', () => {
  describe.each(ELSEWHERE)('in %s', (file) => {
    it.each(Object.entries(IMPORTS))('[model-inference 1] %s is refused', async (_name, code) => {
      const [message, ...more] = await complaints(file, code);
      expect(message).toContain('Only shared/models calls models');
      expect(more).toEqual([]);
    });
  });

  it('[model-inference 1] a provider imported by a relative path is refused', async () => {
    const code = (path: string): string => `import { p } from '${path}';\nexport const c = p;\n`;
    expect(await complaints('shared/text/example.ts', code('../models/providers/openai.ts'))).toHaveLength(1);
    expect(
      await complaints('functions/inference/example.ts', code('../../shared/models/providers/openai.ts')),
    ).toHaveLength(1);
  });

  it('shared/models itself may, and everybody may use the door', async () => {
    for (const code of Object.values(IMPORTS))
      expect(await complaints('shared/models/providers/example.ts', code)).toEqual([]);
    const door = `import { infer } from '#shared/models/door.ts';\nexport const c = infer;\n`;
    for (const file of ELSEWHERE) expect(await complaints(file, door)).toEqual([]);
  });
});
