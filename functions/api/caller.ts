import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { sha256Hex } from '#shared/determinism/hash.ts';
import type { Job } from '#shared/task/jobs.ts';
import { ProblemError } from '#shared/task/problems.ts';
import type { Runtime } from '#shared/task/runtime.ts';

/** Who asks, as the gateway's authoriser found it (infra-api-cli section 7, "Auth"). */

export type Scope = 'jobs:read' | 'jobs:write';
export const ADMIN_SCOPE = 'jobs:admin';

export interface Caller {
  /** A hash of issuer and subject, or of account and role; `local` on one machine. */
  owner: string;
  /** Sees every owner's jobs. */
  admin: boolean;
  /** Undefined where the gateway grants each route (IAM, embedded). */
  scopes?: ReadonlySet<string>;
}

interface Authorizer {
  jwt?: { claims?: Record<string, unknown>; scopes?: string[] | null };
  iam?: { accountId?: string; callerId?: string; userArn?: string };
}

const forbidden = (detail: string): ProblemError => new ProblemError('forbidden', detail);

/** An owner's name in keys and records: short, and of letters and digits only, whatever an identity provider sends. */
export const ownerOf = (...identity: string[]): string =>
  `o${sha256Hex(JSON.stringify(identity)).slice(0, 32)}`;

/**
 * The caller of a request.
 * @throws ProblemError `forbidden` where no identity was established.
 */
export function callerOf(event: APIGatewayProxyEventV2, runtime: Pick<Runtime, 'kind' | 'env'>): Caller {
  const { authorizer } = event.requestContext as { authorizer?: Authorizer };
  const admins = new Set(
    (runtime.env.AGENTMILL_ADMINS ?? '')
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean),
  );
  if (authorizer?.jwt) {
    const { claims = {}, scopes } = authorizer.jwt;
    const { iss, sub, scope } = claims;
    if (typeof iss !== 'string' || typeof sub !== 'string' || iss === '' || sub === '') {
      throw forbidden('The token names no issuer or subject.');
    }
    const granted = new Set(scopes ?? (typeof scope === 'string' ? scope.split(' ') : []));
    const owner = ownerOf(iss, sub);
    return {
      owner,
      admin: granted.has(ADMIN_SCOPE) || admins.has(owner) || admins.has(sub),
      scopes: granted,
    };
  }
  if (authorizer?.iam) {
    const { accountId, callerId, userArn } = authorizer.iam;
    if (!accountId || !callerId) throw forbidden('The signature names no account or caller.');
    // A role's sessions share its jobs: the caller id of a session is `<role id>:<session name>`.
    const principal = callerId.split(':')[0]!;
    const owner = ownerOf(accountId, principal);
    const names = [owner, principal, userArn ?? ''];
    return { owner, admin: names.some((name) => admins.has(name)) };
  }
  if (runtime.kind === 'embedded') return { owner: 'local', admin: true };
  throw forbidden('The request carries no identity.');
}

/** @throws ProblemError `forbidden` where a token lacks a route's scope. */
export function requireScope(caller: Caller, scope: Scope): void {
  if (caller.scopes === undefined || caller.scopes.has(scope)) return;
  throw forbidden(`The token lacks the scope ${scope}.`);
}

export const maySee = (caller: Caller, job: Pick<Job, 'owner'>): boolean =>
  caller.admin || caller.owner === job.owner;
