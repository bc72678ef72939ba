import { readdirSync } from 'node:fs';
import tseslint from 'typescript-eslint';

/** Folders of functions/ that every workflow uses; every other folder there is one workflow. */
const SERVICES = new Set(['inference', 'api', 'triggers']);
const workflows = readdirSync('functions', { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !SERVICES.has(entry.name))
  .map((entry) => entry.name);

/** Forbids imports of the named rooms, however they are spelt. Patterns are gitignore's: a bare `#` is a comment there. */
const closed = (rooms, why) => ({
  group: rooms.flatMap((room) => [`\\#${room}/**`, `**/../${room}/**`]),
  message: why,
});

/** Packages that call a model; only the providers may load them (model-inference section 1). */
const PROVIDER_PACKAGES = {
  group: [
    '@aws-sdk/client-sagemaker-runtime',
    'node-llama-cpp',
    '\\#shared/models/providers/**',
    '**/models/providers/**',
  ],
  message: 'Only shared/models calls models: use the infer door instead.',
};

const INWARD = closed(
  ['local', 'infra', 'cli'],
  'Arrows point one way: functions and shared never import local, infra or cli.',
);

const restrict = (files, patterns, ignores = []) => ({
  files,
  ignores,
  rules: { 'no-restricted-imports': ['error', { patterns }] },
});

export default tseslint.config(
  { ignores: ['node_modules/**', 'cdk.out/**', '.agentmill/**', 'coverage/**'] },
  ...tseslint.configs.recommended,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    files: ['**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
    },
  },
  { files: ['cli/**', 'bench/**', 'infra/**', 'test/**'], rules: { 'no-console': 'off' } },
  restrict(['cli/**/*.ts', 'bench/**/*.ts', 'infra/**/*.ts'], [PROVIDER_PACKAGES]),
  restrict(
    ['local/**/*.ts'],
    [closed(['infra', 'cli'], 'local imports functions, shared and statemachines only.'), PROVIDER_PACKAGES],
    ['local/endpoint-server/**'],
  ),
  restrict(
    ['shared/**/*.ts'],
    [INWARD, closed(['functions'], 'shared never imports functions.'), PROVIDER_PACKAGES],
    ['shared/models/**'],
  ),
  restrict(['shared/models/**/*.ts'], [INWARD, closed(['functions'], 'shared never imports functions.')]),
  restrict(['functions/*.ts', 'functions/{inference,api,triggers}/**/*.ts'], [INWARD, PROVIDER_PACKAGES]),
  ...workflows.map((name) =>
    restrict(
      [`functions/${name}/**/*.ts`],
      [
        INWARD,
        PROVIDER_PACKAGES,
        {
          group: [...workflows, ...SERVICES]
            .filter((other) => other !== name)
            .flatMap((other) => [`\\#functions/${other}/**`, `**/../${other}/**`]),
          message: 'A workflow imports no other workflow and no service: share through shared/.',
        },
      ],
    ),
  ),
);
