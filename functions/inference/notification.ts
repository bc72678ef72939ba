/** What a message of the results queue says of an asynchronous call. */
export interface Notification {
  /** Our attempt id, where the endpoint's own message carries it. */
  inferenceId?: string;
  /** The object that appeared. */
  key?: string;
  /** Why the endpoint gave up. */
  failureReason?: string;
}

const member = (value: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>(
    (at, name) => (at !== null && typeof at === 'object' ? (at as Record<string, unknown>)[name] : undefined),
    value,
  );
const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/** The key of an `s3://bucket/key` location. */
const keyOf = (location: string | undefined): string | undefined =>
  /^s3:\/\/[^/]+\/(.+)$/.exec(location ?? '')?.[1];

/**
 * Reads a message body: the endpoint's own notification, the same inside an SNS envelope, or an EventBridge
 * object-created event. Undefined for anything else; never throws.
 */
export function readNotification(body: string): Notification | undefined {
  let message: unknown;
  try {
    message = JSON.parse(body);
    const inner = text(member(message, 'Message'));
    if (member(message, 'Type') === 'Notification' && inner !== undefined) message = JSON.parse(inner);
  } catch {
    return undefined;
  }
  const status = text(member(message, 'invocationStatus'));
  if (status !== undefined) {
    const inferenceId = text(member(message, 'inferenceId'));
    const key =
      keyOf(text(member(message, 'responseParameters', 'outputLocation'))) ??
      keyOf(text(member(message, 'responseParameters', 'failureLocation')));
    if (inferenceId === undefined && key === undefined) return undefined;
    return {
      ...(inferenceId === undefined ? {} : { inferenceId }),
      ...(key === undefined ? {} : { key }),
      ...(status === 'Failed' ? { failureReason: text(member(message, 'failureReason')) ?? 'Failed' } : {}),
    };
  }
  const key = text(member(message, 'detail', 'object', 'key'));
  return member(message, 'detail-type') === 'Object Created' && key !== undefined ? { key } : undefined;
}
