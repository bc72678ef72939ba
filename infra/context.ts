import { z } from 'zod';
import { searchProvider } from '#shared/research/search/provider.ts';

const Vpc = z.strictObject({
  vpcId: z.string(),
  subnetIds: z.array(z.string()).min(1),
  securityGroupIds: z.array(z.string()).min(1),
});

const Auth = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('iam') }),
  z.strictObject({
    type: z.literal('jwt'),
    issuer: z.url({ protocol: /^https$/ }),
    audiences: z.array(z.string().min(1)).min(1),
  }),
]);

/** The context of the app (infra-api-cli section 2); given in cdk.json or with `-c agentmill='{…}'`. */
export const Context = z.strictObject({
  stage: z
    .string()
    .regex(/^[a-z][a-z0-9]{1,11}$/, 'a stage is 2 to 12 lower-case letters and digits')
    .default('dev'),
  /** `dev` or `prod`: which settings of stages.ts hold for this stage. */
  profile: z.enum(['dev', 'prod']).optional(),
  auth: Auth.default({ type: 'iam' }),
  corsOrigins: z.array(z.url()).default([]),
  /** Owners (hashes, as jobs show them) who see everybody's jobs. */
  admins: z.array(z.string()).default([]),
  /** ARN of a customer key for bucket and table; else the services' own keys. Queues have SQS's own key. */
  kms: z.string().startsWith('arn:').optional(),
  /** Where functions that call private model servers run. Ids are given, never looked up. */
  vpc: Vpc.optional(),
  /**
   * Where identity tokens for model servers with `auth.type` `oidc` come from, if not from STS: `AGENTMILL_OIDC_TOKEN_URL`
   * or `AGENTMILL_OIDC_TOKEN_FILE` of the infer functions. The first is asked without a bearer: that would be a secret
   * in the environment.
   */
  oidc: z
    .strictObject({
      tokenUrl: z
        .url()
        .refine(
          (url) => /^https:|^http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])[:/]/.test(url),
          'the identity server must be HTTPS, or an extension on loopback',
        )
        .optional(),
      tokenFile: z.string().startsWith('/').optional(),
    })
    .refine(({ tokenUrl, tokenFile }) => !(tokenUrl && tokenFile), 'give tokenUrl or tokenFile, not both')
    .optional(),
  /**
   * Who searches the web for research agents: `serper`, `brave` or the JSON of a provider (AGENTMILL_SEARCH of all
   * functions). Keys stay in the secret `agentmill/<stage>/search`.
   */
  search: z
    .string()
    .check((field) => {
      try {
        searchProvider({ AGENTMILL_SEARCH: field.value });
      } catch (error) {
        field.issues.push({ code: 'custom', message: (error as Error).message, input: field.value });
      }
    })
    .optional(),
  alarmEmail: z.email().optional(),
  /** Image digests of the sandbox and the browser, `<repository>@sha256:…`. */
  images: z.strictObject({ sandbox: z.string().optional(), browser: z.string().optional() }).default({}),
  /** Micro-dollars of model spend an hour above which the cost alarm rings. */
  hourlySpendMicroUsd: z.int().positive().default(50_000_000),
});

export type Context = z.infer<typeof Context>;

/**
 * Reads the context: an object of cdk.json, or the text that `-c agentmill='{…}'` gives.
 * @throws Error that names every field at fault.
 */
export function readContext(value: unknown): Context {
  const parsed = Context.safeParse(typeof value === 'string' ? fromCommandLine(value) : (value ?? {}));
  if (parsed.success) return parsed.data;
  throw new Error(
    `The context "agentmill" is not usable:\n${parsed.error.issues
      .map((issue) => `  ${issue.path.join('.') || '(context)'}: ${issue.message}`)
      .join('\n')}`,
  );
}

/** The CDK command hands on what stands behind `-c name=` as text, whatever it is. */
function fromCommandLine(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(
      `The context "agentmill" is no JSON (${(error as Error).message}): give it as -c agentmill='{"stage":"prod"}'.`,
      { cause: error },
    );
  }
}
