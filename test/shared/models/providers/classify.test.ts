import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify, type Fault } from '#shared/models/providers/classify.ts';
import { retryAfterMs } from '#shared/models/providers/retry-after.ts';

type Row = [string, Fault, string];

describe('the error table of section 9', () => {
  it.each<Row>([
    ['402', { status: 402 }, 'QUOTA'],
    ['400 naming quota', { status: 400, message: 'You exceeded your current quota' }, 'QUOTA'],
    ['403 naming billing', { status: 403, message: 'Billing is not enabled' }, 'QUOTA'],
    ['429 naming credit', { status: 429, message: 'insufficient credits' }, 'QUOTA'],
    ['ModelNotReadyException', { exceptionName: 'ModelNotReadyException', status: 429 }, 'UNAVAILABLE'],
    ['429', { status: 429 }, 'THROTTLED'],
    [
      'ThrottlingException as HTTP 400',
      { exceptionName: 'ThrottlingException', status: 400, message: null },
      'THROTTLED',
    ],
    [
      'ModelError original 429',
      { exceptionName: 'ModelError', status: 424, originalStatus: 429 },
      'THROTTLED',
    ],
    ['401', { status: 401 }, 'AUTH'],
    ['403', { status: 403 }, 'AUTH'],
    ['AccessDeniedException', { exceptionName: 'AccessDeniedException', status: 400 }, 'AUTH'],
    ['ExpiredTokenException', { exceptionName: 'ExpiredTokenException', status: 400 }, 'AUTH'],
    [
      'an expired token',
      { status: 400, message: 'The security token included in the request is expired' },
      'AUTH',
    ],
    ['404', { status: 404 }, 'NOT_FOUND'],
    [
      'ValidationError not found',
      { exceptionName: 'ValidationError', status: 400, message: 'Endpoint e of account 1 not found.' },
      'NOT_FOUND',
    ],
    [
      '400 naming context length',
      { status: 400, message: "This model's maximum context length is 8192 tokens" },
      'CONTEXT_OVERFLOW',
    ],
    ...[
      'input length and `max_tokens` exceed context limit: 199000 + 8000 > 200000',
      'The input token count (1500000) exceeds the maximum number of tokens allowed (1048576).',
      'too many tokens: total number of tokens in the prompt cannot exceed 4081',
      'Prompt length (5000) exceeds maximum input length (4096)',
      'The decoder prompt (length 50000) is longer than the maximum model length of 32768.',
      'the request exceeds the available context size, try increasing it',
      'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096',
      'Please reduce the length of the messages. context_length_exceeded',
    ].map((message): Row => [message, { status: 400, message }, 'CONTEXT_OVERFLOW']),
    ...['max_tokens must be positive', 'tool exceeds depth', 'the limit of stop words is 4'].map(
      (message): Row => [message, { status: 400, message }, 'BAD_REQUEST'],
    ),
    ['413 naming the prompt', { status: 413, message: 'prompt is too long' }, 'CONTEXT_OVERFLOW'],
    [
      '424 naming TGI limits',
      { status: 424, message: '`inputs` tokens + `max_new_tokens` must be <= 4096' },
      'CONTEXT_OVERFLOW',
    ],
    [
      'ModelError naming context length',
      { exceptionName: 'ModelError', status: 424, originalStatus: 400, message: 'context length exceeded' },
      'CONTEXT_OVERFLOW',
    ],
    ['422', { status: 422 }, 'BAD_REQUEST'],
    ['413 alone', { status: 413 }, 'BAD_REQUEST'],
    [
      'ValidationException',
      { exceptionName: 'ValidationException', status: 400, message: 'bad' },
      'BAD_REQUEST',
    ],
    [
      'ModelError original 400',
      { exceptionName: 'ModelError', status: 424, originalStatus: 400, message: 'bad' },
      'BAD_REQUEST',
    ],
    ['500', { status: 500 }, 'UNAVAILABLE'],
    ['504', { status: 504 }, 'UNAVAILABLE'],
    ['ServiceUnavailable', { exceptionName: 'ServiceUnavailable', status: 503 }, 'UNAVAILABLE'],
    ['InternalFailure', { exceptionName: 'InternalFailure', status: 500 }, 'UNAVAILABLE'],
    [
      'InternalDependencyException',
      { exceptionName: 'InternalDependencyException', status: 530 },
      'UNAVAILABLE',
    ],
    ['InternalStreamFailure', { exceptionName: 'InternalStreamFailure', status: 200 }, 'UNAVAILABLE'],
    [
      'ModelError original 500',
      { exceptionName: 'ModelError', status: 424, originalStatus: 500 },
      'UNAVAILABLE',
    ],
    ['ModelError original 0', { exceptionName: 'ModelError', status: 424, originalStatus: 0 }, 'UNAVAILABLE'],
    ['a reset', { exceptionName: 'Error', networkCode: 'ECONNRESET' }, 'UNAVAILABLE'],
    ['no such host', { networkCode: 'ENOTFOUND' }, 'UNAVAILABLE'],
    ['a time-out', { kind: 'timeout' }, 'TIMEOUT'],
    ["the SDK's time-out", { exceptionName: 'TimeoutError' }, 'TIMEOUT'],
    ['ModelStreamError', { exceptionName: 'ModelStreamError', status: 200 }, 'TIMEOUT'],
    ['an unreadable 200', { kind: 'unreadable', status: 200 }, 'BAD_RESPONSE'],
    ['a cut stream', { kind: 'stream-cut', status: 200 }, 'BAD_RESPONSE'],
    ['no text', { kind: 'empty' }, 'EMPTY'],
    ['a filter', { kind: 'content-filter' }, 'CONTENT_FILTERED'],
    ['anything else', { status: 302 }, 'DEFECT'],
    ['nothing known', {}, 'DEFECT'],
  ])('[model-inference 6] %s', (_name, fault, code) => {
    expect(classify(fault).code).toBe(code);
  });

  it('charges nothing for what was refused, and does not know what was broken off', () => {
    expect(classify({ status: 429 }).billed).toBe('no');
    expect(classify({ status: 503 }).billed).toBe('no');
    expect(classify({ status: 307 }).billed).toBe('no');
    for (const networkCode of [
      'ECONNREFUSED',
      'ERR_SSL_WRONG_VERSION_NUMBER',
      'CERT_HAS_EXPIRED',
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ])
      expect(classify({ networkCode })).toMatchObject({ code: 'UNAVAILABLE', billed: 'no' });
    expect(classify({ networkCode: 'ECONNRESET' }).billed).toBe('unknown');
    expect(classify({ kind: 'timeout' }).billed).toBe('unknown');
    expect(classify({ kind: 'unreadable' }).billed).toBe('unknown');
    expect(classify({ exceptionName: 'InternalStreamFailure', midStream: true }).billed).toBe('unknown');
    expect(classify({ exceptionName: 'ModelNotReadyException' }).untilDeadline).toBe(true);
  });

  it('has a verdict on every fault', () => {
    fc.assert(
      fc.property(
        fc.record(
          {
            exceptionName: fc.string(),
            status: fc.integer({ min: 100, max: 599 }),
            originalStatus: fc.integer(),
            message: fc.option(fc.string()),
            networkCode: fc.string(),
          },
          { requiredKeys: [] },
        ),
        (fault) => {
          expect(classify(fault as Fault).code).toMatch(/^[A-Z_]+$/);
        },
      ),
    );
  });
});

describe('Retry-After', () => {
  it('reads seconds and dates up to 120 s', () => {
    const now = Date.UTC(2026, 0, 1);
    expect(retryAfterMs('2', now)).toBe(2000);
    expect(retryAfterMs('0.5', now)).toBe(500);
    expect(retryAfterMs('9999', now)).toBe(120_000);
    expect(retryAfterMs(new Date(now + 7000).toUTCString(), now)).toBe(7000);
    expect(retryAfterMs(new Date(now - 7000).toUTCString(), now)).toBe(0);
    for (const header of ['', 'soon', '-1x', undefined]) expect(retryAfterMs(header, now)).toBeUndefined();
  });

  it('is a wait of 0 to 120 s or none, whatever the header says', () => {
    const header = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom('0', '9', '-', '.', 'e', ':', ' ', 'G', 'M', 'T') }),
      fc.date({ noInvalidDate: false }).map(String),
      fc.array(fc.string()),
    );
    fc.assert(
      fc.property(header, (text) => {
        const ms = retryAfterMs(text, Date.UTC(2026, 0, 1)) ?? 0;
        expect(Number.isInteger(ms) && ms >= 0 && ms <= 120_000).toBe(true);
      }),
    );
  });
});
