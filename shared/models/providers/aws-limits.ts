/**
 * Limits of Amazon SageMaker that no public page confirms for every case; they are verified against the service when
 * it is at hand, and stand here alone so that correcting one is one line.
 */

/** A real-time request body, in bytes; a larger one is refused unsent. */
export const MAX_REALTIME_BODY_BYTES = 6_000_000;

/** A real-time answer must be complete within 60 s; the client waits a little longer and then gives up. */
export const REALTIME_TIMEOUT_MS = 70_000;

/** A streamed answer may take this long. */
export const MAX_STREAM_MS = 480_000;

/** An inline body of InvokeEndpointAsync, in bytes; a larger one goes through S3. */
export const MAX_ASYNC_INLINE_BYTES = 128_000;

/** An asynchronous request body in S3, in bytes (1 GB). */
export const MAX_ASYNC_BODY_BYTES = 1_000_000_000;

/** Where asynchronous endpoints of this platform write, below their bucket: `<root>/<extension>/<file name>`. */
export const ASYNC_OUTPUT_ROOT = 'async/out';
export const ASYNC_FAILURE_ROOT = 'async/fail';
